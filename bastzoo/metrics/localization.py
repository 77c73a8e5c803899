"""Metrics of localization, as `docs/protocol.md` defines them: from directions to figures.

Directions are rows `[n, 3]`: x front, y left, z up. Targets are unit vectors; predictions may have
any length. A prediction that is not finite, or zero, has *no direction*: it counts as 90° in every
error in degrees and as wrong in every rate, and `invalid` says how many there were. Rates are
shares, 0 to 1. A metric that the data does not define is None, never NaN.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from jaxtyping import Bool, Float, Int

from bastzoo.directions import azimuth_of, elevation_of

Metrics = dict[str, float | int | None]
Directions = Float[np.ndarray, "n 3"]
Degrees = Float[np.ndarray, " n"]

NO_DIRECTION = 90.0

# Slack for thresholds, in degrees: directions stored in single precision are off by up to 1e-5, and
# rounding must not decide on which side of a limit an error of exactly one grid step falls.
_SLACK = 1e-3
_ACCURACY_WITHIN = (5, 10, 20)
_FRONT_BACK_MARGIN = 15.0
_LEFT_RIGHT_MARGIN = 15.0


class AzimuthPoint(TypedDict):
    """One target azimuth of the per-azimuth curve; all but `count` in degrees."""

    azimuth: float
    ad_mean: float
    bias: float | None
    circular_std: float | None
    count: int


def angular_distance(
    p: Float[np.ndarray, "*n d"], t: Float[np.ndarray, "*n d"]
) -> Float[np.ndarray, "*n"]:
    """AD in degrees, 0 to 180, between vectors of two or three coordinates and any length.

    `atan2(norm(p × t), p · t)`, which is exact at every angle, where the arc cosine loses half of
    the digits near 0 and 180. NaN where either vector is zero or not finite.
    """
    p, t = unit(p), unit(t)
    cosine = np.sum(p * t, axis=-1)
    # |p × t| without a cross product, hence in any number of dimensions: what of p is not along t.
    sine = np.linalg.norm(p - cosine[..., None] * t, axis=-1)
    return np.asarray(np.degrees(np.arctan2(sine, cosine)))


def localization_metrics(
    predicted: Directions,
    target: Directions,
    *,
    raw: Float[np.ndarray, "n k"] | None = None,
    sounds: Int[np.ndarray, " n"],
) -> Metrics:
    """Every metric of the protocol that directions alone give.

    predicted: `[n, 3]`, any length; NaN or zero for no direction.
    target: `[n, 3]`, unit vectors.
    raw: `[n, k]`, the coordinates as the network gave them (`k` = 2: x and y), for the MSE; None
        for a method that has no such output.
    sounds: `[n]`, which sound each clip was made from; pairs the two sides of the hemifield gap.
    """
    p, t = unit(predicted), unit(target)
    ad = counted(angular_distance(p, t))
    laterality = lateral_angle(t)
    wrong_half = _across(p[:, 0], t[:, 0])
    wrong_side = _across(p[:, 1], t[:, 1])
    off_side = np.abs(_frontal_angle(t)) >= _FRONT_BACK_MARGIN - _SLACK
    off_midline = np.abs(laterality) >= _LEFT_RIGHT_MARGIN - _SLACK
    gap, gap_p = hemifield_gap(ad, laterality, sounds)
    return {
        "clips": len(ad),
        "invalid": int(np.sum(~np.isfinite(p[:, 0]))),
        "ad_mean": _mean(ad),
        "ad_median": _quantile(ad, 0.5),
        "ad_p90": _quantile(ad, 0.9),
        "mse": None if raw is None else _mean(_squared_error(raw, t)),
        **{f"acc_{limit}": _mean(ad <= limit + _SLACK) for limit in _ACCURACY_WITHIN},
        "lateral_error": _mean(counted(np.abs(lateral_angle(p) - laterality))),
        "front_back_rate": _mean(wrong_half[off_side]),
        "left_right_rate": _mean(wrong_side[off_midline]),
        "folded_ad": _mean(counted(angular_distance(_folded(p, t), t))),
        "hemifield_gap": gap,
        "hemifield_gap_p": gap_p,
        "elevation_error": _elevation_error(p, t),
    }


def root_mean_squares(predicted: Directions, target: Directions) -> Metrics:
    """Root mean squared errors of the azimuth and of the lateral angle, degrees.

    The azimuth's error goes round the circle: from 179 to -179 degrees are 2. The lateral angle is that
    from the median plane, `asin(y)`, in which front and back are the same. The field's figures beside mean
    AD (WaveLoc; Middlebrooks 1999). Targets within 15 degrees of straight up or down have no azimuth.

    >>> ahead, left = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    >>> root_mean_squares(left, ahead)
    {'azimuth_rmse': 90.0, 'lateral_rmse': 90.0}
    """
    p, t = unit(predicted), unit(target)
    level = np.abs(elevation_of(t)) <= 75 + _SLACK
    around = np.abs((azimuth_of(p) - azimuth_of(t) + 180) % 360 - 180)
    return {
        "azimuth_rmse": _root(counted(around)[level]),
        "lateral_rmse": _root(counted(np.abs(lateral_angle(p) - lateral_angle(t)))),
    }


def _root(errors: Degrees) -> float | None:
    return float(np.sqrt(np.mean(np.square(errors)))) if len(errors) else None


def hemifield_gap(
    ad: Degrees, laterality: Degrees, sounds: Int[np.ndarray, " n"]
) -> tuple[float | None, float | None]:
    """Mean AD of targets on the left minus on the right, and whether that could be chance.

    laterality: degrees from the median plane, left positive; targets in it are on neither side.

    The second number is the two-sided p of a paired t test (Student 1908) over sounds: for each
    sound heard from both sides, its mean AD on the left minus on the right. None with fewer than
    two such sounds, or when all differences are the same.
    """
    left, right = laterality > _SLACK, laterality < -_SLACK
    if not left.any() or not right.any():
        return None, None
    gap = float(np.mean(ad[left]) - np.mean(ad[right]))
    _, sound = np.unique(sounds, return_inverse=True)
    clips = [np.bincount(sound[side], minlength=sound.max() + 1) for side in (left, right)]
    sums = [np.bincount(sound[side], ad[side], sound.max() + 1) for side in (left, right)]
    paired = (clips[0] > 0) & (clips[1] > 0)
    difference = sums[0][paired] / clips[0][paired] - sums[1][paired] / clips[1][paired]
    n = len(difference)
    if n < 2 or np.ptp(difference) == 0:
        return gap, None
    from scipy.special import stdtr  # the rest of this needs numpy alone

    t = np.mean(difference) / (np.std(difference, ddof=1) / np.sqrt(n))
    return gap, float(2 * stdtr(n - 1, -abs(t)))


def azimuth_curve(predicted: Directions, target: Directions) -> list[AzimuthPoint]:
    """Error at each target azimuth, from the lowest azimuth to the highest.

    `bias` is the circular mean of predicted minus target azimuth (positive: too far
    counter-clockwise) and `circular_std` is `sqrt(-2 ln R)` of the same errors (Mardia, Jupp,
    Directional Statistics, 2000); both leave out predictions without an azimuth, and are None when
    none is left or when the errors have no mean direction.
    """
    ad = counted(angular_distance(predicted, target))
    azimuth = np.round(azimuth_of(target), 3)
    azimuth = np.where(azimuth == -180, 180, azimuth) + 0.0  # + 0.0: no -0.0 in the records
    error = np.radians(azimuth_of(unit(predicted)) - azimuth)
    known = np.flatnonzero(np.isfinite(azimuth))
    values, first, counts = np.unique(azimuth[known], return_inverse=True, return_counts=True)
    # The clips of each azimuth next to each other, in their order.
    ordered = known[np.argsort(first, kind="stable")]
    points: list[AzimuthPoint] = []
    for value, here in zip(values, np.split(ordered, np.cumsum(counts))[:-1], strict=True):
        errors = error[here]
        bias, spread = _circular_mean_and_std(errors[np.isfinite(errors)])
        points.append(
            AzimuthPoint(
                azimuth=float(value),
                ad_mean=float(np.mean(ad[here])),
                bias=bias,
                circular_std=spread,
                count=len(here),
            )
        )
    return points


def ad_by_sound(
    ad: Degrees, sounds: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " s"], Float[np.ndarray, " s"], Int[np.ndarray, " s"]]:
    """What intervals follow from: the sounds in ascending order, the mean AD of each, its clips."""
    ids, sound, clips = np.unique(sounds, return_inverse=True, return_counts=True)
    return ids, np.bincount(sound, counted(ad), len(ids)) / clips, clips


def counted(error: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """An error in degrees with 90 wherever there was no direction to take it of."""
    return np.where(np.isfinite(error), error, NO_DIRECTION)


def unit(vectors: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    """Vectors of length 1 in double precision; rows that have no direction become NaN."""
    vectors = np.asarray(vectors, dtype=np.float64)
    usable = np.isfinite(vectors).all(axis=-1) & (vectors != 0).any(axis=-1)
    vectors = np.where(usable[..., None], vectors, np.nan)
    # Scaled by the largest coordinate first: squares of tiny or huge ones would under- or overflow.
    vectors = vectors / np.max(np.abs(vectors), axis=-1, keepdims=True)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def lateral_angle(unit: Directions) -> Degrees:
    """Degrees from the median plane, left positive: all that a cone of confusion leaves."""
    return np.degrees(np.arcsin(np.clip(unit[:, 1], -1, 1)))


def _frontal_angle(unit: Directions) -> Degrees:
    """Degrees from the frontal plane, the plane of both ears and the zenith; front positive."""
    return np.degrees(np.arcsin(np.clip(unit[:, 0], -1, 1)))


def off_the_horizontal_plane(target: Directions) -> bool:
    """Whether any target is above or below it: there `front_back_rate` was defined otherwise at first."""
    return bool((np.abs(elevation_of(target)) > _SLACK).any())


def _across(p: Float[np.ndarray, " n"], t: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether a coordinate has the other sign than the target's, or none because it is NaN.

    A prediction between two halves is in neither, whichever sign rounding gave it.
    """
    return ~(p * np.sign(t) >= -np.radians(_SLACK))


def _folded(p: Directions, t: Directions) -> Directions:
    """Predictions mirrored to the front or back half that their target is in."""
    return np.column_stack([np.copysign(p[:, 0], t[:, 0]), p[:, 1:]])


def _squared_error(raw: Float[np.ndarray, "n k"], t: Directions) -> Float[np.ndarray, " n"]:
    """Mean of the squared error over the coordinates; a row of NaN is a unit vector 90° off."""
    raw = np.asarray(raw, dtype=np.float64)
    k = raw.shape[1]
    usable = np.isfinite(raw).all(axis=1)
    error = np.where(usable[:, None], raw, 0.0) - t[:, :k]
    return np.where(usable, np.mean(error**2, axis=1), 2.0 / k)


def _elevation_error(p: Directions, t: Directions) -> float | None:
    elevation = elevation_of(t)
    if not (np.abs(elevation) > _SLACK).any():
        return None
    return _mean(counted(np.abs(elevation_of(p) - elevation)))


def _circular_mean_and_std(error: Float[np.ndarray, " m"]) -> tuple[float | None, float | None]:
    """Circular mean and standard deviation in degrees of angles in radians."""
    if len(error) == 0:
        return None, None
    resultant = complex(np.mean(np.exp(1j * error)))
    length = min(abs(resultant), 1.0)
    if length < 1e-9:
        return None, None
    return float(np.degrees(np.angle(resultant))), float(np.degrees(np.sqrt(-2 * np.log(length))))


def _mean(values: Degrees | Bool[np.ndarray, " n"]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _quantile(values: Degrees, q: float) -> float | None:
    return float(np.quantile(values, q)) if len(values) else None
