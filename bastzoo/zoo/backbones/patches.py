"""Overlapping patches of a spectrogram as tokens: the embedding that the BAST backbones share."""

from __future__ import annotations

import math

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError


def patch_grid(
    size: tuple[int, int], *, patch: tuple[int, int], stride: tuple[int, int]
) -> tuple[int, int]:
    """Return how many patches, along frequency and time, cover `size` (F, T) padded if need be."""
    rows, columns = (
        max(0, math.ceil((length - width) / step)) + 1
        for length, width, step in zip(size, patch, stride, strict=True)
    )
    return rows, columns


class PatchEmbedding(nn.Module):
    """Cut `[B, C, F, T]` into patches and map each to a token: `[B, H·W, D]`, H along frequency.

    The last patches may reach beyond the spectrogram: it is extended by reflection on the top (low
    frequencies) and on the right (late frames), as BAST does; 129 × 61 gives 20 × 9 tokens.

    Raises ComponentError for a spectrogram so small that a reflection cannot fill a patch.
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, int, int],
        dim: int,
        patch: tuple[int, int] = (16, 16),
        stride: tuple[int, int] = (6, 6),
    ) -> None:
        super().__init__()
        channels, *size = input_shape
        self.grid = patch_grid((size[0], size[1]), patch=patch, stride=stride)
        missing = [
            (count - 1) * step + width - length
            for count, step, width, length in zip(self.grid, stride, patch, size, strict=True)
        ]
        if any(extra >= length for extra, length in zip(missing, size, strict=True)):
            raise ComponentError(
                f"A spectrogram of {size[0]} × {size[1]} bins is too small for patches of "
                f"{patch[0]} × {patch[1]}: choose a smaller patch, or clips that are longer."
            )
        self.padding = (0, missing[1], missing[0], 0)  # left, right, top, bottom
        # A linear layer on flattened patches, written as a convolution: the same weights, reshaped.
        self.projection = nn.Conv2d(channels, dim, kernel_size=patch, stride=stride)

    def forward(self, x: Float[Tensor, "B C F T"]) -> Float[Tensor, "B N D"]:
        """Return one token a patch, row by row of the grid."""
        x = nn.functional.pad(x, self.padding, mode="reflect")
        return rearrange(self.projection(x), "b d h w -> b (h w) d")
