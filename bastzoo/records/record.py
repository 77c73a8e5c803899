"""The run record: one JSON file that says what was run, how, where, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_serializer

from bastzoo.conditions import Condition, DataSource
from bastzoo.experiment import DataSize, Experiment, ResolvedComponent, digest

PROTOCOL_VERSION = 1
RECORD_SCHEMA = 1
"""Raised when a record of the new form cannot be read by the old code."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaselineExperiment(_Strict):
    """What decides the result of a baseline: the method, the data, and how many clips it is fitted on."""

    component: ResolvedComponent
    environment: str
    data: DataSize
    source: DataSource = Field(default_factory=DataSource)
    condition: Condition = Field(default_factory=Condition)
    data_digest: str
    fit_clips: int

    @property
    def key(self) -> str:
        """The run's key: 16 hexadecimal digits of the SHA-256 of the experiment."""
        decides = self.model_dump(mode="json", exclude={"source", "condition"})
        return digest({"baseline": decides})

    def __str__(self) -> str:
        heard = f", {self.condition}" if str(self.condition) else ""
        return f"{self.component.name} on {self.environment}{heard}"


class AnswersExperiment(_Strict):
    """What decides the figures of answers from elsewhere: whose they are, to which clips, and what they say.

    track: with the version that was answered. data_digest: of the clips of its first case.
    answers_digest: of all answers, in the order of the clips.
    """

    name: str
    track: str
    track_version: int
    environment: str
    data: DataSize
    source: DataSource = Field(default_factory=DataSource)
    condition: Condition = Field(default_factory=Condition)
    data_digest: str
    answers_digest: str

    @property
    def key(self) -> str:
        """The key: 16 hexadecimal digits of the SHA-256 of all of it but the words for the data."""
        decides = self.model_dump(mode="json", exclude={"source", "condition"})
        return digest({"answers": decides})

    def __str__(self) -> str:
        return f"{self.name} (scored from answers) on the track {self.track}"


class Definition(_Strict):
    """What a figure of a metric is (`bastzoo.metrics.metric.Figure`), so that a record can be read alone.

    version: of the definition. of_head: whether it is of something that only some heads answer.
    """

    words: str
    definition: str
    unit: str = ""
    better: Literal["lower", "higher", ""] = "lower"
    version: int = 1
    of_head: bool = False


class Evaluation(_Strict):
    """Metrics of one split (docs/protocol.md), in all, by room, by azimuth and by sound.

    by_class, confusion: of runs that say what a sound was; a row of `confusion` is a true class.
    definitions: what figures mean that the first records did not have, or had by another definition.
    """

    environment: str
    split: str = "test"
    clips: int
    metrics: dict[str, float | int | None]
    by_room: dict[str, dict[str, float | int | None]]
    by_azimuth: list[dict[str, float | int | None]]
    by_sound: dict[str, list[Any]]
    by_class: dict[str, dict[str, float | int | None]] | None = None
    confusion: list[list[int]] | None = None
    definitions: dict[str, Definition] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _as_before(self, form: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave the definitions out where there are none: earlier versions read such records too."""
        found = form(self)
        if not self.definitions:
            found.pop("definitions", None)
        return found


class Training(_Strict):
    """How training went; the history of losses lies beside the record, in `history.csv`."""

    steps: int
    best_step: int
    best_validation_ad: float
    seconds: float
    stopped_early: bool


class Cost(_Strict):
    """What a clip costs, measured at batch 1 with the frontend; see `engine.evaluation.cost`."""

    parameters: int
    macs: int
    latency_p50_ms: float
    latency_p95_ms: float
    real_time_factor: float


class Provenance(_Strict):
    """Where a record comes from. Nothing in here decides the result."""

    created: str
    command: str
    versions: dict[str, str]
    commit: str | None
    platform: str
    processor: str
    device: str
    threads: int
    scan: str
    seconds: float
    peak_memory_mb: float


class Failure(_Strict):
    """Why a run failed."""

    error: str
    message: str
    traceback: str


class _OfAnExperiment(_Strict):
    """What every record says: which experiment, of a model or of a baseline, and where it was made."""

    schema_version: Literal[1] = 1
    protocol_version: int = PROTOCOL_VERSION
    key: str
    experiment: Experiment | None = None
    baseline: BaselineExperiment | None = None
    answers: AnswersExperiment | None = None
    training: Training | None = None
    cost: Cost | None = None
    provenance: Provenance

    @model_serializer(mode="wrap")
    def _without_answers(self, form: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave `answers` out where there are none: earlier versions read such records too."""
        found = form(self)
        if self.answers is None:
            found.pop("answers", None)
        return found

    @property
    def tested(self) -> Experiment | BaselineExperiment | AnswersExperiment:
        """What was tested: a model, a baseline, or answers from elsewhere."""
        found = self.experiment or self.baseline or self.answers
        assert found is not None
        return found

    @property
    def kind(self) -> Literal["model", "baseline", "answers"]:
        """What was tested, in a word."""
        if self.answers is not None:
            return "answers"
        return "model" if self.experiment is not None else "baseline"

    @property
    def method(self) -> str:
        """What tables call what is no model of bastzoo's: a baseline's name, or whose answers they are."""
        if self.baseline is not None:
            return self.baseline.component.name
        assert self.answers is not None
        return f"{self.answers.name} (scored from answers)"

    @property
    def name(self) -> str:
        """A readable name for the run's folder: what was run, then the key."""
        if self.experiment is not None:
            words = [
                *str(self.experiment.combination).split("/"),
                self.experiment.environment,
                *_heard(self.experiment.condition),
                self.experiment.preset.name,
                f"seed{self.experiment.seed}",
            ]
        elif self.baseline is not None:
            words = ["baseline", self.baseline.component.name, self.baseline.environment]
            words += _heard(self.baseline.condition)
        elif self.answers is not None:
            words = ["answers", self.answers.name[:60], self.answers.track]
        else:
            words = ["run"]
        return "-".join([*("".join(c if c.isalnum() else "_" for c in w) for w in words), self.key])


class RunRecord(_OfAnExperiment):
    """The record of one run: of a model (`experiment`), a baseline (`baseline`), or answers from elsewhere.

    Answers to a track of several cases have no evaluation here, but in the track's record beside it.
    """

    status: Literal["finished", "failed"]
    evaluation: Evaluation | None = None
    failure: Failure | None = None
    notes: dict[str, Any] = Field(default_factory=dict)


class CaseResult(_Strict):
    """What came out of one case of a track, and what was heard in it."""

    label: str
    condition: Condition
    data_digest: str
    evaluation: Evaluation


class TrackRecord(_OfAnExperiment):
    """The record of one run on one track: its cases in the order of the table's columns.

    `key`, `experiment`, `training` and `cost` are those of the run; `provenance` is the test's own.
    """

    track: str
    track_version: int
    cases: list[CaseResult]

    @property
    def test_digest(self) -> str:
        """Hash of what was heard in all cases: only results with the same are ranked together."""
        return digest([[case.label, case.data_digest] for case in self.cases])


def _heard(condition: Condition) -> list[str]:
    """A word for a condition other than the usual one, for the names of folders."""
    return ["_".join(str(condition).replace(",", "").split())] if str(condition) else []
