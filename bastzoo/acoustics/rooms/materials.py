"""What walls are made of, and what air swallows: absorption by octave band."""

from __future__ import annotations

import numpy as np

BANDS_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
"""Centres of the octave bands."""

# Random-incidence absorption coefficients (Vorländer, Auralization, Springer 2008, appendix), by octave
# band from 125 Hz; what is not tabulated at 8 kHz is taken to be as at 4 kHz.
# fmt: off
WALLS: dict[str, tuple[float, ...]] = {
    "rendered brickwork":   (0.01, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04),
    "rough concrete":       (0.02, 0.03, 0.03, 0.03, 0.04, 0.07, 0.07),
    "open-pointed bricks":  (0.08, 0.09, 0.12, 0.16, 0.22, 0.24, 0.24),
    "plasterboard":         (0.15, 0.10, 0.06, 0.04, 0.04, 0.05, 0.05),
    "wooden lining":        (0.27, 0.23, 0.22, 0.15, 0.10, 0.07, 0.06),
    "glass window":         (0.10, 0.05, 0.04, 0.03, 0.03, 0.03, 0.03),
    "cotton curtains":      (0.30, 0.45, 0.65, 0.56, 0.59, 0.71, 0.71),
    "velvet curtains":      (0.05, 0.12, 0.35, 0.45, 0.38, 0.36, 0.36),
    "blinds":               (0.03, 0.06, 0.13, 0.28, 0.49, 0.56, 0.56),
    "acoustical plaster":   (0.17, 0.36, 0.66, 0.65, 0.62, 0.68, 0.68),
    "fabric-covered panel": (0.21, 0.66, 1.00, 1.00, 0.97, 0.98, 0.98),
    "rockwool":             (0.23, 0.59, 0.86, 0.86, 0.86, 0.86, 0.86),
}
FLOORS: dict[str, tuple[float, ...]] = {
    "marble":               (0.01, 0.01, 0.01, 0.02, 0.02, 0.02, 0.02),
    "linoleum":             (0.02, 0.03, 0.03, 0.03, 0.03, 0.02, 0.02),
    "wooden floor":         (0.09, 0.06, 0.05, 0.05, 0.05, 0.04, 0.04),
    "thin carpet":          (0.02, 0.04, 0.08, 0.20, 0.35, 0.40, 0.40),
    "soft carpet":          (0.09, 0.08, 0.21, 0.26, 0.27, 0.37, 0.37),
    "carpet on felt":       (0.08, 0.08, 0.30, 0.60, 0.75, 0.80, 0.80),
    "wooden chairs":        (0.05, 0.08, 0.10, 0.12, 0.12, 0.12, 0.12),
    "upholstered chairs":   (0.49, 0.66, 0.80, 0.88, 0.82, 0.70, 0.70),
}
CEILINGS: dict[str, tuple[float, ...]] = {
    "concrete":             (0.01, 0.01, 0.01, 0.02, 0.02, 0.05, 0.05),
    "plasterboard ceiling": (0.20, 0.15, 0.10, 0.08, 0.04, 0.02, 0.02),
    "metal panel":          (0.59, 0.80, 0.82, 0.65, 0.27, 0.23, 0.23),
    "fissured tile":        (0.49, 0.53, 0.53, 0.75, 0.92, 0.99, 0.99),
    "fibre absorber":       (0.48, 0.97, 1.00, 0.97, 1.00, 1.00, 1.00),
}
# fmt: on

AIR_DB_PER_KM = (0.44, 1.31, 2.73, 4.66, 9.86, 29.4, 104.0)
"""Attenuation in air of 20 degrees Celsius and 50 % humidity, by octave band (ISO 9613-1)."""


def reverberation_time(size: np.ndarray, absorption: np.ndarray) -> np.ndarray:
    """Reverberation time (s) of each octave band, after Eyring (1930), with the air's share.

    size: (x, y, z) in m. absorption: `[6, 7]`, of the walls at x = 0, x = max, y = 0, and so on.

    >>> reverberation_time(np.array([5.0, 4.0, 2.5]), np.full((6, 7), 0.3)).round(2)[:3]
    array([0.27, 0.26, 0.26])
    """
    x, y, z = size
    areas = np.array([y * z, y * z, x * z, x * z, x * y, x * y])
    mean = np.minimum(areas @ absorption / areas.sum(), 0.99)
    air = np.array(AIR_DB_PER_KM) / (10 * np.log10(np.e)) / 1000
    absorbing = -areas.sum() * np.log1p(-mean) + 4 * air * x * y * z
    time: np.ndarray = 24 * np.log(10) / 343.0 * x * y * z / absorbing
    return time
