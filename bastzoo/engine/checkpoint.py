"""Checkpoints: everything that training needs to go on as if it had never been stopped.

One file, written aside and renamed into place, so a kill at any moment leaves the last whole one. It is
read with `weights_only=True`: nothing in it is unpickled.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from bastzoo.data.archives import check_torch_file
from bastzoo.errors import DataError, tellable

CHECKPOINT_VERSION = 2

# The next checkpoint waits for this many times what the last one took: at most 2 % of the time is lost.
_LARGEST = 2**36
"""Bytes of a checkpoint: weights and Adam's two means of a model that fits no GPU of today."""

_PAUSE = 50


class CheckpointWarning(UserWarning):
    """A checkpoint is of no use, and a training begins anew."""


class Interrupted(BaseException):
    """Training was asked to stop (a signal) and has kept a checkpoint; not an error, not a failure.

    It is no `Exception`, as `KeyboardInterrupt` is none: what catches a component's errors must let
    it through.
    """

    def __init__(self, signal: int, message: str = "") -> None:
        super().__init__(message)
        self.signal = signal


class Checkpoints:
    """Where a run's checkpoint lies, how often it is written, and whether training should stop.

    path: of the file; its folder is made when the first one is written.
    every: seconds between two checkpoints; 0 writes one after every step.
    stop: returns the number of a signal that asks for an end, or 0.
    check: asked before one is written; raises where the run is another process's by now.
    """

    def __init__(
        self,
        path: Path,
        *,
        every: float = 20.0,
        stop: Callable[[], int] = lambda: 0,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.path = path
        self.every = every
        self.stop = stop
        self._check = check or (lambda: None)
        self.cannot_write = False
        """Set when a write has failed: the error that follows is about the folder."""
        self._next = time.monotonic() + every

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() >= self._next

    def save(self, state: dict[str, Any], accelerator: Accelerator) -> None:
        """Write a state of tensors, numbers, strings, lists and dicts. All processes must call it.

        Raises OSError when it cannot be written.
        """
        self._check()
        started = time.monotonic()
        # Random states differ between the processes of one training; all else is the same.
        states = gather_object([random_state()])
        if accelerator.is_main_process:
            whole = {"version": CHECKPOINT_VERSION, "random": states, **state}
            aside = self.path.with_name(f".writing-{self.path.name}-{os.getpid()}")
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with aside.open("wb") as file:
                    torch.save(whole, file)
                    file.flush()
                    os.fsync(file.fileno())
                self._check()
                aside.replace(self.path)
            except (OSError, RuntimeError) as error:
                self.cannot_write = True
                # torch's writer reports a full disk as a RuntimeError of its own.
                if isinstance(error, OSError):
                    raise
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path)) from error
            finally:
                aside.unlink(missing_ok=True)
        took = time.monotonic() - started
        self._next = time.monotonic() + max(self.every, _PAUSE * took if self.every else 0.0)

    def load(self, accelerator: Accelerator) -> dict[str, Any] | None:
        """Read the state; None when there is none that can be used. Random states are not set yet.

        A checkpoint that is damaged, of another version or of another number of processes is of no use:
        training begins anew then, which gives the same result, and a warning says so.
        """
        if not os.path.lexists(self.path):
            return None
        try:
            check_torch_file(self.path, largest=_LARGEST)
            with (
                warnings.catch_warnings()
            ):  # of pickle protocols, which are no concern of the user's
                warnings.simplefilter("ignore")
                state = torch.load(self.path, map_location="cpu", weights_only=True)
        except DataError as error:
            self.refuse(f"it {error}", accelerator)
            return None
        except Exception:  # whatever a stranger's bytes make of the reader
            self.refuse("it is damaged", accelerator)
            return None
        if not isinstance(state, dict) or state.get("version") != CHECKPOINT_VERSION:
            self.refuse("another version of bastzoo wrote it", accelerator)
            return None
        states = state.get("random")
        if not isinstance(states, list) or len(states) != accelerator.num_processes:
            self.refuse("another number of processes wrote it", accelerator)
            return None
        return state

    def refuse(self, why: str, accelerator: Accelerator) -> None:
        """Say that the checkpoint is of no use; the next one takes its place."""
        if accelerator.is_main_process:
            warnings.warn(
                f"The checkpoint {tellable(str(self.path))!r} cannot be gone on with ({why}); the training "
                "begins anew.",
                CheckpointWarning,
                stacklevel=2,
            )

    def forget(self) -> None:
        """Remove the checkpoint of a run that is finished."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


def random_state() -> dict[str, Any]:
    """The states of all generators that training may draw from, as tensors and numbers."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, words, gauss_next = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), int(position)],
        "numpy_gauss": [int(has_gauss), float(gauss)],
        "python": [version, list(words), gauss_next],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put the generators back to where `random_state` found them."""
    torch.set_rng_state(state["torch"])
    kind, keys, position = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, *state["numpy_gauss"]))
    version, words, gauss_next = state["python"]
    random.setstate((version, tuple(words), gauss_next))
    if "cuda" in state and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
