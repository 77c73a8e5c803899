"""Which plugins are installed: the entry points of the group `bastzoo`, and which of them to load.

Nothing is imported here. A distribution whose metadata is damaged, or that another one hides, gets
a record that says so instead of being passed over in silence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from bastzoo import __version__
from bastzoo.registry import Component

GROUP = "bastzoo"
BUILT_IN = "bastzoo"
"""The distribution that the built-in components carry."""

SLOW_SECONDS = 2.0
"""A plugin that takes longer than this to register its components is named in a warning."""


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """What became of one entry point.

    status: "loaded", "broken", or "skipped" (not asked for, or hidden by another distribution).
    error: why it is broken or skipped.
    traceback: where it broke, for its author.
    seconds: time to import the plugin and to call its hooks.

    >>> import bastzoo as bz
    >>> bz.PluginRecord("my-ears", "my-ears", "1.0", "my_ears", status="broken", error="no torch").ok
    False
    """

    name: str
    distribution: str
    version: str
    entry_point: str
    status: str = "loaded"
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0
    components: tuple[Component, ...] = ()

    @property
    def ok(self) -> bool:
        """False for a broken plugin; one that was skipped is in order."""
        return self.status != "broken"

    @property
    def slow(self) -> bool:
        """Whether it keeps everyone waiting."""
        return self.seconds > SLOW_SECONDS


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry point that has not been loaded; `load` imports and returns the plugin object."""

    name: str
    distribution: str
    version: str
    entry_point: str
    load: Callable[[], Any]

    def record(self, **outcome: Any) -> PluginRecord:
        """What became of it."""
        return PluginRecord(self.name, self.distribution, self.version, self.entry_point, **outcome)


def candidates() -> Iterator[Candidate | PluginRecord]:
    """The built-in zoo, then every entry point to load; a record for each one not to be loaded.

    `BASTZOO_LOAD_PLUGINS`, a comma-separated list of entry-point names or distributions, names the
    only ones to load (empty: none but the built-in zoo).
    """
    zoo = metadata.EntryPoint("zoo", "bastzoo.zoo", GROUP)
    yield Candidate(zoo.name, BUILT_IN, __version__, zoo.value, zoo.load)
    asked_for = _AskedFor(os.environ.get("BASTZOO_LOAD_PLUGINS"))
    for found in _installed():
        if isinstance(found, Candidate) and not asked_for.includes(found):
            found = found.record(status="skipped", error="BASTZOO_LOAD_PLUGINS does not name it")
        yield found
    yield from asked_for.missing()


def _installed() -> Iterator[Candidate | PluginRecord]:
    places: dict[str, str] = {}
    for distribution in metadata.distributions():
        # Reading a distribution's name parses its METADATA: only for those that concern us.
        try:
            if GROUP in (distribution.read_text("entry_points.txt") or ""):
                yield from _entry_points(distribution, places)
        except Exception as error:  # a damaged dist-info is its owner's problem, not the program's
            reason = f"its entry_points.txt cannot be read: {error}"
            yield PluginRecord("?", *_identity(distribution), "", "broken", reason)


def _entry_points(
    distribution: metadata.Distribution, places: dict[str, str]
) -> list[Candidate | PluginRecord]:
    """The entry points of one distribution; none if one of that name was met before.

    Distributions hide each other by name, first on `sys.path` first, as modules do. One that is
    seen twice through a symbolic link (a `lib64`, a shared site-packages) is one and the same.
    """
    name, version = _identity(distribution)
    # A dict, because a group may hold one line twice.
    found = dict.fromkeys(e for e in distribution.entry_points if e.group == GROUP)
    if not found:
        return []
    place = os.path.realpath(str(distribution.locate_file("")))
    first = places.get(_normalised(name))
    if first is None:
        places[_normalised(name)] = place
        return [Candidate(e.name, name, version, e.value, e.load) for e in found]
    if first == place:
        return []
    reason = f"the one in {first} comes before {place} on sys.path"
    return [PluginRecord(e.name, name, version, e.value, "skipped", reason) for e in found]


def _identity(distribution: metadata.Distribution) -> tuple[str, str]:
    """Name and version, with a stand-in when the METADATA is missing or damaged."""
    try:
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    except Exception:
        name, version = "", ""
    return name or f"unnamed in {distribution.locate_file('')}", version or "unknown"


def _normalised(name: str) -> str:
    """A distribution's name as the packaging standards compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class _AskedFor:
    """The plugins that `BASTZOO_LOAD_PLUGINS` names; all of them when it is not set."""

    def __init__(self, names: str | None) -> None:
        self._all = names is None
        self._names = {_normalised(n.strip()): n.strip() for n in (names or "").split(",")}
        self._names.pop("", None)
        self._names.pop(BUILT_IN, None)  # always loaded
        self._met: set[str] = set()

    def includes(self, candidate: Candidate) -> bool:
        own = {_normalised(candidate.name), _normalised(candidate.distribution)}
        self._met |= own
        return self._all or bool(own & self._names.keys())

    def missing(self) -> list[PluginRecord]:
        reason = "BASTZOO_LOAD_PLUGINS names it, but no such entry point is installed"
        return [
            PluginRecord(name, "no distribution", "", "", "broken", reason)
            for key, name in self._names.items()
            if key not in self._met
        ]
