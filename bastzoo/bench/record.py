"""The run record: one JSON file that says what was run, how, where, and what came out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bastzoo.experiment import DataSize, Experiment, ResolvedComponent, digest

PROTOCOL_VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaselineExperiment(_Strict):
    """What decides the result of a baseline: the method, the data, and how many clips it is fitted on."""

    component: ResolvedComponent
    environment: str
    data: DataSize
    data_digest: str
    fit_clips: int

    @property
    def key(self) -> str:
        """The run's key: 16 hexadecimal digits of the SHA-256 of the experiment."""
        return digest({"baseline": self.model_dump(mode="json")})

    def __str__(self) -> str:
        return f"{self.component.name} on {self.environment}"


class Evaluation(_Strict):
    """Metrics of one split (docs/protocol.md), in all, by room, by azimuth and by sound."""

    environment: str
    split: str = "test"
    clips: int
    metrics: dict[str, float | int | None]
    by_room: dict[str, dict[str, float | int | None]]
    by_azimuth: list[dict[str, float | int | None]]
    by_sound: dict[str, list[Any]]


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


class RunRecord(_Strict):
    """The record of one run: of a model (`experiment`) or of a baseline (`baseline`)."""

    schema_version: Literal[1] = 1
    protocol_version: int = PROTOCOL_VERSION
    key: str
    status: Literal["finished", "failed"]
    experiment: Experiment | None = None
    baseline: BaselineExperiment | None = None
    training: Training | None = None
    evaluation: Evaluation | None = None
    cost: Cost | None = None
    failure: Failure | None = None
    provenance: Provenance
    notes: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """A readable name for the run's folder: what was run, then the key."""
        if self.experiment is not None:
            chosen = self.experiment.combination
            words = [
                *str(chosen).split("/"),
                self.experiment.environment,
                self.experiment.preset.name,
                f"seed{self.experiment.seed}",
            ]
        elif self.baseline is not None:
            words = ["baseline", self.baseline.component.name, self.baseline.environment]
        else:
            words = ["run"]
        return "-".join([*("".join(c if c.isalnum() else "_" for c in w) for w in words), self.key])
