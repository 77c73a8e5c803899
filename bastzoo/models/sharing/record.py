"""What a model that left the harness says of itself: the file `model.json` beside its weights."""

from __future__ import annotations

import importlib.metadata
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.experiment import Experiment, ResolvedComponent
from bastzoo.presets import ModelSize
from bastzoo.registry import MODEL_KINDS

if TYPE_CHECKING:
    from bastzoo.conditions import DataSource
    from bastzoo.records.record import Evaluation, RunRecord, TrackRecord
    from bastzoo.registry import Registry

MODEL_SCHEMA = 1
"""Raised when a record of the new form cannot be read by the old code."""

_LARGEST = 65_536
_DEEPEST = 256
_FOLDERS = ("--runs", "--out", "--cache")
_FIGURES = ("ad_mean", "ad_median", "front_back_rate", "acc_5", "class_accuracy")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelComponent(ResolvedComponent):
    """A component of a model, and the package that it comes from."""

    distribution: str = ""
    distribution_version: str = ""


class TrainedOn(_Strict):
    """What a model has heard, and how it was trained."""

    environment: str
    condition: str = ""
    source: str = ""
    loss: str = ""
    preset: str = ""
    steps: int = Field(default=0, ge=0)
    seed: int = 0
    precision: str = "no"
    data_digest: str = ""
    command: str = ""


class Tested(_Strict):
    """Figures of one test: degrees, and shares of 0 to 1."""

    test: str
    clips: int
    figures: dict[str, float]


class WeightsFile(_Strict):
    """The file of the weights. precision: of the numbers in it; they are computed with in float32."""

    file: str = Field(pattern=r"^[\w.-]+\.safetensors$")
    bytes: PositiveInt
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    precision: Literal["float32", "float16"] = "float32"


class ModelRecord(_Strict):
    """All that is needed to build a model again and to know what it is worth.

    components: frontend, backbone, integration and head, each with its parameters and its package.
    size: what the preset offered to the components. classes: names, for heads that answer one.
    blind_to: what the design provably cannot tell, in sentences.
    experiment: what the model is the result of, as its run had it: so it can be tested like a run.
    Angles are those of `bastzoo.directions`: counter-clockwise, 0 front, +90 left.
    """

    schema_version: Literal[1] = 1
    name: str
    summary: str = ""
    components: dict[str, ModelComponent]
    sharing: Literal["SP", "NSP"]
    size: ModelSize
    sample_rate: Literal[16000] = 16000
    clip_samples: int = Field(default=CLIP_SAMPLES, ge=256, le=_LARGEST)
    azimuth: Literal["counter-clockwise"] = "counter-clockwise"
    parameters: int = Field(default=0, ge=0)
    trained_on: TrainedOn | None = None
    tested: list[Tested] = Field(default_factory=list)
    blind_to: list[str] = Field(default_factory=list)
    licence: str = ""
    citations: list[str] = Field(default_factory=list)
    weights: WeightsFile | None = None
    experiment: Experiment | None = None
    made_by: dict[str, str] = Field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the head answers; none for a head without."""
        return tuple(self.components["head"].parameters.get("classes", ()))

    @property
    def has_elevation(self) -> bool:
        """Whether the head answers directions on the sphere, and not azimuths alone."""
        head = self.components["head"]
        parts = head.parameters.get("parts", ())
        return (
            head.parameters.get("coordinates") == 3
            or head.name in ("direction", "multi")
            or "direction" in parts
            or "elevation" in parts
        )

    def faults(self) -> list[str]:
        """What cannot be true of a model, in phrases; none for a sound record."""
        found = [f"it names no {kind}" for kind in MODEL_KINDS if kind not in self.components]
        for name, value in self.size:
            most = _DEEPEST if name == "depth" else _LARGEST
            if max(value if isinstance(value, tuple) else (value,)) > most:
                found.append(f"its size {name} is {value}, of {most:,} at most")
        return found


def model_components(
    components: Mapping[str, ResolvedComponent], registry: Registry
) -> dict[str, ModelComponent]:
    """Components with the packages that they come from."""
    found = {}
    for kind in MODEL_KINDS:
        resolved = components[kind]
        distribution = registry.get(kind, resolved.name).distribution
        found[kind] = ModelComponent(
            **resolved.model_dump(),
            distribution=distribution,
            distribution_version=_version(distribution),
        )
    return found


def blindness(record: ModelRecord, registry: Registry) -> list[str]:
    """What the design provably cannot tell."""
    joined = f"{record.components['integration'].name}+{record.sharing}"
    told = registry.get("backbone", record.components["backbone"].name).blindness.get(joined)
    phase = record.components["frontend"].name in ("spectrogram", "mel")
    return [
        *([f"{joined}: {told}"] if told else []),
        *(["time differences between the ears: only magnitudes are heard"] if phase else []),
    ]


def record_of_experiment(
    experiment: Experiment, registry: Registry, *, name: str, command: str = ""
) -> ModelRecord:
    """The record of an experiment's model, without figures and weights."""
    components = model_components(experiment.components, registry)
    record = ModelRecord(
        name=name,
        components=components,
        sharing=experiment.combination.sharing,
        size=experiment.preset.model,
        trained_on=TrainedOn(
            environment=experiment.environment,
            condition=str(experiment.condition),
            source=_heard(experiment.source),
            loss=experiment.combination.loss,
            preset=experiment.preset.name,
            steps=experiment.preset.recipe.steps,
            seed=experiment.seed,
            precision=experiment.precision,
            data_digest=experiment.data_digest,
            command=portable(command),
        ),
        experiment=experiment,
        licence="Apache-2.0",
    )
    papers = (registry.get(kind, component.name).citation for kind, component in components.items())
    cited = [paper for paper in dict.fromkeys(papers) if paper and paper != "none"]
    return record.model_copy(update={"blind_to": blindness(record, registry), "citations": cited})


def record_of_run(
    run: RunRecord, tracks: list[TrackRecord], registry: Registry, *, name: str, command: str
) -> ModelRecord:
    """The record of a run's model, with what its own test and its tracks found.

    Raises ValueError for the run of a baseline, which has no model.
    """
    if run.experiment is None:
        raise ValueError("a baseline has no model")
    record = record_of_experiment(run.experiment, registry, name=name, command=command)
    tested = []
    if run.evaluation is not None:
        tested.append(_tested(f"{run.experiment.environment}, its own test", run.evaluation))
    for track in tracks:
        tested += [
            _tested(
                f"{track.track}, {case.label}" if len(track.cases) > 1 else track.track,
                case.evaluation,
            )
            for case in track.cases
        ]
    parameters = run.cost.parameters if run.cost else 0
    steps = run.training.best_step if run.training else 0
    trained = record.trained_on
    assert trained is not None
    return record.model_copy(
        update={
            "tested": tested,
            "parameters": parameters,
            "trained_on": trained.model_copy(update={"steps": steps or trained.steps}),
            "made_by": dict(run.provenance.versions),
        }
    )


def portable(command: str) -> str:
    """A command without the folders of the machine that it was given on (`--runs`, `--cache`)."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    kept, skip = [], False
    for word in words:
        name = word.partition("=")[0]
        if not skip and name not in _FOLDERS:
            kept.append(word)
        skip = not skip and word in _FOLDERS  # its value comes next
    return shlex.join(kept)


def _heard(source: DataSource) -> str:
    """What was heard in the place of what ships: names, without the folders of the machine."""
    given = [source.path, *source.own_listeners, source.sounds]
    names = [Path(name).name if Path(name).is_absolute() else name for name in given if name]
    return ", ".join(names)


def _tested(test: str, evaluation: Evaluation) -> Tested:
    figures = {
        name: float(value)
        for name in _FIGURES
        if (value := evaluation.metrics.get(name)) is not None
    }
    return Tested(test=test, clips=evaluation.clips, figures=figures)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution) if distribution else ""
    except importlib.metadata.PackageNotFoundError:
        return ""
