"""Leaderboards: tables that are a pure function of run records.

The same records give the same bytes, in whatever order they come. Stale results are never ranked
with fresh ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bastzoo.boards.columns import Column, ColumnChoice
from bastzoo.boards.formats import Section, Value
from bastzoo.boards.published import published_runs, section_of_runs
from bastzoo.boards.rows import (
    Row,
    Seeds,
    beside,
    grouped,
    ranked,
    to_mark,
    told_apart,
    with_intervals,
)
from bastzoo.boards.tables import (
    MARKED,
    PAPER_COLUMNS,
    TEXT_COLUMNS,
    again,
    answers_words,
    code,
    commands,
    data_words,
    degrees,
    listener_facts,
    markdown,
    marked,
    origins,
    paragraph,
    protocols,
    ranks_in_words,
    seed_words,
)
from bastzoo.experiment import Experiment
from bastzoo.records.record import Evaluation, RunRecord

USUAL = ColumnChoice()

_BY_DEFINITION = "exact lateral position, front-back by chance (by definition)"


@dataclass(frozen=True)
class RunPart:
    """What is ranked together: rows in the papers' order, stale rows with the reason, baselines."""

    models: list[Row]
    baselines: list[Row]
    stale: list[tuple[Row, str]]
    shown: list[RunRecord]

    @property
    def example(self) -> tuple[Experiment, Evaluation, int]:
        """Experiment, evaluation and protocol of any model, for what they share."""
        record = next(record for record in self.shown if record.experiment is not None)
        assert record.experiment is not None
        assert record.evaluation is not None
        return record.experiment, record.evaluation, record.protocol_version

    @property
    def notes(self) -> dict[str, Any]:
        """What the models' records note of recorded data, its splits among it."""
        return next(record.notes for record in self.shown if record.experiment is not None)

    @property
    def seeds(self) -> list[int]:
        """The seeds of all models."""
        return sorted({r.experiment.seed for r in self.shown if r.experiment is not None})

    @property
    def best_first(self) -> list[Row]:
        """The models by AD."""
        return sorted(self.models, key=lambda row: (row.figure, row.labels))

    def with_marks(self, keys: Collection[str]) -> RunPart:
        """The same part, the rows of these runs with a mark behind their name."""
        return replace(self, models=[row.marked(keys) for row in self.models])

    @property
    def published(self) -> set[tuple[str, str, str, str]]:
        """The combinations that the papers may have figures of: backbone, sharing, loss, integration."""
        wanted: set[tuple[str, str, str, str]] = set()
        for row in self.models:
            experiment = row.first.experiment
            if experiment is not None and experiment.environment == "RI":
                chosen = experiment.combination
                wanted.add((chosen.backbone, chosen.sharing, chosen.loss, chosen.integration))
        return wanted


def of_environment(records: Iterable[RunRecord], name: str) -> list[RunRecord]:
    """The finished runs whose own test is that of an environment; none where no model is among them."""
    found = [
        record
        for record in records
        if record.status == "finished" and record.tested.environment.lower() == name.lower()
    ]
    return found if any(record.experiment for record in found) else []


def render_leaderboard(
    records: Iterable[RunRecord],
    title: str = "Leaderboard",
    layout: ColumnChoice = USUAL,
    *,
    highlighted: Collection[str] = (),
) -> str:
    """Write the leaderboard of finished runs: one part for each environment, preset and data set.

    Results of different data, presets or protocols are never ranked together, nor are those of an
    older version of a component with those of a newer one.

    highlighted: keys of runs whose rows are marked, where others stand beside them.
    """
    lines = [f"# {title}", ""]
    found = list(records)
    mine = to_mark(found, highlighted)
    if mine:
        lines += [MARKED, ""]
    for part in parts_of(found):
        lines += _render_part(part.with_marks(mine), layout)
    return "\n".join(lines).rstrip() + "\n"


def sections(
    records: Iterable[RunRecord],
    layout: ColumnChoice = USUAL,
    *,
    highlighted: Collection[str] = (),
) -> list[Section]:
    """The same leaderboard for `board_formats`: the detailed table and the baselines of each part."""
    found = list(records)
    mine = to_mark(found, highlighted)
    return [_section(part.with_marks(mine), layout) for part in parts_of(found)]


def parts_of(records: Iterable[RunRecord]) -> list[RunPart]:
    """The parts of a leaderboard: what shares environment, clips, protocol, preset and precision."""
    finished = [r for r in records if r.status == "finished" and r.evaluation is not None]
    parts = []
    for group in grouped(finished, _heard):
        baselines = sorted(_noted(group.baselines), key=lambda row: -row.figure)
        models = ranked(_noted(group.models))
        parts.append(
            RunPart(
                models=models,
                baselines=beside(models, with_intervals(baselines)),
                stale=[(Row(seeds), why) for seeds, why in group.stale],
                shown=group.shown,
            )
        )
    return parts


def _noted(groups: Sequence[Seeds[RunRecord]]) -> list[Row]:
    """Rows with a note where two would have the same name."""
    rows = [Row(seeds) for seeds in groups]
    notes = told_apart(groups, [row.labels for row in rows])
    return [replace(row, note=note) for row, note in zip(rows, notes, strict=True)]


def _heard(record: RunRecord) -> tuple[str, ...]:
    """What a baseline shares with the models beside it: the clips, and the protocol."""
    tested = record.tested
    return (tested.environment, tested.data_digest, str(record.protocol_version))


def _render_part(part: RunPart, layout: ColumnChoice) -> list[str]:
    columns = layout.shown(part.models)
    paper = [[*row.labels, degrees(row.metric("ad_mean"))] for row in part.models]
    return [
        *introduction(part),
        "## Angular distance, as the papers print it",
        "",
        markdown(paper, PAPER_COLUMNS) if paper else _NOTHING_FRESH,
        "",
        "## In detail",
        "",
        *_details(part, layout, columns),
        "",
        *_stale(part),
        "## Baselines on the same clips",
        "",
        _baselines(part.baselines, [column for column in columns if column.of_baselines]),
        "",
        *_answers(part.baselines),
        *section_of_runs(part.published),
        *again(part.shown, columns=[column.key for column in columns]),
    ]


def _answers(rows: Sequence[Row]) -> list[str]:
    return [*paragraph(*words), ""] if (words := answers_words(rows)) else []


_NOTHING_FRESH = "No row has the newest versions of all its components, so none is ranked."


def introduction(part: RunPart) -> list[str]:
    """What all rows of a part share, in words."""
    experiment, evaluation, protocol = part.example
    rooms = ", ".join(evaluation.by_room)
    return [
        f"Environment {marked(experiment.environment)} ({marked(rooms)}), "
        f"preset {code(experiment.preset.name)}"
        f"{'' if experiment.precision == 'no' else f' in {marked(experiment.precision)}'}, "
        f"{evaluation.clips:,} test clips: {data_words(experiment, evaluation, part.notes)}; "
        f"{seed_words(part.seeds)}; {protocols(protocol)}. "
        "AD is the mean angular distance, in degrees.",
        "",
    ]


def _details(part: RunPart, layout: ColumnChoice, columns: Sequence[Column]) -> list[str]:
    if not part.models:
        return [_NOTHING_FRESH]
    rows = layout.sorted(part.best_first)
    text = {column.header for column in columns if column.is_text}
    table = [[column.text(row) for column in columns] for row in rows]
    keys = {column.key for column in columns}
    said = [_sorted_words(layout, "ad" in keys)]
    if "rank" in keys:
        by = "" if layout.sort is None or layout.sort.key in ("rank", "ad") else "Ranks are by AD. "
        meaning = ranks_in_words([row.means for row in part.models], part.models[0].counts)
        said.append(by + meaning)
    words = [said[0] + ".", *said[1:]]
    if "seed-sd" in keys:
        words.append("Over seeds: the standard deviation of AD from one training to another.")
    headers = [column.header for column in columns]
    return [*paragraph(*words), "", markdown(table, headers, text)]


def _sorted_words(layout: ColumnChoice, with_interval: bool) -> str:
    if layout.sort is None or (layout.sort.key == "ad" and not layout.descending):
        return (
            "Sorted by AD" + ", with its 95 % interval (over sounds and trainings)" * with_interval
        )
    header = layout.sort.header.removesuffix(" (95 %)")
    down = ", from high to low" if layout.descending else ""
    interval = "; AD is given with its 95 % interval (over sounds and trainings)" * with_interval
    return f"Sorted by {header}{down}{interval}"


def _stale(part: RunPart) -> list[str]:
    if not part.stale:
        return []
    table = [[*row.labels, degrees(row.metric("ad_mean")), why] for row, why in part.stale]
    return [
        "## Stale, not ranked",
        "",
        "Made with an older version of a component than other rows of this table: not comparable.",
        "",
        markdown(table, [*PAPER_COLUMNS, "Why"]),
        "",
    ]


def _baselines(baselines: Sequence[Row], columns: Sequence[Column]) -> str:
    table = [[_method(row), *(column.text(row) for column in columns)] for row in baselines]
    return markdown(
        [*table, [_BY_DEFINITION, *map(_by_definition, columns)]],
        ["Method", *(column.header for column in columns)],
    )


def _method(row: Row) -> str:
    """The name of a baseline; of answers, with their rank among the models."""
    return row.labels[0] + (f", rank {row.standing.words}" if row.standing else "")


def _by_definition(column: Column) -> str:
    if column.by_definition is None:
        return "-"
    return (
        f"{100 * column.by_definition:.1f} %"
        if column.key == "front-back"
        else degrees(column.by_definition)
    )


def _section(part: RunPart, layout: ColumnChoice) -> Section:
    experiment, evaluation, protocol = part.example
    columns = layout.shown(part.models)
    models = layout.sorted(part.best_first)
    return Section(
        facts={
            "track": None,
            "environment": experiment.environment,
            "preset": experiment.preset.name,
            "precision": experiment.precision,
            "data_digest": experiment.data_digest,
            "protocol": protocol,
            "clips": evaluation.clips,
            **listener_facts(experiment.source),
        },
        rows=[
            *(_fields("model", row, columns) for row in models),
            *(_fields("stale", row, columns, why) for row, why in part.stale),
            *(_fields(row.first.kind, row, columns) for row in part.baselines),
        ],
        provenance={
            "commands": commands(part.shown),
            "seeds": part.seeds,
            "measured_on": origins(part.shown),
        },
        published=published_runs(part.published),
        caption=" ".join(introduction(part)),
        headers=[column.header for column in columns],
        text=TEXT_COLUMNS | {column.header for column in columns if column.is_text},
        blocks=[
            [[column.text(row) for column in columns] for row in models],
            [
                [
                    column.text(row) if column.of_baselines or column.key == "model" else "-"
                    for column in columns
                ]
                for row in part.baselines
            ],
        ],
    )


def _fields(kind: str, row: Row, columns: Sequence[Column], stale: str = "") -> dict[str, Value]:
    fields: dict[str, Value] = {"kind": kind, "stale": stale or None}
    for column in columns:
        fields.update(column.fields(row))
    return fields
