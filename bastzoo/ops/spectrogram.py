"""BAST's spectrogram of recordings, fused into one pass that stays in a processor's first caches.

The same figures as `bastzoo.zoo.frontends.Spectrogram`, which streams through memory a dozen times: for
converting folders of recordings, where features are made once. One frame is one SIMD lane, so sixteen
frames go through each instruction, and a clip's frames never leave the cache.
"""

from __future__ import annotations

import functools
import math
import sys
from typing import no_type_check

import numpy as np
from numba import types
from numba.extending import register_jitable
from scipy.signal import get_window

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.ops import lanes
from bastzoo.ops.compilation import Kernel, compiled, seal
from bastzoo.ops.lanes import (
    WIDTH,
    larger,
    load,
    log2,
    multiply_add,
    spread,
    store,
    store_half,
    transpose,
    where_positive,
)

WINDOW = 256
HOP = 128
BINS = WINDOW // 2 + 1

# As in bastzoo.zoo.frontends, where the reasons are.
_SILENCE_DB = -100.0
_RANGE_DB = 300.0
_FLATTEST_DB = 1e-3

# 20·log10 of a power is so much times its binary logarithm.
_DB = 20 * math.log10(2)


def spectrograms(clips: np.ndarray, out: np.ndarray) -> None:
    """Write the spectrograms of 16-bit clips to `out`.

    clips: `[B, N, 2]` int16, samples then channels, as in a WAV file; N at least 256.
    out: `[B, 2, 129, T]`, float16 or float32, with T = (N - 256) // 128 + 1.

    Computed in single precision. On recordings, bins within 100 dB of power of the loudest one of their
    frame are exact to 1e-3; further down, rounding leaves as few digits as it does in torch.

    Runs in one thread and holds no lock, so several can work on blocks of their own. Raises ValueError
    for arrays that do not fit each other.
    """
    frames = (clips.shape[1] - WINDOW) // HOP + 1 if clips.ndim == 3 else 0
    fitting = clips.dtype == np.int16 and frames > 0 and clips.shape[2] == 2
    if not fitting or out.shape != (len(clips), 2, BINS, frames):
        raise ValueError(f"spectrograms of {clips.shape} {clips.dtype} do not fit {out.shape}")
    if out.dtype not in (np.float16, np.float32) or not out.flags.c_contiguous:
        raise ValueError("spectrograms go to a contiguous array of float16 or float32")
    if not len(clips):
        return
    is_half = out.dtype == np.float16
    written = out.view(np.uint16) if is_half else out
    kernel = _kernel(is_half)
    kernel(np.ascontiguousarray(clips), written.reshape(-1, frames), *_constants())


@functools.cache
def _constants() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The taper with the scale of the density, and the roots of unity of order 128 and 256."""
    taper = get_window(("tukey", 0.25), WINDOW)
    taper = taper / math.sqrt(SAMPLE_RATE * np.square(taper).sum())
    angles = 2 * np.pi * np.arange(WINDOW // 2)
    order_128 = np.stack([np.cos(angles / 128), -np.sin(angles / 128)])
    order_256 = np.stack([np.cos(angles / 256), -np.sin(angles / 256)])
    return tuple(values.astype(np.float32) for values in (taper, order_128, order_256))  # type: ignore[return-value]


@functools.cache
def _kernel(is_half: bool) -> Kernel:
    element = types.uint16 if is_half else types.float32
    signature = types.void(
        types.Array(types.int16, 3, "C", readonly=True),
        types.Array(element, 2, "C"),
        types.Array(types.float32, 1, "C"),
        types.Array(types.float32, 2, "C"),
        types.Array(types.float32, 2, "C"),
    )
    entry = _entry(seal(sys.modules[__name__], lanes), is_half)
    return compiled(entry, signature, "the spectrogram, about 5 s,")


@no_type_check
def _entry(seal: str, is_half: bool) -> Kernel:
    """What numba compiles and caches, as thin as can be."""

    def entry(clips, out, taper, roots, half_roots):
        seal  # noqa: B018
        _clips(clips, out, taper, roots, half_roots, is_half)

    return entry


@register_jitable
@no_type_check
def _clips(clips, out, taper, roots, half_roots, is_half):
    samples, frames = clips.shape[1], out.shape[1]
    blocks = (frames + WIDTH - 1) // WIDTH
    columns = (blocks + 1) * WIDTH
    # Working memory of one clip: samples, the same with half frames as columns, one block's transform,
    # and the decibels of both ears.
    straight = np.zeros(columns * HOP, np.float32)
    turned = np.zeros((HOP, columns), np.float32)
    sums = np.zeros(columns, np.float32)
    z = np.zeros((2, HOP, WIDTH), np.float32)
    decibels = np.zeros((2, BINS, blocks * WIDTH), np.float32)
    inside = np.zeros(blocks * WIDTH, np.float32)
    inside[:frames] = 1.0
    last = np.zeros((1, blocks * WIDTH), out.dtype)
    for clip in range(len(clips)):
        for ear in range(2):
            for sample in range(samples):
                straight[sample] = np.float32(clips[clip, sample, ear])
            for column in range(0, columns, WIDTH):
                for row in range(0, HOP, WIDTH):
                    transpose(straight, (column * HOP + row,), HOP, turned, (row, column), columns)
            for column in range(0, columns, WIDTH):
                total = load(turned, (0, column))
                for row in range(1, HOP):
                    total = total + load(turned, (row, column))
                store(sums, (column,), total)
            for frame in range(0, blocks * WIDTH, WIDTH):
                _transform(turned, sums, frame, taper, roots, z)
                _to_decibels(z, half_roots, decibels, ear, frame)
        _write_z_scores(decibels, inside, out, last, clip, frames, is_half)


@register_jitable
@no_type_check
def _sample(turned, row, frame, mean, taper, place):
    """Sample `place` of sixteen frames, without their mean, tapered."""
    return (load(turned, (row, frame)) - mean) * spread(taper, (place,))


@register_jitable
@no_type_check
def _twiddled(z, place, real, imaginary, roots, order):
    w_real, w_imaginary = spread(roots, (0, order)), spread(roots, (1, order))
    store(z, (0, place, 0), real * w_real - imaginary * w_imaginary)
    store(z, (1, place, 0), multiply_add(real, w_imaginary, imaginary * w_real))


@register_jitable
@no_type_check
def _butterfly(ar, ai, br, bi, cr, ci, dr, di, z, base, step, roots, order):
    """Four points of a transform (decimation in frequency), each to its quarter of `z`."""
    sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
    ur, ui, vr, vi = br + dr, bi + di, bi - di, dr - br  # v = -i (b - d)
    store(z, (0, base, 0), sr + ur)
    store(z, (1, base, 0), si + ui)
    _twiddled(z, base + step, tr + vr, ti + vi, roots, order)
    _twiddled(z, base + 2 * step, sr - ur, si - ui, roots, 2 * order)
    _twiddled(z, base + 3 * step, tr - vr, ti - vi, roots, 3 * order)


@register_jitable
@no_type_check
def _transform(turned, sums, frame, taper, roots, z):
    """The complex transform of 128 points of sixteen frames, even samples real, odd ones imaginary.

    Two passes of four and one of eight; the result is in its natural order in `z`.
    """
    mean = (load(sums, (frame,)) + load(sums, (frame + 1,))) * np.float32(1 / WINDOW)
    for p in range(32):
        even, odd, far = 2 * p, 2 * p + 1, 2 * p + 64
        _butterfly(
            _sample(turned, even, frame, mean, taper, even),
            _sample(turned, odd, frame, mean, taper, odd),
            _sample(turned, far, frame, mean, taper, far),
            _sample(turned, far + 1, frame, mean, taper, far + 1),
            _sample(turned, even, frame + 1, mean, taper, even + HOP),
            _sample(turned, odd, frame + 1, mean, taper, odd + HOP),
            _sample(turned, far, frame + 1, mean, taper, far + HOP),
            _sample(turned, far + 1, frame + 1, mean, taper, far + 1 + HOP),
            z, p, 32, roots, p,
        )  # fmt: skip
    for base in range(0, HOP, 32):
        for p in range(base, base + 8):
            _butterfly(
                load(z, (0, p, 0)), load(z, (1, p, 0)),
                load(z, (0, p + 8, 0)), load(z, (1, p + 8, 0)),
                load(z, (0, p + 16, 0)), load(z, (1, p + 16, 0)),
                load(z, (0, p + 24, 0)), load(z, (1, p + 24, 0)),
                z, p, 8, roots, 4 * (p - base),
            )  # fmt: skip
    for base in range(0, HOP, 8):
        _eight(z, base)


@register_jitable
@no_type_check
def _four(ar, ai, br, bi, cr, ci, dr, di):
    sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
    ur, ui, vr, vi = br + dr, bi + di, bi - di, dr - br
    return sr + ur, si + ui, tr + vr, ti + vi, sr - ur, si - ui, tr - vr, ti - vi


@register_jitable
@no_type_check
def _eight(z, at):
    """The transform of eight points in place, in its natural order."""
    root = np.float32(math.sqrt(0.5))
    ar, ai = load(z, (0, at, 0)), load(z, (1, at, 0))
    br, bi = load(z, (0, at + 1, 0)), load(z, (1, at + 1, 0))
    cr, ci = load(z, (0, at + 2, 0)), load(z, (1, at + 2, 0))
    dr, di = load(z, (0, at + 3, 0)), load(z, (1, at + 3, 0))
    er, ei = load(z, (0, at + 4, 0)), load(z, (1, at + 4, 0))
    fr, fi = load(z, (0, at + 5, 0)), load(z, (1, at + 5, 0))
    gr, gi = load(z, (0, at + 6, 0)), load(z, (1, at + 6, 0))
    hr, hi = load(z, (0, at + 7, 0)), load(z, (1, at + 7, 0))
    # Even points, then the differences, turned by the eighth roots of unity.
    e0r, e0i, e1r, e1i, e2r, e2i, e3r, e3i = _four(
        ar + er, ai + ei, br + fr, bi + fi, cr + gr, ci + gi, dr + hr, di + hi
    )
    br, bi, fr, fi = br - fr, bi - fi, (br - fr + bi - fi) * root, (bi - fi - br + fr) * root
    cr, ci = ci - gi, gr - cr
    dr, di, hr, hi = dr - hr, di - hi, (di - hi - dr + hr) * root, (hr - dr + hi - di) * root
    o0r, o0i, o1r, o1i, o2r, o2i, o3r, o3i = _four(ar - er, ai - ei, fr, fi, cr, ci, hr, hi)
    store(z, (0, at, 0), e0r)
    store(z, (1, at, 0), e0i)
    store(z, (0, at + 1, 0), o0r)
    store(z, (1, at + 1, 0), o0i)
    store(z, (0, at + 2, 0), e1r)
    store(z, (1, at + 2, 0), e1i)
    store(z, (0, at + 3, 0), o1r)
    store(z, (1, at + 3, 0), o1i)
    store(z, (0, at + 4, 0), e2r)
    store(z, (1, at + 4, 0), e2i)
    store(z, (0, at + 5, 0), o2r)
    store(z, (1, at + 5, 0), o2i)
    store(z, (0, at + 6, 0), e3r)
    store(z, (1, at + 6, 0), e3i)
    store(z, (0, at + 7, 0), o3r)
    store(z, (1, at + 7, 0), o3i)


@register_jitable
@no_type_check
def _place(k):
    """Where in `z` the transform has frequency `k` = 16·a + 4·b + c: at 32·c + 8·b + a."""
    return 32 * (k & 3) + 8 * ((k >> 2) & 3) + (k >> 4)


@register_jitable
@no_type_check
def _level(power):
    return log2(power) * np.float32(_DB)


@register_jitable
@no_type_check
def _to_decibels(z, roots, decibels, ear, frame):
    """From transforms of even and odd samples to the one-sided density of the frames, in decibels."""
    here = _place(0)
    real, imaginary = load(z, (0, here, 0)), load(z, (1, here, 0))
    total, difference = real + imaginary, real - imaginary
    level = _level(total * total)
    store(decibels, (ear, 0, frame), level)
    peak = level
    level = _level(difference * difference)
    store(decibels, (ear, HOP, frame), level)
    peak = larger(peak, level)
    here = _place(64)
    real, imaginary = load(z, (0, here, 0)), load(z, (1, here, 0))
    level = _level((real * real + imaginary * imaginary) * np.float32(2.0))
    store(decibels, (ear, 64, frame), level)
    peak = larger(peak, level)
    for k in range(1, 64):
        here, there = _place(k), _place(HOP - k)
        ar, ai = load(z, (0, here, 0)), load(z, (1, here, 0))
        br, bi = load(z, (0, there, 0)), load(z, (1, there, 0))
        er, ei = ar + br, ai - bi  # twice the transform of the even samples
        pr, pi = ai + bi, br - ar  # and of the odd ones
        wr, wi = spread(roots, (0, k)), spread(roots, (1, k))
        tr = pr * wr - pi * wi
        ti = multiply_add(pr, wi, pi * wr)
        xr, xi, yr, yi = er + tr, ei + ti, er - tr, ei - ti
        level = _level(multiply_add(xr, xr, xi * xi) * np.float32(0.5))
        store(decibels, (ear, k, frame), level)
        peak = larger(peak, level)
        level = _level(multiply_add(yr, yr, yi * yi) * np.float32(0.5))
        store(decibels, (ear, HOP - k, frame), level)
        peak = larger(peak, level)
    floor = where_positive(
        np.float32(_SILENCE_DB) - peak, np.float32(0.0), peak - np.float32(_RANGE_DB)
    )
    for k in range(BINS):
        store(decibels, (ear, k, frame), larger(load(decibels, (ear, k, frame)), floor))


@register_jitable
@no_type_check
def _write_z_scores(decibels, inside, out, last, clip, frames, is_half):
    """Mean 0 and variance 1 over both ears; what stands behind the last frame counts for nothing."""
    width = decibels.shape[2]
    count = np.float32(2 * BINS * frames)
    total = np.float32(0.0)
    for ear in range(2):
        total += _sum(decibels, inside, ear, width)
    mean = total / count
    squares = np.float32(0.0)
    for ear in range(2):
        squares += _sum_of_squares(decibels, inside, ear, width, mean)
    spread_db = math.sqrt(squares / count)
    scale = np.float32(1.0) / max(np.float32(spread_db), np.float32(_FLATTEST_DB))
    for ear in range(2):
        for k in range(BINS):
            row = (clip * 2 + ear) * BINS + k
            # A row's last lanes fall into the next rows, which are written after it; but nothing may be
            # written behind the very last row.
            is_last = row * frames + width > len(out) * frames
            for frame in range(0, width, WIDTH):
                values = (load(decibels, (ear, k, frame)) - mean) * scale
                if is_last:
                    _store(last, 0, frame, values, is_half)
                else:
                    _store(out, row, frame, values, is_half)
            if is_last:
                out[row, :] = last[0, :frames]


@register_jitable
@no_type_check
def _store(out, row, frame, values, is_half):
    if is_half:
        store_half(out, (row, frame), values)
    else:
        store(out, (row, frame), values)


@register_jitable
@no_type_check
def _sum(decibels, inside, ear, width):
    total = np.float32(0.0)
    scratch = np.empty(WIDTH, np.float32)
    for frame in range(0, width, WIDTH):
        column = load(decibels, (ear, 0, frame))
        for k in range(1, BINS):
            column = column + load(decibels, (ear, k, frame))
        store(scratch, (0,), column * load(inside, (frame,)))
        total += scratch.sum()
    return total


@register_jitable
@no_type_check
def _sum_of_squares(decibels, inside, ear, width, mean):
    total = np.float32(0.0)
    scratch = np.empty(WIDTH, np.float32)
    for frame in range(0, width, WIDTH):
        column = load(inside, (frame,)) * np.float32(0.0)
        for k in range(BINS):
            off = load(decibels, (ear, k, frame)) - mean
            column = multiply_add(off, off, column)
        store(scratch, (0,), column * load(inside, (frame,)))
        total += scratch.sum()
    return total
