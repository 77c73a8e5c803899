"""Runs a suite without pytest: one finding a promise, whatever a component does."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Literal
from unittest import SkipTest

from bastzoo.errors import BastzooError
from bastzoo.registry import Component
from bastzoo.testing import suite_of
from bastzoo.testing.suite import ComponentSuite

_FAMILY = "it stands for a family; check a member, as in `bastzoo check {}`"


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a promise holds. reason: why not, or why it was not asked; empty for `pass`."""

    promise: str
    status: Literal["pass", "fail", "skipped"]
    reason: str = ""
    seconds: float = 0.0


def findings(component: Component, *, entry_point: str = "") -> Iterator[Finding]:
    """Check every promise of a component's kind, one after the other.

    entry_point: of the plugin that registers it, where it is not installed.
    """
    base = suite_of(component.kind)
    tested = {"component": component, "entry_point": entry_point}
    suite: type[ComponentSuite] = type(base.__name__, (base,), tested)
    of_any_kind = {name for name, _ in ComponentSuite.promises()}
    for name, promise in suite.promises():
        if component.members and name not in of_any_kind:
            example = next(iter(component.family()), f"{component.name.removesuffix('*')}NAME")
            yield Finding(promise, "skipped", _FAMILY.format(example))
        else:
            yield finding(suite(), name)


def finding(suite: ComponentSuite, name: str) -> Finding:
    """Check one promise, named after its method."""
    started = time.perf_counter()
    status, reason = _kept(suite, name)
    promise = dict(suite.promises())[name]
    return Finding(promise, status, reason, time.perf_counter() - started)


def _kept(suite: object, name: str) -> tuple[Literal["pass", "fail", "skipped"], str]:
    try:
        with _quiet():
            getattr(suite, name)()
    except SkipTest as reason:
        return "skipped", str(reason)
    except AssertionError as error:
        return "fail", _one_line(str(error))
    except BastzooError as error:
        return "fail", _one_line(str(error))
    except Exception as error:  # whatever a component raises is its failure, not ours
        return "fail", _one_line(f"{type(error).__name__}: {error}")
    return "pass", ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what a component (or torch, in its name) prints, warns of and logs out of the table."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _one_line(text: str, longest: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
