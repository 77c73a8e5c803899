"""A row made again from its record alone, and how it agrees."""

from __future__ import annotations

from dataclasses import dataclass

from bastzoo.boards.rows import ad_of
from bastzoo.boards.statistics import Interval
from bastzoo.errors import RecordError
from bastzoo.harness.runner import baseline_run, train_run
from bastzoo.harness.track_run import track_run
from bastzoo.harness.tracks import find_track
from bastzoo.harness.workbench import Workbench
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord
from bastzoo.records.staleness import Present
from bastzoo.records.store import RunStore
from bastzoo.registry import Registry


@dataclass(frozen=True)
class Agreement:
    """One test, then and now. interval: 95 % of the record's figure, over sounds."""

    test: str
    then: float
    now: float
    interval: Interval
    to_the_bit: bool

    @property
    def words(self) -> str:
        """How they agree, in a sentence."""
        if self.to_the_bit:
            return f"{self.test}: {self.now:.2f}°, the same to the last bit in every figure."
        low, high = self.interval
        within = "within" if low <= self.now <= high else "OUTSIDE"
        return (
            f"{self.test}: {self.now:.2f}° here, {self.then:.2f}° in the record; {within} its 95 % interval "
            f"over sounds, {low:.2f} to {high:.2f}°."
        )

    @property
    def holds(self) -> bool:
        """Whether the row came out as the record says, as nearly as another machine can tell."""
        return self.to_the_bit or self.interval.low <= self.now <= self.interval.high


def reproduce(
    record: RunRecord | TrackRecord, *, registry: Registry, store: RunStore, device: str
) -> list[Agreement]:
    """Train (or fit) what a record says was run, from nothing but the record, and test it as it was tested.

    Raises RecordError for what cannot be made again here: answers, other versions, other data.
    """
    if record.answers is not None:
        raise RecordError(
            f"{record.name!r} holds answers from elsewhere; only who gave them can give them again."
        )
    if reason := Present(registry).reason(record):
        raise RecordError(f"{record.name!r} cannot be made again here: {reason}.")
    tested = record.tested
    then = _evaluations(record)
    track = find_track(record.track, registry) if isinstance(record, TrackRecord) else None
    workbench = Workbench(
        registry,
        device=device,
        precision=record.experiment.precision if record.experiment else "no",
        source=tested.source,
    )
    if record.experiment is not None:
        made = train_run(record.experiment, workbench=workbench, store=store)
    else:
        assert record.baseline is not None
        made = baseline_run(record.baseline, workbench=workbench, store=store)
    if made.failure is not None or made.evaluation is None:
        why = made.failure.message if made.failure else "it has no test of its own"
        raise RecordError(f"{record.name!r} failed when it was made again: {why}")
    if not isinstance(record, TrackRecord) or track is None:
        return [_agreement(then[0].environment, then[0], made.evaluation)]
    again = track_run(made, track, workbench=workbench, store=store)
    if (again.track_version, again.test_digest) != (record.track_version, record.test_digest):
        raise RecordError(
            f"The track {record.track!r} has other clips here than in {record.name!r}."
        )
    return [
        _agreement(then.label, then.evaluation, now.evaluation)
        for then, now in zip(record.cases, again.cases, strict=True)
    ]


def _evaluations(record: RunRecord | TrackRecord) -> list[Evaluation]:
    """The figures that a row has to agree with. Raises RecordError for a record without."""
    if isinstance(record, TrackRecord):
        return [case.evaluation for case in record.cases]
    if record.evaluation is None:
        raise RecordError(f"{record.name!r} has no figures to agree with.")
    return [record.evaluation]


def _agreement(test: str, then: Evaluation, now: Evaluation) -> Agreement:
    figures = [evaluation.metrics["ad_mean"] or 0.0 for evaluation in (then, now)]
    # Figures that came later than the record, or were defined otherwise, are no disagreement.
    shared = {
        name: value
        for name, value in then.metrics.items()
        if name in now.metrics and _version(then, name) == _version(now, name)
    }
    same = all(now.metrics[name] == value for name, value in shared.items())
    return Agreement(
        test=test,
        then=figures[0],
        now=figures[1],
        interval=ad_of([then])[1],
        to_the_bit=same and then.by_sound == now.by_sound,
    )


def _version(evaluation: Evaluation, name: str) -> int | None:
    told = evaluation.definitions.get(name)
    return None if told is None else told.version
