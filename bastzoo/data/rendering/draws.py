"""Random numbers of a clip: from its index and a stream alone, the same on every machine and device."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

# The increment of SplitMix64, as a signed integer.
_GAMMA = -7_046_029_254_386_353_131
_STREAMS = 64


def drawn(
    indices: Int[Tensor, " B"], stream: int, count: int | Int[Tensor, " ..."]
) -> Int[Tensor, " B"]:
    """For each index a number below `count`, as good as drawn at random, and the same everywhere.

    SplitMix64 (Steele, Lea, Flood 2014), in integers that wrap. stream: up to 64 of them.
    """
    return _word(indices, stream) % count


def uniform(indices: Int[Tensor, " B"], stream: int) -> Float[Tensor, " B"]:
    """For each index a number from 0 to 1, without the ends."""
    return ((_word(indices, stream) >> 8).float() + 0.5) / 2**23


def normal(indices: Int[Tensor, " B"], stream: int, count: int) -> Float[Tensor, "B count"]:
    """For each index `count` (even) standard normal numbers, from `count` streams (Box, Muller 1958)."""
    found = torch.stack([uniform(indices, stream + number) for number in range(count)], dim=1)
    radius = (-2 * found[:, : count // 2].log()).sqrt()
    angle = 2 * math.pi * found[:, count // 2 :]
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)


def _word(indices: Int[Tensor, " B"], stream: int) -> Int[Tensor, " B"]:
    """31 bits of each index and the stream."""
    state = (indices * _STREAMS + stream + 1) * _GAMMA
    for shift, factor in ((30, -4_658_895_280_553_007_687), (27, -7_723_592_293_110_705_685)):
        state = (state ^ ((state >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return (state >> 33) & 0x7FFFFFFF
