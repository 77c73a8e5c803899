"""How the features of two ears become one: the three integrations of BAST (arXiv:2207.03927)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Add(nn.Module):
    """left + right: blind to an exchange of the ears when they share one encoder."""

    def width(self, dim: int) -> int:
        """Width of the fused tokens, for ears of width `dim`."""
        return dim

    def forward(
        self, left: Float[Tensor, "B N D"], right: Float[Tensor, "B N D"]
    ) -> Float[Tensor, "B N D"]:
        """Return the sum, token by token."""
        return left + right


class Sub(nn.Module):
    """left - right: the interaural difference of features."""

    def width(self, dim: int) -> int:
        """Width of the fused tokens, for ears of width `dim`."""
        return dim

    def forward(
        self, left: Float[Tensor, "B N D"], right: Float[Tensor, "B N D"]
    ) -> Float[Tensor, "B N D"]:
        """Return the difference, token by token."""
        return left - right


class Concat(nn.Module):
    """left and right side by side: nothing is lost, and the fusion encoder is twice as wide."""

    def width(self, dim: int) -> int:
        """Width of the fused tokens, for ears of width `dim`."""
        return 2 * dim

    def forward(
        self, left: Float[Tensor, "B N D"], right: Float[Tensor, "B N D"]
    ) -> Float[Tensor, "B N 2*D"]:
        """Return both, joined along the features."""
        return torch.cat([left, right], dim=-1)
