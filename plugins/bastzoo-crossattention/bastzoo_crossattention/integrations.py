"""Cross-attention of two ears in both directions, and their difference and sum."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Every token of an ear asks all tokens of the other; the answers are added, and both ears joined.

    Pre-norm multi-head attention (Vaswani et al. 2017, arXiv:1706.03762) with one set of weights for
    both directions, so that an exchange of the ears exchanges the halves of the result.

    dim: width of a token; heads: attention heads, as many as divide `dim`.
    """

    def __init__(self, *, dim: int, heads: int = 4) -> None:
        super().__init__()
        heads = max(count for count in range(1, heads + 1) if dim % count == 0)
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)

    def width(self, dim: int) -> int:
        """Width of the fused tokens, for ears of width `dim`."""
        return 2 * dim

    def forward(
        self, left: Float[Tensor, "B N D"], right: Float[Tensor, "B N D"]
    ) -> Float[Tensor, "B N 2*D"]:
        """Return both ears, each with what it found in the other."""
        hears_left, hears_right = self.norm(left), self.norm(right)
        return torch.cat(
            [left + self._ask(hears_left, hears_right), right + self._ask(hears_right, hears_left)],
            dim=-1,
        )

    def _ask(self, asking: Tensor, asked: Tensor) -> Tensor:
        answers, _ = self.attention(asking, asked, asked, need_weights=False)
        found: Tensor = answers
        return found


class DifferenceAndSum(nn.Module):
    """left - right, which says where, and left + right, which says what: nothing is lost.

    The same information as CONCAT in other coordinates, in which what the two ears share and what
    tells them apart are features of their own.
    """

    def width(self, dim: int) -> int:
        """Width of the fused tokens, for ears of width `dim`."""
        return 2 * dim

    def forward(
        self, left: Float[Tensor, "B N D"], right: Float[Tensor, "B N D"]
    ) -> Float[Tensor, "B N 2*D"]:
        """Return the difference and the sum, joined along the features."""
        return torch.cat([left - right, left + right], dim=-1)
