"""Progress on the terminal: a bar with loss, validation AD and time left, or plain lines in a log."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column


class TrainingProgress:
    """Draws one training run; an `engine.observer.Observer`.

    Everything goes to standard error, so that standard output holds results only.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.title = title
        self.console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._steps = 0
        self._ad = float("inf")

    def training_started(self, steps: int) -> None:
        """Open the bar."""
        self._steps = steps
        if self.console.is_terminal:
            # The title has a line of its own: beside it nothing would fit into 80 columns.
            self.console.print(self.title, markup=False)
            whole = Column(no_wrap=True)
            self._bar = Progress(
                BarColumn(bar_width=16),
                TextColumn("{task.completed}/{task.total}", table_column=whole),
                TextColumn("loss {task.fields[loss]}", table_column=whole),
                TextColumn("AD {task.fields[ad]}", table_column=whole),
                TimeRemainingColumn(table_column=whole),
                console=self.console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=steps, loss="-", ad="-")

    def step(self, step: int, loss: float) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=step, loss=f"{loss:.3f}")

    def validated(self, step: int, ad: float, best: bool) -> None:
        """Show the validation, on the bar or as a line."""
        self._ad = min(self._ad, ad)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, ad=f"{ad:.2f}°, best {self._ad:.2f}°")
        else:
            mark = " (best)" if best else ""
            self.console.print(
                f"{self.title}: step {step}/{self._steps}, validation AD {ad:.2f}°{mark}",
                markup=False,
            )

    def training_ended(self, reason: str) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Close the bar, also after an error; may be called twice."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def say(text: str) -> None:
    """A line on standard error."""
    Console(file=sys.stderr, highlight=False, soft_wrap=True).print(text, markup=False)
