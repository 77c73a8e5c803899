"""One run from experiment to record: `train_run`, `baseline_run`.

`bastzoo train` and `bastzoo bench` are made of these; `track_run` tests what they made.
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
import torch

from bastzoo.acoustics.sounds import SPLITS
from bastzoo.conditions import Condition
from bastzoo.data.batches import ClipSet, DataSet
from bastzoo.data.recorded.dataset import RecordedData
from bastzoo.data.rendering.places import count_places
from bastzoo.engine.checkpoint import Checkpoints, Interrupted
from bastzoo.engine.evaluation import Answers, cost, localize, localize_baseline, score
from bastzoo.engine.observer import Observer
from bastzoo.engine.processes import check_shares, is_lost, lost, together
from bastzoo.engine.training import TrainingResult, train
from bastzoo.engine.weights import weights_of
from bastzoo.errors import BastzooError, FolderError, TrainingError
from bastzoo.experiment import Experiment, ResolvedComponent
from bastzoo.harness.stopping import Stopping
from bastzoo.harness.workbench import Workbench
from bastzoo.harness.workbench.session import input_shape, usual_frontend
from bastzoo.model import BinauralLocalizer
from bastzoo.presets import Preset
from bastzoo.records.provenance import provenance, reset_peak_memory
from bastzoo.records.record import (
    BaselineExperiment,
    Cost,
    Evaluation,
    Failure,
    RunRecord,
    Training,
    Validation,
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
EVALUATION_BATCH = 128
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
    data = workbench.data.of(experiment)
    check_shares(
        len(data.split("train")), experiment.preset.recipe.batch, workbench.session.accelerator
    )
    deferred = nullcontext() if stopping is None else stopping.deferred()

    def work() -> tuple[dict[str, Any], Fill]:
        model = workbench.session.build(experiment).to(workbench.session.device)
        loss = workbench.session.loss(experiment, model)
        training, validation = data.split("train"), data.split("validation")
        with deferred, _writing_checkpoints(store, checkpoints):
            result = train(
                model,
                loss,
                recipe=experiment.preset.recipe,
                training=training,
                validation=validation,
                accelerator=workbench.session.accelerator,
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
                **cost(
                    model, shape=input_shape(experiment), accelerator=workbench.session.accelerator
                )
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
        with in_sentences(store.folder, "--runs"):
            raise


def baseline_experiment(
    name: str,
    *,
    workbench: Workbench,
    preset: Preset,
    environment: str,
    condition: Condition | None = None,
) -> BaselineExperiment:
    """Resolve a baseline: fitted on the first sounds of the training split, tested like the models."""
    condition = workbench.data.condition(environment, condition)
    frontend = usual_frontend(workbench.session.registry)
    heard = (environment, preset.data, condition, frontend)
    scenes = None
    if workbench.data.source.layout == "rendered":
        scenes = workbench.data.environment(environment).scenes
    if workbench.data.source.layout == "rendered" and scenes is None:
        # Whole sounds, each from everywhere: templates of neighbouring directions made of the same
        # sounds tell them apart better than as many clips drawn at random do.
        own = workbench.data.listeners.of(preset.data)["train"]
        places = count_places(workbench.data.environment(environment), own, condition, preset.data)
        sounds = min(preset.data.train_sounds, max(1, _BASELINE_FIT_CLIPS // places))
        clips = sounds * places
    else:
        clips = min(_BASELINE_FIT_CLIPS, len(workbench.data.clips(*heard).split("train")))
    return BaselineExperiment(
        component=ResolvedComponent.of(workbench.session.registry.get("baseline", name), preset),
        environment=workbench.data.environment_name(environment),
        data=preset.data,
        source=workbench.data.source,
        condition=condition,
        data_digest=workbench.data.digest(*heard),
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
        baseline = fitted(experiment, workbench)
        clips = data.waveforms("test")
        answers = localize_baseline(baseline, clips, batch=EVALUATION_BATCH)
        evaluation = evaluation_of(answers, clips, experiment.environment, workbench)
        return {"evaluation": evaluation}, partial(_fill, answers=answers)

    return _record(
        {"key": experiment.key, "baseline": experiment, "notes": _notes(data)},
        work,
        workbench=workbench,
        store=store,
        stopping=stopping,
    )


def fitted(experiment: BaselineExperiment, workbench: Workbench) -> Any:
    """The baseline, fitted on its clips of the training split."""
    baseline = workbench.session.component("baseline", experiment.component).build()
    training = _baseline_data(experiment, workbench).waveforms("train")
    chosen = training.sound_by_sound()[: experiment.fit_clips]
    parts = [training.take(part) for part in chosen.split(EVALUATION_BATCH)]
    baseline.fit(
        torch.cat([part.inputs for part in parts]),
        torch.cat([part.targets["direction"] for part in parts]),
    )
    return baseline


def _baseline_data(experiment: BaselineExperiment, workbench: Workbench) -> DataSet:
    return workbench.data.clips(
        experiment.environment,
        experiment.data,
        experiment.condition,
        usual_frontend(workbench.session.registry),
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
    reset_peak_memory(workbench.session.device)
    accelerator, key = workbench.session.accelerator, identity["key"]
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
            device=workbench.session.device,
            seconds=time.perf_counter() - started,
            components=components_of(
                identity.get("experiment") or identity["baseline"], workbench.session.registry
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


def components_of(
    tested: Experiment | BaselineExperiment | None, registry: Registry
) -> list[Component]:
    """The registered components that a run is made of; none of what is neither model nor baseline."""
    if tested is None:
        return []
    if isinstance(tested, BaselineExperiment):
        return [registry.get("baseline", tested.component.name)]
    return [registry.get(kind, each.name) for kind, each in tested.components.items()]


def _evaluate(
    model: BinauralLocalizer, clips: ClipSet, environment: str, workbench: Workbench
) -> tuple[Answers, Evaluation]:
    answers = localize(
        model, clips, batch=EVALUATION_BATCH, accelerator=workbench.session.accelerator
    )
    return answers, evaluation_of(answers, clips, environment, workbench)


def evaluation_of(
    answers: Answers, clips: ClipSet, environment: str, workbench: Workbench
) -> Evaluation:
    """The metrics of answers to the clips of an environment."""
    found = score(answers, clips, workbench.session.metrics)
    return Evaluation(environment=environment, clips=len(clips), **found)


def _training(result: TrainingResult) -> Training:
    values = asdict(result)
    validations = [
        Validation(step=int(row["step"]), ad=row["validation_ad"], seconds=row["seconds"])
        for row in values.pop("history")
    ]
    return Training(**values, validations=validations)


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
