"""Overlapping patches of a spectrogram as tokens: the embedding that the BAST backbones share."""

from __future__ import annotations

import math

import torch
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
        if any(self.padding):
            x = nn.functional.pad(x, self.padding, mode="reflect")
        if torch.compiler.is_compiling():  # runtimes know convolutions better than strides
            return rearrange(self.projection(x), "b d h w -> b (h w) d")
        # A product of matrices takes half the time of the convolution on a processor. Bins of a frame lie
        # together in a spectrogram, so a patch is copied frame by frame.
        (rows, columns), (down, across) = self.projection.kernel_size, self.projection.stride
        patches = x.unfold(2, rows, down).unfold(3, columns, across)
        flat = rearrange(patches, "b c h w p q -> b (h w) (c q p)")
        weight = rearrange(self.projection.weight, "d c p q -> d (c q p)")
        return nn.functional.linear(flat, weight, self.projection.bias)


class ConvolutionStem(nn.Module):
    """Three convolutions in place of patches: `[B, C, F, T]` to tokens `[B, H·W, D]`, H along frequency.

    Xiao et al. (arXiv:2106.14881) found that transformers train faster and better so. Strides of 4 × 2 and
    twice 2 × 2 turn 129 × 61 into 17 × 16 places, after the first two of which no lag or bin was lost to
    a pooling over half the spectrum.
    """

    def __init__(self, *, input_shape: tuple[int, int, int], dim: int) -> None:
        super().__init__()
        channels, *size = input_shape
        widths = [channels, max(1, dim // 4), max(1, dim // 2), dim]
        layers: list[nn.Module] = []
        for before, after, kernel, stride in zip(
            widths[:-1], widths[1:], ((7, 3), (3, 3), (3, 3)), ((4, 2), (2, 2), (2, 2)), strict=True
        ):
            padding = (kernel[0] // 2, kernel[1] // 2)
            layers += [
                nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=False),
                nn.BatchNorm2d(after),
                nn.GELU(),
            ]
            size = [math.ceil(length / step) for length, step in zip(size, stride, strict=True)]
        self.grid = (size[0], size[1])
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "B C F T"]) -> Float[Tensor, "B N D"]:
        """Return one token a place, row by row of the grid."""
        # Channels last, as tokens are: a quarter of a training step's time is saved on a processor.
        x = x.contiguous(memory_format=torch.channels_last)
        return rearrange(self.layers(x), "b d h w -> b (h w) d")


def tokens_of(
    *,
    input_shape: tuple[int, int, int],
    dim: int,
    patch: tuple[int, int],
    stride: tuple[int, int],
    stem: bool,
) -> PatchEmbedding | ConvolutionStem:
    """What makes tokens of an ear's features: patches, as BAST does, or a stem of convolutions."""
    if stem:
        return ConvolutionStem(input_shape=input_shape, dim=dim)
    return PatchEmbedding(input_shape=input_shape, dim=dim, patch=patch, stride=stride)
