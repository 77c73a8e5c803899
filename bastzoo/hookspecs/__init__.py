"""The hooks through which every component enters the zoo.

A plugin implements those it wants with `@hookimpl`. Each returns records, which are data; the code
behind a record is in another module, imported when the component is built. So what a plugin imports
to register (the first file of each example) must not import torch. `docs/plugins.md` has the same
examples with more words; the tests run them.

A new hook is a function in the module of its subject, and a line here.
"""

from __future__ import annotations

from bastzoo.hookspecs.answers import bastzoo_models
from bastzoo.hookspecs.benches import bastzoo_executors
from bastzoo.hookspecs.marks import hookimpl, hookspec
from bastzoo.hookspecs.methods import bastzoo_baselines
from bastzoo.hookspecs.networks import (
    bastzoo_backbones,
    bastzoo_frontends,
    bastzoo_heads,
    bastzoo_integrations,
    bastzoo_losses,
)
from bastzoo.hookspecs.questions import bastzoo_metrics, bastzoo_tracks
from bastzoo.hookspecs.worlds import bastzoo_datasets, bastzoo_environments

__all__ = [
    "KIND_OF_HOOK",
    "bastzoo_backbones",
    "bastzoo_baselines",
    "bastzoo_datasets",
    "bastzoo_environments",
    "bastzoo_executors",
    "bastzoo_frontends",
    "bastzoo_heads",
    "bastzoo_integrations",
    "bastzoo_losses",
    "bastzoo_metrics",
    "bastzoo_models",
    "bastzoo_tracks",
    "hookimpl",
    "hookspec",
]

KIND_OF_HOOK = {
    "bastzoo_backbones": "backbone",
    "bastzoo_integrations": "integration",
    "bastzoo_losses": "loss",
    "bastzoo_heads": "head",
    "bastzoo_frontends": "frontend",
    "bastzoo_environments": "environment",
    "bastzoo_baselines": "baseline",
    "bastzoo_executors": "executor",
    "bastzoo_datasets": "dataset",
    "bastzoo_metrics": "metric",
    "bastzoo_tracks": "track",
    "bastzoo_models": "model",
}
"""The kind of component that each hook returns."""
