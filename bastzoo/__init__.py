"""bastzoo: a plugin-based model zoo and benchmark for binaural sound localization.

The public names below are imported when they are first used, so `import bastzoo` costs next to
nothing: no plugin is loaded, no torch imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bastzoo import plots as plot
    from bastzoo.answers.asking import score
    from bastzoo.api import (
        bench,
        components,
        create_model,
        evaluate,
        list_models,
        load,
        load_runs,
        localization_metrics,
        render,
    )
    from bastzoo.boards.frames import Runs
    from bastzoo.errors import BastzooError, ComponentError, PluginError, SetupError
    from bastzoo.hookspecs import hookimpl
    from bastzoo.model import BinauralLocalizer
    from bastzoo.models.localizer import Localizer, Prediction
    from bastzoo.plugins import PluginRecord, default_registry, plugin_report
    from bastzoo.registry import Availability, Component, Registry

__version__ = "0.1.0"

__all__ = [
    "Availability",
    "BastzooError",
    "BinauralLocalizer",
    "Component",
    "ComponentError",
    "Localizer",
    "PluginError",
    "PluginRecord",
    "Prediction",
    "Registry",
    "Runs",
    "SetupError",
    "__version__",
    "bench",
    "components",
    "create_model",
    "default_registry",
    "evaluate",
    "hookimpl",
    "list_models",
    "load",
    "load_runs",
    "localization_metrics",
    "plot",
    "plugin_report",
    "render",
    "score",
]

_HOME = {
    "Availability": "bastzoo.registry",
    "BastzooError": "bastzoo.errors",
    "BinauralLocalizer": "bastzoo.model",
    "Component": "bastzoo.registry",
    "ComponentError": "bastzoo.errors",
    "Localizer": "bastzoo.models.localizer",
    "PluginError": "bastzoo.errors",
    "PluginRecord": "bastzoo.plugins",
    "Prediction": "bastzoo.models.localizer",
    "Registry": "bastzoo.registry",
    "Runs": "bastzoo.boards.frames",
    "SetupError": "bastzoo.errors",
    "bench": "bastzoo.api",
    "components": "bastzoo.api",
    "create_model": "bastzoo.api",
    "default_registry": "bastzoo.plugins",
    "evaluate": "bastzoo.api",
    "hookimpl": "bastzoo.hookspecs",
    "list_models": "bastzoo.api",
    "load": "bastzoo.api",
    "load_runs": "bastzoo.api",
    "localization_metrics": "bastzoo.api",
    "plot": "bastzoo.plots",
    "plugin_report": "bastzoo.plugins",
    "render": "bastzoo.api",
    "score": "bastzoo.answers.asking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_HOME[name])
    value = home if name == "plot" else getattr(home, name)  # the pictures are a module
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
