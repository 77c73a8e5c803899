"""The processes of one training (`torchrun`, `accelerate launch`): shares, common figures, and lost ones.

Every process goes the same way, step by step, and waits for the others where figures or gradients meet. So
no share may be empty, what decides anything has to be common, and one that ends has to end all.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from torch import Tensor

from bastzoo.engine.checkpoint import Interrupted
from bastzoo.errors import SetupError

_LOST = (
    "Another process of this training has ended, killed or by an error of its own; give the same command "
    "again to go on from the last checkpoint."
)


class Shares:
    """How the clips of a batch are divided: every n-th to each process, some one more than others.

    batch: clips that a batch has, of all processes together.
    """

    def __init__(self, batch: int, accelerator: Accelerator) -> None:
        self._rank, self._processes = accelerator.process_index, accelerator.num_processes
        self._accelerator = accelerator
        mine = len(range(self._rank, batch, self._processes))
        self._weight = mine * self._processes / batch

    def of(self, indices: Tensor) -> Tensor:
        """This process's share of a batch."""
        return indices[self._rank :: self._processes]

    def weighted(self, loss: Tensor) -> Tensor:
        """The mean over a share, so that the mean over the processes is the mean over the batch."""
        return loss if self._weight == 1 else loss * self._weight

    def common(self, loss: Tensor) -> Tensor:
        """The mean over the batch, from the weighted ones of all processes; NaN when one is."""
        loss = loss.detach()
        if self._processes == 1:
            return loss
        return self._accelerator.reduce(loss.float().clone(), reduction="mean")


def check_shares(clips: int, batch: int, accelerator: Accelerator) -> None:
    """Raise SetupError when a batch has fewer clips than there are processes."""
    processes = accelerator.num_processes
    if min(clips, batch) >= processes:
        return
    what = f"a batch of {batch} clips" if batch <= clips else f"a training split of {clips} clips"
    raise SetupError(
        f"{processes} processes cannot share {what}: each needs at least one; start fewer processes"
        + (" or ask for a larger batch." if batch <= clips else ".")
    )


def is_lost(error: BaseException) -> bool:
    """Whether an error says that another process of the training is gone."""
    if isinstance(error, torch.distributed.DistError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and any(
        name in words for name in ("gloo", "NCCL", "Connection closed by peer", "Connection reset")
    )


@contextmanager
def together() -> Iterator[None]:
    """Something that all processes do at once. Raises Interrupted when one of them is gone."""
    try:
        yield
    except RuntimeError as error:
        if not is_lost(error):
            raise
        raise lost() from error


def lost() -> Interrupted:
    """What to stop with when another process is gone: what was done is kept, nothing has failed."""
    return Interrupted(signal.SIGTERM, _LOST)
