"""What the network answers: from pooled features to named outputs, and from those to directions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Azimuth(nn.Module):
    """A point (x, y) in the horizontal plane, x to the front and y to the left; BAST's head.

    Its length is free: only its direction is an answer.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, 2)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `{"vector": [B, 2]}`."""
        return {"vector": self.linear(self.norm(pooled))}

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `{"direction": [B, 3]}`, unit vectors with z = 0.

        A vector that is zero or not finite has no direction: its row is NaN.
        """
        flat = nn.functional.pad(outputs["vector"], (0, 1))
        return {"direction": unit_or_nan(flat)}


class Direction(nn.Module):
    """A point (x, y, z) in space: x to the front, y to the left, z up. Its length is free."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, 3)

    def forward(self, pooled: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """Return `{"vector": [B, 3]}`."""
        return {"vector": self.linear(self.norm(pooled))}

    @staticmethod
    def decode(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `{"direction": [B, 3]}`, unit vectors; NaN for a vector without direction."""
        return {"direction": unit_or_nan(outputs["vector"])}


def unit_or_nan(vector: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3"]:
    """Vectors of length 1, in single precision at least; a row of NaN for one without direction."""
    vector = vector.to(torch.promote_types(vector.dtype, torch.float32))
    # Squares of very short or very long vectors would vanish or overflow.
    x, y, z = vector.unbind(-1)
    length = torch.hypot(torch.hypot(x, y), z)
    known = (torch.isfinite(length) & (length > 0))[..., None]
    return torch.where(known, vector / length[..., None], torch.nan)
