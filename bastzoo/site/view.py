"""What the pages show: boards of rows of cells. Decided here, so that templates only lay out."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bastzoo.records.record import RunRecord, TrackRecord

FACETS = ("backbone", "integration", "loss", "sharing", "environment", "track")
"""What the boards filter by."""

OWN_TEST = "own test"
"""The track of a board of runs in their own test."""

GAP = "-"
"""What stands where a figure is not there."""


@dataclass(frozen=True)
class Bar:
    """An interval on a board's scale, in percent of its width. is_beyond: whether it leaves the scale."""

    start: float
    width: float
    middle: float
    is_beyond: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell of a board. value: what sorts, None for none. detail: a second line, smaller."""

    text: str
    value: str | float | None = None
    detail: str = ""
    bar: Bar | None = None


@dataclass(frozen=True)
class ColumnHead:
    """What stands above a column. level: 1 also on a phone, 2 on a tablet, 3 where there is room."""

    header: str
    is_text: bool = False
    level: int = 3


@dataclass(frozen=True)
class Result:
    """A row's result in one test, its own or a case of a track; ends of the interval where there is one."""

    label: str
    ad: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SiteRow:
    """One row of a board, and what its page needs.

    kind: model, baseline, answers, stale or published. id: the name of its page; empty for published rows.
    figures: of each test, the mean over the seeds, by the figure's name in records.
    """

    kind: str
    name: str
    cells: list[Cell]
    facets: dict[str, str]
    id: str = ""
    records: tuple[RunRecord | TrackRecord, ...] = ()
    rank: str = GAP
    note: str = ""
    tests: list[Result] = field(default_factory=list)
    figures: list[dict[str, float | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """Rows that stand together in a table, under a heading (none for the models)."""

    heading: str
    words: str
    rows: list[SiteRow]


@dataclass(frozen=True)
class Board:
    """One table, ranked together. scale: the largest angle of its bars, degrees."""

    slug: str
    title: str
    words: list[str]
    columns: list[ColumnHead]
    groups: list[Group]
    scale: float
    folder: str
    track: str
    commands: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def rows(self) -> list[SiteRow]:
        """All rows that have a page."""
        return [row for group in self.groups for row in group.rows if row.id]

    @property
    def models(self) -> list[SiteRow]:
        """The ranked rows."""
        return [row for row in self.rows if row.kind == "model"]


def result(label: str, ad: float | None, ends: Sequence[float | None] | None) -> Result:
    """A result as a page shows it: a figure or an end that is not finite (of one sound, say) is none."""
    low, high = map(finite, ends or (None, None))
    return Result(label, finite(ad), low, high)


def finite(value: float | int | str | None) -> float | None:
    """The number; None where it is none, or not finite."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None


def facets_of(record: RunRecord | TrackRecord, track: str) -> dict[str, str]:
    """What a row is filtered by. A baseline has no components, and stays whatever is chosen of those."""
    found = {"environment": record.tested.environment, "track": track}
    if record.experiment is not None:
        chosen = record.experiment.combination
        found |= {
            "backbone": chosen.backbone,
            "integration": chosen.integration,
            "loss": chosen.loss,
            "sharing": chosen.sharing,
        }
    return found


def scale_of(ends: Iterable[float | None], share: float = 0.8) -> float:
    """A round angle that this share of the ends lies below: the right end of bars.

    Not all of them: one lost design would press all others together. What lies beyond gets an arrow.

    >>> scale_of([3.2, 7.0, 16.4, None], share=1.0)
    18.0
    """
    known = sorted(end for end in ends if end is not None)
    highest = known[math.ceil(share * (len(known) - 1))] if known else 10.0
    step = next(step for step in (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0) if step * 6 >= highest)
    return min(max(math.ceil(highest / step), 1) * step, 180.0)


def bar(test: Result, scale: float) -> Bar | None:
    """The interval of a result on a scale; nothing without an interval."""
    if test.ad is None or test.low is None or test.high is None:
        return None
    low, high = (min(max(100 * end / scale, 0.0), 100.0) for end in (test.low, test.high))
    middle, is_beyond = 100 * test.ad / scale, test.high > scale
    return Bar(round(low, 1), round(max(high - low, 0.4), 1), round(middle, 1), is_beyond)


def slug(words: str, taken: set[str]) -> str:
    """A name for files and anchors that no other board has: small letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    short = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "board"
    name, number = short, 2
    while name in taken:
        name, number = f"{short}-{number}", number + 1
    taken.add(name)
    return name
