"""Does a model know how sure it can be? Calibration of heads that answer a direction with a spread.

Such a head gives for every clip the radii of caps around its direction within which the true one lies
with probabilities of 10 to 90 %, as it believes. Calibrated is a head whose caps hold that share of
the true directions (Guo et al., arXiv:1706.04599; Kuleshov et al., arXiv:1807.00263).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bastzoo.directions import CREDIBLE_LEVELS
from bastzoo.metrics.localization import Metrics, angular_distance, counted

LEVELS = tuple(round(100 * level) for level in CREDIBLE_LEVELS)
"""Those of the caps, in percent."""


def calibration_metrics(
    predicted: Float[np.ndarray, "n 3"],
    target: Float[np.ndarray, "n 3"],
    radii: Float[np.ndarray, "n K"],
) -> Metrics:
    """Figures over all clips; None without any.

    radii: degrees, one a level of `CREDIBLE_LEVELS`. A prediction of NaN is 90° off.

    `coverage_10` to `coverage_90`: share of clips whose true direction lies within that cap;
    `calibration_error`: mean distance of these shares from their levels; `radius_50`: median radius of
    the 50 % cap, degrees; `ad_surest_half`: mean AD of the half of the clips that the head is surest of.
    """
    if not len(predicted):
        return {"calibration_error": None, "radius_50": None, "ad_surest_half": None}
    ad = counted(angular_distance(predicted, target))
    coverage = (ad[:, None] <= radii).mean(axis=0)
    middle = radii[:, CREDIBLE_LEVELS.index(0.5)]
    surest = np.argsort(middle, kind="stable")[: max(1, len(ad) // 2)]
    return {
        **{
            f"coverage_{round(100 * level)}": float(share)
            for level, share in zip(CREDIBLE_LEVELS, coverage, strict=True)
        },
        "calibration_error": float(np.abs(coverage - CREDIBLE_LEVELS).mean()),
        "radius_50": float(np.median(middle)),
        "ad_surest_half": float(ad[surest].mean()),
    }
