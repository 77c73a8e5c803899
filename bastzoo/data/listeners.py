"""Listeners by the names that commands take, and those that a data source names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bastzoo.acoustics.listeners.listener import (
    DEFAULT_DIGEST,
    Listener,
    default_listener,
    kemar,
    read_sofa,
    virtual_listener,
)
from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.conditions import Condition, DataSource, Directions
from bastzoo.data.environments import Environment
from bastzoo.data.rendering.places import directions_of, guessed, heard_with
from bastzoo.data.sets.folder import read_members
from bastzoo.errors import DataError, tellable

if TYPE_CHECKING:
    from bastzoo.acoustics.listeners.sofa import AzimuthDirection
    from bastzoo.acoustics.sounds import Split
    from bastzoo.presets import DataSize
    from bastzoo.registry import Registry

_VIRTUAL = "virtual/"


def find_listeners(
    name: str,
    *,
    azimuths: AzimuthDirection = "counter-clockwise",
    registry: Registry | None = None,
) -> tuple[Listener, ...]:
    """The listeners that a name stands for.

    `FILE.sofa` is read (`azimuths`: how those of the file count); `default`, `kemar` and `virtual/N` (N from
    0 on) are embedded. Of a data set, `SET` is all listeners that are there and `SET/MEMBER` one of them;
    `registry` knows them. `NAME@0.93` is a measured one whose ears work at 0.93 times the frequencies: people
    differ by that first (Middlebrooks 1999, J. Acoust. Soc. Am. 106:1480).
    Raises DataError for any other name, and for data that is not there.
    """
    measured, at, factor = name.rpartition("@")
    if at and not Path(name).exists() and (size := _number(factor)) is not None:
        found = find_listeners(measured, azimuths=azimuths, registry=registry)
        return tuple(one.resized(size) for one in found)
    if name.lower().endswith(".sofa") or Path(name).exists():
        return (read_sofa(name, azimuths=azimuths),)
    if name in ("default", "kemar"):
        return (default_listener() if name == "default" else kemar(),)
    number = name.removeprefix(_VIRTUAL)
    if name.startswith(_VIRTUAL) and number.isdecimal() and number.isascii() and len(number) < 7:
        return (virtual_listener(int(number)),)
    sets = [] if registry is None else registry.names("dataset")
    if registry is not None and name.partition("/")[0].lower() in {one.lower() for one in sets}:
        return tuple(read_members(name, "listeners", registry))
    known = "".join(f", {one}/..." for one in sets)
    raise DataError(
        f"There is no listener {tellable(name)!r}: name a SOFA file, default, kemar, virtual/N, or one of a "
        f"data set{f' ({known[2:]})' if known else ''}."
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class SourceListeners:
    """The listeners that a data source names, read once a process."""

    def __init__(self, source: DataSource, registry: Registry | None = None) -> None:
        self.source = source
        self._registry = registry
        self._found: dict[int, Mapping[Split, tuple[Listener, ...]]] = {}

    @property
    def are_usual(self) -> bool:
        """Whether the source names none."""
        return not (self.source.own_listeners or self.source.test_listeners)

    def of(self, size: DataSize) -> Mapping[Split, tuple[Listener, ...]]:
        """The listeners of each split: those that the source names, or the default one.

        Where the source asks for it they have responses for all grids of `size`, interpolated.
        """
        if size.azimuth_step not in self._found:
            own = self._named(self.source.own_listeners, size) or (default_listener(),)
            test = self._named(self.source.test_listeners, size) or own
            self._found[size.azimuth_step] = {"train": own, "validation": own, "test": test}
        return self._found[size.azimuth_step]

    def digests(self, size: DataSize) -> dict[str, Any]:
        """The arguments of `data_digest` that say who listens; nothing is read for the default one."""
        if self.are_usual:
            return {"listener": DEFAULT_DIGEST}
        found = self.of(size)
        return {
            "listener": found["train"][0].digest,
            "listeners": {split: [one.digest for one in own] for split, own in found.items()},
        }

    def warnings(self, environment: Environment, condition: Condition, size: DataSize) -> list[str]:
        """Sentences on what is unusual about those who listen in training, and about measured rooms."""
        found = self.notes(environment, "train", size)
        if all(isinstance(room, MeasuredRoom) for room in environment.rooms):
            return found
        grid = directions_of(condition.directions, size.azimuth_step)
        own = heard_with(condition, self.of(size)["train"])
        found += [
            f"{sentence}; training hears the nearest response, or one from far around, in its place."
            for sentence in guessed(own, grid)
        ]
        return found

    def notes(self, environment: Environment, split: Split, size: DataSize) -> list[str]:
        """Sentences on the files of a split's listeners and of measured rooms, as their readers noted."""
        rooms = environment.rooms
        found = [f"{room.name}: {note}." for room in rooms for note in getattr(room, "notes", ())]
        if self.are_usual:
            return found
        found += [f"{one.id}: {note}." for one in self.of(size)[split] for note in one.notes]
        if measured := [room.name for room in rooms if isinstance(room, MeasuredRoom)]:
            found.append(
                f"{', '.join(measured)}: measured with ears of its own; the listeners named are not heard "
                "there."
            )
        return found

    def _named(self, names: Sequence[str], size: DataSize) -> tuple[Listener, ...]:
        azimuths = self.source.azimuth_direction or "counter-clockwise"
        found = [
            one
            for name in names
            for one in find_listeners(name, azimuths=azimuths, registry=self._registry)
        ]
        if self.source.hrtf_directions == "interpolated" and found:
            from bastzoo.acoustics.listeners.interpolation import interpolated

            grids: tuple[Directions, ...] = ("grid", "between", "sphere")
            wanted = np.concatenate([directions_of(kind, size.azimuth_step) for kind in grids])
            found = [interpolated(one, wanted) for one in found]
        return tuple(found)
