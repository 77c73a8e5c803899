"""The von Mises-Fisher distribution on the circle and on the sphere (Mardia, Jupp 2000, chapter 9).

Its density at an angle `a` from its mean direction is proportional to `exp(κ cos a)`; the larger the
concentration κ, the surer. On the circle it is the von Mises distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# Angles in radians at which the circle's distribution is integrated: dense near 0, where it is narrow.
_STEPS = 1024
_SMALLEST = 1e-4


def negative_log_density(
    cosine: Float[Tensor, " B"], concentration: Float[Tensor, " B"], *, coordinates: int
) -> Float[Tensor, " B"]:
    """Return minus the log density in nats per radian (circle) or steradian (sphere).

    cosine: of the angle between the mean direction and the point. concentration: κ > 0.
    coordinates: 2 for the circle, 3 for the sphere. Exact up to rounding for any κ.
    """
    if coordinates == 2:
        normaliser = math.log(2 * math.pi) + torch.special.i0e(concentration).log()
    else:
        # log of 4π sinh(κ) / (κ exp(κ)), without an overflow, and right for κ → 0.
        ratio = -torch.expm1(-2 * concentration) / concentration
        normaliser = math.log(2 * math.pi) + ratio.log()
    return normaliser + concentration * (1 - cosine)


def credible_radii(
    concentration: Float[Tensor, " B"], levels: Sequence[float], *, coordinates: int
) -> Float[Tensor, "B K"]:
    """Return how far from the mean direction, in degrees, each share of the probability reaches.

    levels: shares, 0 to 1; on the sphere a closed form, on the circle an integral.
    """
    kappa = concentration.double()[:, None]
    level = torch.tensor(levels, dtype=torch.float64, device=kappa.device)
    if coordinates == 3:
        # By half the angle: 1 - cos a = 2 sin²(a/2) keeps its digits where a is small.
        below = -torch.log1p(level * torch.expm1(-2 * kappa)) / kappa
        half_sine = (below / 2).clamp(0, 1).sqrt().to(concentration.dtype)
        return torch.rad2deg(2 * torch.arcsin(half_sine))
    angles = torch.logspace(math.log10(_SMALLEST), math.log10(math.pi), _STEPS, dtype=torch.float64)
    angles = torch.cat([angles.new_zeros(1), angles]).to(kappa.device)
    density = torch.exp(kappa * (torch.cos(angles) - 1))
    mass = torch.cumulative_trapezoid(density, angles)
    mass = torch.cat([torch.zeros_like(mass[:, :1]), mass / mass[:, -1:]], dim=1)
    wanted = level.expand(kappa.shape[0], -1).contiguous()
    # A search for each row, in an operator that other runtimes have too.
    after = (mass[:, None] < wanted[..., None]).sum(dim=-1).clamp(1, len(angles) - 1)
    low, high = mass.gather(1, after - 1), mass.gather(1, after)
    share = (wanted - low) / (high - low).clamp_min(1e-12)
    radii = angles[after - 1] + share * (angles[after] - angles[after - 1])
    return torch.rad2deg(radii).to(concentration.dtype)
