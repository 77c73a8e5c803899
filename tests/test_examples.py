"""Every public name has a docstring with an example, and the example holds."""

from __future__ import annotations

import doctest
import sys
import types
from pathlib import Path

import pytest

import bastzoo

# A number, and an instance of a class of pluggy's: its examples are those of the hooks (test_hookspecs.py).
WITHOUT = {"__version__", "hookimpl"}
OPTIONS = doctest.ELLIPSIS


@pytest.mark.parametrize("name", sorted({*bastzoo.__all__} - WITHOUT))
def test_a_public_name_has_an_example_that_holds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])  # an example reads the records of a board
    value = getattr(bastzoo, name)
    home = value if isinstance(value, types.ModuleType) else sys.modules[value.__module__]
    scope = dict(vars(home))
    finder = doctest.DocTestFinder(recurse=False)
    tests = [test for test in finder.find(value, name, globs=scope) if test.examples]
    assert tests, f"{home.__name__}.{name} has no example (>>>)"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    for test in tests:
        runner.run(test, out=said.append)
    assert not said, "".join(said)
