"""Batches made ahead: in order, one at a time, errors where they belong, no thread left."""

from __future__ import annotations

import threading

import pytest
import torch

from bastzoo.engine.ahead import Ahead, made_in_time


def test_items_come_in_order_and_one_is_made_ahead() -> None:
    made: list[int] = []
    ready = threading.Semaphore(0)

    def make(item: int) -> int:
        made.append(item)
        ready.release()
        return -item

    with Ahead(make, range(5)) as items:
        for number, item in enumerate(items):
            assert item == -number
            if number < 3:  # the next is made while this one is used, and no other
                for _ in range(2 if number == 0 else 1):
                    assert ready.acquire(timeout=10)
                assert made == list(range(number + 2))


def test_an_error_comes_where_its_item_would() -> None:
    with Ahead(lambda item: 1 // item, [1, 0, 1]) as items:
        assert next(items) == 1
        with pytest.raises(ZeroDivisionError):
            next(items)


def test_no_thread_is_left_after_a_stop() -> None:
    def stopped() -> None:
        with Ahead(str, range(100)) as items:
            next(items)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not [t for t in threading.enumerate() if t.name.startswith("bastzoo-ahead")]


@pytest.mark.parametrize(
    ("device", "spare", "ahead"), [("cpu", 0, False), ("cpu", 1, True), ("cuda", 0, True)]
)
def test_a_thread_makes_ahead_only_where_no_core_is_taken_from_the_network(
    monkeypatch: pytest.MonkeyPatch, device: str, spare: int, ahead: bool
) -> None:
    # On two busy cores a step with a thread beside it took half as long again as one without.
    monkeypatch.setattr("bastzoo.engine.ahead.spare_cores", lambda busy: spare)
    found = made_in_time(str, range(3), device=torch.device(device))
    assert isinstance(found, Ahead) == ahead
    with found as items:
        assert list(items) == ["0", "1", "2"]
