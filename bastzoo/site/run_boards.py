"""Boards of runs in their own test, from the rows of `bastzoo.boards.runs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bastzoo.boards.columns import Column, ColumnChoice
from bastzoo.boards.published import WORDS, published_runs
from bastzoo.boards.rows import Row
from bastzoo.boards.runs import RunPart, introduction, parts_of
from bastzoo.boards.tables import answers_words, commands, degrees, ranks_in_words, unmarked
from bastzoo.boards.track_rows import TrackRow
from bastzoo.experiment import Experiment
from bastzoo.records.record import RunRecord
from bastzoo.site.view import (
    GAP,
    OWN_TEST,
    Board,
    Cell,
    ColumnHead,
    Group,
    Result,
    SiteRow,
    bar,
    facets_of,
    finite,
    result,
    scale_of,
    slug,
)

AnyRow = TypeVar("AnyRow", Row, TrackRow)

_LEVELS = {"rank": 1, "model": 1, "loss": 2, "integration": 2, "ad": 1, "seeds": 2, "front-back": 2}

STALE = "Made with an older version of a component than other rows of this board: not comparable."


def run_boards(
    records: Sequence[RunRecord], folder: Path, name: str, taken: set[str]
) -> list[Board]:
    """A board for each environment, preset and data set. Raises RecordError when sounds differ.

    name: put before the titles; empty where the site is of one folder. taken: slugs that are in use.
    """
    failed = [record for record in records if record.failure is not None]
    boards = []
    for part in parts_of(records):
        if not any(record.experiment for record in part.shown):
            continue
        experiment = part.example[0]
        title = titled(experiment.environment, experiment)
        title = ": ".join(filter(None, [name, title]))
        board = _board(part, title, slug(title, taken), str(folder))
        boards.append(replace(board, failed=[told(r) for r in failed if _is_of(r, experiment)]))
    return boards


def told(record: RunRecord) -> tuple[str, str]:
    """The name of a run that failed, and why it did."""
    return record.name, record.failure.message if record.failure else ""


def _is_of(record: RunRecord, experiment: Experiment) -> bool:
    """Whether a run was to stand on a board: its environment, data and preset."""
    mine = record.experiment
    heard = (record.tested.environment, record.tested.data_digest)
    return heard == (experiment.environment, experiment.data_digest) and (
        mine is None or mine.preset == experiment.preset
    )


def titled(what: str, experiment: Experiment) -> str:
    """A board's title: what its rows were tested in, their preset, and whose ears they were given."""
    name, *changed = experiment.preset.name.split("+")
    words = [what, f"preset {name}"]
    words += [each.replace("_", " ").replace("=", " ") for each in changed]
    if own := experiment.source.own_listeners:
        words.append(f"listener {own[0]}" if len(own) == 1 else f"{len(own)} listeners")
    return ", ".join(words)


def _board(part: RunPart, title: str, name: str, folder: str) -> Board:
    columns = ColumnChoice().shown(part.models)
    heads = [
        ColumnHead(
            column.header.removesuffix(" (95 %)"), column.is_text, _LEVELS.get(column.key, 3)
        )
        for column in columns
    ]
    scale = scale_of(finite(row.interval.high) for row in part.models if row.interval)

    def rows(kind: str, found: Sequence[Row], notes: Sequence[str] = ()) -> list[SiteRow]:
        padded = notes or [""] * len(found)
        pairs = zip(found, padded, strict=True)
        return [_row(kind, row, columns, scale, name, note) for row, note in pairs]

    groups = [
        Group("", "", rows("model", part.best_first)),
        *others(part.baselines, rows),
        Group(
            "Stale, not ranked",
            STALE,
            rows("stale", [row for row, _ in part.stale], [why for _, why in part.stale]),
        ),
        Group("Published, on other data", " ".join(WORDS), _published(part, columns)),
    ]
    ranks = [row.means for row in part.models]
    words = [unmarked(sentence) for sentence in introduction(part)[:1]]
    if part.models:
        words.append(ranks_in_words(ranks, part.models[0].counts))
    return Board(
        slug=name,
        title=title,
        words=words,
        columns=heads,
        groups=[group for group in groups if group.rows],
        scale=scale,
        folder=folder,
        track=OWN_TEST,
        commands=commands(part.shown),
    )


def others(
    found: Sequence[AnyRow], rows: Callable[[str, Sequence[AnyRow]], list[SiteRow]]
) -> list[Group]:
    """What stands beside the models: baselines, and what was scored from answers."""
    baselines = [row for row in found if row.first.kind == "baseline"]
    answers = [row for row in found if row.first.kind == "answers"]
    words = unmarked(" ".join(answers_words(answers))).replace("*", "")
    return [
        Group("Baselines on the same clips", "", rows("baseline", baselines)),
        Group("Scored from answers", words, rows("answers", answers)),
    ]


def _row(
    kind: str, row: Row, columns: Sequence[Column], scale: float, board: str, note: str
) -> SiteRow:
    test = result(row.first.tested.environment, row.metric("ad_mean"), row.interval)
    evaluations = [record.evaluation for record in row.records if record.evaluation]
    names = dict.fromkeys(name for found in evaluations for name in found.metrics)
    return SiteRow(
        kind=kind,
        name=", ".join(label for label in row.labels if label != GAP),
        cells=[_cell(column, row, test, scale) for column in columns],
        facets=facets_of(row.first, OWN_TEST),
        id=f"{board}-{row.first.key}",
        records=row.records,
        rank=row.standing.words if row.standing else GAP,
        note=note,
        tests=[test],
        figures=[{name: finite(row.metric(name)) for name in names}],
    )


def _cell(column: Column, row: Row, test: Result, scale: float) -> Cell:
    is_model = row.first.experiment is not None
    if not is_model and not (column.of_baselines or column.key == "model"):
        return Cell(GAP)
    value = column.value(row)
    if isinstance(value, float) and finite(value) is None:
        return Cell(GAP)
    if column.key != "ad":
        return Cell(column.text(row), value)
    ends = f"{test.low:.2f} to {test.high:.2f}" if test.low is not None else ""
    return Cell(degrees(test.ad), value, ends, bar(test, scale))


def _published(part: RunPart, columns: Sequence[Column]) -> list[SiteRow]:
    """The papers' rows in the columns of this board, each with what it is filtered by."""
    found = []
    for wanted in sorted(part.published):
        for line in published_runs({wanted}):
            ad = float(line["ad"])
            cells = {
                "model": Cell(line["model"], line["model"]),
                "loss": Cell(line["loss"], line["loss"]),
                "integration": Cell(line["integration"], line["integration"]),
                "ad": Cell(degrees(ad), ad),
            }
            backbone, sharing, loss, integration = wanted
            found.append(
                SiteRow(
                    kind="published",
                    name=", ".join((line["model"], line["loss"], line["integration"])),
                    cells=[cells.get(column.key, Cell(GAP)) for column in columns],
                    facets={
                        "backbone": backbone,
                        "sharing": sharing,
                        "loss": loss,
                        "integration": integration,
                        "environment": "RI",
                        "track": OWN_TEST,
                    },
                )
            )
    return found
