"""What every suite shares: the component under test, and the promises of any kind."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from unittest import SkipTest

from bastzoo.plugins import default_registry, plugin_host
from bastzoo.registry import Component, Registry

LONGEST_SUMMARY = 120
"""Letters: a summary is one line of `bastzoo list`."""

# Calls the hooks of an entry point in a fresh interpreter, and says whether torch came along.
_REGISTER = """
import sys
from importlib import import_module
import pluggy
from bastzoo import hookspecs
module, _, attribute = sys.argv[1].partition(":")
plugin = import_module(module)
for part in filter(None, attribute.split(".")):
    plugin = getattr(plugin, part)
manager = pluggy.PluginManager("bastzoo")
manager.add_hookspecs(hookspecs)
manager.register(plugin)
for caller in manager.get_hookcallers(plugin) or []:
    caller()
print("torch" in sys.modules)
"""


class ComponentSuite:
    """Promises of a component of any kind.

    component: a registered name, or a record. entry_point: "module" or "module:object" of the plugin
    that registers it; found from the component's name where it is empty.
    """

    kind: ClassVar[str] = ""
    component: ClassVar[str | Component] = ""
    entry_point: ClassVar[str] = ""

    @property
    def record(self) -> Component:
        """The record under test."""
        if isinstance(self.component, Component):
            return self.component
        return self.registry.get(self.kind, self.component)

    @property
    def registry(self) -> Registry:
        """All components, for those that the one under test is joined with."""
        return default_registry()

    @classmethod
    def promises(cls) -> Iterator[tuple[str, str]]:
        """Name of each test and what it promises, those of any kind first."""
        seen = set()
        for base in reversed(cls.__mro__):
            for name in vars(base):
                if name.startswith("test_") and name not in seen:
                    seen.add(name)
                    yield name, _first_line(getattr(cls, name))

    def test_record_is_complete(self) -> None:
        """The record has a summary of one line, a citation and a licence."""
        record = self.record
        summary = record.summary.strip()
        assert "\n" not in summary, "the summary has more than one line"
        assert len(summary) <= LONGEST_SUMMARY, (
            f"the summary has {len(summary)} letters; keep it to {LONGEST_SUMMARY}"
        )
        assert record.citation.strip(), (
            "the record has no citation; name the paper or the standard, or write 'none'"
        )
        assert record.licence.strip(), "the record has no licence; give an SPDX identifier"
        assert record.version >= 1, f"the version is {record.version}; it begins at 1"

    def test_registering_imports_no_torch(self) -> None:
        """Registering it imports no torch, so listing the zoo stays quick."""
        entry_point = self.entry_point or _entry_point_of(self.record)
        if not entry_point:
            raise SkipTest("the record comes from no installed plugin")
        done = subprocess.run(
            [sys.executable, "-c", _REGISTER, entry_point],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (
            f"registering {entry_point!r} fails in a fresh interpreter: "
            f"{(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
        assert done.stdout.split()[-1] == "False", (
            f"{entry_point!r} imports torch; move what needs it into the module that `target` names"
        )

    def test_it_is_available_here(self) -> None:
        """What it requires is installed."""
        available = self.record.availability()
        assert available.ok, f"it {available.reason or 'is not available'}"

    def budget(self, name: str) -> float:
        """A figure of the record's budget. Raises SkipTest when it states none."""
        value = self.record.budget.get(name)
        if value is None:
            raise SkipTest(f'the record states no budget ({{"{name}": ...}})')
        return float(value)


def _first_line(method: Callable[..., Any]) -> str:
    return (inspect.getdoc(method) or method.__name__).splitlines()[0]


def _entry_point_of(record: Component) -> str:
    """The entry point of the plugin that registers a component of this kind and name."""
    for plugin in plugin_host().records:
        for component in plugin.components:
            same = component.target == record.target and component.kind == record.kind
            if same and plugin.distribution == record.distribution:
                return plugin.entry_point
    return ""
