"""Progress on the terminal: a bar with loss, validation AD and time left, or plain lines in a log."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from bastzoo.errors import tellable

_LONGEST_LINE = 20_000

if TYPE_CHECKING:
    from bastzoo.data.recorded.convert import ConversionState


class _Console(Console):
    """Standard error. Rich ends the process where nobody reads any more; who works on a run decides here."""

    def on_broken_pipe(self) -> None:
        """Let the error through, once."""
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def standard_error() -> Console:
    """The console that progress is shown on; standard output holds results only."""
    return _Console(file=sys.stderr, highlight=False, soft_wrap=True)


class TrainingProgress:
    """Draws one training run; an `engine.observer.Observer`.

    Everything goes to standard error, so that standard output holds results only.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.title = title
        self.console = console or standard_error()
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


class CountProgress:
    """Says how far a long count is, with rate and time left: a line written over, or lines in a log."""

    def __init__(self, verb: str, things: str, console: Console | None = None) -> None:
        self.verb, self.things = verb, things
        self.console = console or standard_error()
        self._started = self._said = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show it; not more often than can be read."""
        now = time.monotonic()
        if self._first is None:  # what was done before is no part of the rate
            self._first, self._started = done, now
        is_over = done >= total and self.console.is_terminal
        if now - self._said < (0.2 if self.console.is_terminal else 5.0) and not is_over:
            return
        self._said = now
        rate = (done - self._first) / max(now - self._started, 1e-3)
        left = f"{(total - done) / rate:,.0f} s left" if rate > 0 else "..."
        text = f"{self.verb} {done:,} of {total:,} {self.things}, {rate:,.0f}/s, {left}   "
        over = "\r" if self.console.is_terminal and not is_over else "\n"
        self.console.print(text, markup=False, end=over)


class ConversionProgress(CountProgress):
    """Says how far a conversion of recorded data is."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__("Converted", "files", console)

    def converted(self, progress: ConversionState) -> None:
        """Show it, and what the conversion has to say."""
        if progress.message:
            self.console.print(progress.message, markup=False)
        self(progress.done, progress.total)


class FetchProgress:
    """Says how far the fetching of a data set is: a bar over its files, or a line now and then in a log."""

    def __init__(self, files: int, console: Console | None = None) -> None:
        self.files = files
        self.console = console or standard_error()
        self._path = ""
        self._number = 0
        self._said = time.monotonic()
        self._bar = Progress(
            BarColumn(bar_width=16),
            TextColumn("{task.fields[number]}/{task.fields[files]}"),
            TextColumn("{task.fields[done]}", markup=False),
            TextColumn("{task.description}", markup=False),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1, number=0, files=files, done="")

    def __enter__(self) -> FetchProgress:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, path: str, done: int, size: int) -> None:
        """Show how much of which file is there."""
        if path != self._path:
            self._path, self._number = path, self._number + 1
        megabytes = f"{done / 1e6:.1f} MB"
        self._bar.update(
            self._task,
            description=path,
            completed=done,
            total=size or None,
            number=self._number,
            done=megabytes,
        )
        if not self.console.is_terminal and time.monotonic() - self._said > 5.0:
            self._said = time.monotonic()
            self.console.print(
                f"File {self._number} of {self.files}: {path}, {megabytes}", markup=False
            )


def say(text: str) -> None:
    """Lines on standard error; what a stranger's words would write elsewhere is spelled out."""
    told = "\n".join(tellable(line, _LONGEST_LINE) for line in text.split("\n"))
    standard_error().print(told, markup=False)


def warn(sentences: Iterable[str]) -> None:
    """Warnings on standard error, each once."""
    for sentence in dict.fromkeys(sentences):
        say(f"Warning: {sentence}")
