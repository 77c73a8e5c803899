"""The metrics as functions of arrays, for anyone's answers: numpy in, numbers out, every input checked.

Directions are rows `[n, 3]`: x front, y left, z up (`directions` makes them of degrees); true ones have any
length but zero, predicted ones may be zero or NaN for *no direction*, which counts as 90 degrees in every
error and as wrong in every rate. Errors are degrees, rates shares of 0 to 1. Definitions: docs/protocol.md.
All raise ValueError for arrays of other shapes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bastzoo.directions import direction_from_angles
from bastzoo.metrics import localization, polar
from bastzoo.metrics.classes import confusion, task_metrics
from bastzoo.metrics.localization import Metrics, counted, lateral_angle, unit


def directions(azimuth_deg: ArrayLike, elevation_deg: ArrayLike = 0.0) -> np.ndarray:
    """Unit vectors `[n, 3]` of azimuths (0 front, +90 left) and elevations (up positive), degrees.

    >>> directions([0, 90]).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    azimuth, elevation = np.asarray(azimuth_deg, float), np.asarray(elevation_deg, float)
    return direction_from_angles(np.atleast_1d(azimuth), elevation)


def angular_distances(predicted: ArrayLike, true: ArrayLike) -> np.ndarray:
    """AD of each clip `[n]`, 0 to 180 degrees: `atan2(norm(p × t), p · t)`. 90 for no direction.

    Exact at every angle, where the arc cosine loses half of the digits near 0 and 180.

    >>> angular_distances(directions([10, 170]), directions([0, -170])).round(6).tolist()
    [10.0, 20.0]
    """
    p, t = _pair(predicted, true)
    return counted(localization.angular_distance(unit(p), unit(t)))


def mean_angular_distance(predicted: ArrayLike, true: ArrayLike) -> float:
    """Mean AD, degrees: the figure that boards rank by.

    >>> round(mean_angular_distance(directions([10, 170]), directions([0, -170])), 6)
    15.0
    """
    return float(np.mean(angular_distances(predicted, true)))


def accuracy_within(predicted: ArrayLike, true: ArrayLike, degrees: float) -> float:
    """Share of clips whose AD is at most so many degrees (with a slack of 0.001): ACC@degrees.

    >>> accuracy_within(directions([10, 170]), directions([0, -170]), 10)
    0.5
    """
    return float(np.mean(angular_distances(predicted, true) <= degrees + 1e-3))


def lateral_errors(predicted: ArrayLike, true: ArrayLike) -> np.ndarray:
    """`abs(asin(y_p) - asin(y_t))` of each clip, degrees: left and right, whatever front and back.

    >>> lateral_errors(directions([170]), directions([0])).round(6).tolist()
    [10.0]
    """
    p, t = _pair(predicted, true)
    return counted(np.abs(lateral_angle(unit(p)) - lateral_angle(unit(t))))


def front_back_rate(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Share of clips in the wrong one of front and back, of targets 15 degrees off the frontal plane.

    None where there is no such target. Such confusions: Wenzel et al. 1993, J. Acoust. Soc. Am. 94:111.

    >>> front_back_rate(directions([170, 20]), directions([10, 10]))
    0.5
    """
    return _one("front_back_rate", predicted, true)


def left_right_rate(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Share of clips on the wrong side, of targets 15 degrees off the median plane; None without any.

    >>> left_right_rate(directions([-80, 20]), directions([80, 30]))
    0.5
    """
    return _one("left_right_rate", predicted, true)


def azimuth_rmse(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Root mean square of the error of azimuth, degrees, the short way round the circle.

    Targets within 15 degrees of straight up or down have none; None where all do.

    >>> round(azimuth_rmse(directions([179, -177]), directions([-177, 179])), 6)
    4.0
    """
    p, t = _pair(predicted, true)
    return _number(localization.root_mean_squares(p, t)["azimuth_rmse"])


def lateral_rmse(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Root mean square of the error of the lateral angle, degrees.

    >>> round(lateral_rmse(directions([170, 150]), directions([0, 30])), 3)
    7.071
    """
    p, t = _pair(predicted, true)
    return _number(localization.root_mean_squares(p, t)["lateral_rmse"])


def quadrant_error(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Share of answers more than 90 degrees of polar angle off, of targets within 30 of the median plane.

    None where all targets lie in the horizontal plane. Middlebrooks 1999, J. Acoust. Soc. Am. 106:1493.

    >>> quadrant_error(directions([180, 0], [0, 20]), directions([0, 0], [10, 30]))
    0.5
    """
    return _number(polar.polar_metrics(*_pair(predicted, true))["quadrant_error"])


def local_polar_error(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Root mean squared polar error, degrees, of the same targets without quadrant errors.

    None where there are none. Middlebrooks 1999, J. Acoust. Soc. Am. 106:1493.

    >>> round(local_polar_error(directions([180, 0], [0, 20]), directions([0, 0], [10, 30])), 6)
    10.0
    """
    return _number(polar.polar_metrics(*_pair(predicted, true))["local_polar_error"])


def lateral_bias(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Mean signed error of the lateral angle, degrees, left positive; answers without direction left out.

    Middlebrooks 1999, J. Acoust. Soc. Am. 106:1493.

    >>> round(lateral_bias(directions([12, 16]), directions([10, 10])), 6)
    4.0
    """
    return _number(polar.polar_metrics(*_pair(predicted, true))["lateral_bias"])


def lateral_precision(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Standard deviation of the signed error of the lateral angle, degrees; small is precise.

    Middlebrooks 1999, J. Acoust. Soc. Am. 106:1493.

    >>> round(lateral_precision(directions([12, 16]), directions([10, 10])), 6)
    2.0
    """
    return _number(polar.polar_metrics(*_pair(predicted, true))["lateral_precision"])


def localization_metrics(
    predicted: ArrayLike, true: ArrayLike, *, sounds: ArrayLike | None = None
) -> Metrics:
    """All of these at once, by the names that they have in records, and the rest of docs/protocol.md.

    sounds: `[n]`, which sound each clip was made from, as integers: pairs the sides of the test of the
        hemifield gap. None: every clip has a sound of its own, so `hemifield_gap_p` is None.

    >>> figures = localization_metrics([[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 0, 0]])
    >>> figures["clips"], figures["ad_mean"], figures["acc_5"]
    (2, 45.0, 0.5)
    """
    p, t = _pair(predicted, true)
    heard = np.arange(len(p)) if sounds is None else np.asarray(sounds)
    if heard.shape != (len(p),):
        raise ValueError(f"sounds is [n] with n = {len(p)}, not {heard.shape}.")
    return {
        **localization.localization_metrics(p, t, sounds=heard),
        **localization.root_mean_squares(p, t),
        **polar.polar_metrics(p, t),
    }


def class_metrics(
    predicted: ArrayLike,
    true: ArrayLike,
    *,
    classes: ArrayLike,
    labels: ArrayLike,
) -> Metrics:
    """Accuracy and macro F1 of classes, azimuth errors by them, F20 and ER20 (Mesaros et al. 2019, WASPAA).

    classes, labels: `[n]`, the class that was answered and the true one, as integers from 0.

    >>> ahead = directions([0, 0])
    >>> class_metrics(ahead, ahead, classes=[1, 0], labels=[1, 1])["class_accuracy"]
    0.5
    """
    p, t = _pair(predicted, true)
    return task_metrics(p, t, classes=_labels(classes, len(p)), labels=_labels(labels, len(p)))


def class_confusion(classes: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """How often each true class (row) was answered as each (column), `[C, C]`.

    >>> class_confusion([1, 0], [1, 1]).tolist()
    [[0, 0], [1, 1]]
    """
    answered = _labels(classes, np.size(labels))
    truth = _labels(labels, np.size(labels))
    return confusion(answered, truth, int(max(answered.max(), truth.max())) + 1)


def _pair(predicted: ArrayLike, true: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Predicted directions, and true ones as unit vectors."""
    p, t = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != 3 or p.shape != t.shape or not len(p):
        raise ValueError(
            f"predicted and true are [n, 3] each, n at least 1, not {p.shape} and {t.shape}."
        )
    length = np.linalg.norm(t, axis=1, keepdims=True)
    if not np.all(np.isfinite(length) & (length > 0)):
        raise ValueError("A true direction is zero or not finite; leave its clip out.")
    return p, t / length


def _labels(values: ArrayLike, count: int) -> np.ndarray:
    found = np.asarray(values)
    if found.shape != (count,) or not count or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(
            f"classes and labels are [n] integers with n = {count}, not {found.shape}."
        )
    if found.min() < 0:
        raise ValueError("Classes are counted from 0; there is a negative one.")
    return found


def _one(name: str, predicted: ArrayLike, true: ArrayLike) -> float | None:
    p, t = _pair(predicted, true)
    return _number(localization.localization_metrics(p, t, sounds=np.arange(len(p)))[name])


def _number(value: float | int | None) -> float | None:
    return None if value is None else float(value)
