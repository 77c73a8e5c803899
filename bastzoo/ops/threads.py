"""Threads for kernels on a processor: as many as torch uses, kept between calls, none after a fork.

numba's own parallel loops are not used: one of its threading layers aborts the process when two Python
threads scan at once, another brings a second OpenMP beside torch's. The kernels release the GIL, so
plain threads do.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch

_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_growing = threading.Lock()


def run_tasks(run: Callable[[int, int], None], tasks: int, pieces: int) -> None:
    """Call `run(first, last)` on consecutive ranges that cover all tasks, in parallel.

    The ranges are about `pieces`, and at most `torch.get_num_threads()` threads take one after the
    other, the caller among them: a thread that gets no processor holds nobody up.
    """
    pieces = max(1, min(pieces, tasks))
    threads = min(torch.get_num_threads(), pieces)
    if threads == 1:
        run(0, tasks)
        return
    ranges = pairwise([tasks * i // pieces for i in range(pieces + 1)])
    helpers = [_executor(threads - 1).submit(_take, run, ranges) for _ in range(threads - 1)]
    try:
        _take(run, ranges)
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()


def _take(run: Callable[[int, int], None], ranges: Iterator[tuple[int, int]]) -> None:
    for first, last in ranges:
        run(first, last)


def _executor(threads: int) -> ThreadPoolExecutor:
    """A pool of at least so many threads; one that grew too small is dropped, and ends when unused."""
    global _pool, _pool_size
    with _growing:
        if _pool is None or _pool_size < threads:
            _pool, _pool_size = ThreadPoolExecutor(threads, "bastzoo-kernel"), threads
        return _pool


def _forget() -> None:
    """A forked process has none of its parent's threads, and perhaps a lock that one of them held."""
    global _pool, _pool_size, _growing
    _pool, _pool_size, _growing = None, 0, threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_forget)
