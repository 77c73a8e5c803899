"""Metrics of clips with several sources: how many were found, where, and what they were.

Slots that say "present" are predictions. Shares are 0 to 1, errors degrees; a figure that the data does
not define is None, never NaN. Sums run over all sources of all clips (micro average).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bastzoo.metrics.localization import Metrics, angular_distance, counted

WITHIN = 20.0
"""Degrees within which a source counts as found."""

_SLACK = 1e-3
_FAR = 1e3  # a pair that is not allowed


def source_metrics(
    *,
    directions: Float[np.ndarray, "n K 3"],
    classes: Int[np.ndarray, "n K"],
    present: Bool[np.ndarray, "n K"],
    target_directions: Float[np.ndarray, "n S 3"],
    target_classes: Int[np.ndarray, "n S"],
    target_present: Bool[np.ndarray, "n S"],
) -> Metrics:
    """Figures of predictions (K a clip at most) against sources (S a clip at most).

    `sources`, their number. Without regard to the class, predictions matched to sources at the least
    sum of angles: `source_error` (mean AD of the pairs), `source_recall` and `source_precision` (pairs
    within 20°, over sources and over predictions), `source_class_accuracy` (of the pairs within 20°).
    With the class (Mesaros et al. 2019, "Joint measurement of localization and detection of sound
    events", WASPAA): `f20`, `er20`, a true positive being the right class within 20°; what is missed and
    what is too much of one clip count together as substitutions. `count_error`: mean absolute error of
    the number of sources; `count_accuracy`: share of clips with the right number.
    """
    distance = _distances(directions, target_directions)
    allowed = present[:, None, :] & target_present[:, :, None]
    # On one circle many matchings have the same sum (nested ones); the least sum of squares decides.
    even = distance * (1 + 1e-6 * distance)
    pairs = _matched(np.where(allowed, even, _FAR)) & allowed
    near = pairs & (distance <= WITHIN + _SLACK)
    same = classes[:, None, :] == target_classes[:, :, None]
    good = allowed & same & (distance <= WITHIN + _SLACK)
    hits = (_matched(np.where(good, 0.0, 1.0)) & good).sum(axis=(1, 2))
    predicted, true = present.sum(axis=1), target_present.sum(axis=1)
    missed, surplus = true - hits, predicted - hits
    return {
        "sources": int(true.sum()),
        "source_error": _share(distance[pairs].sum(), pairs.sum()),
        "source_recall": _share(near.sum(), true.sum()),
        "source_precision": _share(near.sum(), predicted.sum()),
        "source_class_accuracy": _share((near & same).sum(), near.sum()),
        "f20": _share(2 * hits.sum(), predicted.sum() + true.sum()),
        "er20": _share(np.maximum(missed, surplus).sum(), true.sum()),
        "count_error": _share(np.abs(predicted - true).sum(), len(true)),
        "count_accuracy": _share((predicted == true).sum(), len(true)),
    }


def _distances(
    directions: Float[np.ndarray, "n K 3"], targets: Float[np.ndarray, "n S 3"]
) -> Float[np.ndarray, "n S K"]:
    """AD of every pair; 90° where there is no direction."""
    shape = (len(targets), targets.shape[1], directions.shape[1], 3)
    first = np.broadcast_to(directions[:, None], shape)
    second = np.broadcast_to(targets[:, :, None], shape)
    return counted(angular_distance(first, second))


def _matched(cost: Float[np.ndarray, "n S K"]) -> Bool[np.ndarray, "n S K"]:
    """Pairs, at most one a row and one a column, as many as fit, at the least sum of costs."""
    if cost.shape[1] > cost.shape[2]:
        return _matched(cost.transpose(0, 2, 1)).transpose(0, 2, 1)
    rows, columns = cost.shape[1:]
    found = np.zeros(cost.shape, dtype=bool)
    ways = np.array(list(itertools.islice(itertools.permutations(range(columns), rows), 61)))
    if len(ways) <= 60:
        sums = cost[:, np.arange(rows), ways].sum(axis=-1)
        chosen = ways[sums.argmin(axis=1)]
    else:
        from scipy.optimize import linear_sum_assignment

        chosen = np.array([linear_sum_assignment(one)[1] for one in cost])
    np.put_along_axis(found, chosen[..., None], True, axis=2)
    return found


def _share(part: np.number[Any], whole: np.number[Any] | int) -> float | None:
    return float(part / whole) if whole else None
