"""Stopping: SIGINT and SIGTERM let training keep a checkpoint first; everything else stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from bastzoo.engine.checkpoint import Interrupted

OUTPUT_CLOSED = getattr(signal, "SIGPIPE", signal.SIGTERM)
"""What to stop with when nobody reads what is said any more."""


class Stopping:
    """Catches the signals while it is entered; does nothing outside the main thread.

    ignore_interrupt: for a worker process, which a terminal's Ctrl-C reaches too: its parent tells it
        what to do, by SIGTERM.
    parent: of a worker process: when it is gone, that is as good as a SIGTERM.
    """

    def __init__(self, *, ignore_interrupt: bool = False, parent: int | None = None) -> None:
        self._signal = 0
        self._waits = False
        self._ignore_interrupt = ignore_interrupt
        self._parent = parent
        self._before: dict[int, Any] = {}
        self._unraisable: Any = None

    @property
    def signal(self) -> int:
        """The signal that came; 0 for none."""
        if not self._signal and self._parent is not None and os.getppid() != self._parent:
            return signal.SIGTERM
        return self._signal

    def ask(self, number: int) -> None:
        """Let the work stop at its next chance, as a signal that has to wait does."""
        self._signal = self._signal or number

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                ignored = self._ignore_interrupt and number == signal.SIGINT
                self._before[number] = signal.signal(
                    number, signal.SIG_IGN if ignored else self._on_signal
                )
            self._unraisable = sys.unraisablehook
            sys.unraisablehook = self._on_unraisable
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        if self._unraisable is not None:
            sys.unraisablehook, self._unraisable = self._unraisable, None

    @contextmanager
    def deferred(self) -> Iterator[Stopping]:
        """Let the first signal wait until the code within asks for it (`signal`); a second one does not.

        Raises Interrupted at the end when a signal is waiting still.
        """
        self._waits = True
        try:
            yield self
        finally:
            self._waits = False
        if self.signal:
            raise Interrupted(self.signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        waits = self._waits and not self._signal
        # Kept in any case: what is raised within a callback of C code (numba's, say) gets lost there.
        self._signal = number
        if not waits:
            raise Interrupted(number)

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Pass on what Python cannot raise, but for an interrupt: that one is kept (`signal`)."""
        if not isinstance(unraisable.exc_value, Interrupted):
            self._unraisable(unraisable)
