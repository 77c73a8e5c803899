"""Environments: the rooms in which the sounds of a split are heard."""

from __future__ import annotations

from dataclasses import dataclass

from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.rooms.shoebox import ANECHOIC, LECTURE_HALL, Room


@dataclass(frozen=True, slots=True)
class Environment:
    """A named set of rooms, made or measured; every sound is heard in each of them.

    In a made one from every azimuth of the grid, in a measured one from where it was measured.
    """

    name: str
    rooms: tuple[Room | MeasuredRoom, ...]


def ri01() -> Environment:
    """RI01 of the BAST papers: an anechoic room."""
    return Environment("RI01", (ANECHOIC,))


def ri02() -> Environment:
    """RI02 of the BAST papers: a lecture hall of 10 × 14 m."""
    return Environment("RI02", (LECTURE_HALL,))


def ri() -> Environment:
    """RI of the BAST papers: RI01 and RI02."""
    return Environment("RI", (ANECHOIC, LECTURE_HALL))
