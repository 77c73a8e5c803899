"""Rows of leaderboards: records grouped by what they share, and which of them are stale.

Everything here is decided by the records alone, never by the code that is installed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from bastzoo.boards.statistics import (
    Interval,
    Standing,
    mean_interval,
    mean_over_clips,
    standing_beside,
    standings,
)
from bastzoo.boards.tables import MARK, labels, papers_order
from bastzoo.errors import RecordError
from bastzoo.experiment import Experiment, ResolvedComponent, digest
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord

Record = TypeVar("Record", bound=RunRecord | TrackRecord)
Seeds = tuple[Record, ...]
"""The records of one row: one experiment, one record a seed."""


@dataclass(frozen=True)
class Grouped(Generic[Record]):
    """What stands in one part of a leaderboard: fresh rows, stale ones with the reason, baselines."""

    models: list[Seeds[Record]]
    baselines: list[Seeds[Record]]
    stale: list[tuple[Seeds[Record], str]]

    @property
    def shown(self) -> list[Record]:
        """All records of the part, without those that were left out."""
        groups = [*self.models, *self.baselines, *(seeds for seeds, _ in self.stale)]
        return [record for seeds in groups for record in seeds]


def grouped(
    records: Iterable[Record], heard: Callable[[Record], tuple[str, ...]]
) -> list[Grouped[Record]]:
    """The parts of a leaderboard, sorted: what shares clips, protocol, preset and precision.

    heard: what models and the baselines beside them share: clips, and what is asked of them.
    """
    baselines: list[Seeds[Record]] = []
    parts: dict[tuple[str, ...], list[Seeds[Record]]] = {}
    for clips, seeds in _by_experiment(records, heard):
        experiment = seeds[0].experiment
        if experiment is None:
            baselines.append(seeds)
        else:
            preset = experiment.preset.model_dump(mode="json", exclude={"summary", "parameters"})
            rest = (experiment.preset.name, experiment.precision, digest(preset))
            parts.setdefault((*clips, *rest), []).append(seeds)
    found = []
    for key in sorted(parts):
        fresh, stale = _fresh_and_stale(parts[key])
        same = [seeds for seeds in baselines if heard(seeds[0]) == key[: len(heard(seeds[0]))]]
        kept, old = _fresh_and_stale(same)
        found.append(Grouped(fresh, kept, [*stale, *old]))
    return found


def _by_experiment(
    records: Iterable[Record], heard: Callable[[Record], tuple[str, ...]]
) -> list[tuple[tuple[str, ...], Seeds[Record]]]:
    """The seeds of one experiment together, in the papers' order: model, loss, integration.

    What differs in anything but the seed, a component's version say, is a row of its own. Copies of
    a run count once: the newest.
    """
    places: dict[str, tuple[str, ...]] = {}
    rows: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, Record]] = {}
    for record in sorted(records, key=lambda record: record.name):
        seeds = rows.setdefault((heard(record), _place(record, places)), {})
        known = seeds.get(record.key)
        if known is None or _age(known) < _age(record):
            seeds[record.key] = record
    ordered = sorted(rows, key=lambda key: (papers_order(key[1]), key[0]))
    return [(clips, tuple(rows[clips, place].values())) for clips, place in ordered]


def _place(record: Record, places: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Sort key of the record's row. The key of the experiment is looked up: hashing it is slow."""
    if record.experiment is None:
        return (record.method, record.key)
    spelled = record.experiment.model_dump_json(exclude={"seed"})
    if spelled not in places:
        chosen = record.experiment.combination
        order = (chosen.backbone, chosen.sharing, chosen.loss, chosen.integration)
        same = record.experiment.model_copy(update={"seed": 0}).key
        places[spelled] = (*order, chosen.head, chosen.frontend, same)
    return places[spelled]


def _age(record: Record) -> tuple[str, str]:
    return record.provenance.created, record.model_dump_json()


def _fresh_and_stale(
    rows: Sequence[Seeds[Record]],
) -> tuple[list[Seeds[Record]], list[tuple[Seeds[Record], str]]]:
    """Part fresh rows from stale ones, those with an older version of some component than another row.

    A stale row is left out when there is a fresh one of the same combination, trained alike.
    """
    newest: dict[tuple[str, str], int] = {}
    for seeds in rows:
        for kind, component in _components(seeds[0]).items():
            name = (kind, component.name)
            newest[name] = max(component.version, newest.get(name, component.version))
    reasons = [_stale_because(seeds[0], newest) for seeds in rows]
    fresh = [seeds for seeds, reason in zip(rows, reasons, strict=True) if not reason]
    renewed = {_asked(seeds[0]) for seeds in fresh}
    stale = [
        (seeds, reason)
        for seeds, reason in zip(rows, reasons, strict=True)
        if reason and _asked(seeds[0]) not in renewed
    ]
    return fresh, stale


def _stale_because(record: Record, newest: dict[tuple[str, str], int]) -> str:
    """What is older than elsewhere, in words; nothing for a fresh record."""
    return "; ".join(
        f"{kind} {component.name} version {component.version}, now {newest[kind, component.name]}"
        for kind, component in _components(record).items()
        if component.version < newest[kind, component.name]
    )


def _components(record: Record) -> dict[str, ResolvedComponent]:
    if record.experiment is not None:
        return record.experiment.components
    return {} if record.baseline is None else {"baseline": record.baseline.component}


def _asked(record: Record) -> tuple[str, ...]:
    """What was asked for, whatever the versions: the combination, and what it was trained on."""
    tested = record.tested
    what = tested.combination if isinstance(tested, Experiment) else record.method
    return str(what), tested.environment, str(tested.condition)


@dataclass(frozen=True)
class Row:
    """A line of the detailed table: the runs of one combination (or baseline), one record a seed."""

    records: tuple[RunRecord, ...]
    note: str = ""
    standing: Standing | None = None
    interval: Interval | None = None

    @property
    def first(self) -> RunRecord:
        """Any of the records, for what they share."""
        return self.records[0]

    @property
    def labels(self) -> tuple[str, str, str]:
        """Model, loss and integration, as the papers write them; of a baseline, its name."""
        if self.first.experiment is not None:
            model, loss, integration = labels(self.first.experiment)
            return model + self.note, loss, integration
        return self.first.method + self.note, "-", "-"

    def marked(self, keys: Collection[str]) -> Row:
        """The row with a mark behind its name, if it is one of these runs."""
        is_one = any(record.key in keys for record in self.records)
        return replace(self, note=self.note + MARK) if is_one else self

    def metric(self, name: str) -> float | None:
        """A metric's mean over the seeds."""
        return mean(self._each(name))

    def spread(self, name: str) -> float | None:
        """A metric's standard deviation over the seeds; None for one seed."""
        return spread(self._each(name))

    @property
    def means(self) -> np.ndarray:
        """Mean AD of every test sound, `[seeds, sounds]`: what its interval follows from."""
        return over_sounds([_evaluation(record) for record in self.records])

    @property
    def counts(self) -> np.ndarray:
        """Clips of every test sound, `[sounds]`."""
        return np.array(_evaluation(self.first).by_sound["clips"])

    @property
    def figure(self) -> float:
        """The mean AD, which ranks a row."""
        return self.metric("ad_mean") or 0.0

    def _each(self, name: str) -> list[float]:
        values = [_evaluation(record).metrics.get(name) for record in self.records]
        return [float(value) for value in values if value is not None]


def ranked(models: Sequence[Row]) -> list[Row]:
    """The rows with ranks and intervals, in the same order. Raises RecordError when sounds differ."""
    if not models:
        return []
    same_sounds([(r.key, _evaluation(r)) for row in models for r in row.records])
    found = standings([row.means for row in models], models[0].counts)
    return [
        replace(row, standing=standing, interval=standing.interval.of_angles())
        for row, standing in zip(models, found, strict=True)
    ]


def with_intervals(rows: Sequence[Row]) -> list[Row]:
    """The rows with their intervals, in the same order. Raises RecordError when their sounds differ."""
    if not rows:
        return []
    same_sounds([(r.key, _evaluation(r)) for row in rows for r in row.records])
    # What is not trained has no variance of trainings to borrow.
    return [replace(row, interval=mean_interval(row.means, row.counts).of_angles()) for row in rows]


def beside(models: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Baselines as they are, and answers with their rank among the models, whose ranks they leave alone."""
    if not models:
        return list(rows)
    others = [row.means for row in models]
    found = []
    for row in rows:
        if row.first.kind == "answers":
            same_sounds(
                [(r.key, _evaluation(r)) for each in (models[0], row) for r in each.records]
            )
            row = replace(row, standing=standing_beside(row.means, others, row.counts))
        found.append(row)
    return found


def to_mark(records: Iterable[Record], keys: Collection[str]) -> frozenset[str]:
    """The keys of the runs to be marked: none where no other run of a model stands beside them."""
    others = any(record.experiment and record.key not in keys for record in records)
    return frozenset(keys) if others else frozenset()


def told_apart(rows: Sequence[Seeds[Record]], names: Sequence[tuple[str, ...]]) -> list[str]:
    """For each row what its name does not say and a row of the same name has otherwise, or nothing."""
    alike: dict[tuple[str, ...], list[Record]] = {}
    for seeds, name in zip(rows, names, strict=True):
        alike.setdefault(name, []).append(seeds[0])
    return [
        "".join(f" + {word}" for word in _differing(seeds[0], alike[name]))
        for seeds, name in zip(rows, names, strict=True)
    ]


def _differing(record: Record, alike: Sequence[Record]) -> list[str]:
    words = []
    tasks = {str(other.experiment.tasks) for other in alike if other.experiment}
    if len(tasks) > 1 and record.experiment is not None and record.experiment.tasks:
        words.append(str(record.experiment.tasks))
    for kind, component in _components(record).items():
        others = [_components(other) for other in alike]
        same_kind = [components[kind] for components in others if kind in components]
        words += _otherwise(kind, component, same_kind)
    return words


def _otherwise(
    kind: str, component: ResolvedComponent, others: Sequence[ResolvedComponent]
) -> list[str]:
    words = []
    if any(other.target != component.target for other in others):
        words.append(f"{kind} of {component.target}")
    for name in sorted({name for each in (component, *others) for name in each.parameters}):
        value = component.parameters.get(name)
        if any(other.parameters.get(name) != value for other in others):
            words.append(f"{kind} {name} {'default' if value is None else value}")
    return words


def same_sounds(tests: Sequence[tuple[str, Evaluation]]) -> None:
    """Raise RecordError when results that would be compared are not on the same sounds.

    tests: the key of the run, and what was measured.
    """
    key, first = tests[0][0], tests[0][1].by_sound
    for mine, evaluation in tests:
        found = evaluation.by_sound
        lengths = {len(found.get(name, ())) for name in ("sounds", "clips", "ad_mean")}
        if lengths == {0} or len(lengths) > 1:
            raise RecordError(
                f"The record of the run {mine} does not have an AD and a number of clips for every "
                "sound, so it cannot be ranked; it was changed by hand. Make it again."
            )
        if found["sounds"] != first["sounds"] or found["clips"] != first["clips"]:
            raise RecordError(
                f"The records of the runs {key} and {mine} name the same data but list different "
                "sounds, so they cannot be compared; one was changed by hand. Make both again."
            )


def over_sounds(evaluations: Sequence[Evaluation]) -> np.ndarray:
    """Mean AD of every sound, `[evaluations, sounds]`."""
    return np.array([evaluation.by_sound["ad_mean"] for evaluation in evaluations])


def ad_of(evaluations: Sequence[Evaluation]) -> tuple[float, Interval]:
    """Mean AD over seeds and its 95 % interval (over sounds, and over trainings where there are enough)."""
    counts = np.array(evaluations[0].by_sound["clips"])
    means = over_sounds(evaluations)
    return mean_over_clips(means, counts), mean_interval(means, counts).of_angles()


def mean(values: Sequence[float]) -> float | None:
    """The mean, the same to the last bit in any order; None without values."""
    return math.fsum(values) / len(values) if values else None


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample; None for fewer than two values."""
    middle = mean(values)
    if middle is None or len(values) < 2:
        return None
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def _evaluation(record: RunRecord) -> Evaluation:
    assert record.evaluation is not None
    return record.evaluation
