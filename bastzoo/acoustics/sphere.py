"""A grid of directions all round, as evenly spread as the measured ones allow."""

import numpy as np

SPACING = 20
"""Degrees between neighbours of the grid, about."""

ELEVATIONS = range(-40, 61, SPACING)
"""Degrees: KEMAR was measured from -40 on; above 60, azimuths lie too close to tell them apart."""


def sphere_grid() -> np.ndarray:
    """Azimuth and elevation in degrees, `[n, 2]`: rings of elevation, each with evenly spread azimuths.

    A ring has about as many azimuths as its length has room for, and as divide the circle in whole
    degrees, so that every ring holds 0 and 180.
    """
    rings = []
    for elevation in ELEVATIONS:
        wanted = 360 / SPACING * np.cos(np.radians(elevation))
        count = min((n for n in range(2, 361, 2) if 360 % n == 0), key=lambda n: abs(n - wanted))
        azimuths = 180.0 - np.arange(count) * (360 // count)
        rings.append(np.stack([azimuths, np.full(count, float(elevation))], axis=-1))
    return np.concatenate(rings)
