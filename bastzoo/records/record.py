"""The run record: one JSON file that says what was run, how, where, and what came out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from bastzoo.conditions import Condition, DataSource
from bastzoo.experiment import Experiment, ResolvedComponent, digest
from bastzoo.limits.bounds import Amount, Angle, Finite, Name, Natural, Plain, Text, Whole
from bastzoo.presets import DataSize
from bastzoo.registry import COMBINATION_KINDS

PROTOCOL_VERSION = 1
RECORD_SCHEMA = 1
"""Raised when a record of the new form cannot be read by the old code."""


Key = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
"""The key of a run: folders and claims are called by it."""
Figures = dict[Name, Finite | Whole | None]

_ANGLES = ("ad_mean", "ad_median", "ad_p90", "lateral_error", "folded_ad")
_SHARES = ("acc_5", "acc_10", "acc_20", "front_back_rate", "left_right_rate", "class_accuracy")
_ROUNDING = 1e-6
_OF_AN_AZIMUTH = frozenset({"azimuth", "count", "ad_mean"})
_OF_A_CLASS = frozenset({"clips", "precision", "recall", "f1", "ad_mean"})


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _HeardExperiment(_Strict):
    """What every tested thing that is no trained model says of the data that it was tested on.

    data_digest: of the clips; of several cases, of the first one's.
    """

    environment: Name
    data: DataSize
    source: DataSource = Field(default_factory=DataSource)
    condition: Condition = Field(default_factory=Condition)
    data_digest: Name

    _kind: ClassVar[str]

    @property
    def key(self) -> str:
        """The run's key: 16 hexadecimal digits of the SHA-256 of all of it but the words for the data."""
        decides = self.model_dump(mode="json", exclude={"source", "condition"})
        return digest({self._kind: decides})


class BaselineExperiment(_HeardExperiment):
    """What decides the result of a baseline: the method, the data, and how many clips it is fitted on."""

    component: ResolvedComponent
    fit_clips: Natural

    _kind: ClassVar[str] = "baseline"

    def __str__(self) -> str:
        heard = f", {self.condition}" if str(self.condition) else ""
        return f"{self.component.name} on {self.environment}{heard}"


class AnswersExperiment(_HeardExperiment):
    """What decides the figures of answers from elsewhere: whose they are, to which clips, and what they say.

    track: with the version that was answered. answers_digest: of all answers, in the order of the clips.
    """

    name: Name
    track: Name
    track_version: Natural
    answers_digest: Name

    _kind: ClassVar[str] = "answers"

    def __str__(self) -> str:
        return f"{self.name} (scored from answers) on the track {self.track}"


class Definition(_Strict):
    """What a figure of a metric is (`bastzoo.metrics.metric.Figure`), so that a record can be read alone.

    version: of the definition. of_head: whether it is of something that only some heads answer.
    """

    words: Name
    definition: Text
    unit: Name = ""
    better: Literal["lower", "higher", ""] = "lower"
    version: Natural = 1
    of_head: bool = False


class Evaluation(_Strict):
    """Metrics of one split (docs/protocol.md), in all, by room, by azimuth and by sound.

    by_class, confusion: of runs that say what a sound was; a row of `confusion` is a true class.
    definitions: what figures mean that the first records did not have, or had by another definition.
    """

    environment: Name
    split: Name = "test"
    clips: Natural
    metrics: Figures
    by_room: dict[Name, Figures]
    by_azimuth: list[Figures]
    by_sound: dict[Name, list[Any]]
    by_class: dict[Name, Figures] | None = None
    confusion: list[list[Natural]] | None = None
    definitions: dict[Name, Definition] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> Evaluation:
        if self.metrics.get("ad_mean") is None:
            raise ValueError("metrics has no ad_mean")
        for figures in (self.metrics, *self.by_room.values()):
            _check_range(figures, _ANGLES, 180.0)
            _check_range(figures, _SHARES, 1.0)
        self._check_sounds()
        if not all(map(_OF_AN_AZIMUTH.issubset, self.by_azimuth)):
            raise ValueError(f"by_azimuth lacks one of {', '.join(sorted(_OF_AN_AZIMUTH))}")
        if self.by_class is not None:
            if not all(map(_OF_A_CLASS.issubset, self.by_class.values())):
                raise ValueError(f"by_class lacks one of {', '.join(sorted(_OF_A_CLASS))}")
            lines = [len(self.by_class)] * len(self.by_class)
            if self.confusion is not None and [*map(len, self.confusion)] != lines:
                raise ValueError("confusion has not a row and a column for every class")
        return self

    def _check_sounds(self) -> None:
        """Every sound has an id, and a figure in each of the other lists."""
        for name in ("sounds", "ad_mean", "clips"):
            if name not in self.by_sound:
                raise ValueError(f"by_sound has no {name}")
        if len({len(values) for values in self.by_sound.values()}) > 1:
            raise ValueError("by_sound has not one value for every sound")
        for name, values in self.by_sound.items():
            kinds = set(map(type, values))  # of thousands of records: no loop in Python
            if name == "sounds":
                good = kinds <= {str}
            else:
                most = {"ad_mean": 180.0 + _ROUNDING}.get(name, 1e15)
                least = {"ad_mean": 0.0, "clips": 0.0}.get(name, -1e15)
                good = kinds <= {int, float} and (
                    not values or least <= min(values) <= max(values) <= most
                )
                good = good and not math.isnan(sum(values))  # which is neither least nor most
            if not good:
                raise ValueError(f"by_sound holds a value under {name} that it cannot have")

    @model_serializer(mode="wrap")
    def _as_before(self, form: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave the definitions out where there are none: earlier versions read such records too."""
        found = form(self)
        if not self.definitions:
            found.pop("definitions", None)
        return found


def _check_range(figures: Figures, names: tuple[str, ...], most: float) -> None:
    """Raise ValueError for a figure that its definition cannot give."""
    for name in names:
        value = figures.get(name)
        if value is not None and not 0 <= value <= most + _ROUNDING:
            raise ValueError(f"{name} is {value:g}, out of 0 to {most:g}")


class Validation(_Strict):
    """The mean AD of the validation clips after so many steps, `seconds` after training began."""

    step: Natural
    ad: Angle
    seconds: Amount


class Training(_Strict):
    """How training went; the history of losses lies beside the record, in `history.csv`.

    validations: in their order; none in records of before they were kept.
    """

    steps: Natural
    best_step: Natural
    best_validation_ad: Angle
    seconds: Amount
    stopped_early: bool
    validations: Annotated[list[Validation], Field(max_length=100_000)] = []

    def reached(self, ad: float) -> Validation | None:
        """The first validation with an AD of at most `ad` degrees; None where there was none."""
        return next((each for each in self.validations if each.ad <= ad), None)


class Cost(_Strict):
    """What a clip costs, measured at batch 1 with the frontend; see `engine.evaluation.cost`.

    busy: whether the machine did other work meanwhile, so that the latency says little; None in records of
    before that was asked.
    """

    parameters: Natural
    macs: Annotated[int, Field(ge=0, le=10**18)]
    latency_p50_ms: Amount
    latency_p95_ms: Amount
    real_time_factor: Amount
    busy: bool | None = None


class Provenance(_Strict):
    """Where a record comes from. Nothing in here decides the result."""

    created: Name
    command: Text
    versions: dict[Name, Name]
    commit: Name | None
    platform: Name
    processor: Name
    device: Name
    threads: Natural
    scan: Name
    seconds: Amount
    peak_memory_mb: Amount


class Failure(_Strict):
    """Why a run failed."""

    error: Name
    message: str
    traceback: str


class _OfAnExperiment(_Strict):
    """What every record says: which experiment, of a model or of a baseline, and where it was made."""

    schema_version: Literal[1] = 1
    protocol_version: Natural = PROTOCOL_VERSION
    key: Key
    experiment: Experiment | None = None
    baseline: BaselineExperiment | None = None
    answers: AnswersExperiment | None = None
    training: Training | None = None
    cost: Cost | None = None
    provenance: Provenance

    @model_validator(mode="after")
    def _is_of_something(self) -> _OfAnExperiment:
        if [self.experiment, self.baseline, self.answers].count(None) != 2:
            raise ValueError(
                "it is of one experiment, of one baseline or of one set of answers, and says none or several"
            )
        if self.experiment is not None:
            missing = [k for k in COMBINATION_KINDS if k not in self.experiment.components]
            if missing:
                raise ValueError(f"the experiment has no component of the kind {missing[0]}")
        return self

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
        else:
            assert self.answers is not None
            words = ["answers", self.answers.name[:60], self.answers.track]
        return "-".join([*map(as_in_names, words), self.key])


def as_in_names(words: str) -> str:
    """Words as the names of folders have them.

    >>> as_in_names("My method")
    'My_method'
    """
    return re.sub(r"\W", "_", words)


class RunRecord(_OfAnExperiment):
    """The record of one run: of a model (`experiment`), a baseline (`baseline`), or answers from elsewhere.

    Answers to a track of several cases have no evaluation here, but in the track's record beside it.
    """

    status: Literal["finished", "failed"]
    evaluation: Evaluation | None = None
    failure: Failure | None = None
    notes: Plain = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_what_its_status_says(self) -> RunRecord:
        if (self.status == "failed") != (self.failure is not None):
            raise ValueError("a run that failed has a failure, and no other has one")
        # A model from elsewhere is a run without a test of its own.
        was_tested = self.baseline is not None or self.training is not None
        if self.status == "finished" and was_tested and self.evaluation is None:
            raise ValueError("a run that finished has an evaluation")
        for name, value in self.notes.items():
            if name.endswith("_sounds") and (type(value) is not int or value < 0):
                raise ValueError(f"the note {name} is no number of sounds")
        return self


class CaseResult(_Strict):
    """What came out of one case of a track, and what was heard in it."""

    label: Name
    condition: Condition
    data_digest: Name
    evaluation: Evaluation


class TrackRecord(_OfAnExperiment):
    """The record of one run on one track: its cases in the order of the table's columns.

    `key`, `experiment`, `training` and `cost` are those of the run; `provenance` is the test's own.
    """

    track: Name
    track_version: Natural
    cases: list[CaseResult] = Field(min_length=1)

    @property
    def test_digest(self) -> str:
        """Hash of what was heard in all cases: only results with the same are ranked together."""
        return digest([[case.label, case.data_digest] for case in self.cases])


def _heard(condition: Condition) -> list[str]:
    """A word for a condition other than the usual one, for the names of folders."""
    return ["_".join(str(condition).replace(",", "").split())] if str(condition) else []
