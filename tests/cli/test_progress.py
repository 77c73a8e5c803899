"""Progress: a bar that fits a terminal of 80 columns, plain lines in a log."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from bastzoo.cli.terminal.progress import TrainingProgress
from bastzoo.engine.observer import Observer

TITLE = "[54/54] vanilla/CONCAT/MIX-EXACT/NSP on RI02 (standard, seed 0)"


def train(progress: TrainingProgress, *, steps: int = 24_000) -> None:
    progress.training_started(steps)
    for step in range(1, steps // 2):
        progress.step(step, 0.25)
    progress.validated(steps // 4, 112.25, True)
    progress.validated(steps // 2, 123.45, False)
    progress.step(steps // 2, 0.125)
    progress.training_ended("done")
    progress.close()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines drawn on a terminal, without colours and movements of the cursor."""
    monkeypatch.setenv("TERM", "xterm")
    file = StringIO()
    train(TrainingProgress(TITLE, console=Console(force_terminal=True, width=80, file=file)))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()]


def test_the_bar_shows_step_loss_validation_and_time_left_in_80_columns(drawn: list[str]) -> None:
    assert all(len(line) <= 80 for line in drawn)
    assert TITLE in "\n".join(drawn)
    last = drawn[-1]
    for words in ("12000/24000", "loss 0.125", "123.45°", "best 112.25°"):
        assert words in last
    assert re.search(r"\d:\d\d:\d\d", last)


def test_a_log_gets_a_line_for_every_validation() -> None:
    file = StringIO()
    progress = TrainingProgress(TITLE, console=Console(file=file, soft_wrap=True))
    assert isinstance(progress, Observer)
    train(progress)
    assert file.getvalue().splitlines() == [
        f"{TITLE}: step 6000/24000, validation AD 112.25° (best)",
        f"{TITLE}: step 12000/24000, validation AD 123.45°",
    ]
