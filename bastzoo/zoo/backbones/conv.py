"""Convolutions that keep lags, bins and frames apart until both ears have met."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

_STEM = (5, 3)
# Poolings (rows, frames) after each convolution of the fusion encoder.
_POOLS = ((2, 2), (2, 2), (2, 1))


class _Block(nn.Sequential):
    """Convolution, batch norm, GELU."""

    def __init__(
        self, before: int, after: int, *, kernel: tuple[int, int] = (3, 3), stride: int = 1
    ) -> None:
        rows, frames = kernel
        super().__init__(
            nn.Conv2d(
                before, after, kernel, stride=stride, padding=(rows // 2, frames // 2), bias=False
            ),
            nn.BatchNorm2d(after),
            nn.GELU(),
        )


class _Residual(nn.Module):
    """`x + block(block(x))`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(_Block(width, width), _Block(width, width))

    def forward(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B D H W"]:
        """Return the changed map."""
        changed: Tensor = x + self.blocks(x)
        return changed


class Stem(nn.Module):
    """The encoder of an ear: one convolution of 5 × 3 that halves rows and frames."""

    def __init__(self, *, channels: int, dim: int) -> None:
        super().__init__()
        self.block = _Block(channels, dim, kernel=_STEM, stride=2)

    def forward(self, features: Float[Tensor, "B C F T"]) -> Float[Tensor, "B N D"]:
        """Return one token a place of the map, row by row."""
        # Channels last, so that a token's numbers lie together here and in the fusion encoder: nothing is
        # moved between them, and a training step takes little more than half the time on a processor.
        features = features.contiguous(memory_format=torch.channels_last)
        return rearrange(self.block(features), "b d h w -> b (h w) d")


class Fusion(nn.Module):
    """The encoder of both ears: convolutions over the joined map, then attention over time.

    What is heard first, or between reverberation, can so count more than the rest. Returns one token.
    """

    def __init__(self, *, width: int, dim: int, depth: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        widths = [width, dim // 2, 2 * dim // 3, dim]
        layers: list[nn.Module] = []
        rows = grid[0]
        for before, after, pool in zip(widths[:-1], widths[1:], _POOLS, strict=True):
            layers += [_Block(before, after), nn.MaxPool2d(pool, ceil_mode=True)]
            rows = math.ceil(rows / pool[0])
        layers += [_Residual(dim) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.frames = nn.Sequential(nn.Conv1d(dim * rows, 2 * dim, 1), nn.GELU())
        self.weights = nn.Conv1d(2 * dim, 1, 1)
        self.out = nn.Linear(2 * dim, width)

    def forward(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B 1 D"]:
        """Return what the clip says, as one token."""
        rows, columns = self.grid
        image = rearrange(tokens, "b (h w) d -> b d h w", h=rows, w=columns)
        frames = self.frames(rearrange(self.layers(image), "b d h w -> b (d h) w"))
        weights = self.weights(frames).softmax(dim=-1)
        heard: Tensor = self.out((frames * weights).sum(dim=-1))
        return heard[:, None]


class Conv(nn.Module):
    """A convolutional localizer whose ears meet early and at full resolution.

    Each ear has one convolution; the integration joins the maps place by place, so that level and time
    differences of one band and one moment are still next to each other when both ears are seen.

    input_shape: channels, rows and frames of one ear. dim: width of the last maps (the ears' maps have a
    third of it); depth: residual blocks.
    """

    def __init__(self, *, input_shape: tuple[int, int, int], dim: int, depth: int) -> None:
        super().__init__()
        self.channels, rows, frames = input_shape
        self.inner, self.depth = dim, depth
        self.dim = 8 * max(1, round(dim / 24))
        self.grid = (math.ceil(rows / 2), math.ceil(frames / 2))

    def embed(self, x: Float[Tensor, "B C F T"]) -> Float[Tensor, "B C F T"]:
        """Return the features as they are: each ear's encoder begins with them."""
        return x

    def ear_encoder(self) -> nn.Module:
        """Make a new encoder of one ear, from features to tokens `[B, N, D]`."""
        return Stem(channels=self.channels, dim=self.dim)

    def encoder(self, width: int) -> nn.Module:
        """Make a new encoder of both ears, from tokens `[B, N, width]` to one token."""
        return Fusion(width=width, dim=self.inner, depth=self.depth, grid=self.grid)
