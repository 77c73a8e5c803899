"""Does a component keep the promises of its kind? Suites for authors, and what `bastzoo check` runs.

In the tests of a plugin:

    from bastzoo.testing import BackboneSuite

    class TestMine(BackboneSuite):
        component = "mine"

Each suite is a class whose methods `test_...` are promises, with the promise as their first line; pytest
runs them, and so does `bastzoo check mine`. They need no pytest: a promise that does not apply raises
`unittest.SkipTest` with the reason.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bastzoo.testing.suite import ComponentSuite
    from bastzoo.testing.suites.backbones import BackboneSuite
    from bastzoo.testing.suites.baselines import BaselineSuite
    from bastzoo.testing.suites.datasets import DatasetSuite
    from bastzoo.testing.suites.environments import EnvironmentSuite
    from bastzoo.testing.suites.executors import ExecutorSuite
    from bastzoo.testing.suites.frontends import FrontendSuite
    from bastzoo.testing.suites.heads import HeadSuite
    from bastzoo.testing.suites.integrations import IntegrationSuite
    from bastzoo.testing.suites.losses import LossSuite
    from bastzoo.testing.suites.models import ModelSuite
    from bastzoo.testing.suites.questions import MetricSuite, TrackSuite

SUITES = {
    "backbone": "BackboneSuite",
    "integration": "IntegrationSuite",
    "loss": "LossSuite",
    "head": "HeadSuite",
    "frontend": "FrontendSuite",
    "environment": "EnvironmentSuite",
    "baseline": "BaselineSuite",
    "executor": "ExecutorSuite",
    "dataset": "DatasetSuite",
    "metric": "MetricSuite",
    "track": "TrackSuite",
    "model": "ModelSuite",
}
"""The suite of each kind."""

__all__ = [
    "SUITES",
    "BackboneSuite",
    "BaselineSuite",
    "DatasetSuite",
    "EnvironmentSuite",
    "ExecutorSuite",
    "FrontendSuite",
    "HeadSuite",
    "IntegrationSuite",
    "LossSuite",
    "MetricSuite",
    "ModelSuite",
    "TrackSuite",
    "suite_of",
]

_OTHERWISE = {"loss": "losses", "metric": "questions", "track": "questions"}
_MODULES = {suite: _OTHERWISE.get(kind, f"{kind}s") for kind, suite in SUITES.items()}


def suite_of(kind: str) -> type[ComponentSuite]:
    """The suite of a kind of component."""
    found: type[ComponentSuite] = __getattr__(SUITES[kind])
    return found


def __getattr__(name: str) -> Any:
    """Import a suite when it is asked for: they need torch, and listing them does not."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.suites.{_MODULES[name]}"), name)
