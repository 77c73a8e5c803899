"""Scratch memory of the CPU kernel: tiles `[step, lane]` that hold sixteen channels of a stretch of time.

Tensors come in any memory layout; whole squares of sixteen channels and steps are transposed in
registers, and what is left over at the edges is copied number by number.
"""

import math
from typing import no_type_check

import numpy as np
from numba.extending import register_jitable

from bastzoo.ops.lanes import (
    WIDTH,
    exp2,
    larger,
    load,
    log1p_of_fraction,
    store,
    transpose,
    where_positive,
)

LOG2_E = 1 / math.log(2)
# torch's softplus is the identity beyond this; float32 would round the difference away anyway.
SOFTPLUS_THRESHOLD = 20.0


@register_jitable(forceinline=True)
@no_type_check
def tiles(count, rows, dtype):
    """Memory `[count, rows, WIDTH]` that starts on a cache line, so that no access straddles two."""
    size = count * rows * WIDTH
    memory = np.empty(size + 64, dtype)
    start = (-memory.ctypes.data % 64) // memory.itemsize
    return memory[start : start + size].reshape((count, rows, WIDTH))


@register_jitable(forceinline=True)
@no_type_check
def read_tile(source, batch, channel, time, rows, tile):
    """Copy up to `WIDTH` channels and `rows` steps into `tile[step, lane]`; absent channels are 0."""
    present = min(WIDTH, source.shape[1] - channel)
    if present == WIDTH and source.strides[1] == source.itemsize:
        for t in range(rows):
            store(tile, (t, 0), load(source, (batch, channel, time + t)))
    elif present == WIDTH and source.strides[2] == source.itemsize and rows >= WIDTH:
        apart = source.strides[1] // source.itemsize
        for t in range(0, rows, WIDTH):
            start = min(t, rows - WIDTH)  # the last square overlaps the one before
            transpose(source, (batch, channel, time + start), apart, tile, (start, 0), WIDTH)
    else:
        for t in range(rows):
            for lane in range(present):
                tile[t, lane] = source[batch, channel + lane, time + t]
            for lane in range(present, WIDTH):
                tile[t, lane] = 0


@register_jitable(forceinline=True)
@no_type_check
def write_tile(tile, target, batch, channel, time, rows):
    """Copy `tile[step, lane]` to where `read_tile` would read it."""
    present = min(WIDTH, target.shape[1] - channel)
    if present == WIDTH and target.strides[1] == target.itemsize:
        for t in range(rows):
            store(target, (batch, channel, time + t), load(tile, (t, 0)))
    elif present == WIDTH and target.strides[2] == target.itemsize and rows >= WIDTH:
        apart = target.strides[1] // target.itemsize
        for t in range(0, rows, WIDTH):
            start = min(t, rows - WIDTH)
            transpose(tile, (start, 0), WIDTH, target, (batch, channel, time + start), apart)
    else:
        for lane in range(present):
            for t in range(rows):
                target[batch, channel + lane, time + t] = tile[t, lane]


@register_jitable(forceinline=True)
@no_type_check
def read_matrix(matrix, channel, tile):
    """Copy `matrix[channel + lane, n]` into `tile[n, lane]`; absent channels are 0."""
    tile[:] = 0
    for lane in range(min(WIDTH, matrix.shape[0] - channel)):
        for n in range(matrix.shape[1]):
            tile[n, lane] = matrix[channel + lane, n]


@register_jitable(forceinline=True)
@no_type_check
def read_vector(vector, channel, tile):
    """Copy `vector[channel + lane]` into `tile[lane]`; absent channels are 0."""
    tile[:] = 0
    for lane in range(min(WIDTH, vector.shape[0] - channel)):
        tile[lane] = vector[channel + lane]


@register_jitable(forceinline=True)
@no_type_check
def softplus(x):
    """Softplus of lanes, and its slope."""
    tail = exp2(larger(x, 0.0 - x) * -LOG2_E)
    value = larger(x, 0.0) + log1p_of_fraction(tail)
    slope = where_positive(x, 1.0, tail) / (tail + 1.0)
    beyond = x - SOFTPLUS_THRESHOLD
    return where_positive(beyond, x, value), where_positive(beyond, 1.0, slope)


@register_jitable(forceinline=True)
@no_type_check
def to_steps(step, rows, bias, with_softplus):
    """Turn a tile of `delta` into the step sizes, in place."""
    shift = load(bias, (0,))
    for t in range(rows):
        value = load(step, (t, 0)) + shift
        if with_softplus:
            value, _ = softplus(value)
        store(step, (t, 0), value)


@register_jitable(forceinline=True)
@no_type_check
def to_steps_and_slopes(step, slope, rows, bias, with_softplus):
    """As `to_steps`, and fill `slope` with the derivatives of the step sizes by `delta`."""
    shift = load(bias, (0,))
    slope[:rows] = 1
    for t in range(rows):
        value = load(step, (t, 0)) + shift
        if with_softplus:
            value, change = softplus(value)
            store(slope, (t, 0), change)
        store(step, (t, 0), value)
