"""Directions and angles: the one place where the project's convention of angles is spelled out.

Azimuth is in degrees, counter-clockwise seen from above: 0 front, +90 left, range (-180, 180].
Elevation is in degrees, up positive. A direction is a unit vector: x front, y left, z up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Real

Angles = Real[np.ndarray, "..."] | Sequence[float | int] | float | int


CREDIBLE_LEVELS = tuple(round(0.1 * level, 1) for level in range(1, 10))
"""Probabilities of the caps whose radii a head that says how sure it is decodes to (`radii`)."""


def direction_from_angles(
    azimuth_deg: Angles, elevation_deg: Angles = 0.0
) -> Float[np.ndarray, "... 3"]:
    """Unit vectors `[..., 3]` of azimuths and elevations in degrees; the two broadcast."""
    azimuth, elevation = np.broadcast_arrays(
        np.radians(np.asarray(azimuth_deg, dtype=np.float64)),
        np.radians(np.asarray(elevation_deg, dtype=np.float64)),
    )
    level = np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1)


def azimuth_of(direction: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, " ..."]:
    """Azimuth in degrees, (-180, 180], of directions of any length; NaN straight up or down."""
    x, y, _ = np.moveaxis(np.asarray(direction, dtype=np.float64), -1, 0)
    azimuth = np.degrees(np.arctan2(y, x))
    azimuth = np.where(azimuth == -180.0, 180.0, azimuth)  # arctan2(-0.0, -1)
    return np.where((x == 0) & (y == 0), np.nan, azimuth)


def elevation_of(direction: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, " ..."]:
    """Elevation in degrees, [-90, 90], of directions of any length; NaN for the zero vector."""
    x, y, z = np.moveaxis(np.asarray(direction, dtype=np.float64), -1, 0)
    level = np.hypot(x, y)
    return np.where((level == 0) & (z == 0), np.nan, np.degrees(np.arctan2(z, level)))
