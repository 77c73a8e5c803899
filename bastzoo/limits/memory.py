"""What a process does with its memory while it computes, or holds thousands of records."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
from collections.abc import Iterator

# glibc's mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD.
_TRIM, _MAP = -1, -3
_OWN_WORDS = ("MALLOC_", "GLIBC_TUNABLES")


@functools.cache
def keep_freed_memory() -> bool:
    """Let memory that arrays have freed stay with the process, for the next ones; say whether it does now.

    glibc gives a large array's memory back as soon as it is free, and the next one takes as much again, page
    by page: 3,900 faults in a training step of `quick`, a fifth of its time. What the process holds at most
    stays the same within 3 %, but it holds it to its end.

    Nothing changes where the environment says how to allocate (`MALLOC_TRIM_THRESHOLD_`, say), nor with
    another C library than glibc.
    """
    if any(name.startswith(_OWN_WORDS) for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, TypeError, OSError):
        return False  # musl and macOS have none, and Windows no such library
    return bool(mallopt(_TRIM, 2**31 - 1) and mallopt(_MAP, 2**30))


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Nobody looks for cycles here; also a decorator.

    Records hold none, and looking for some among thousands of them takes longer than reading them: at
    each import that comes after, too.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
