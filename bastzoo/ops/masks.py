"""Random masks at the speed of memory: each element is decided by a hash of its place.

The hash is Wellons's `lowbias32` (2018, nullprogram.com/blog/2018/07/31), whose every input bit flips every
output bit with a probability of one half, twice, each time with a key of its own.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, no_type_check

import numpy as np
from numba import types
from numba.extending import register_jitable

from bastzoo.ops.compilation import Kernel, compiled, seal
from bastzoo.ops.threads import run_tasks

_BLOCK = 2**16
"""Elements below which a second thread costs more than it gives."""


def fill(words: np.ndarray, kept: int, p: float, keys: tuple[int, int]) -> None:
    """Write `kept` to a share of 1 - p of the elements, and 0 to the others.

    words: `[n]` int16 or int32, the bits of the mask's numbers. keys: two random numbers of 32 bits; the
    same give the same mask, whatever the number of threads.
    """
    unsigned: Any = np.dtype(f"u{words.itemsize}").type
    threshold = min(round(p * 2**32), 2**32 - 1)
    arrays = (words.view(unsigned), unsigned(kept), *map(np.uint32, (threshold, *keys)))
    kernel = _kernel(words.itemsize)
    blocks = -(-len(words) // _BLOCK)
    run_tasks(
        lambda first, last: kernel(first * _BLOCK, min(last * _BLOCK, len(words)), *arrays),
        blocks,
        min(blocks, 16),
    )


@functools.cache
def _kernel(size: int) -> Kernel:
    element: Any = {2: types.uint16, 4: types.uint32}[size]
    word = types.uint32
    signature = types.void(
        types.intp, types.intp, types.Array(element, 1, "C"), element, word, word, word
    )
    return compiled(_entry(seal(sys.modules[__name__])), signature, "masks of dropout")


@register_jitable
@no_type_check
def _mixed(h):
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@no_type_check
def _entry(seal: str) -> Kernel:
    def entry(first, last, words, kept, threshold, key, other):
        seal  # noqa: B018
        for place in range(first, last):
            drawn = _mixed(np.uint32(_mixed(np.uint32(np.uint32(place) ^ key)) + other))
            words[place] = kept if drawn >= threshold else words.dtype.type(0)

    return entry
