"""A small convolutional network, the baseline that most papers of the field compare with."""

from __future__ import annotations

import math
from itertools import pairwise

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError

# Steps along frequency and time of each block of an ear, the first taken by its convolution.
_STEPS = ((4, 2), (2, 2), (2, 2), (2, 2))


class Residual(nn.Module):
    """`x + conv(relu(conv(x)))`, each convolution after a batch norm, on tokens of a grid."""

    def __init__(self, *, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Return the changed tokens."""
        rows, columns = self.grid
        image = rearrange(tokens, "b (h w) d -> b d h w", h=rows, w=columns)
        return tokens + rearrange(self.layers(image), "b d h w -> b (h w) d")


class Ear(nn.Module):
    """Convolution, batch norm, ReLU and max pooling, three times: from a spectrogram to tokens."""

    def __init__(self, *, channels: int, dim: int) -> None:
        super().__init__()
        widths = [channels, max(1, dim // 6), dim // 2, dim]
        first, *pools = _STEPS
        blocks: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            kernel, step = (7, first) if number == 0 else (3, (1, 1))
            blocks += [
                nn.Conv2d(before, after, kernel, stride=step, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(pools[number], ceil_mode=True),
            ]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, features: Float[Tensor, "B C F T"]) -> Float[Tensor, "B N D"]:
        """Return one token a cell of the last feature map, row by row."""
        return rearrange(self.blocks(features), "b d h w -> b (h w) d")


class Cnn(nn.Module):
    """A convolutional encoder for each ear, and residual convolutions for both.

    input_shape: channels, bands and frames of one ear; any size. dim: width of a token, an even
    number; depth: residual blocks of the fusion encoder.
    """

    def __init__(self, *, input_shape: tuple[int, int, int], dim: int, depth: int) -> None:
        super().__init__()
        if dim % 2:
            raise ComponentError(f"The cnn backbone needs an even width, not {dim}.")
        self.channels, *size = input_shape
        self.dim, self.depth = dim, depth
        self.grid = (
            _after(size[0], [s[0] for s in _STEPS]),
            _after(size[1], [s[1] for s in _STEPS]),
        )

    def embed(self, x: Float[Tensor, "B C F T"]) -> Float[Tensor, "B C F T"]:
        """Return the features as they are: each ear's encoder begins with them."""
        return x

    def ear_encoder(self) -> nn.Module:
        """Make a new encoder of one ear, from features to tokens `[B, N, dim]`."""
        return Ear(channels=self.channels, dim=self.dim)

    def encoder(self, width: int) -> nn.Module:
        """Make a new encoder of tokens `[B, N, width]` on the grid of the feature map."""
        return nn.Sequential(*(Residual(width=width, grid=self.grid) for _ in range(self.depth)))


def _after(length: int, steps: list[int]) -> int:
    """How many cells are left of a length, each step rounding up."""
    for step in steps:
        length = math.ceil(length / step)
    return length
