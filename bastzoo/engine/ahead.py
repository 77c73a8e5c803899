"""The next batch, made by a thread while the network is busy with this one, where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Generic, TypeVar

import torch

from bastzoo.limits.cores import spare_cores

Asked = TypeVar("Asked")
Made = TypeVar("Made")


def made_in_time(
    make: Callable[[Asked], Made],
    items: Iterable[Asked],
    *,
    device: torch.device,
    processes: int = 1,
) -> AbstractContextManager[Iterator[Made]]:
    """What `make` gives for each item, in their order: ahead where somebody has time for it, else when asked.

    device: where what is made is used; processes: how many train together on this machine's cores.

    Beside a network that computes on all cores a second thread only takes from it what it needs: a step of
    `quick` takes half as long again (benchmarks/test_stepping.py).
    """
    if device.type == "cpu" and not spare_cores(processes * torch.get_num_threads()):
        return nullcontext(map(make, items))
    return Ahead(make, items)


class Ahead(Iterator[Made], Generic[Asked, Made]):
    """What `make` gives for each item, in their order, with one item made ahead.

    An error of `make` is raised where its item would have come. Leaving the context waits for what is being
    made and drops it.

    >>> with Ahead(str.upper, ["left", "right"]) as ears:
    ...     list(ears)
    ['LEFT', 'RIGHT']
    """

    def __init__(self, make: Callable[[Asked], Made], items: Iterable[Asked]) -> None:
        self._make, self._items = make, iter(items)
        self._pool = ThreadPoolExecutor(1, "bastzoo-ahead")
        self._next: Future[Made] | None = self._begun()

    def __enter__(self) -> Ahead[Asked, Made]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __next__(self) -> Made:
        if self._next is None:
            raise StopIteration
        made = self._next.result()
        self._next = self._begun()
        return made

    def _begun(self) -> Future[Made] | None:
        for item in self._items:
            return self._pool.submit(self._make, item)
        return None
