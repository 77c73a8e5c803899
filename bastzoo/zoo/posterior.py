"""Azimuth as a distribution without a shape: a head of 72 probabilities, and its likelihood.

A distribution with one peak (`bastzoo.zoo.vmf`) that cannot tell 30 from 150 degrees is least unlikely
around 90, where the sound is not. Probabilities of a grid can say "front or back", and the answer is then
the azimuth with the smallest error to be expected, which lies at one of the two.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError
from bastzoo.model import CREDIBLE_LEVELS
from bastzoo.zoo.heads import unit_or_nan

_CANDIDATES = 360


class AzimuthPosterior(nn.Module):
    """LayerNorm and a linear layer, one output an azimuth (after Ma et al. 2017, who have 72 too).

    width: of the pooled features. azimuths: how many, evenly around the head, the first straight ahead.
    Raises ComponentError for fewer than 8: what lies between two of them is interpolated.
    """

    def __init__(self, *, width: int, azimuths: int = 72) -> None:
        super().__init__()
        if azimuths < 8:
            raise ComponentError(
                f"A posterior needs 8 azimuths at least, and {azimuths} were asked for."
            )
        self.azimuths = azimuths
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, azimuths)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `azimuth_logits` `[B, A]`, that of azimuth `360 i / A` degrees to the left at i."""
        return {"azimuth_logits": self.linear(self.norm(pooled))}

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `direction` `[B, 3]`, unit vectors with z = 0, and `radii` `[B, 9]`, degrees.

        direction: the azimuth from which the angular distance to the true one is smallest in the mean, as
            the model believes; NaN where its outputs are not finite.
        radii: how far from the direction the true one lies at most with the probabilities
            `bastzoo.model.CREDIBLE_LEVELS`.
        """
        logits = outputs["azimuth_logits"]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        probability = logits.softmax(dim=-1)
        azimuth = _least_expected(probability)
        radians = torch.deg2rad(azimuth)
        flat = torch.stack([radians.cos(), radians.sin(), torch.zeros_like(radians)], dim=-1)
        return {"direction": unit_or_nan(flat), "radii": _radii(probability, azimuth)}


class AzimuthLikelihood:
    """Cross-entropy, in nats, with the true azimuth blurred over its neighbours.

    As He et al. (2018) code a direction: azimuths beside the true one are less wrong than others. The blur
    has a standard deviation of one step of the grid.
    """

    def __call__(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the loss of `azimuth_logits` against `targets["direction"]`."""
        logits = outputs["azimuth_logits"]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        direction = targets["direction"].to(logits.dtype)
        azimuth = torch.rad2deg(torch.atan2(direction[:, 1], direction[:, 0]))
        step = 360 / logits.shape[-1]
        away = _distances(azimuth[:, None], _grid(logits)) / step
        wanted = (-away.square() / 2).softmax(dim=-1)
        return -(wanted * logits.log_softmax(dim=-1)).sum(-1).mean()


def _grid(like: Float[Tensor, "B A"]) -> Float[Tensor, " A"]:
    count = like.shape[-1]
    return torch.arange(count, dtype=like.dtype, device=like.device) * (360 / count)


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Degrees between azimuths, 0 to 180."""
    return 180 - (180 - torch.remainder(first - second, 360)).abs()


def _least_expected(probability: Float[Tensor, "B A"]) -> Float[Tensor, " B"]:
    """The azimuth (degrees) of least expected angular distance: the circular median of a posterior."""
    candidates = torch.arange(_CANDIDATES, dtype=probability.dtype, device=probability.device)
    candidates = candidates * (360 / _CANDIDATES)
    # An azimuth of the grid stands for all within half a step of it: else answers would snap to the grid.
    away, half = _distances(_grid(probability)[:, None], candidates), 180 / probability.shape[-1]
    costs = probability @ (away + _rounding(away, half) - _rounding(180 - away, half))
    best = costs.argmin(dim=-1, keepdim=True)
    # Between the candidates: the lowest point of the parabola through three.
    before, at, after = (
        costs.gather(1, torch.remainder(best + shift, _CANDIDATES))[:, 0] for shift in (-1, 0, 1)
    )
    bend = before - 2 * at + after
    offset = torch.where(bend > 1e-6, (before - after) / (2 * bend.clamp_min(1e-6)), 0.0)
    degrees = (best[:, 0] + offset.clamp(-0.5, 0.5)) * (360 / _CANDIDATES)
    return torch.where(torch.isfinite(at), degrees, torch.nan)


def _rounding(away: Tensor, half: float) -> Tensor:
    """What the mean distance to an arc of `2 half` degrees is above that to its middle."""
    return (half - away).clamp_min(0).square() / (2 * half)


def _radii(probability: Float[Tensor, "B A"], azimuth: Float[Tensor, " B"]) -> Float[Tensor, "B 9"]:
    """Half the widths (degrees) of the arcs around `azimuth` that hold each of the levels."""
    step = 360 / probability.shape[-1]
    count = 2 * 180 + 1
    reach = torch.arange(count, dtype=probability.dtype, device=probability.device) / 2
    away = _distances(azimuth[:, None], _grid(probability))
    # An azimuth of the grid stands for the step around it, and an arc holds a share of that.
    held = ((reach - away[..., None]) / step + 0.5).clamp(0, 1)
    held = held - ((-reach - away[..., None]) / step + 0.5).clamp(0, 1)
    mass = (probability[..., None] * held).sum(dim=1)
    levels = torch.tensor(CREDIBLE_LEVELS, dtype=mass.dtype, device=mass.device)
    wanted = (levels * mass[:, -1:]).contiguous()
    after = (mass[:, None] < wanted[..., None]).sum(dim=-1).clamp(1, count - 1)
    low, high = mass.gather(1, after - 1), mass.gather(1, after)
    share = ((wanted - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    return (after - 1 + share) / 2
