"""Environments: the rooms in which the sounds of a split are heard."""

from __future__ import annotations

from dataclasses import dataclass, field

from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.rooms.shoebox import ANECHOIC, LECTURE_HALL, Room
from bastzoo.conditions import WILD, Condition


@dataclass(frozen=True, slots=True)
class Scenes:
    """How many rooms by the thousand a split has, and how often each of its sounds is heard in them.

    sources: places of a source in each scene. Scenes of two splits, or of two seeds, have no room in common.
    """

    train: int = 700
    validation: int = 60
    test: int = 120
    train_takes: int = 256
    validation_takes: int = 40
    test_takes: int = 72
    sources: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Environment:
    """A named set of rooms, made or measured; every sound is heard in each of them.

    In a made one from every azimuth of the grid, in a measured one from where it was measured.
    scenes: rooms drawn by the thousand, in the place of `rooms`; every sound is then heard in some of them,
    from azimuths on no grid. condition: what is heard there where nobody asks for another condition.
    """

    name: str
    rooms: tuple[Room | MeasuredRoom, ...] = ()
    scenes: Scenes | None = None
    condition: Condition = field(default_factory=Condition)


def ri01() -> Environment:
    """RI01 of the BAST papers: an anechoic room."""
    return Environment("RI01", (ANECHOIC,))


def ri02() -> Environment:
    """RI02 of the BAST papers: a lecture hall of 10 × 14 m."""
    return Environment("RI02", (LECTURE_HALL,))


def ri() -> Environment:
    """RI of the BAST papers: RI01 and RI02."""
    return Environment("RI", (ANECHOIC, LECTURE_HALL))


def wild() -> Environment:
    """What is met outside a laboratory: other rooms, places, listeners, colours, noise, running sound."""
    return Environment("wild", scenes=Scenes(), condition=WILD)


def wild_large() -> Environment:
    """`wild` with more rooms, for trainings that are long enough to learn 700 by heart."""
    return Environment("wild-large", scenes=Scenes(train=4000), condition=WILD)
