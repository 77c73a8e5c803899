"""Fingerprints of the bytes of arrays, at the speed of memory: has this file changed, is this clip that one?

Two sums of 64-bit words by random odd factors, modulo 2**64: linear hashing (Carter and Wegman 1979),
some ten times as fast as SHA-256. It guards against accidents, not against somebody who wants two
files to look the same.
"""

from __future__ import annotations

import functools
import sys
from typing import no_type_check

import numpy as np
from jaxtyping import Shaped, UInt64
from numba import types

from bastzoo.ops.compilation import Kernel, compiled, seal

_WORDS = 1_024


def fingerprint(values: Shaped[np.ndarray, "*shape"]) -> UInt64[np.ndarray, " 2"]:
    """128 bits of all bytes of an array, of any length."""
    raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    whole = len(raw) // (8 * _WORDS) * (8 * _WORDS)
    parts = [fingerprints(raw[:whole].reshape(-1, 8 * _WORDS)), fingerprints(raw[None, whole:])]
    return fingerprints(np.concatenate(parts).reshape(1, -1))[0]


def fingerprints(rows: Shaped[np.ndarray, "n m"]) -> UInt64[np.ndarray, "n 2"]:
    """128 bits for each row, of its bytes."""
    rows = np.ascontiguousarray(rows)
    size = rows.shape[1] * rows.itemsize
    raw = rows.view(np.uint8)
    if size % 8:
        raw = np.pad(raw, ((0, 0), (0, -size % 8)))
    words = raw.view(np.uint64)
    if sys.byteorder == "big":
        words = words.byteswap()
    found = np.empty((len(words), 2), np.uint64)
    _kernel()(words, _factors(words.shape[1]), found)
    # The number of bytes counts too: rows that differ in zeros at the end differ.
    return found + np.uint64(size)


@functools.lru_cache(maxsize=8)
def _factors(count: int) -> np.ndarray:
    raw = np.random.Philox(key=2207_03927).random_raw(2 * count)
    return (raw | np.uint64(1)).reshape(2, count)


@functools.cache
def _kernel() -> Kernel:
    matrix = types.Array(types.uint64, 2, "A", readonly=True)
    signature = types.void(matrix, matrix, types.Array(types.uint64, 2, "C"))
    return compiled(_entry(seal(sys.modules[__name__])), signature, "fingerprints")


@no_type_check
def _entry(seal: str) -> Kernel:
    def entry(words, factors, found):
        seal  # noqa: B018
        for row in range(len(words)):
            first, second = np.uint64(0), np.uint64(0)
            for place in range(words.shape[1]):
                # Folded: of a word's last bit a factor leaves but the parity, alike in both sums.
                word = words[row, place] ^ (words[row, place] >> np.uint64(32))
                first += word * factors[0, place]
                second += word * factors[1, place]
            found[row, 0] = first
            found[row, 1] = second

    return entry
