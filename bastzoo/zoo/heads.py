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
        vector = outputs["vector"]
        x, y = vector.to(torch.promote_types(vector.dtype, torch.float32)).unbind(-1)
        length = torch.hypot(x, y)  # squares of very short vectors would vanish
        flat = torch.stack([x, y, torch.zeros_like(x)], dim=-1) / length[..., None]
        known = (torch.isfinite(length) & (length > 0))[..., None]
        return {"direction": torch.where(known, flat, torch.nan)}
