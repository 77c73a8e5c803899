"""The display of a grid: the time left follows from steps of training, not from rows."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from bastzoo.cli.terminal.grid_display import GridDisplay
from bastzoo.harness.jobs import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_follows_from_steps_and_a_baseline_counts_for_nothing(
    clock: list[float],
) -> None:
    log = io.StringIO()
    titles = {"chance": "chance", "a": "a", "b": "b", "c": "c"}
    display = GridDisplay(
        titles, Console(file=log, width=200), steps={"a": 1000, "b": 1000, "c": 1000}
    )
    display.ended("chance", "AD 90.00°")
    assert display.seconds_left() is None
    display.watch("a", Progress("training", step=1, steps=1000))
    clock[0] += 10
    display.watch("a", Progress("training", step=101, steps=1000))  # 10 steps a second
    assert display.seconds_left() == pytest.approx(290, abs=1)
    display.watch("b", Progress("training", step=501, steps=1000))  # goes on: half is done
    clock[0] += 10
    display.watch("b", Progress("training", step=601, steps=1000))
    assert display.seconds_left() == pytest.approx(230, abs=1)
    display.watch("b", Progress("testing on RI"))  # says no step: what was trained stays
    assert display.seconds_left() == pytest.approx(230, abs=1)
    display.ended("b", "stopped early, AD 3.00°")
    assert display.seconds_left() == pytest.approx(190, abs=1)
    said = log.getvalue()
    assert said.count("at this pace") == 1
    assert "3 runs to train, about 5 min left at this pace." in said
