"""One run from experiment to record: `train_run`, `evaluate_run` and `baseline_run`.

`bastzoo train`, `bastzoo evaluate` and `bastzoo bench` are made of these.
"""

from __future__ import annotations

import csv
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.acoustics.heads import default_head
from bastzoo.bench.provenance import provenance, reset_peak_memory
from bastzoo.bench.record import (
    BaselineExperiment,
    Cost,
    Evaluation,
    Failure,
    RunRecord,
    Training,
)
from bastzoo.bench.store import (
    HISTORY_FILE,
    PREDICTIONS_FILE,
    WEIGHTS_FILE,
    RunStore,
)
from bastzoo.data.embedded import ClipSet, EmbeddedData, data_digest
from bastzoo.data.environments import Environment
from bastzoo.engine.evaluation import Answers, cost, localize, localize_baseline, score
from bastzoo.engine.observer import Observer
from bastzoo.engine.training import TrainingResult, train
from bastzoo.errors import BastzooError, ComponentError, RecordError, SetupError
from bastzoo.experiment import (
    MODEL_KINDS,
    Combination,
    DataSize,
    Experiment,
    Preset,
    ResolvedComponent,
    resolve,
)
from bastzoo.model import BinauralLocalizer, build_localizer
from bastzoo.registry import Component, Registry

Fill = Callable[[Path], None]
_EVALUATION_BATCH = 128
_BASELINE_FIT_CLIPS = 5_000


class Workbench:
    """What runs share within a process: the registry, the device, and the data once rendered."""

    def __init__(self, registry: Registry, *, device: str = "auto", precision: str = "no") -> None:
        self.registry = registry
        self.precision = precision
        self.accelerator = _accelerator(device, precision)
        self._data: dict[str, EmbeddedData] = {}

    @property
    def device(self) -> torch.device:
        """The device that models train on and clips are rendered on."""
        return self.accelerator.device

    def environment(self, name: str) -> Environment:
        """Build an environment by name. Raises ComponentError when its plugin raises."""
        component = self.registry.get("environment", name)
        try:
            return component.build()
        except BastzooError:
            raise
        except Exception as error:  # third-party code: its defect is a sentence, not our traceback
            raise ComponentError(
                f"The environment {component.name!r} of {component.distribution} cannot be built: "
                f"{type(error).__name__}: {error}."
            ) from error

    def digest(self, environment: str, size: DataSize) -> str:
        """The digest of an environment's data, without rendering it."""
        return data_digest(self.environment(environment), size, default_head().digest)

    def data(self, environment: str, size: DataSize) -> EmbeddedData:
        """The data of an environment, shared by all runs of this process."""
        key = self.digest(environment, size)
        if key not in self._data:
            self._data[key] = EmbeddedData(
                environment=self.environment(environment), size=size, device=self.device
            )
        return self._data[key]

    def experiment(
        self, combination: Combination, *, preset: Preset, environment: str, seed: int
    ) -> Experiment:
        """Resolve a combination with this workbench's registry, data and precision."""
        return resolve(
            combination,
            registry=self.registry,
            preset=preset,
            environment=environment,
            data_digest=self.digest(environment, preset.data),
            seed=seed,
            precision=self.precision,
        )

    def build(self, experiment: Experiment) -> BinauralLocalizer:
        """Build the untrained model of an experiment; its seed decides the weights."""
        set_seed(experiment.seed)
        return build_localizer(
            {kind: self.component(kind, experiment.components[kind]) for kind in MODEL_KINDS},
            sharing=experiment.combination.sharing,
            size=experiment.preset.model.model_dump(),
            samples=CLIP_SAMPLES,
        )

    def component(self, kind: str, resolved: ResolvedComponent) -> Component:
        """The registered component, with the parameters that an experiment was resolved with."""
        return replace(self.registry.get(kind, resolved.name), parameters=resolved.parameters)


def train_run(
    experiment: Experiment,
    *,
    workbench: Workbench,
    store: RunStore,
    observer: Observer | None = None,
) -> RunRecord:
    """Train, evaluate on the test split of the same environment, measure the cost, write the run.

    A run that fails is written too, as a record with its traceback; only an interrupt, and a folder
    that cannot be written, come through.
    """
    data = workbench.data(experiment.environment, experiment.preset.data)

    def work() -> tuple[dict[str, Any], Fill]:
        model = workbench.build(experiment).to(workbench.device)
        result = train(
            model,
            workbench.component("loss", experiment.components["loss"]).build(),
            recipe=experiment.preset.recipe,
            training=data.split("train"),
            validation=data.split("validation"),
            accelerator=workbench.accelerator,
            seed=experiment.seed,
            observer=observer,
        )
        answers, evaluation = _evaluate(
            model, data.split("test"), experiment.environment, workbench
        )
        parts = {
            "training": _training(result),
            "evaluation": evaluation,
            "cost": Cost(**cost(model, samples=CLIP_SAMPLES, accelerator=workbench.accelerator)),
        }
        return parts, partial(_fill, answers=answers, model=model, history=result.history)

    return _record(
        {"key": experiment.key, "experiment": experiment}, work, workbench=workbench, store=store
    )


def evaluate_run(
    path: Path, record: RunRecord, *, workbench: Workbench, environment: str
) -> Evaluation:
    """Evaluate an existing run on the test split of another environment (or of its own).

    Raises RecordError when the run holds no model.
    """
    experiment = record.experiment
    weights = path / WEIGHTS_FILE
    if experiment is None or record.status != "finished" or not weights.is_file():
        raise RecordError(
            f"The run {path.name!r} holds no trained model ({record.status}); "
            "train it again with `bastzoo train`."
        )
    name = workbench.registry.get("environment", environment).name
    _check_versions(path, experiment, workbench.registry)
    model = workbench.build(experiment)
    try:
        model.load_state_dict(safetensors.torch.load_file(weights))
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise RecordError(
            f"The weights {str(weights)!r} cannot be read, or are not those of the run's model; "
            "train it again."
        ) from error
    data = workbench.data(name, experiment.preset.data)
    return _evaluate(model.to(workbench.device), data.split("test"), name, workbench)[1]


def _check_versions(path: Path, experiment: Experiment, registry: Registry) -> None:
    """Refuse a run of components that have changed since: its weights would mean something else."""
    for kind in MODEL_KINDS:
        then = experiment.components[kind]
        now = registry.get(kind, then.name)
        if (now.version, now.target) != (then.version, then.target):
            raise RecordError(
                f"The run {path.name!r} was trained with version {then.version} of the {kind} "
                f"{then.name!r} ({then.target}); here it has version {now.version} ({now.target}). "
                "Train it again."
            )


def baseline_experiment(
    name: str, *, workbench: Workbench, preset: Preset, environment: str
) -> BaselineExperiment:
    """Resolve a baseline: fitted on the first sounds of the training split, tested like the models."""
    environment = workbench.registry.get("environment", environment).name
    # Whole sounds, each from everywhere: templates of neighbouring directions made of the same sounds
    # tell them apart better than as many clips drawn at random do.
    places = len(workbench.environment(environment).rooms) * 360 // preset.data.azimuth_step
    sounds = min(preset.data.train_sounds, max(1, _BASELINE_FIT_CLIPS // places))
    return BaselineExperiment(
        component=ResolvedComponent.of(workbench.registry.get("baseline", name), preset),
        environment=environment,
        data=preset.data,
        data_digest=workbench.digest(environment, preset.data),
        fit_clips=sounds * places,
    )


def baseline_run(
    experiment: BaselineExperiment, *, workbench: Workbench, store: RunStore
) -> RunRecord:
    """Fit a baseline on training clips, evaluate it on the test split, write the run."""
    data = workbench.data(experiment.environment, experiment.data)

    def work() -> tuple[dict[str, Any], Fill]:
        baseline = workbench.component("baseline", experiment.component).build()
        training = data.split("train")
        parts = [
            training.render(part)
            for part in torch.arange(experiment.fit_clips).split(_EVALUATION_BATCH)
        ]
        baseline.fit(
            torch.cat([part.clips for part in parts]),
            torch.cat([part.targets["direction"] for part in parts]),
        )
        answers = localize_baseline(baseline, data.split("test"), batch=_EVALUATION_BATCH)
        evaluation = _evaluation(answers, data.split("test"), experiment.environment)
        return {"evaluation": evaluation}, partial(_fill, answers=answers)

    return _record(
        {"key": experiment.key, "baseline": experiment}, work, workbench=workbench, store=store
    )


def _record(
    identity: dict[str, Any],
    work: Callable[[], tuple[dict[str, Any], Fill]],
    *,
    workbench: Workbench,
    store: RunStore,
) -> RunRecord:
    """Do the work of a run and write its record, whether it succeeds or raises."""
    started = time.perf_counter()
    reset_peak_memory(workbench.device)
    fill: Fill | None = None
    try:
        parts, fill = work()
    except Exception as error:  # whatever a component raises is this run's failure, not the grid's
        parts = {"failure": _failure(error)}
    record = RunRecord(
        **identity,
        **parts,
        status="failed" if "failure" in parts else "finished",
        provenance=provenance(device=workbench.device, seconds=time.perf_counter() - started),
    )
    store.write(record, fill)
    return record


def _evaluate(
    model: BinauralLocalizer, clips: ClipSet, environment: str, workbench: Workbench
) -> tuple[Answers, Evaluation]:
    answers = localize(model, clips, batch=_EVALUATION_BATCH, accelerator=workbench.accelerator)
    return answers, _evaluation(answers, clips, environment)


def _evaluation(answers: Answers, clips: ClipSet, environment: str) -> Evaluation:
    return Evaluation(environment=environment, clips=len(clips), **score(answers, clips))


def _training(result: TrainingResult) -> Training:
    values = asdict(result)
    del values["history"]
    return Training(**values)


def _failure(error: Exception) -> Failure:
    return Failure(
        error=type(error).__name__,
        message=str(error)
        if isinstance(error, BastzooError)
        else f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )


def _fill(
    folder: Path,
    *,
    answers: Answers,
    model: BinauralLocalizer | None = None,
    history: list[dict[str, float]] | None = None,
) -> None:
    """Put predictions, weights and history beside the record."""
    arrays = {name: value for name, value in asdict(answers).items() if value is not None}
    np.savez_compressed(folder / PREDICTIONS_FILE, **arrays)
    if model is not None:
        state = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
        # Bytes first: the library's own writer hides a full disk behind an error of its own.
        (folder / WEIGHTS_FILE).write_bytes(safetensors.torch.save(state))
    if history:
        with (folder / HISTORY_FILE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(history[0]))
            writer.writeheader()
            writer.writerows(history)


def _accelerator(device: str, precision: str) -> Accelerator:
    """Make the accelerator of a device: `auto`, `cpu`, `cuda` or `mps`."""
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise SetupError(f"There is no device {device!r}; use auto, cpu, cuda or mps.")
    if device == "cuda" and not torch.cuda.is_available():
        raise SetupError(
            "The device 'cuda' was asked for, but torch sees no CUDA GPU here; "
            "use --device cpu, or see `bastzoo doctor`."
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise SetupError("The device 'mps' was asked for, but torch sees none; use --device cpu.")
    if precision == "fp16" and (device == "cpu" or not torch.cuda.is_available()):
        raise SetupError("fp16 training needs a CUDA GPU; use --precision bf16 or no.")
    return Accelerator(cpu=device == "cpu", mixed_precision=precision)
