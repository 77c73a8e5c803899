"""The display of a grid: rows done and failed, what runs now and how far it is, and the time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bastzoo.cli.terminal.progress import standard_error

if TYPE_CHECKING:
    from bastzoo.harness.jobs import Progress


_ENOUGH = 50
"""Steps of training that say something of the pace."""


class GridDisplay:
    """Draws all jobs of a grid, whatever executor runs them; plain lines where there is no terminal.

    titles: of the jobs, by key. steps: of the trainings among them, by key: what the time left follows
    from, since a baseline takes next to none. Everything goes to standard error.
    """

    def __init__(
        self,
        titles: Mapping[str, str],
        console: Console | None = None,
        *,
        steps: Mapping[str, int] | None = None,
    ) -> None:
        self.titles = titles
        self.console = console or standard_error()
        self._running: dict[str, Progress] = {}
        self._done = self._failed = 0
        self._live: Live | None = None
        self._to_train = dict(steps or {})
        self._reached: dict[str, tuple[int, int]] = {}
        self._started: float | None = None
        self._has_estimated = False

    def __enter__(self) -> GridDisplay:
        if self.console.is_terminal:
            self._live = Live(
                console=self.console,
                get_renderable=self.render,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def watch(self, key: str, progress: Progress) -> None:
        """Show how far a job is; a validation is a line where there is no terminal."""
        before = self._running.get(key)
        self._running[key] = progress
        if progress.step:
            first, _ = self._reached.get(key, (progress.step, 0))  # one that goes on began before
            self._reached[key] = first, progress.step
            self._started = self._started or time.monotonic()
            self._estimate()
        if progress.waits and (before is None or not before.waits):
            self.say(f"{self.titles.get(key, key)}: {progress.doing}")
        validated = progress.ad is not None and (before is None or before.ad != progress.ad)
        if validated and not self.console.is_terminal:
            best = " (best)" if progress.ad == progress.best_ad else ""
            self.say(
                f"{self.titles.get(key, key)}: step {progress.step}/{progress.steps}, "
                f"validation AD {progress.ad:.2f}°{best}"
            )

    def ended(self, key: str, line: str, *, failed: bool = False) -> None:
        """Say what came of a job."""
        self._running.pop(key, None)
        self._to_train.pop(key, None)
        self._done += 1
        self._failed += failed
        self.say(f"{self.titles.get(key, key)}: {line}")

    def say(self, text: str) -> None:
        """A line above the display."""
        self.console.print(text, markup=False)

    def render(self) -> Group:
        """What the terminal shows."""
        table = Table.grid(padding=(0, 2))
        for key, now in self._running.items():
            table.add_row(
                Text(self.titles.get(key, key), no_wrap=True, overflow="ellipsis"),
                ProgressBar(total=max(now.steps, 1), completed=now.step, width=16),
                Text(_how_far(now), no_wrap=True),
            )
        return Group(table, Text(self._summary()))

    def _summary(self) -> str:
        total = len(self.titles)
        words = [f"{self._done} of {total} rows done"]
        if self._failed:
            words.append(f"{self._failed} failed")
        words.append(f"{len(self._running)} running")
        if (left := self.seconds_left()) is not None:
            words.append(f"about {_duration(left)} left")
        return ", ".join(words)

    def seconds_left(self) -> float | None:
        """How long the trainings that are left will take at the pace so far; None before there is one."""
        done = sum(last - first for first, last in self._reached.values())
        to_do = sum(
            steps - self._reached.get(key, (0, 0))[1] for key, steps in self._to_train.items()
        )
        if self._started is None or done < _ENOUGH or to_do <= 0:
            return None
        return (time.monotonic() - self._started) / done * to_do

    def _estimate(self) -> None:
        """A line, once, where there is no terminal to show it all the time."""
        if self._has_estimated or self.console.is_terminal or len(self._to_train) < 2:
            return
        if (left := self.seconds_left()) is None:
            return
        self._has_estimated = True
        self.say(f"{len(self._to_train)} runs to train, about {_duration(left)} left at this pace.")


def _how_far(now: Progress) -> str:
    words = [now.doing]
    if now.doing == "training":
        words = [f"epoch {now.epoch:.2f}"]
        words += [f"loss {now.loss:.3f}"] if now.loss is not None else []
        words += [f"AD {now.ad:.2f}°, best {now.best_ad:.2f}°"] if now.best_ad is not None else []
    return ", ".join([*words, now.device])


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
