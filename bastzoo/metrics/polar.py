"""Metrics in horizontal-polar coordinates: what ears hear by differences, and what only by spectra.

The *lateral angle* is that from the median plane, `asin(y)`, left positive: interaural differences give it.
The *polar angle* goes round the axis through both ears, `atan2(z, x)`: 0 in front, 90 above, 180 behind;
only the spectral shape of the ears gives it. (Middlebrooks 1999, J. Acoust. Soc. Am. 106:1493; as
percentages and errors in Majdak, Goupell, Laback 2010, Atten. Percept. Psychophys. 72:454.)
"""

from __future__ import annotations

import numpy as np

from bastzoo.metrics.localization import (
    Degrees,
    Directions,
    Metrics,
    lateral_angle,
    off_the_horizontal_plane,
    unit,
)

NEAR_MIDLINE = 30.0
"""Degrees of lateral angle within which polar angles are scored: towards the ears they mean little."""

QUADRANT = 90.0
"""Degrees of polar error beyond which an answer is in another quadrant than its target."""

_SLACK = 1e-3


def polar_metrics(predicted: Directions, target: Directions) -> Metrics:
    """The polar metrics of Middlebrooks (1999), and bias and precision of the lateral angle.

    predicted: `[n, 3]`, any length; NaN or zero for no direction. target: `[n, 3]`, unit vectors.

    `quadrant_error`: share of targets within 30 degrees of the median plane whose answer is more than 90
    degrees of polar angle off, or has no direction; `local_polar_error`: root mean square of the polar
    errors of the others, degrees. Both are None where all targets lie in the horizontal plane: there they
    would count what the front-back rate counts. `lateral_bias` and `lateral_precision`: mean and standard
    deviation of the signed error of the lateral angle, degrees, left positive, of answers with a direction.

    >>> above, front = np.array([[0.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 0.0]])
    >>> polar_metrics(front, above)["local_polar_error"]
    90.0
    """
    p, t = unit(predicted), unit(target)
    lateral = lateral_angle(p) - lateral_angle(t)
    known = np.isfinite(lateral)
    found: Metrics = {
        "quadrant_error": None,
        "local_polar_error": None,
        "lateral_bias": float(np.mean(lateral[known])) if known.any() else None,
        "lateral_precision": float(np.std(lateral[known])) if known.any() else None,
    }
    near = np.abs(lateral_angle(t)) <= NEAR_MIDLINE + _SLACK
    if near.any() and off_the_horizontal_plane(t):
        error = np.abs(polar_angle(p[near]) - polar_angle(t[near]))
        error = np.minimum(error, 360.0 - error)
        local = error <= QUADRANT + _SLACK  # NaN is not
        found["quadrant_error"] = float(np.mean(~local))
        if local.any():
            found["local_polar_error"] = float(np.sqrt(np.mean(error[local] ** 2)))
    return found


def polar_angle(directions: Directions) -> Degrees:
    """Degrees round the axis through both ears, -90 to 270: 0 in front, 90 above, 180 behind."""
    angle = np.degrees(np.arctan2(directions[:, 2], directions[:, 0]))
    return np.where(angle < -90.0, angle + 360.0, angle)
