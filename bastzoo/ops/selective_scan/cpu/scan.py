"""The selective scan on a CPU: torch tensors in and out of the kernels that numba compiles.

`kernels.py` is the arithmetic in terms of `tiles.py` and `bastzoo/ops/lanes/`, `compile.py` makes machine
code of it, `bastzoo/ops/threads.py` runs it.
"""

import numpy as np
import torch
from torch import Tensor

from bastzoo.ops.lanes import WIDTH
from bastzoo.ops.selective_scan.arguments import checkpoint_count, precision_of
from bastzoo.ops.selective_scan.cpu.compile import kernels
from bastzoo.ops.threads import run_tasks

# Tasks of the backward pass: enough for balance on many threads, few enough that what they add up
# stays small. A number that depended on the threads would make the last bits of gradients do so too.
TASKS = 32
# State updates below which a second thread costs more than it gives.
WORTH_A_THREAD = 40_000


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
    states = torch.empty(batch, checkpoint_count(steps), A.shape[1], channels, dtype=precision)
    y = torch.empty_like(u, dtype=precision)
    inputs = _inputs(precision, u, delta, A, B, C, D, delta_bias)
    scan, _ = kernels(precision)
    blocks = -(-channels // WIDTH)
    arrays = (*inputs, delta_softplus, y.numpy(), states.numpy())
    run_tasks(lambda first, last: scan(first, last, *arrays), batch * blocks, _pieces(u, A))
    return y.to(u.dtype), states


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
    """The gradients of u, delta, A, B, C, D and delta_bias, in the dtype of the state."""
    precision = precision_of(u)
    batch, channels, steps = u.shape
    order = A.shape[1]
    blocks = -(-channels // WIDTH)
    slices = max(1, min(batch, TASKS))
    groups = max(1, min(blocks, TASKS // slices))

    du, ddelta = torch.empty_like(u, dtype=precision), torch.empty_like(delta, dtype=precision)
    inputs = _inputs(precision, u, delta, A, B, C, D, delta_bias)
    number = inputs[0].dtype
    dA = np.empty((slices, channels, order), number)
    padded = -(-steps // WIDTH) * WIDTH
    dB, dC = np.empty((2, batch, groups, order, padded), number)
    dD, dbias = np.empty((2, slices, channels), number)
    arrays = (
        slices,
        groups,
        dy.to(precision).numpy(),
        states.numpy(),
        *inputs,
        delta_softplus,
        *(du.numpy(), ddelta.numpy(), dA, dB, dC, dD, dbias),
    )
    _, scan_backward = kernels(precision)
    run_tasks(
        lambda first, last: scan_backward(first, last, *arrays),
        slices * groups,
        _pieces(u, A),
    )
    # Summed by numpy: torch would wake its own threads for it.
    sums = (dA.sum(0), dB[..., :steps].sum(1), dC[..., :steps].sum(1), dD.sum(0), dbias.sum(0))
    return du, ddelta, *(torch.from_numpy(total) for total in sums)


def _pieces(u: Tensor, A: Tensor) -> int:
    return min(16, u.numel() * A.shape[1] // WORTH_A_THREAD)


def _inputs(
    precision: torch.dtype,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
) -> list[np.ndarray]:
    nothing = torch.zeros(u.shape[1], dtype=precision)
    tensors = (
        u,
        delta,
        A,
        B,
        C,
        nothing if D is None else D,
        nothing if delta_bias is None else delta_bias,
    )
    return [t.detach().to(precision).numpy() for t in tensors]
