"""A head that answers a direction and how sure it is of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError
from bastzoo.model import CREDIBLE_LEVELS
from bastzoo.zoo.heads import unit_or_nan
from bastzoo.zoo.vmf.distribution import credible_radii

# Of the concentration: from uniform to a spread of 0.2°. Beyond, a likelihood only rewards rounding.
_LOGARITHMS = (-6.9, 11.5)


class VonMisesFisher(nn.Module):
    """LayerNorm and two linear layers: one for the mean direction, one for the concentration.

    width: of the pooled features. coordinates: 2 for azimuths (a von Mises distribution on the circle),
    3 for directions (von Mises-Fisher on the sphere).
    """

    def __init__(self, *, width: int, coordinates: int) -> None:
        super().__init__()
        if coordinates not in (2, 3):
            raise ComponentError(
                f"A von Mises-Fisher head has 2 or 3 coordinates, and {coordinates} were asked for."
            )
        self.coordinates = coordinates
        self.norm = nn.LayerNorm(width)
        self.mean = nn.Linear(width, coordinates)
        self.spread = nn.Linear(width, 1)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `vector` `[B, 2]` or `[B, 3]` (free length) and `concentration` `[B]`, above 0."""
        features = self.norm(pooled)
        # The exponential of the layer's output: a step then changes the spread by a share of itself.
        log = self.spread(features)[:, 0]
        log = log.to(torch.promote_types(log.dtype, torch.float32)).clamp(*_LOGARITHMS)
        return {"vector": self.mean(features), "concentration": log.exp()}

    def decode(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `direction` `[B, 3]`, unit vectors, and `radii` `[B, 9]`, degrees.

        radii: how far from the direction the true one lies at most with the probabilities
            `bastzoo.model.CREDIBLE_LEVELS`, as the model believes.
        """
        vector = nn.functional.pad(outputs["vector"], (0, 3 - self.coordinates))
        radii = credible_radii(
            outputs["concentration"], CREDIBLE_LEVELS, coordinates=self.coordinates
        )
        return {"direction": unit_or_nan(vector), "radii": radii}
