"""The selective scan as Triton kernels, for CUDA devices without mamba-ssm.

A program scans a block of channels of one batch, chunk after chunk; within a chunk the steps are
scanned in parallel, as the recurrence is associative. State and sums are in float32 (float64 for
float64 inputs) whatever the dtype of the inputs. The backward pass starts each chunk from the state
kept before it. Programs write their shares of sums apart, so that gradients do not depend on timing.
"""

from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from bastzoo.ops.selective_scan.arguments import (
    CHECKPOINT_STEPS,
    checkpoint_count,
    precision_of,
)

# Channels of one program: more share the loads of B and C, fewer fill a small GPU better.
CHANNELS = 16


@triton.jit
@no_type_check
def _then(decay_1, state_1, decay_2, state_2):
    """One stretch of the recurrence after another."""
    return decay_1 * decay_2, state_1 * decay_2 + state_2


@triton.jit
@no_type_check
def _softplus(x):
    # log(1 + e) loses small e in the sum, and w - 1 is what is left of it: Kahan's log1p.
    e = tl.exp(tl.where(x > 20.0, 20.0, x))  # where, not minimum: it lets NaN pass
    w = 1.0 + e
    log1p = tl.where(w == 1.0, e, tl.log(w) * (e / tl.where(w == 1.0, 1.0, w - 1.0)))
    return tl.where(x > 20.0, x, log1p)


@triton.jit
@no_type_check
def _tile(pointer, batch, d, t, stride_b, stride_d, stride_t, inside, wide):
    """Load `[channel, step]` in the precision of the state; 0 outside."""
    at = batch * stride_b + d[:, None] * stride_d + t[None, :] * stride_t
    return tl.load(pointer + at, mask=inside, other=0.0).to(wide)


@triton.jit
@no_type_check
def _row(pointer, batch, n, t, stride_b, stride_n, stride_t, length, wide):
    """Load the steps of one state of B or C as `[1, step]`."""
    at = batch * stride_b + n * stride_n + t * stride_t
    return tl.load(pointer + at, mask=t < length, other=0.0).to(wide)[None, :]


@triton.jit
@no_type_check
def _column(matrix, n, ORDER: tl.constexpr):
    """Column n of a matrix in registers, as `[channel, 1]`."""
    chosen = (tl.arange(0, ORDER) == n)[None, :]
    return tl.sum(tl.where(chosen, matrix, 0.0), axis=1)[:, None]


@triton.jit
@no_type_check
def _with_column(matrix, n, column, ORDER: tl.constexpr):
    return tl.where((tl.arange(0, ORDER) == n)[None, :], column, matrix)


@triton.jit
@no_type_check
def _at_step(tile, position, CHUNK: tl.constexpr):
    """One step of a tile, as `[channel, 1]`."""
    chosen = (tl.arange(0, CHUNK) == position)[None, :]
    return tl.sum(tl.where(chosen, tile, 0.0), axis=1)[:, None]


@triton.jit
@no_type_check
def _forward_kernel(
    u, delta, A, B, C, D, bias, y, states,
    channels, length, order, kept,
    u_b, u_d, u_t, delta_b, delta_d, delta_t, B_b, B_n, B_t, C_b, C_n, C_t, y_b, y_d, y_t,
    SOFTPLUS: tl.constexpr, CHUNK: tl.constexpr, CHANNELS: tl.constexpr, ORDER: tl.constexpr,
):  # fmt: skip
    wide = states.dtype.element_ty
    blocks = tl.cdiv(channels, CHANNELS)
    batch = (tl.program_id(0) // blocks).to(tl.int64)
    d = tl.program_id(0) % blocks * CHANNELS + tl.arange(0, CHANNELS)
    present = d < channels
    skip = tl.load(D + d, mask=present, other=0.0)[:, None]
    shift = tl.load(bias + d, mask=present, other=0.0)[:, None]
    state = tl.zeros([CHANNELS, ORDER], wide)
    for start in range(0, length, CHUNK):
        t = start + tl.arange(0, CHUNK)
        inside = present[:, None] & (t < length)[None, :]
        step = _tile(delta, batch, d, t, delta_b, delta_d, delta_t, inside, wide) + shift
        if SOFTPLUS:
            step = _softplus(step)
        step = tl.where(inside, step, 0.0)  # a step of size 0 leaves the state as it is
        into = _tile(u, batch, d, t, u_b, u_d, u_t, inside, wide)
        out = into * skip
        for n in range(order):
            rate = tl.load(A + d * order + n, mask=present, other=0.0)[:, None]
            decay = tl.exp(step * rate)
            drive = step * into * _row(B, batch, n, t, B_b, B_n, B_t, length, wide)
            decays, h = tl.associative_scan((decay, drive), 1, _then)
            h += decays * _column(state, n, ORDER)
            state = _with_column(state, n, _at_step(h, CHUNK - 1, CHUNK), ORDER)
            out += h * _row(C, batch, n, t, C_b, C_n, C_t, length, wide)
        at = batch * y_b + d[:, None] * y_d + t[None, :] * y_t
        tl.store(y + at, out.to(y.dtype.element_ty), mask=inside)
        if start + CHUNK < length:
            n_all = tl.arange(0, ORDER)[None, :]
            keep = ((batch * kept + start // CHUNK) * order + n_all) * channels + d[:, None]
            tl.store(states + keep, state, mask=present[:, None] & (n_all < order))


@triton.jit
@no_type_check
def _backward_kernel(
    dy, states, u, delta, A, B, C, D, bias, du, ddelta, dA, dB, dC, dD, dbias,
    channels, length, order, kept,
    dy_b, dy_d, dy_t, u_b, u_d, u_t, delta_b, delta_d, delta_t, B_b, B_n, B_t, C_b, C_n, C_t,
    du_b, du_d, du_t, ddelta_b, ddelta_d, ddelta_t,
    SOFTPLUS: tl.constexpr, CHUNK: tl.constexpr, CHANNELS: tl.constexpr, ORDER: tl.constexpr,
):  # fmt: skip
    wide = states.dtype.element_ty
    blocks = tl.cdiv(channels, CHANNELS)
    batch = (tl.program_id(0) // blocks).to(tl.int64)
    d = tl.program_id(0) % blocks * CHANNELS + tl.arange(0, CHANNELS)
    present = d < channels
    skip = tl.load(D + d, mask=present, other=0.0)[:, None]
    shift = tl.load(bias + d, mask=present, other=0.0)[:, None]
    carry = tl.zeros([CHANNELS, ORDER], wide)
    dA_sum = tl.zeros([CHANNELS, ORDER], wide)
    dD_sum = tl.zeros([CHANNELS], wide)
    dbias_sum = tl.zeros([CHANNELS], wide)
    chunks = tl.cdiv(length, CHUNK)
    for back in range(chunks):
        chunk = chunks - 1 - back
        position = tl.arange(0, CHUNK)
        t = chunk * CHUNK + position
        inside = present[:, None] & (t < length)[None, :]
        after = present[:, None] & (t + 1 < length)[None, :]
        raw = _tile(delta, batch, d, t, delta_b, delta_d, delta_t, inside, wide) + shift
        raw_after = _tile(delta, batch, d, t + 1, delta_b, delta_d, delta_t, after, wide) + shift
        slope = tl.full([CHANNELS, CHUNK], 1.0, wide)
        if SOFTPLUS:
            slope = tl.where(raw > 20.0, 1.0, 1.0 / (1.0 + tl.exp(-raw)))
            raw = _softplus(raw)
            raw_after = _softplus(raw_after)
        step = tl.where(inside, raw, 0.0)
        step_after = tl.where(after, raw_after, 0.0)
        into = _tile(u, batch, d, t, u_b, u_d, u_t, inside, wide)
        seen = _tile(dy, batch, d, t, dy_b, dy_d, dy_t, inside, wide)
        dx = tl.zeros([CHANNELS, CHUNK], wide)
        dstep = tl.zeros([CHANNELS, CHUNK], wide)
        for n in range(order):
            rate = tl.load(A + d * order + n, mask=present, other=0.0)[:, None]
            B_n_t = _row(B, batch, n, t, B_b, B_n, B_t, length, wide)
            C_n_t = _row(C, batch, n, t, C_b, C_n, C_t, length, wide)
            drive = step * into * B_n_t
            keep = ((batch * kept + chunk - 1) * order + n) * channels + d
            before = tl.load(states + keep, mask=present & (chunk > 0), other=0.0)[:, None]
            decays, h = tl.associative_scan((tl.exp(step * rate), drive), 1, _then)
            h += decays * before

            last = (position == CHUNK - 1)[None, :]
            dh = seen * C_n_t + tl.where(last, _column(carry, n, ORDER), 0.0)
            _, dh = tl.associative_scan((tl.exp(step_after * rate), dh), 1, _then, reverse=True)
            first = _at_step(tl.exp(step * rate) * dh, 0, CHUNK)
            carry = _with_column(carry, n, first, ORDER)

            dexponent = dh * (h - drive)  # the difference is decay × the state before
            more = tl.sum(dexponent * step, axis=1)[:, None]
            dA_sum = _with_column(dA_sum, n, _column(dA_sum, n, ORDER) + more, ORDER)
            dstep += dexponent * rate
            dx += dh * B_n_t
            share = (tl.program_id(0).to(tl.int64) * order + n) * length + t
            tl.store(dB + share, tl.sum(dh * step * into, axis=0), mask=t < length)
            tl.store(dC + share, tl.sum(seen * h, axis=0), mask=t < length)
        dstep = (dstep + dx * into) * slope
        dD_sum += tl.sum(seen * into, axis=1)
        dbias_sum += tl.sum(tl.where(inside, dstep, 0.0), axis=1)
        at = batch * du_b + d[:, None] * du_d + t[None, :] * du_t
        tl.store(du + at, dx * step + seen * skip, mask=inside)
        at = batch * ddelta_b + d[:, None] * ddelta_d + t[None, :] * ddelta_t
        tl.store(ddelta + at, dstep, mask=inside)
    n_all = tl.arange(0, ORDER)[None, :]
    share_A = (batch * channels + d[:, None]) * order + n_all
    tl.store(dA + share_A, dA_sum, mask=present[:, None] & (n_all < order))
    tl.store(dD + batch * channels + d, dD_sum, mask=present)
    tl.store(dbias + batch * channels + d, dbias_sum, mask=present)


def forward(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
) -> tuple[Tensor, Tensor]:
    """`y` and the kept states `[batch, checkpoints, state, channels]`."""
    precision = precision_of(u)
    batch, channels, steps = u.shape
    order = A.shape[1]
    kept = checkpoint_count(steps)
    y = torch.empty_like(u)
    states = u.new_empty((batch, kept, order, channels), dtype=precision)
    if u.numel() == 0:
        return y, states
    weights = _weights(precision, A, D, delta_bias)
    strides = (size for tensor in (u, delta, B, C, y) for size in tensor.stride())
    with torch.cuda.device_of(u):
        _forward_kernel[(batch * triton.cdiv(channels, CHANNELS),)](
            u, delta, weights[0], B, C, *weights[1:], y, states,
            channels, steps, order, kept,
            *strides,
            SOFTPLUS=delta_softplus,
            **_sizes(order),
        )  # fmt: skip
    return y, states


def backward(
    dy: Tensor,
    states: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
) -> tuple[Tensor, ...]:
    """The gradients of u, delta, A, B, C, D and delta_bias, in the precision of the state."""
    precision = precision_of(u)
    batch, channels, steps = u.shape
    order = A.shape[1]
    blocks = triton.cdiv(channels, CHANNELS)
    du, ddelta = torch.empty_like(u, dtype=precision), torch.empty_like(delta, dtype=precision)
    dA = u.new_empty((batch, channels, order), dtype=precision)
    dB, dC = u.new_empty((2, batch, blocks, order, steps), dtype=precision).unbind()
    dD, dbias = u.new_empty((2, batch, channels), dtype=precision).unbind()
    if u.numel() > 0:
        weights = _weights(precision, A, D, delta_bias)
        tensors = (dy, u, delta, B, C, du, ddelta)
        strides = (size for tensor in tensors for size in tensor.stride())
        with torch.cuda.device_of(u):
            _backward_kernel[(batch * blocks,)](
                dy, states, u, delta, weights[0], B, C, *weights[1:],
                du, ddelta, dA, dB, dC, dD, dbias,
                channels, steps, order, states.shape[1],
                *strides,
                SOFTPLUS=delta_softplus,
                **_sizes(order),
            )  # fmt: skip
    return du, ddelta, dA.sum(0), dB.sum(1), dC.sum(1), dD.sum(0), dbias.sum(0)


def _weights(
    precision: torch.dtype, A: Tensor, D: Tensor | None, delta_bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    nothing = A.new_zeros(A.shape[0])
    D, delta_bias = (nothing if t is None else t for t in (D, delta_bias))
    return (
        A.to(precision).contiguous(),
        D.to(precision).contiguous(),
        delta_bias.to(precision).contiguous(),
    )


def _sizes(order: int) -> dict[str, Any]:
    return {
        "CHUNK": CHECKPOINT_STEPS,
        "CHANNELS": CHANNELS,
        "ORDER": triton.next_power_of_2(order),
    }
