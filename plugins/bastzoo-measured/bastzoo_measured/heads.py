"""The open air as one of CIPIC's listeners hears it: for tests with ears that no model was trained on."""

from __future__ import annotations

import numpy as np

from bastzoo.acoustics.listeners.interpolation import interpolated
from bastzoo.acoustics.listeners.listener import FARTHEST, Listener
from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.data.environments import Environment
from bastzoo.data.sets.folder import folder_of, not_there, present_members
from bastzoo.directions import direction_from_angles
from bastzoo.errors import DataError
from bastzoo.registry import Availability
from bastzoo_measured.cipic import cipic

_STEP = 10


def names() -> tuple[str, ...]:
    """Numbers of the listeners."""
    return tuple(cipic().members)


def is_there() -> Availability:
    """Whether any listener has been fetched."""
    index = cipic()
    if present_members(index, folder_of(index)):
        return Availability(True)
    return Availability(False, "needs its data: bastzoo data fetch cipic")


def open_air(*, member: str) -> Environment:
    """One listener, without a room. Raises DataError when its file is not there."""
    index = cipic()
    folder = folder_of(index)
    if member not in present_members(index, folder):
        raise DataError(not_there(index, member))
    return Environment(f"cipic/{member}", (as_room(index.read(folder, member), f"cipic/{member}"),))


def as_room(listener: Listener, name: str) -> MeasuredRoom:
    """What a listener hears from the horizon in steps of 10 degrees.

    Without the directions that lie farther than 5 degrees from all measured ones: CIPIC has none at the
    far sides.
    """
    circle = direction_from_angles(np.arange(-180 + _STEP, 181, _STEP))
    near = circle[listener.gap(circle) <= FARTHEST]
    between = interpolated(listener, near)
    responses = between.responses[between.nearest(near)]
    return MeasuredRoom(name, near, responses.astype(np.float32), listener.id)
