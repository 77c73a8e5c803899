"""A finished run, tested in the cases of a track.

`bastzoo evaluate`, and `bastzoo bench --track`, are made of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import safetensors
import torch

from bastzoo.conditions import Case, Condition, Track
from bastzoo.data.batches import ClipSet
from bastzoo.engine.evaluation import Answers, localize, localize_baseline
from bastzoo.engine.weights import load_weights
from bastzoo.errors import BastzooError, RecordError
from bastzoo.experiment import Experiment, ResolvedComponent
from bastzoo.harness.runner import EVALUATION_BATCH, components_of, evaluation_of, fitted
from bastzoo.harness.workbench import Workbench
from bastzoo.harness.workbench.session import usual_frontend
from bastzoo.limits.writing import in_bytes
from bastzoo.model import BinauralLocalizer
from bastzoo.presets import DataSize
from bastzoo.records.provenance import provenance, reset_peak_memory
from bastzoo.records.record import (
    CaseResult,
    RunRecord,
    TrackRecord,
)
from bastzoo.records.store import (
    WEIGHTS_FILE,
    RunStore,
)
from bastzoo.registry import MODEL_KINDS, Registry

_LARGER = 4
"""How many times its weights' file a model may take: files may hold half precision."""


def load_run(path: Path, record: RunRecord, *, workbench: Workbench) -> BinauralLocalizer:
    """Build the model of a finished run, with its trained weights, on the workbench's device.

    Raises RecordError when the run holds no model, one of components that have changed since, or one whose
    record asks for far more than its weights fill.
    """
    experiment = record.experiment
    weights = path / WEIGHTS_FILE
    if experiment is None or record.status != "finished" or not weights.is_file():
        raise RecordError(
            f"The run {path.name!r} holds no trained model ({record.status}); "
            "train it again with `bastzoo train`."
        )
    _check_versions(path, experiment, workbench.session.registry)
    _check_sizes(weights, experiment, workbench)
    model = workbench.session.build(experiment)
    try:
        load_weights(model, weights.read_bytes())
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise RecordError(
            f"The weights {str(weights)!r} cannot be read, or are not those of the run's model; "
            "train it again."
        ) from error
    return model.to(workbench.session.device)


def _check_sizes(weights: Path, experiment: Experiment, workbench: Workbench) -> None:
    """Refuse a record that asks for gigabytes before they are filled: first as shapes, without values."""
    try:
        with torch.device("meta"):
            shapes = workbench.session.build(experiment).state_dict()
    except BastzooError:
        raise
    except (
        Exception
    ):  # a component that cannot be built without values: it is built with them later
        return
    asked = sum(value.numel() * value.element_size() for value in shapes.values())
    if asked > _LARGER * weights.stat().st_size:
        raise RecordError(
            f"The weights {str(weights)!r} are far too small for the model of their record "
            f"({in_bytes(weights.stat().st_size)} of {in_bytes(asked)}); they were cut, or belong to another."
        )


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
    if record.answers is not None:
        raise RecordError(
            f"{record.name!r} holds answers from elsewhere and no model, so it cannot be asked again; "
            "score its answers to that track with `bastzoo score`."
        )
    started = time.perf_counter()
    path = store.path(record.key)
    if path is None:
        raise RecordError(f"There is no run {record.key!r} in {str(store.folder)!r}.")
    reset_peak_memory(workbench.session.device)
    if record.experiment is not None:
        model = load_run(path, record, workbench=workbench)
        ask = partial(
            localize, model, batch=EVALUATION_BATCH, accelerator=workbench.session.accelerator
        )
    else:
        assert record.baseline is not None
        baseline = fitted(record.baseline, fitted_on or workbench)
        ask = partial(localize_baseline, baseline, batch=EVALUATION_BATCH)
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
            device=workbench.session.device,
            seconds=time.perf_counter() - started,
            components=components_of(
                record.experiment or record.baseline, workbench.session.registry
            ),
        ),
        track=track.name,
        track_version=track.version,
        cases=results,
    )
    store.write_track(found)
    return found


def track_runs(
    record: RunRecord,
    tracks: Sequence[Track],
    *,
    workbench: Workbench,
    store: RunStore,
    observer: Callable[[str], None] = lambda _: None,
) -> list[TrackRecord]:
    """Test a finished run on several tracks, with whatever the workbench hears.

    A baseline is fitted again on what its run heard, where that is something else.
    observer: told the label of each case of a track that has several, before it is tested.
    """
    as_trained = workbench
    if record.baseline is not None and workbench.data.source != record.tested.source:
        as_trained = Workbench(
            workbench.session.registry,
            device=workbench.session.device.type,
            precision=workbench.session.precision,
            source=record.tested.source,
        )
    return [
        track_run(
            record,
            track,
            workbench=workbench,
            store=store,
            fitted_on=as_trained,
            observer=observer if len(track.cases) > 1 else lambda _: None,
        )
        for track in tracks
    ]


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
    data = workbench.data.clips(*heard)
    clips = data.split("test") if record.experiment is not None else data.waveforms("test")
    return CaseResult(
        label=case.label,
        condition=case.condition,
        data_digest=data.digest,
        evaluation=evaluation_of(
            ask(clips), clips, workbench.data.environment_name(heard[0]), workbench
        ),
    )


def _digest(record: RunRecord | TrackRecord, case: Case, workbench: Workbench) -> str:
    return workbench.data.digest(*_heard_in(record, case, workbench))


def _heard_in(
    record: RunRecord | TrackRecord, case: Case, workbench: Workbench
) -> tuple[str, DataSize, Condition, ResolvedComponent]:
    """What of the data a run hears in a case: environment, sizes, condition, frontend."""
    environment = case.environment or record.tested.environment
    if record.experiment is not None:
        frontend = record.experiment.components["frontend"]
        return environment, record.experiment.preset.data, case.condition, frontend
    assert record.baseline is not None
    frontend = usual_frontend(workbench.session.registry)
    return environment, record.baseline.data, case.condition, frontend
