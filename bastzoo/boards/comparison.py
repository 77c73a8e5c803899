"""Two rows against each other: the paired difference of their errors on the same sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bastzoo.boards.rows import mean, over_sounds, same_sounds
from bastzoo.boards.statistics import (
    Difference,
    Interval,
    Pooled,
    mean_interval,
    mean_over_clips,
    paired_difference,
    pooled_trainings,
)
from bastzoo.boards.tables import seed_words
from bastzoo.errors import RecordError
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord


@dataclass(frozen=True)
class Side:
    """One of the two rows: its seeds, and its mean AD in one test, degrees."""

    name: str
    seeds: tuple[int, ...]
    ad: float
    interval: Interval
    metrics: dict[str, float | None]

    @property
    def words(self) -> str:
        """Its name, with its seeds."""
        return f"{self.name} ({seed_words(self.seeds)})" if self.seeds else self.name


@dataclass(frozen=True)
class Comparison:
    """Two rows in one test (a run's own, or a case of a track), and the difference of their mean AD.

    difference: the first minus the second, degrees; interval: 95 %, over sounds (paired) and trainings.
    p: two-sided, of no difference.
    """

    test: str
    clips: int
    sounds: int
    a: Side
    b: Side
    difference: float
    interval: Interval
    p: float

    @property
    def are_told_apart(self) -> bool:
        """Whether the interval of the difference leaves zero out."""
        return self.interval.low > 0 or self.interval.high < 0

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        low, high = sorted(map(abs, self.interval))
        if not self.are_told_apart:
            return (
                f"They cannot be told apart: the difference is {self.difference:+.2f}°, and its 95 % "
                f"interval, {self.interval.low:+.2f} to {self.interval.high:+.2f}°, includes zero."
            )
        better = self.a if self.difference < 0 else self.b
        return (
            f"{better.name} is better by {abs(self.difference):.2f}° "
            f"(95 % interval {low:.2f} to {high:.2f}°)."
        )


def all_seeds(record: RunRecord, records: Sequence[RunRecord]) -> list[RunRecord]:
    """The finished runs that differ from a record in the seed alone, itself among them, by seed."""
    if record.experiment is None:
        return [record]
    wanted = _unseeded(record)
    same = [
        other
        for other in records
        if other.status == "finished" and other.experiment and _unseeded(other) == wanted
    ]
    by_seed = {other.experiment.seed: other for other in same if other.experiment}
    by_seed[record.experiment.seed] = record
    return [by_seed[seed] for seed in sorted(by_seed)]


def one_row(records: Sequence[RunRecord]) -> bool:
    """Whether these runs differ in the seed alone, so that they are a row."""
    return len(all_seeds(records[0], records)) == len(records)


def compare(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> Comparison:
    """Compare two rows, each the seeds of one experiment, in their own test.

    Raises RecordError when they were not tested on the same clips, or one has not finished.
    """
    for record in (*a, *b):
        if record.evaluation is None:
            raise RecordError(f"The run {record.name!r} has failed; there is nothing to compare.")
    if a[0].tested.data_digest != b[0].tested.data_digest:
        raise RecordError(
            f"{a[0].name!r} and {b[0].name!r} have other data ({a[0].tested.data_digest} and "
            f"{b[0].tested.data_digest}), so their errors are not of the same clips. Compare them on "
            "a track, with --track, or train both on the same preset and environment."
        )
    tests = ([_tested(record) for record in side] for side in (a, b))
    return _compared(a[0].tested.environment, a, b, *tests)


def compare_on_track(a: Sequence[TrackRecord], b: Sequence[TrackRecord]) -> list[Comparison]:
    """Compare two rows in every case of a track.

    Raises RecordError when they were not tested on the same clips.
    """
    digests = {record.test_digest for record in (*a, *b)}
    if len(digests) > 1 or len({record.track_version for record in (*a, *b)}) > 1:
        raise RecordError(
            f"{a[0].name!r} and {b[0].name!r} heard other clips in the track {a[0].track!r}; test "
            "both again with `bastzoo evaluate`."
        )
    found = []
    for index, case in enumerate(a[0].cases):
        sides = [[record.cases[index].evaluation for record in side] for side in (a, b)]
        found.append(_compared(case.label, a, b, *sides))
    return found


def _compared(
    test: str,
    a: Sequence[RunRecord] | Sequence[TrackRecord],
    b: Sequence[RunRecord] | Sequence[TrackRecord],
    tests_a: Sequence[Evaluation],
    tests_b: Sequence[Evaluation],
) -> Comparison:
    keys = [record.key for record in (*a, *b)]
    same_sounds(list(zip(keys, (*tests_a, *tests_b), strict=True)))
    counts, means, pooled = _tables(tests_a, tests_b)
    found = paired_difference(*means, counts, pooled=pooled)
    sides = [
        Side(
            _name(of[0]),
            _seeds(of),
            mean_over_clips(m, counts),
            mean_interval(m, counts, pooled=pooled).of_angles(),
            _metrics(tests),
        )
        for of, m, tests in zip((a, b), means, (tests_a, tests_b), strict=True)
    ]
    return Comparison(
        test=test,
        clips=tests_a[0].clips,
        sounds=len(counts),
        a=sides[0],
        b=sides[1],
        difference=sides[0].ad - sides[1].ad,
        interval=found.interval,
        p=found.p,
    )


def difference(tests_a: Sequence[Evaluation], tests_b: Sequence[Evaluation]) -> Difference:
    """The paired difference of two rows in one test, one evaluation a seed, of the same sounds."""
    counts, means, pooled = _tables(tests_a, tests_b)
    return paired_difference(*means, counts, pooled=pooled)


def _tables(
    tests_a: Sequence[Evaluation], tests_b: Sequence[Evaluation]
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], Pooled | None]:
    """Clips of every sound, both rows' mean AD `[seeds, sounds]`, and how far trainings lie apart."""
    counts = np.array(tests_a[0].by_sound["clips"])
    means = over_sounds(tests_a), over_sounds(tests_b)
    # A row of few seeds borrows how far trainings lie apart from the other row.
    return counts, means, pooled_trainings(means, counts)


def _tested(record: RunRecord) -> Evaluation:
    assert record.evaluation is not None
    return record.evaluation


def _metrics(tests: Sequence[Evaluation]) -> dict[str, float | None]:
    """Every metric's mean over the seeds."""
    found: dict[str, float | None] = {}
    for name in tests[0].metrics:
        values = [test.metrics.get(name) for test in tests]
        found[name] = mean([float(value) for value in values if value is not None])
    return found


def _name(record: RunRecord | TrackRecord) -> str:
    if record.experiment is not None:
        return f"{record.experiment.combination}"
    return record.method


def _seeds(records: Sequence[RunRecord] | Sequence[TrackRecord]) -> tuple[int, ...]:
    return tuple(record.experiment.seed for record in records if record.experiment)


def _unseeded(record: RunRecord) -> str:
    assert record.experiment is not None
    return record.experiment.model_dump_json(exclude={"seed"})
