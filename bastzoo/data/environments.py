"""Environments: the rooms in which the sounds of a split are heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.rooms.shoebox import ANECHOIC, LECTURE_HALL, Room
from bastzoo.conditions import USUAL, WILD, Condition
from bastzoo.errors import DataError

_OWN = ("direction", "class", "directions", "classes", "present", "elevation")
"""Targets that every data set gives."""


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
    targets: what else is known of a clip, for heads that answer it: by name, a number for each room (by its
    name), `{"distance": {"near": 1.0, "far": 3.0}}`. Raises DataError where a room has none.
    """

    name: str
    rooms: tuple[Room | MeasuredRoom, ...] = ()
    scenes: Scenes | None = None
    condition: Condition = field(default_factory=Condition)
    targets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [room.name for room in self.rooms]
        for target, values in self.targets.items():
            if self.scenes is not None or sorted(values) != sorted(names) or target in _OWN:
                raise DataError(
                    f"The environment {self.name} gives the target {target!r} for "
                    f"{', '.join(values) or 'no room'}; give one number for each of its rooms "
                    f"({', '.join(names) or 'none'}), under a name other than {', '.join(_OWN)}."
                )


_NOT_IN_SCENES = ("snr_db", "duration_ms", "directions", "sources")


def check_heard(environment: Environment, condition: Condition) -> None:
    """Raise DataError where an environment cannot be heard under a condition."""
    if environment.scenes is None:
        if condition.names_scenes:
            raise DataError(
                f"The environment {environment.name} has no scenes, and what is asked for ({condition}) is "
                "theirs. Use --env wild."
            )
    elif any(getattr(condition, name) != getattr(USUAL, name) for name in _NOT_IN_SCENES):
        raise DataError(
            f"The environment {environment.name} cannot be heard with {condition}: its scenes have "
            "azimuths on no grid, one source, and noise of --env's own. Leave the option away."
        )


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
