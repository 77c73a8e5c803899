"""Noise that depends on a seed, a clip's number and a place in the clip alone, on any device.

A 32-bit hash of a counter takes the place of a generator, as in counter-based generators (Salmon et
al., SC 2011), in integer operations that CPUs and GPUs do alike.
"""

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES

_WORD = 2**32
# 2**64 and 2**32 over the golden ratio, as signed numbers: steps that spread counters evenly.
_STREAM_STEP = -0x61C8864680B583EB
_COUNTER_STEP = -0x61C88647


def ear_noise(
    clip_index: Int64[Tensor, " B"], seed: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "B 2 8000"]:
    """Standard normal noise, independent between the ears, for the clips of these numbers.

    The whole numbers behind it are the same on every device; their logarithm and cosine agree to
    rounding.
    """
    words = _hash(_keys(clip_index, seed))
    # The upper 23 bits and half a step: exact in single precision, and never the logarithm of zero.
    unit = ((words >> 9).to(dtype) + (2.0**22 + 0.5)) * 2.0**-23
    radius = torch.sqrt(unit[:, 0].log_().mul_(-2.0))
    angle = unit[:, 1].mul_(2.0 * torch.pi)
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)


def _keys(clip_index: Int64[Tensor, " B"], seed: int) -> Int32[Tensor, "B 2"]:
    """Two 32-bit keys for each clip: splitmix64 (Steele et al., OOPSLA 2014) of seed and number."""
    start = torch.full_like(clip_index, _signed(seed * 0x9E3779B97F4A7C15 + 0x243F6A8885A308D3, 64))
    key = _splitmix(_splitmix(start) + clip_index * _STREAM_STEP)
    return torch.stack([(key & (_WORD - 1)) - 2**31, key >> 32], dim=-1).to(torch.int32)


def _splitmix(key: Int64[Tensor, " B"]) -> Int64[Tensor, " B"]:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key = (key ^ _shifted(key, shift, 64)) * _signed(factor, 64)
    return key ^ _shifted(key, 31, 64)


def _hash(keys: Int32[Tensor, "B 2"]) -> Int32[Tensor, "B 2 8000"]:
    """`lowbias32` (Wellons 2018) of a counter over both ears, with a second key between its rounds.

    With one key, two clips whose keys are close would share most of their noise, shifted in time.
    """
    counter = torch.arange(2 * CLIP_SAMPLES, dtype=torch.int32, device=keys.device) * _COUNTER_STEP
    words = counter + keys[:, :1]
    words ^= _shifted(words, 16, 32)
    words *= 0x7FEB352D
    words += keys[:, 1:]
    words ^= _shifted(words, 15, 32)
    words *= _signed(0x846CA68B, 32)
    words ^= _shifted(words, 16, 32)
    return words.view(-1, 2, CLIP_SAMPLES)


def _shifted(words: Tensor, places: int, bits: int) -> Tensor:
    """Logical shift to the right; torch's own keeps the sign."""
    return (words >> places) & (2 ** (bits - places) - 1)


def _signed(number: int, bits: int) -> int:
    """The low `bits` of a number read as two's complement: torch has no unsigned arithmetic."""
    number %= 2**bits
    return number - 2**bits if number >= 2 ** (bits - 1) else number
