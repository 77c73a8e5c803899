"""Metrics of runs that say what a sound was, beside where: classes, and both at once.

Shares are 0 to 1, errors degrees; a metric that the data does not define is None, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bastzoo.directions import azimuth_of, elevation_of
from bastzoo.metrics.localization import Metrics, angular_distance, counted

Labels = Int[np.ndarray, " n"]
Directions = Float[np.ndarray, "n 3"]

WITHIN = 20.0
"""Degrees within which a class counts as found at its place: F20 and ER20."""

STEEPEST = 75.0
"""Degrees of elevation, up or down, beyond which an azimuth means little, and is not scored."""


def task_metrics(
    predicted: Directions,
    target: Directions,
    *,
    classes: Labels,
    labels: Labels,
) -> Metrics:
    """Figures over all clips.

    predicted, target: directions; a prediction of NaN counts as 90° off.
    classes, labels: positions of the class that was answered, and of the true one.

    `class_accuracy`; `macro_f1`: the mean F1 of the classes that occur; `azimuth_error`: mean absolute
    difference of azimuths, of targets within `STEEPEST` of the horizontal plane;
    `azimuth_error_right_class`: the same of clips whose class is right; `f20` and `er20`: a detection is
    right when the class is and the direction is within 20°. Every clip has one source and one answer, so
    a wrong answer is one substitution: F20 = TP / N and ER20 = 1 - TP / N (Mesaros et al. 2019,
    "Joint measurement of localization and detection of sound events", WASPAA; micro average).
    """
    right = classes == labels
    error = counted(np.abs(_turn(azimuth_of(predicted) - azimuth_of(target))))
    flat = np.abs(elevation_of(target)) <= STEEPEST
    found = right & (counted(angular_distance(predicted, target)) <= WITHIN + 1e-3)
    share = _mean(found)
    return {
        "class_accuracy": _mean(right),
        "macro_f1": _macro_f1(classes, labels),
        "azimuth_error": _mean(error[flat]),
        "azimuth_error_right_class": _mean(error[flat & right]),
        "f20": share,
        "er20": None if share is None else 1.0 - share,
    }


def by_class(
    predicted: Directions,
    target: Directions,
    *,
    classes: Labels,
    labels: Labels,
    names: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """For each class of the data: clips, precision, recall, F1, and the mean AD of its clips."""
    ad = counted(angular_distance(predicted, target))
    table = confusion(classes, labels, len(names))
    found = {}
    for number, name in enumerate(names):
        hits, answered, true = table[number, number], table[:, number].sum(), table[number].sum()
        found[name] = {
            "clips": int(true),
            "precision": float(hits / answered) if answered else None,
            "recall": float(hits / true) if true else None,
            "f1": float(2 * hits / (answered + true)) if answered + true else None,
            "ad_mean": _mean(ad[labels == number]),
        }
    return found


def confusion(classes: Labels, labels: Labels, count: int) -> Int[np.ndarray, "C C"]:
    """How often each class (row) was answered as each (column)."""
    pairs = labels.astype(np.int64) * count + classes
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def _macro_f1(classes: Labels, labels: Labels) -> float | None:
    if not len(labels):
        return None
    count = int(max(classes.max(), labels.max())) + 1
    table = confusion(classes, labels, count)
    occurs = table.sum(axis=1) > 0
    f1 = 2 * np.diag(table) / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)
    return float(f1[occurs].mean())


def _turn(difference: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Differences of azimuths as turns of at most 180° either way."""
    return (difference + 180.0) % 360.0 - 180.0


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None
