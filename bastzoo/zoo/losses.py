"""Losses on directions: the three of BAST, and two whose angle has a gradient everywhere.

Each compares `outputs["vector"]` (`[B, 2]`: x and y, or `[B, 3]`) with `targets["direction"]`
(`[B, 3]`, unit vectors) and returns the mean over the batch, in single precision at least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.errors import ComponentError

Loss = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]

# Below this length a vector's direction is noise: its angle counts as 90°, with a finite gradient.
SHORTEST = 1e-6

# BAST's clamp of the cosine. It takes away every gradient below 2.56° and above 177.44°.
LARGEST_COSINE = 0.999


class MSE:
    """Mean over the coordinates of the squared error; 1 - cos(angle) for unit vectors of two."""

    def __call__(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the mean squared error."""
        vector, direction = _coordinates(outputs, targets)
        return (vector - direction).square().mean()


class AngularDistance:
    """Mean angle in radians, as BAST computes it: the arc cosine of a cosine clamped to ±0.999."""

    def __call__(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the mean clamped angle: 0.0447 rad at best."""
        vector, direction = _coordinates(outputs, targets)
        cosine = (_unit(vector) * _unit(direction)).sum(-1)
        return torch.acos(cosine.clamp(-LARGEST_COSINE, LARGEST_COSINE)).mean()


class ExactAngularDistance:
    """Mean angle in radians, `atan2(|p × t|, p · t)`: no dead zone, and exact at small angles."""

    def __call__(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the mean angle; 0 for a perfect answer, where its gradient is 0 too."""
        vector, direction = _coordinates(outputs, targets)
        cosine = (vector * direction).sum(-1)
        # atan2 has no gradient at (0, 0): a vector without direction takes the tangent at 90°,
        # which leads towards the target.
        short = torch.linalg.vector_norm(vector, dim=-1) < SHORTEST
        sine = torch.linalg.vector_norm(_cross(vector, direction), dim=-1)
        angle = torch.atan2(sine, torch.where(short, 1.0, cosine))
        return torch.where(short, math.pi / 2 - cosine / SHORTEST, angle).mean()


class Mix:
    """BAST's hybrid loss: MSE + AD."""

    parts: ClassVar[tuple[Loss, Loss]] = (MSE(), AngularDistance())

    def __call__(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the sum of both losses."""
        squared, angle = (part(outputs, targets) for part in self.parts)
        return squared + angle


class ExactMix(Mix):
    """MSE + the exact angle."""

    parts: ClassVar[tuple[Loss, Loss]] = (MSE(), ExactAngularDistance())


def _coordinates(
    outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
    vector, direction = outputs["vector"], targets["direction"]
    vector = vector.to(torch.promote_types(vector.dtype, torch.float32))
    count = vector.shape[-1]
    if count not in (2, 3):
        raise ComponentError(
            "A loss on directions needs a vector of 2 or 3 coordinates, "
            f"and the head gives {count}."
        )
    return vector, direction[..., :count].to(vector.dtype)


def _unit(vector: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
    length = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector / length.clamp(min=SHORTEST)


def _cross(p: Float[Tensor, "B K"], t: Float[Tensor, "B K"]) -> Float[Tensor, "B M"]:
    if p.shape[-1] == 3:
        return torch.linalg.cross(p, t)
    return (p[:, :1] * t[:, 1:]) - (p[:, 1:] * t[:, :1])
