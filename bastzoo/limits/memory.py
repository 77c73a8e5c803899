"""What a process does with memory while thousands of records are in it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


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
