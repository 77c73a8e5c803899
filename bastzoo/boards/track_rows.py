"""What stands in the tables of a track: rows (a design, all its seeds), and parts, ranked together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bastzoo.boards.rows import Seeds, grouped, mean, over_sounds, same_sounds, spread, told_apart
from bastzoo.boards.statistics import (
    Interval,
    Standing,
    mean_interval,
    mean_intervals,
    standing_beside,
    standings,
)
from bastzoo.boards.tables import MARK, labels, ranks_in_words
from bastzoo.experiment import Experiment
from bastzoo.records.record import Evaluation, TrackRecord


@dataclass(frozen=True)
class TrackRow:
    """The results of one design, trained under one condition: one record a seed."""

    records: tuple[TrackRecord, ...]
    note: str = ""
    standing: Standing | None = None
    intervals: tuple[Interval, ...] = ()

    @property
    def first(self) -> TrackRecord:
        """Any of the records, for what they share."""
        return self.records[0]

    @property
    def labels(self) -> list[str]:
        """Model, loss, integration, and what it was trained on."""
        model, *rest = _labels(self.first)
        return [model + self.note, *rest]

    @property
    def rank_words(self) -> str:
        """Its rank; a dash for what has none."""
        return self.standing.words if self.standing else "-"

    @property
    def is_model(self) -> bool:
        """Whether this is a trained model and not a baseline."""
        return self.first.experiment is not None

    def marked(self, keys: Collection[str]) -> TrackRow:
        """The row with a mark behind its name, if it is one of these runs."""
        is_one = any(record.key in keys for record in self.records)
        return replace(self, note=self.note + MARK) if is_one else self

    def metric(self, case: int, name: str) -> float | None:
        """A metric of one case, averaged over the seeds."""
        return mean(self._each(case, name))

    def evaluations(self, case: int) -> list[Evaluation]:
        """The tests of one case, one a seed."""
        return [record.cases[case].evaluation for record in self.records]

    def means(self, case: int) -> np.ndarray:
        """Mean AD of every test sound in one case, `[seeds, sounds]`."""
        return over_sounds(self.evaluations(case))

    @property
    def over_cases(self) -> np.ndarray:
        """Mean over the cases of every sound's mean AD, `[seeds, sounds]`: what ranks a row."""
        return np.mean([self.means(case) for case in range(len(self.first.cases))], axis=0)

    @property
    def figure(self) -> float:
        """Mean AD over the cases."""
        return float(self.over_cases.mean())

    @property
    def spread(self) -> float | None:
        """The standard deviation, over the seeds, of the mean AD over the cases."""
        return spread([float(seed.mean()) for seed in self.over_cases])

    def spread_of(self, case: int) -> float | None:
        """The standard deviation, over the seeds, of the AD of one case."""
        return spread(self._each(case, "ad_mean"))

    def _each(self, case: int, name: str) -> list[float]:
        values = [evaluation.metrics.get(name) for evaluation in self.evaluations(case)]
        return [float(value) for value in values if value is not None]


@dataclass(frozen=True)
class TrackPart:
    """What is ranked together, best first; stale rows with the reason; baselines, worst first."""

    models: list[TrackRow]
    baselines: list[TrackRow]
    stale: list[tuple[TrackRow, str]]
    shown: list[TrackRecord]

    def with_marks(self, keys: Collection[str]) -> TrackPart:
        """The same part, the rows of these runs with a mark behind their name."""
        return replace(self, models=[row.marked(keys) for row in self.models])

    @property
    def example(self) -> tuple[Experiment, TrackRecord]:
        """A model's experiment and record, for what all of them share."""
        record = next(record for record in self.shown if record.experiment is not None)
        assert record.experiment is not None
        return record.experiment, record

    @property
    def cases(self) -> list[str]:
        """The cases' names, the columns of the tables."""
        return [case.label for case in self.shown[0].cases]

    @property
    def seeds(self) -> list[int]:
        """The seeds of all models."""
        return sorted({r.experiment.seed for r in self.shown if r.experiment is not None})

    @property
    def has_several_seeds(self) -> bool:
        """Whether some row has more than one seed."""
        return any(len(row.records) > 1 for row in self.models)


def parts_of(records: Iterable[TrackRecord]) -> list[TrackPart]:
    """The parts of a table: one for each preset, and for each set of test clips.

    Clips that most models were tested on come first; of the parts on the same clips the one with the best
    row, since all their rows can be compared.
    """
    parts = []
    for group in grouped(records, _clips):
        models = _ranked(_noted(group.models))
        baselines = sorted(_noted(group.baselines), key=lambda row: -row.figure)
        baselines = [_beside(models, row) for row in baselines]
        rows = _with_intervals([*models, *baselines])
        parts.append(
            TrackPart(
                models=rows[: len(models)],
                baselines=rows[len(models) :],
                stale=[(TrackRow(seeds), why) for seeds, why in group.stale],
                shown=group.shown,
            )
        )
    tested = Counter(_clips(part.shown[0]) for part in parts for _ in part.models)

    def place(part: TrackPart) -> tuple[int, tuple[str, ...], float]:
        clips = _clips(part.shown[0])
        return -tested[clips], clips, _best(part)

    return sorted(parts, key=place)


def _best(part: TrackPart) -> float:
    return min((row.figure for row in part.models), default=math.inf)


def _noted(groups: Sequence[Seeds[TrackRecord]]) -> list[TrackRow]:
    notes = told_apart(groups, [_labels(seeds[0]) for seeds in groups])
    return [TrackRow(seeds, note) for seeds, note in zip(groups, notes, strict=True)]


def _labels(record: TrackRecord) -> tuple[str, ...]:
    tested = record.tested
    heard = ", ".join(filter(None, [tested.environment, str(tested.condition)]))
    if record.experiment is not None:
        return (*labels(record.experiment), heard)
    return (record.method, "-", "-", "-" if record.kind == "answers" else heard)


def ranks_of(rows: Sequence[TrackRow]) -> str:
    """What the ranks of these rows mean."""
    if not rows:
        return ""
    tables = [row.over_cases for row in rows]
    return ranks_in_words(tables, np.ones(tables[0].shape[-1], dtype=np.int64))


def _ranked(rows: Sequence[TrackRow]) -> list[TrackRow]:
    if not rows:
        return []
    # Every case counts the same, and so does every sound.
    counts = np.ones(rows[0].over_cases.shape[-1], dtype=np.int64)
    _check(rows)
    found = standings([row.over_cases for row in rows], counts)
    ranked = [replace(row, standing=place) for row, place in zip(rows, found, strict=True)]
    return sorted(ranked, key=lambda row: (row.figure, row.labels))


def _beside(models: Sequence[TrackRow], row: TrackRow) -> TrackRow:
    """A row of answers with its rank among the models; a baseline as it is."""
    if row.first.kind != "answers" or not models:
        return row
    _check([*models, row])
    counts = np.ones(row.over_cases.shape[-1], dtype=np.int64)
    others = [each.over_cases for each in models]
    return replace(row, standing=standing_beside(row.over_cases, others, counts))


def _with_intervals(rows: Sequence[TrackRow]) -> list[TrackRow]:
    if not rows:
        return []
    _check(rows)
    by_case = []
    for case, result in enumerate(rows[0].first.cases):
        counts = np.array(result.evaluation.by_sound["clips"])
        models = [row.means(case) for row in rows if row.is_model]
        others = [mean_interval(row.means(case), counts) for row in rows if not row.is_model]
        found = [*mean_intervals(models, counts), *others]
        by_case.append([interval.of_angles() for interval in found])
    by_row = zip(*by_case, strict=True)
    return [replace(row, intervals=mine) for row, mine in zip(rows, by_row, strict=True)]


def _check(rows: Sequence[TrackRow]) -> None:
    for case in range(len(rows[0].first.cases)):
        same_sounds([(r.key, r.cases[case].evaluation) for row in rows for r in row.records])


def _clips(record: TrackRecord) -> tuple[str, ...]:
    """What models and baselines beside them share: the clips, and what is asked of them."""
    return (record.test_digest, str(record.track_version), str(record.protocol_version))
