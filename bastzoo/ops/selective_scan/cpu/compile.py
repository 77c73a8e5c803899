"""Makes machine code of the scan's CPU kernels; see `bastzoo.ops.compilation`."""

import functools
from typing import no_type_check

import torch
from numba import types

from bastzoo.ops import lanes
from bastzoo.ops.compilation import Kernel, compiled, seal
from bastzoo.ops.selective_scan import arguments
from bastzoo.ops.selective_scan.cpu import kernels as cpu_kernels
from bastzoo.ops.selective_scan.cpu import tiles as cpu_tiles
from bastzoo.ops.selective_scan.cpu.kernels import (
    Gradients,
    Inputs,
    scan_blocks,
    scan_groups_backward,
)

_WHAT = "the CPU selective scan, about 10 s,"


@functools.cache
def kernels(precision: torch.dtype) -> tuple[Kernel, Kernel]:
    """The forward and the backward kernel for a state in float32 or float64."""
    number = types.float64 if precision == torch.float64 else types.float32
    # "A" is any memory layout: one compilation serves contiguous and transposed tensors.
    vector, matrix, cube, box = (types.Array(number, n, "A") for n in (1, 2, 3, 4))
    size = types.intp
    inputs = (cube, cube, matrix, cube, cube, vector, vector, types.boolean)
    gradients = (cube, cube, cube, box, box, matrix, matrix)
    scan, scan_backward = _entries(arguments.CHECKPOINT_STEPS, seal(cpu_kernels, lanes, cpu_tiles))
    return (
        compiled(scan, types.void(size, size, *inputs, cube, box), _WHAT),
        compiled(
            scan_backward,
            types.void(size, size, size, size, cube, box, *inputs, *gradients),
            _WHAT,
        ),
    )


@no_type_check
def _entries(chunk: int, seal: str) -> tuple[Kernel, Kernel]:
    """The two functions that numba compiles and caches, as thin as can be.

    Its cache watches this file and what a function closes over, and no file that a function imports
    from: without `seal` it would go on to use machine code of older kernels.
    """

    def scan(first, last, u, delta, A, B, C, D, bias, with_softplus, y, states):
        seal  # noqa: B018
        inputs = Inputs(u, delta, A, B, C, D, bias, with_softplus)
        scan_blocks(first, last, chunk, inputs, y, states)

    def scan_backward(
        first, last, slices, groups, dy, states, u, delta, A, B, C, D, bias, with_softplus,
        du, ddelta, dA, dB, dC, dD, dbias,
    ):  # fmt: skip
        seal  # noqa: B018
        inputs = Inputs(u, delta, A, B, C, D, bias, with_softplus)
        gradients = Gradients(du, ddelta, dA, dB, dC, dD, dbias)
        scan_groups_backward(first, last, chunk, slices, groups, dy, states, inputs, gradients)

    return scan, scan_backward
