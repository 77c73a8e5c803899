"""Turns Python functions into machine code: at first use, once for a machine, with a line that says so.

numba keeps the code on disk, in `__pycache__` beside the file or, where that folder is read-only, in
the user's cache folder (or in `NUMBA_CACHE_DIR`). Where none can be written, every process compiles.
"""

import functools
import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from numba import njit
from numba.core import event
from numba.core.errors import NumbaError

Kernel = Callable[..., None]

log = logging.getLogger("bastzoo")
_compiling = threading.RLock()


def compiled(function: Kernel, signature: Any, what: str) -> Kernel:
    """The function as machine code that holds no lock, from numba's cache where it has it.

    what: named in the line that says that a compilation begins, and how long it takes.
    """
    with _compiling, event.install_listener("numba:compile", _Announcement(what)):
        try:
            return njit(signature, cache=True, nogil=True)(function)
        except NumbaError:  # of the function, not of the cache
            raise
        except Exception as error:  # a damaged file of the cache raises anything
            if "no locator available" not in str(error):  # numba's words for: nowhere to write
                return _anew(function, signature, error)
            return njit(signature, nogil=True)(function)


def _anew(function: Kernel, signature: Any, error: Exception) -> Kernel:
    """The function compiled once more, into the cache where it can be written, else for this process."""
    kernel: Any = njit(cache=True, nogil=True)(function)
    where = Path(kernel.stats.cache_path or "")
    why = f"{type(error).__name__}: {str(error)[:200]}"
    try:
        kernel._cache.flush()  # no public way leads to one function's files
        kernel.compile(signature)
    except NumbaError:
        raise
    except Exception:
        _say_once(
            f"numba's cache in {str(where)!r} cannot be used ({why}); this process compiles for itself. "
            "Make room there, or set NUMBA_CACHE_DIR to another folder."
        )
        return njit(signature, nogil=True)(function)
    _say_once(f"numba's cache in {str(where)!r} was damaged ({why}); it has been written anew.")
    return cast(Kernel, kernel)


@functools.cache
def _say_once(words: str) -> None:
    log.warning(words)


def seal(*modules: ModuleType) -> str:
    """A digest of sources that go into machine code; a package counts with all its modules.

    numba's cache watches the file of a function and what the function closes over, and no file that it
    imports from: without a seal it would go on to use machine code of older sources.
    """
    sources = (path.read_bytes() for module in modules for path in _sources(module))
    return hashlib.sha256(b"".join(sources)).hexdigest()


def _sources(module: ModuleType) -> list[Path]:
    path = Path(module.__file__ or "")
    return sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]


class _Announcement(event.Listener):
    """Says that a compilation begins; numba sends no event for code that its cache has."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = False

    def on_start(self, event: event.Event) -> None:
        """Say it at the first of many events."""
        if not self._said:
            self._said = True
            log.warning(f"compiling {self._what} for this machine, once")

    def on_end(self, event: event.Event) -> None:
        """Nothing to say."""
