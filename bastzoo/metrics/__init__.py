"""Metrics of the protocol (docs/protocol.md), for anyone's answers: numpy arrays in, figures out, no torch.

    from bastzoo.metrics import directions, mean_angular_distance
    mean_angular_distance(directions(my_azimuths), directions(true_azimuths))

The public functions check what they are given; the modules beside them are what bastzoo itself scores with.
They are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bastzoo.metrics.functions import (
        accuracy_within,
        angular_distances,
        azimuth_rmse,
        class_confusion,
        class_metrics,
        directions,
        front_back_rate,
        lateral_bias,
        lateral_errors,
        lateral_precision,
        lateral_rmse,
        left_right_rate,
        local_polar_error,
        localization_metrics,
        mean_angular_distance,
        quadrant_error,
    )

__all__ = [
    "accuracy_within",
    "angular_distances",
    "azimuth_rmse",
    "class_confusion",
    "class_metrics",
    "directions",
    "front_back_rate",
    "lateral_bias",
    "lateral_errors",
    "lateral_precision",
    "lateral_rmse",
    "left_right_rate",
    "local_polar_error",
    "localization_metrics",
    "mean_angular_distance",
    "quadrant_error",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("bastzoo.metrics.functions"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
