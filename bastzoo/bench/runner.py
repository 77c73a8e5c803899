"""One run from experiment to record: `train_run`, `baseline_run`, and what a track asks of either.

`bastzoo train`, `bastzoo evaluate` and `bastzoo bench` are made of these.
"""

from __future__ import annotations

import csv
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch

from bastzoo.bench.stopping import Stopping
from bastzoo.bench.tracks import Case, Track
from bastzoo.bench.workbench import Workbench, input_shape, usual_frontend
from bastzoo.conditions import Condition
from bastzoo.data.batches import SPLITS, ClipSet, DataSet
from bastzoo.data.places import count_places
from bastzoo.data.recorded.dataset import RecordedData
from bastzoo.engine.checkpoint import Checkpoints, Interrupted
from bastzoo.engine.evaluation import Answers, cost, localize, localize_baseline, score
from bastzoo.engine.observer import Observer
from bastzoo.engine.processes import check_shares, is_lost, lost, together
from bastzoo.engine.training import TrainingResult, train
from bastzoo.engine.weights import load_weights, weights_of
from bastzoo.errors import BastzooError, FolderError, RecordError, TrainingError
from bastzoo.experiment import MODEL_KINDS, DataSize, Experiment, Preset, ResolvedComponent
from bastzoo.model import BinauralLocalizer
from bastzoo.records.provenance import provenance, reset_peak_memory
from bastzoo.records.record import (
    BaselineExperiment,
    CaseResult,
    Cost,
    Evaluation,
    Failure,
    RunRecord,
    TrackRecord,
    Training,
)
from bastzoo.records.store import (
    HISTORY_FILE,
    PREDICTIONS_FILE,
    WEIGHTS_FILE,
    RunStore,
    in_sentences,
)
from bastzoo.registry import Component, Registry

Fill = Callable[[Path], None]
_EVALUATION_BATCH = 128
_BASELINE_FIT_CLIPS = 5_000


def train_run(
    experiment: Experiment,
    *,
    workbench: Workbench,
    store: RunStore,
    observer: Observer | None = None,
    checkpoints: Checkpoints | None = None,
    stopping: Stopping | None = None,
) -> RunRecord:
    """Train, evaluate on the test split of the same environment, measure the cost, write the run.

    checkpoints: where training keeps what it needs to go on after a kill.
    stopping: lets training keep a checkpoint before a signal ends the process.

    A run that fails is written too, as a record with its traceback; only an interrupt, and a folder
    that cannot be written, come through.
    """
    data = workbench.data_of(experiment)
    check_shares(len(data.split("train")), experiment.preset.recipe.batch, workbench.accelerator)
    deferred = nullcontext() if stopping is None else stopping.deferred()

    def work() -> tuple[dict[str, Any], Fill]:
        model = workbench.build(experiment).to(workbench.device)
        loss = workbench.loss(experiment, model)
        training, validation = data.split("train"), data.split("validation")
        with deferred, _writing_checkpoints(store, checkpoints):
            result = train(
                model,
                loss,
                recipe=experiment.preset.recipe,
                training=training,
                validation=validation,
                accelerator=workbench.accelerator,
                seed=experiment.seed,
                observer=observer,
                checkpoints=checkpoints,
            )
        answers, evaluation = _evaluate(
            model, data.split("test"), experiment.environment, workbench
        )
        parts = {
            "training": _training(result),
            "evaluation": evaluation,
            "cost": Cost(
                **cost(model, shape=input_shape(experiment), accelerator=workbench.accelerator)
            ),
        }
        return parts, partial(_fill, answers=answers, model=model, history=result.history)

    return _record(
        {"key": experiment.key, "experiment": experiment, "notes": _notes(data)},
        work,
        workbench=workbench,
        store=store,
        stopping=stopping,
    )


@contextmanager
def _writing_checkpoints(store: RunStore, checkpoints: Checkpoints | None) -> Iterator[None]:
    """A checkpoint that cannot be written is the folder's fault, not the run's."""
    try:
        yield
    except OSError:
        if checkpoints is None or not checkpoints.cannot_write:
            raise
        with in_sentences(store.folder):
            raise


def load_run(path: Path, record: RunRecord, *, workbench: Workbench) -> BinauralLocalizer:
    """Build the model of a finished run, with its trained weights, on the workbench's device.

    Raises RecordError when the run holds no model, or one of components that have changed since.
    """
    experiment = record.experiment
    weights = path / WEIGHTS_FILE
    if experiment is None or record.status != "finished" or not weights.is_file():
        raise RecordError(
            f"The run {path.name!r} holds no trained model ({record.status}); "
            "train it again with `bastzoo train`."
        )
    _check_versions(path, experiment, workbench.registry)
    model = workbench.build(experiment)
    try:
        load_weights(model, weights.read_bytes())
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise RecordError(
            f"The weights {str(weights)!r} cannot be read, or are not those of the run's model; "
            "train it again."
        ) from error
    return model.to(workbench.device)


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


def track_run(
    record: RunRecord,
    track: Track,
    *,
    workbench: Workbench,
    store: RunStore,
    fitted_on: Workbench | None = None,
    observer: Callable[[str], None] = lambda _: None,
) -> TrackRecord:
    """Test a finished run, of a model or a baseline, in every case of a track, and keep the results.

    fitted_on: hears what the run heard, where the test hears something else: baselines are fitted again.
    observer: told the label of each case before it is tested.

    Raises RecordError when the run holds no model, or cannot be tested here any more.
    """
    started = time.perf_counter()
    path = store.path(record.key)
    if path is None:
        raise RecordError(f"There is no run {record.key!r} in {str(store.folder)!r}.")
    reset_peak_memory(workbench.device)
    if record.experiment is not None:
        model = load_run(path, record, workbench=workbench)
        ask = partial(localize, model, batch=_EVALUATION_BATCH, accelerator=workbench.accelerator)
    else:
        assert record.baseline is not None
        fitted = _fitted(record.baseline, fitted_on or workbench)
        ask = partial(localize_baseline, fitted, batch=_EVALUATION_BATCH)
    results = []
    for case in track.cases:
        observer(case.label)
        results.append(_case_result(record, case, ask, workbench))
    found = TrackRecord(
        key=record.key,
        experiment=record.experiment,
        baseline=record.baseline,
        training=record.training,
        cost=record.cost,
        provenance=provenance(
            device=workbench.device,
            seconds=time.perf_counter() - started,
            components=_components(record.tested, workbench.registry),
        ),
        track=track.name,
        track_version=track.version,
        cases=results,
    )
    store.write_track(found)
    return found


def is_current(found: TrackRecord, track: Track, *, workbench: Workbench) -> bool:
    """Whether kept results are those that the track would give now: same version, same clips."""
    if found.track_version != track.version or len(found.cases) != len(track.cases):
        return False
    return all(
        (result.label, result.data_digest) == (case.label, _digest(found, case, workbench))
        for result, case in zip(found.cases, track.cases, strict=True)
    )


def _case_result(
    record: RunRecord,
    case: Case,
    ask: Callable[[ClipSet], Answers],
    workbench: Workbench,
) -> CaseResult:
    heard = _heard_in(record, case, workbench)
    data = workbench.data(*heard)
    clips = data.split("test") if record.experiment is not None else data.waveforms("test")
    return CaseResult(
        label=case.label,
        condition=case.condition,
        data_digest=data.digest,
        evaluation=_evaluation(ask(clips), clips, workbench.environment_name(heard[0]), workbench),
    )


def _digest(record: RunRecord | TrackRecord, case: Case, workbench: Workbench) -> str:
    return workbench.digest(*_heard_in(record, case, workbench))


def _heard_in(
    record: RunRecord | TrackRecord, case: Case, workbench: Workbench
) -> tuple[str, DataSize, Condition, ResolvedComponent]:
    """What of the data a run hears in a case: environment, sizes, condition, frontend."""
    environment = case.environment or record.tested.environment
    if record.experiment is not None:
        frontend = record.experiment.components["frontend"]
        return environment, record.experiment.preset.data, case.condition, frontend
    assert record.baseline is not None
    frontend = usual_frontend(workbench.registry)
    return environment, record.baseline.data, case.condition, frontend


def baseline_experiment(
    name: str,
    *,
    workbench: Workbench,
    preset: Preset,
    environment: str,
    condition: Condition | None = None,
) -> BaselineExperiment:
    """Resolve a baseline: fitted on the first sounds of the training split, tested like the models."""
    condition = workbench.condition(environment, condition)
    frontend = usual_frontend(workbench.registry)
    heard = (environment, preset.data, condition, frontend)
    scenes = None
    if workbench.source.layout == "rendered":
        scenes = workbench.environment(environment).scenes
    if workbench.source.layout == "rendered" and scenes is None:
        # Whole sounds, each from everywhere: templates of neighbouring directions made of the same
        # sounds tell them apart better than as many clips drawn at random do.
        own = workbench.listeners.of(preset.data)["train"]
        places = count_places(workbench.environment(environment), own, condition, preset.data)
        sounds = min(preset.data.train_sounds, max(1, _BASELINE_FIT_CLIPS // places))
        clips = sounds * places
    else:
        clips = min(_BASELINE_FIT_CLIPS, len(workbench.data(*heard).split("train")))
    return BaselineExperiment(
        component=ResolvedComponent.of(workbench.registry.get("baseline", name), preset),
        environment=workbench.environment_name(environment),
        data=preset.data,
        source=workbench.source,
        condition=condition,
        data_digest=workbench.digest(*heard),
        fit_clips=clips,
    )


def baseline_run(
    experiment: BaselineExperiment,
    *,
    workbench: Workbench,
    store: RunStore,
    stopping: Stopping | None = None,
) -> RunRecord:
    """Fit a baseline on training clips, evaluate it on the test split, write the run."""
    data = _baseline_data(experiment, workbench)

    def work() -> tuple[dict[str, Any], Fill]:
        baseline = _fitted(experiment, workbench)
        clips = data.waveforms("test")
        answers = localize_baseline(baseline, clips, batch=_EVALUATION_BATCH)
        evaluation = _evaluation(answers, clips, experiment.environment, workbench)
        return {"evaluation": evaluation}, partial(_fill, answers=answers)

    return _record(
        {"key": experiment.key, "baseline": experiment, "notes": _notes(data)},
        work,
        workbench=workbench,
        store=store,
        stopping=stopping,
    )


def _fitted(experiment: BaselineExperiment, workbench: Workbench) -> Any:
    """The baseline, fitted on its clips of the training split."""
    baseline = workbench.component("baseline", experiment.component).build()
    training = _baseline_data(experiment, workbench).waveforms("train")
    chosen = training.sound_by_sound()[: experiment.fit_clips]
    parts = [training.take(part) for part in chosen.split(_EVALUATION_BATCH)]
    baseline.fit(
        torch.cat([part.inputs for part in parts]),
        torch.cat([part.targets["direction"] for part in parts]),
    )
    return baseline


def _baseline_data(experiment: BaselineExperiment, workbench: Workbench) -> DataSet:
    return workbench.data(
        experiment.environment,
        experiment.data,
        experiment.condition,
        usual_frontend(workbench.registry),
    )


def _notes(data: DataSet) -> dict[str, Any]:
    """What a reader of the record should know of recorded data: its splits, and rows that were left out."""
    if not isinstance(data, RecordedData):
        return {}
    counts = {f"{split}_sounds": len(data.split(split).sound_ids) for split in SPLITS}
    return {**counts, **({"skipped_rows": data.skipped} if data.skipped else {})}


def _record(
    identity: dict[str, Any],
    work: Callable[[], tuple[dict[str, Any], Fill]],
    *,
    workbench: Workbench,
    store: RunStore,
    stopping: Stopping | None = None,
) -> RunRecord:
    """Do the work of a run and write its record, whether it succeeds or raises.

    What fails once the process is to stop (its parent is gone, its output is closed) says nothing of the
    run: it is interrupted.
    """
    started = time.perf_counter()
    reset_peak_memory(workbench.device)
    accelerator, key = workbench.accelerator, identity["key"]
    before = store.get(key) if accelerator.num_processes > 1 else None
    writes = accelerator.is_main_process
    fill: Fill | None = None
    try:
        parts, fill = work()
    except FolderError:
        raise
    except Exception as error:  # whatever a component raises is this run's failure, not the grid's
        if stopping is not None and stopping.signal:
            raise Interrupted(stopping.signal) from error
        if accelerator.num_processes > 1 and is_lost(error):
            found = store.get(key)  # one that has failed on its own has left its reason there
            if found is None or found == before:
                raise lost() from error
            return found
        parts = {"failure": _failure(error)}
        # All processes see that a loss is not finite; anything else is known to this one alone.
        writes = writes or not isinstance(error, TrainingError)
    record = RunRecord(
        **identity,
        **parts,
        status="failed" if "failure" in parts else "finished",
        provenance=provenance(
            device=workbench.device,
            seconds=time.perf_counter() - started,
            components=_components(
                identity.get("experiment") or identity["baseline"], workbench.registry
            ),
        ),
    )
    if writes:
        try:
            store.write(record, fill)
        except BastzooError:
            raise
        except Exception as error:  # what a component gives to be kept can be beyond writing
            failed = {"status": "failed", "failure": _failure(error)}
            kept = record.model_dump(include={*identity, "provenance"})
            record = RunRecord.model_validate({**kept, **failed})
            store.write(record)
    if "failure" not in parts:  # one that has failed ends, and the others with it
        with suppress(Interrupted), together():
            accelerator.wait_for_everyone()
    return record


def _components(tested: Experiment | BaselineExperiment, registry: Registry) -> list[Component]:
    """The registered components that a run is made of."""
    if isinstance(tested, BaselineExperiment):
        return [registry.get("baseline", tested.component.name)]
    return [registry.get(kind, each.name) for kind, each in tested.components.items()]


def _evaluate(
    model: BinauralLocalizer, clips: ClipSet, environment: str, workbench: Workbench
) -> tuple[Answers, Evaluation]:
    answers = localize(model, clips, batch=_EVALUATION_BATCH, accelerator=workbench.accelerator)
    return answers, _evaluation(answers, clips, environment, workbench)


def _evaluation(
    answers: Answers, clips: ClipSet, environment: str, workbench: Workbench
) -> Evaluation:
    found = score(answers, clips, workbench.metrics)
    return Evaluation(environment=environment, clips=len(clips), **found)


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
    np.savez_compressed(folder / PREDICTIONS_FILE, **answers.arrays())  # type: ignore[arg-type]
    if model is not None:
        # Bytes first: the library's own writer hides a full disk behind an error of its own.
        (folder / WEIGHTS_FILE).write_bytes(weights_of(model))
    if history:
        with (folder / HISTORY_FILE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(history[0]))
            writer.writeheader()
            writer.writerows(history)
