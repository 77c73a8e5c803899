"""The page of one row: the figures of its records, what it is made of, and how it is made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bastzoo.metrics.catalogue import BUILT_IN
from bastzoo.records.record import Definition, Evaluation, RunRecord, TrackRecord
from bastzoo.site.view import GAP, SiteRow, finite

Record = RunRecord | TrackRecord


@dataclass(frozen=True)
class Line:
    """A line of a table: what it is, and what stands in its columns."""

    header: str
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A table of a row's page."""

    title: str
    columns: list[str]
    lines: list[Line]


def told(records: Sequence[Record]) -> dict[str, Definition]:
    """What figures are called and mean: as the records say, else as the protocol does."""
    found: dict[str, Definition] = {}
    for metric in BUILT_IN:
        for name, figure in metric.figures.items():
            found[name] = Definition(
                words=figure.words,
                definition=figure.definition,
                unit=figure.unit,
                better=figure.better,
            )
    for record in records:
        for evaluation in evaluations_of(record):
            found |= evaluation.definitions
    return found


def figures_of(records: Sequence[Record]) -> list[Definition]:
    """What the figures mean that some record has, in the order of the protocol."""
    used = {
        name
        for record in records
        for evaluation in evaluations_of(record)
        for name in evaluation.metrics
    }
    return [definition for name, definition in told(records).items() if name in used]


def evaluations_of(record: Record) -> list[Evaluation]:
    """All tests in a record."""
    if isinstance(record, TrackRecord):
        return [case.evaluation for case in record.cases]
    return [record.evaluation] if record.evaluation else []


def tables_of(row: SiteRow) -> list[Table]:
    """The figures of a row: over the seeds and of each, or of each case; by room, by class."""
    words = told(row.records)
    columns: dict[str, Mapping[str, float | int | None]] = {}
    several = len(row.tests) > 1
    for test, figures in zip(row.tests, row.figures, strict=True):
        columns[test.label if several else "Mean over seeds"] = figures
    if not several:
        seeds = {
            f"Seed {record.experiment.seed}": evaluations_of(record)[0].metrics
            for record in row.records
            if record.experiment is not None
        }
        columns = columns | seeds if len(seeds) > 1 else {"Figure": row.figures[0]}
    tables = [_table("Figures", columns, words)]
    evaluations = [found for record in row.records for found in evaluations_of(record)]
    of_seed = ""
    if len(row.records) > 1 and row.records[0].experiment is not None:
        of_seed = f", seed {row.records[0].experiment.seed}"
    first = evaluations[0]
    shown = ("ad_mean", "ad_median", "acc_10", "lateral_error", "front_back_rate")
    if len(first.by_room) > 1 and not several:
        tables.append(_table(f"By room{of_seed}", first.by_room, words, shown))
    if first.by_class and not several:
        shown = ("clips", "precision", "recall", "f1", "ad_mean")
        # Classes go down the page: there may be dozens.
        lines = [
            Line(name, [show(figures.get(key), _unit(key, words)) for key in shown])
            for name, figures in first.by_class.items()
        ]
        headers = ["Clips", "Precision", "Recall", "F1", "AD, mean"]
        tables.append(Table(f"By class{of_seed}", headers, lines))
    return tables


def facts_of(record: Record) -> list[tuple[str, str]]:
    """What a run is made of, and where it was made."""
    made, tested = record.provenance, record.tested
    facts: list[tuple[str, str]] = []
    if record.experiment is not None:
        experiment = record.experiment
        facts += [(kind, _component(c)) for kind, c in experiment.components.items()]
        facts += [
            ("sharing", experiment.combination.sharing),
            ("preset", experiment.preset.name),
            ("recipe", _listed(experiment.preset.recipe.model_dump())),
        ]
    elif record.baseline is not None:
        facts += [
            ("baseline", _component(record.baseline.component)),
            ("environment", record.baseline.environment),
            ("fitted on", f"{record.baseline.fit_clips:,} clips"),
        ]
    elif record.answers is not None:
        facts += [
            ("answers of", f"{record.answers.name}, from elsewhere"),
            ("track", f"{record.answers.track}, version {record.answers.track_version}"),
        ]
    if str(tested.condition):
        facts.append(("condition", str(tested.condition)))
    source = tested.source.model_dump(exclude_defaults=True)
    facts += [
        ("data", _listed(source) or "rendered"),
        ("data digest", tested.data_digest),
        ("protocol", str(record.protocol_version)),
    ]
    if record.cost is not None:
        cost = record.cost
        facts.append(
            (
                "cost of a clip",
                f"{cost.macs / 1e6:,.1f} M MACs, {cost.latency_p50_ms:.1f} ms at batch 1; "
                f"{cost.parameters:,} parameters",
            )
        )
    if record.training is not None:
        training = record.training
        facts.append(
            (
                "training",
                f"best at step {training.best_step} of {training.steps}, "
                f"validation AD {training.best_validation_ad:.2f}°, {training.seconds:.0f} s",
            )
        )
    return [
        *facts,
        ("made", made.created),
        ("on", f"{made.processor}, {made.device}, {made.threads} threads, {made.platform}"),
        ("with", ", ".join(f"{name} {version}" for name, version in made.versions.items())),
        ("commit", made.commit or "unknown"),
    ]


def show(value: float | int | None, unit: str) -> str:
    """A figure as people read it; a dash for what is not there, or is not finite."""
    known = finite(value)
    if known is None:
        return GAP
    if unit == "%":
        return f"{100 * known:.1f} %"
    if isinstance(value, int) or (not unit and known.is_integer()):
        return f"{known:,.0f}"
    return f"{known:.2f}{unit}" if unit == "°" else f"{known:.4g} {unit}".rstrip()


def _table(
    title: str,
    columns: Mapping[str, Mapping[str, float | int | None]],
    words: Mapping[str, Definition],
    only: Sequence[str] = (),
) -> Table:
    names = dict.fromkeys(name for figures in columns.values() for name in figures)
    lines = []
    for name in names:
        if only and name not in only:
            continue
        figures = [mine.get(name) for mine in columns.values()]
        if all(finite(value) is None for value in figures) and name != "ad_mean":
            continue
        header = words[name].words.strip() if name in words else name
        lines.append(Line(header, [show(value, _unit(name, words)) for value in figures]))
    return Table(title, [*columns], lines)


def _unit(name: str, words: Mapping[str, Definition]) -> str:
    if name in words:
        return words[name].unit
    return "%" if name in ("precision", "recall", "f1") else ""


def _component(component: Any) -> str:
    version = "" if component.version == 1 else f"version {component.version}"
    return ", ".join(filter(None, [component.name, version, _listed(component.parameters)]))


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )
