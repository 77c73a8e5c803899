"""The plugin host: finds the plugins, loads each one in isolation, and fills the registry.

Importing this module loads nothing. `plugin_host()` does, once a process, when a command first
needs a component. pluggy's own loader stops at the first plugin that raises and passes over a
second distribution with a known entry-point name in silence, so the loop over the entry points is
here.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from types import FrameType
from typing import Any

import pluggy

from bastzoo import hookspecs
from bastzoo.discovery import BUILT_IN, GROUP, Candidate, PluginRecord, candidates
from bastzoo.errors import PluginError, tellable
from bastzoo.registry import Component, Registry, collision_sentence

__all__ = [
    "BUILT_IN",
    "Collision",
    "PluginHost",
    "PluginRecord",
    "PluginWarning",
    "default_registry",
    "load_plugins",
    "plugin_host",
    "plugin_report",
]


class PluginWarning(UserWarning):
    """A plugin is broken, slow, or in conflict with another; everything else works."""


@dataclass(frozen=True, slots=True)
class Collision:
    """Several components of one kind with one name: none of them can be used by that name."""

    components: tuple[Component, ...]

    @property
    def sentence(self) -> str:
        """Both sides, and what to do."""
        return collision_sentence(self.components)


@dataclass(frozen=True, slots=True)
class PluginHost:
    """All plugins of this process: pluggy's manager, one record a plugin, and the registry."""

    manager: pluggy.PluginManager
    records: tuple[PluginRecord, ...]
    registry: Registry
    collisions: tuple[Collision, ...]

    @property
    def broken(self) -> list[PluginRecord]:
        """Records of the plugins that could not be loaded."""
        return [record for record in self.records if not record.ok]

    def problems(self) -> list[str]:
        """One sentence for each broken plugin, collision and slow plugin."""
        return [
            *(_broken_sentence(record) for record in self.broken),
            *(collision.sentence for collision in self.collisions),
            *(_slow_sentence(record) for record in self.records if record.slow),
        ]


def default_registry() -> Registry:
    """The components of all plugins. The first call loads the plugins; it warns of each problem.

    Raises PluginError for a broken plugin under `BASTZOO_STRICT_PLUGINS=1`.

    >>> import bastzoo as bz
    >>> bz.default_registry().get("integration", "sub").target
    'bastzoo.zoo.integrations:Sub'
    """
    _warn_once()
    return plugin_host().registry


def plugin_report() -> list[PluginRecord]:
    """One record a plugin, the built-in one first.

    >>> import bastzoo as bz
    >>> bz.plugin_report()[0].name
    'zoo'
    """
    return list(plugin_host().records)


@cache
def plugin_host() -> PluginHost:
    """The host of this process; the first call loads the plugins."""
    return load_plugins()


@cache
def _warn_once() -> None:
    for problem in plugin_host().problems():
        warnings.warn(problem, PluginWarning, stacklevel=3)


_loading = False
_LONGEST_ERROR = 2_000


def load_plugins() -> PluginHost:
    """Load the built-in zoo and every entry point of the group `bastzoo`, each in isolation.

    `BASTZOO_LOAD_PLUGINS` restricts which (see `discovery.candidates`). Raises PluginError for a
    broken plugin or a collision under `BASTZOO_STRICT_PLUGINS=1`.
    """
    global _loading
    if _loading:  # a hook that looks at the registry would otherwise be called for ever
        raise PluginError("the registry was asked for while it is being filled")
    _loading = True
    try:
        return _load_all(strict=os.environ.get("BASTZOO_STRICT_PLUGINS", "") not in ("", "0"))
    finally:
        _loading = False


def _load_all(*, strict: bool) -> PluginHost:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    records = []
    for candidate in candidates():
        record = candidate if isinstance(candidate, PluginRecord) else _load(manager, candidate)
        if strict and not record.ok:
            raise PluginError(_broken_sentence(record))
        records.append(record)
    registry, collisions = _settle(records)
    if strict and collisions:
        raise PluginError(collisions[0].sentence)
    return PluginHost(manager, tuple(records), registry, collisions)


# --- Loading -----------------------------------------------------------------------------------


def _load(manager: pluggy.PluginManager, candidate: Candidate) -> PluginRecord:
    """Import one plugin and call its hooks. All of its components count, or none."""
    started = time.perf_counter()
    name = f"{candidate.distribution}:{candidate.name}"  # entry-point names are not unique
    try:
        # What a plugin prints must not end up inside `--json`.
        with redirect_stdout(sys.stderr):
            components = _components(manager, candidate, name)
    except PluginError as error:
        if manager.has_plugin(name):
            manager.unregister(name=name)
        return candidate.record(
            status="broken",
            error=str(error),
            traceback=_traceback(error),
            seconds=time.perf_counter() - started,
        )
    return candidate.record(components=components, seconds=time.perf_counter() - started)


def _components(
    manager: pluggy.PluginManager, candidate: Candidate, name: str
) -> tuple[Component, ...]:
    with _blame(f"importing {candidate.entry_point!r}"):
        plugin = candidate.load()
    if other := manager.get_name(plugin):
        raise PluginError(f"{candidate.entry_point!r} is already registered, by {other!r}")
    with _blame("registering it"):
        manager.register(plugin, name)
    callers = manager.get_hookcallers(plugin) or []
    if not callers:
        raise PluginError(
            f"{candidate.entry_point!r} registers nothing: it has no function marked with @hookimpl"
        )
    found: list[Component] = []
    for caller in callers:
        found += _call(caller, plugin)
    seen = set()
    for component in found:
        if _key(component) in seen:
            raise PluginError(f"it registers the {component.kind} {component.name!r} twice")
        seen.add(_key(component))
    return tuple(replace(component, distribution=candidate.distribution) for component in found)


def _call(caller: pluggy.HookCaller, plugin: Any) -> list[Component]:
    """Call one plugin's own implementation of a hook, and check what it returns."""
    kind = hookspecs.KIND_OF_HOOK.get(caller.name)
    if kind is None:
        raise PluginError(
            f"it implements {caller.name}, which is no hook of bastzoo; "
            f"use one of {', '.join(hookspecs.KIND_OF_HOOK)}"
        )
    function = next(impl.function for impl in caller.get_hookimpls() if impl.plugin is plugin)
    with _blame(f"its hook {caller.name}()"):
        components = function()
    if not isinstance(components, list | tuple):
        raise PluginError(
            f"its hook {caller.name}() returned a {type(components).__name__}; "
            "return a list of Component records"
        )
    for component in components:
        if not isinstance(component, Component):
            raise PluginError(
                f"its hook {caller.name}() returned a list of {type(component).__name__}; "
                "return a list of Component records"
            )
        if component.kind != kind:
            raise PluginError(
                f"its hook {caller.name}() returned the {component.kind} {component.name!r}; "
                f"return it from another hook, this one is for the kind {kind!r}"
            )
    return list(components)


@contextmanager
def _blame(doing: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises into a PluginError that says what was being done."""
    try:
        with _heard_interrupt() as interrupted:
            yield
    except BaseException as error:  # SystemExit, and the panics of Rust extensions, too
        if isinstance(error, KeyboardInterrupt) and interrupted:
            raise
        raise PluginError(f"{doing} raised {type(error).__name__}: {_message(error)}") from error


@contextmanager
def _heard_interrupt() -> Iterator[list[int]]:
    """Tells the user's Ctrl-C, which is put into the list, from a KeyboardInterrupt that a plugin raises."""
    heard: list[int] = []
    usual = signal.default_int_handler
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not usual
    ):
        heard.append(0)  # somebody else decides what an interrupt is: let it through
        yield heard
        return

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        usual(number, frame)

    signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        if signal.getsignal(signal.SIGINT) is hear:  # unless the plugin has put its own there
            signal.signal(signal.SIGINT, usual)


def _message(error: BaseException) -> str:
    """What an exception says, if it can."""
    try:
        return " ".join(tellable(str(error), _LONGEST_ERROR).split())
    except BaseException:
        return "(what it says cannot be shown)"


def _traceback(error: BaseException) -> str:
    import traceback  # only a broken plugin pays for it

    cause = error.__cause__
    if cause is None:
        return ""
    try:
        return "".join(traceback.format_exception(cause))
    except BaseException:  # of an exception that cannot be printed
        return "".join(traceback.format_tb(cause.__traceback__))


# --- Filling the registry ----------------------------------------------------------------------


def _settle(records: list[PluginRecord]) -> tuple[Registry, tuple[Collision, ...]]:
    """Register every component whose name is its own; take the contested names out of use.

    Nobody wins, not even the built-in component: a user of `--backbone mamba` who has installed
    another `mamba` would otherwise get a result of the one while believing it to be the other's.
    """
    named: dict[tuple[str, str], list[Component]] = {}
    for record in records:
        for component in record.components:
            named.setdefault(_key(component), []).append(component)
    registry = Registry()
    collisions = []
    for (kind, name), components in named.items():
        if len(components) == 1:
            registry.add(components[0])
        else:
            collision = Collision(tuple(components))
            registry.withdraw(kind, name, collision.sentence)
            collisions.append(collision)
    return registry, tuple(collisions)


def _key(component: Component) -> tuple[str, str]:
    return component.kind, component.name.lower()


def _broken_sentence(record: PluginRecord) -> str:
    return f"{_title(record)} is broken: {record.error}."


def _slow_sentence(record: PluginRecord) -> str:
    return (
        f"{_title(record)} takes {record.seconds:.1f} s to load; "
        "heavy imports belong into the modules that its components name."
    )


def _title(record: PluginRecord) -> str:
    return f"The plugin {record.name!r} of {record.distribution} {record.version}".rstrip()
