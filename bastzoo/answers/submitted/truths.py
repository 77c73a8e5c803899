"""The clips that records say they were tested on, made once each, however many records are checked."""

from __future__ import annotations

from bastzoo.answers.questions import Question, questions_of
from bastzoo.conditions import Case, DataSource, Track
from bastzoo.errors import RecordError
from bastzoo.harness.tracks import find_track
from bastzoo.harness.workbench import Workbench
from bastzoo.metrics.metric import Metric
from bastzoo.presets import DataSize
from bastzoo.records.record import RunRecord, TrackRecord
from bastzoo.registry import Registry


class Truths:
    """Questions of records, kept by what they are made of."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._benches: dict[str, Workbench] = {}
        self._known: dict[str, list[Question]] = {}

    def workbench(self, source: DataSource) -> Workbench:
        """A workbench that hears what a record heard. Raises RecordError for recorded data."""
        if source.layout != "rendered":
            raise RecordError(
                f"it was tested on recorded data ({source.path}), which does not travel with it"
            )
        name = source.model_dump_json()
        if name not in self._benches:
            self._benches[name] = Workbench(
                self.registry, device="cpu", precision="no", source=source
            )
        return self._benches[name]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics that can be had here."""
        return self.workbench(DataSource()).session.metrics

    def of(self, record: RunRecord | TrackRecord) -> list[Question]:
        """What a record was asked: its own test, or the cases of its track.

        Raises RecordError when the clips here are others than those that the record names.
        """
        tested = record.tested
        size = tested.data
        if isinstance(record, TrackRecord):
            track = find_track(record.track, self.registry)
            named = [(case.label, case.data_digest) for case in record.cases]
            if track.version != record.track_version:
                raise RecordError(
                    f"it is of version {record.track_version} of the track {track.name}, and here is "
                    f"version {track.version}"
                )
        elif record.answers is not None:
            track = find_track(record.answers.track, self.registry)
            named = []
        else:
            case = Case(tested.environment, tested.condition, tested.environment)
            track = Track(name=tested.environment, question="", cases=(case,))
            named = [(case.label, tested.data_digest)]
        found = self._made(track, tested.environment, size, tested.source)
        here = [(question.case.label, question.digest) for question in found]
        if named and named != here:
            raise RecordError("it was tested on other clips than its environment has here")
        return found

    def _made(
        self, track: Track, environment: str, size: DataSize, source: DataSource
    ) -> list[Question]:
        bench = self.workbench(source)
        name = repr((track, environment, size, source))
        if name not in self._known:
            self._known[name] = questions_of(
                track, workbench=bench, environment=environment, size=size
            )
        return self._known[name]
