"""Turns the CPU kernels into machine code: at first use, once for a machine, with a line that says so.

numba keeps the code on disk, in `__pycache__` beside this file or, where that folder is read-only, in
the user's cache folder (or in `NUMBA_CACHE_DIR`). Where none can be written, every process compiles.
"""

import functools
import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, no_type_check

import torch
from numba import njit, types
from numba.core import event

from bastzoo.ops.selective_scan import arguments, cpu_kernels, cpu_lanes, cpu_tiles
from bastzoo.ops.selective_scan.cpu_kernels import (
    Gradients,
    Inputs,
    scan_blocks,
    scan_groups_backward,
)

Kernel = Callable[..., None]

log = logging.getLogger("bastzoo")
_compiling = threading.Lock()


@functools.cache
def kernels(precision: torch.dtype) -> tuple[Kernel, Kernel]:
    """The forward and the backward kernel for a state in float32 or float64."""
    number = types.float64 if precision == torch.float64 else types.float32
    # "A" is any memory layout: one compilation serves contiguous and transposed tensors.
    vector, matrix, cube, box = (types.Array(number, n, "A") for n in (1, 2, 3, 4))
    size = types.intp
    inputs = (cube, cube, matrix, cube, cube, vector, vector, types.boolean)
    gradients = (cube, cube, cube, box, box, matrix, matrix)
    scan, scan_backward = _entries(arguments.CHECKPOINT_STEPS, _seal())
    with _compiling, event.install_listener("numba:compile", _Announcement()):
        return (
            _compile(scan, types.void(size, size, *inputs, cube, box)),
            _compile(
                scan_backward,
                types.void(size, size, size, size, cube, box, *inputs, *gradients),
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


def _seal() -> str:
    """A digest of the sources that go into the machine code."""
    sources = (Path(module.__file__ or "") for module in (cpu_kernels, cpu_lanes, cpu_tiles))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _compile(function: Kernel, signature: Any) -> Kernel:
    try:
        return njit(signature, cache=True, nogil=True)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):  # numba's words for: nowhere to write
            raise
        return njit(signature, nogil=True)(function)


class _Announcement(event.Listener):
    """Says that a compilation begins; numba sends no event for code that its cache has."""

    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: event.Event) -> None:
        """Say it at the first of many events."""
        if not self._said:
            self._said = True
            log.warning(
                "compiling the CPU selective scan for this machine, once: this takes about 10 s"
            )

    def on_end(self, event: event.Event) -> None:
        """Nothing to say."""
