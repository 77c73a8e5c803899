"""Places: the rooms of an environment as listeners hear them, and from which directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bastzoo.acoustics.listeners.listener import FARTHEST, Listener, virtual_listener
from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.rooms.shoebox import Room, binaural_responses
from bastzoo.conditions import Condition, Directions
from bastzoo.data.environments import Environment
from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of
from bastzoo.errors import DataError
from bastzoo.presets import DataSize


@dataclass(frozen=True, eq=False)
class Place:
    """A room as one listener hears it: `directions` [A, 3] of the sources, `responses` [A, 2, K].

    room: position of the room in the environment. listener: which noise filter belongs to its ears.
    """

    room: int
    listener: int
    directions: np.ndarray
    responses: np.ndarray


def places_of(
    environment: Environment, listeners: Sequence[Listener], condition: Condition, size: DataSize
) -> list[Place]:
    """Every room with every listener; a measured room once, with its own.

    Raises DataError where a condition asks for directions that a measured room cannot have.
    """
    grid = directions_of(condition.directions, size.azimuth_step)
    places, measured = [], len(listeners)
    for number, room in enumerate(environment.rooms):
        if isinstance(room, MeasuredRoom):
            if condition.directions != "grid":
                raise DataError(
                    f"The room {room.name} is measured: it is heard from the directions measured in "
                    f"it, and has none that are {condition}."
                )
            places.append(Place(number, measured, room.directions, room.responses))
            measured += 1
            continue
        for which, listener in enumerate(listeners):
            heard = room_responses(room, listener, condition.directions, size.azimuth_step)
            places.append(Place(number, which, grid, heard))
    return places


def count_places(
    environment: Environment, own: Sequence[Listener], condition: Condition, size: DataSize
) -> int:
    """From how many directions, in how many rooms, with how many listeners a sound is heard."""
    grid = len(directions_of(condition.directions, size.azimuth_step))
    heard = grid * len(heard_with(condition, own))
    rooms = environment.rooms
    return sum(len(r.directions) if isinstance(r, MeasuredRoom) else heard for r in rooms)


def heard_with(condition: Condition, own: Sequence[Listener]) -> list[Listener]:
    """The listeners of a split under a condition, number 0 standing for its own."""
    found: list[Listener] = []
    for number in condition.listeners:
        found += own if number == 0 else [virtual_listener(number)]
    return found


def check_reach(
    environment: Environment, own: Sequence[Listener], condition: Condition, size: DataSize
) -> None:
    """Refuse a test in a made room from directions that its listeners were not measured near.

    Raises DataError.
    """
    if all(isinstance(room, MeasuredRoom) for room in environment.rooms):
        return
    grid = directions_of(condition.directions, size.azimuth_step)
    for sentence in guessed(heard_with(condition, own), grid):
        raise DataError(
            f"{sentence}: a test there would be a guess; name another listener with --test-listener."
        )


def guessed(listeners: Sequence[Listener], directions: np.ndarray) -> list[str]:
    """For each listener not measured near all of `directions` [A, 3] a clause that says where."""
    found = []
    for listener in listeners:
        gaps = listener.gap(directions)
        if gaps.max() > FARTHEST:
            worst = directions[int(gaps.argmax())]
            found.append(
                f"The listener {listener.id} was measured no closer than {gaps.max():.0f} degrees to azimuth "
                f"{azimuth_of(worst):.0f}, elevation {elevation_of(worst):.0f}"
                + f", and not near {(gaps > FARTHEST).sum()} of {len(directions)} directions"
                * (len(directions) > 1)
            )
    return found


def directions_of(kind: Directions, azimuth_step: int) -> np.ndarray:
    """Unit vectors `[A, 3]` of the directions that a condition names."""
    if kind == "sphere":
        from bastzoo.acoustics.sphere import sphere_grid

        azimuths, elevations = sphere_grid().T
        return direction_from_angles(azimuths, elevations)
    grid = azimuth_grid(azimuth_step)
    return direction_from_angles(grid - azimuth_step / 2 if kind == "between" else grid)


def azimuth_grid(step: int) -> np.ndarray:
    """Azimuths from -180 + step to 180 degrees, counter-clockwise, +90 left."""
    return np.arange(-180 + step, 181, step)


def room_responses(
    room: Room, listener: Listener, kind: Directions, azimuth_step: int
) -> np.ndarray:
    """Binaural responses `[A, 2, K]` of a room from all directions, made once a process."""
    _LISTENERS[listener.digest] = listener
    return _room_responses(room, listener.digest, kind, azimuth_step)


_LISTENERS: dict[str, Listener] = {}


@lru_cache(maxsize=64)
def _room_responses(
    room: Room, listener_digest: str, kind: Directions, azimuth_step: int
) -> np.ndarray:
    return binaural_responses(room, _LISTENERS[listener_digest], directions_of(kind, azimuth_step))
