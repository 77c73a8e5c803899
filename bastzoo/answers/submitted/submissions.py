"""The check of a submission: every figure again, from its answers, on the clips as they are here."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from bastzoo.answers.questions import Question
from bastzoo.answers.scoring import ANSWERS_FILE, results
from bastzoo.answers.submitted.bundle import SMALL_FILE, TRACK_FILE, opened
from bastzoo.answers.submitted.checking import answers_do_not_give, said_otherwise
from bastzoo.answers.submitted.committed import figure_faults, key_faults
from bastzoo.answers.submitted.truths import Truths
from bastzoo.engine.evaluation import Answers, kept_answers
from bastzoo.errors import BastzooError, RecordError
from bastzoo.experiment import Experiment
from bastzoo.model import parameter_count
from bastzoo.models.building import build_model
from bastzoo.records.record import Cost, RunRecord, Training
from bastzoo.records.store import (
    HISTORY_FILE,
    PREDICTIONS_FILE,
    RECORD_FILE,
    read_record,
    read_track_record,
)
from bastzoo.registry import Registry


def submission_faults(path: Path, truths: Truths) -> list[str]:
    """A sentence, without its full stop, for everything in a bundle that does not follow; none: it holds."""
    found: list[str] = []
    try:
        name, members = opened(path)
        with tempfile.TemporaryDirectory() as folder:
            for member, data in members.items():  # names that `opened` knows, and no others
                (Path(folder) / member).write_bytes(data)
            found.extend(_faults(name, Path(folder), members, truths))
    except BastzooError as error:  # what was found before it stays
        found.append(str(error).rstrip("."))
    return found


def _faults(name: str, folder: Path, members: Mapping[str, bytes], truths: Truths) -> Iterator[str]:
    on_track = read_track_record(folder / TRACK_FILE) if TRACK_FILE in members else None
    run = read_record(folder / RECORD_FILE) if RECORD_FILE in members else None
    record = run or on_track
    if record is None:
        yield "it holds no record"
        return
    if record.name != name:
        yield f"it is called {name}, and its record {record.name}"
    yield from key_faults(record)
    if run is not None and run.status != "finished":
        yield "the run has failed"
        return
    if record.answers is not None:
        if run is None or ANSWERS_FILE not in members:
            yield "it holds scored answers without the answers"
            return
        bench = truths.workbench(record.answers.source)
        tracks = [] if on_track is None else [on_track]
        yield from answers_do_not_give(run, tracks, folder / ANSWERS_FILE, workbench=bench)
        return
    if PREDICTIONS_FILE in members and run is not None:
        yield from _run_faults(run, folder / PREDICTIONS_FILE, truths)
    elif SMALL_FILE in members:
        yield from figure_faults(record, folder / SMALL_FILE, truths)[0]
    else:
        yield "it holds no predictions"
    if record.training is not None and HISTORY_FILE in members:
        yield from _training(record.training, members[HISTORY_FILE])
    if record.experiment is not None and record.cost is not None:
        yield from _cost(record.cost, record.experiment, truths.registry)


def _run_faults(record: RunRecord, path: Path, truths: Truths) -> Iterator[str]:
    if record.evaluation is None:
        yield "it has no figures"
        return
    (question,) = truths.of(record)
    answers = kept_answers(path, record.evaluation.clips)
    yield from _truth_faults(answers, question)
    try:
        (now,) = results([answers], [question], truths.metrics)
    except BastzooError:
        raise
    except Exception as error:  # arrays of odd shapes break metrics in odd ways
        raise RecordError(
            f"no metrics can be computed from {PREDICTIONS_FILE} ({error})"
        ) from error
    yield from said_otherwise(record.evaluation, now.evaluation, PREDICTIONS_FILE)


def _truth_faults(answers: Answers, question: Question) -> Iterator[str]:
    """Whether what the predictions say of the clips is what is true of them."""
    truth = question.truth
    if answers.of_several_sources:
        raise RecordError("answers of several sources a clip cannot be checked")
    pairs = [
        ("targets", answers.targets, truth.directions, 1e-6),
        ("sounds", answers.sounds, truth.sounds, 0),
        ("rooms", answers.rooms, truth.rooms, 0),
        ("true_class", answers.more.get("true_class", truth.classes), truth.classes, 0),
    ]
    for name, said, known, slack in pairs:
        if said.shape != known.shape or not np.allclose(said, known, rtol=0, atol=slack):
            yield f"{PREDICTIONS_FILE} has {name} that are not those of the clips"
    if len(answers.directions) != len(truth.directions):
        raise RecordError(f"{PREDICTIONS_FILE} does not hold {len(truth.directions):,} clips")


def _training(training: Training, data: bytes) -> Iterator[str]:
    try:
        rows = [
            (int(float(row["step"])), float(row["validation_ad"]), float(row["seconds"]))
            for row in csv.DictReader(io.StringIO(data.decode()))
        ]
    except (ValueError, KeyError, TypeError, OverflowError, csv.Error) as error:
        yield f"{HISTORY_FILE} cannot be read ({type(error).__name__})"
        return
    steps = {step: ad for step, ad, _ in rows}
    if training.steps != max(steps, default=-1):
        yield f"training.steps is {training.steps} in the record, and not in {HISTORY_FILE}"
    best = min(steps.values(), default=float("nan"))
    for name, said, found in (
        ("best_validation_ad", training.best_validation_ad, best),
        ("best_step", steps.get(training.best_step), best),
    ):
        if said is None or not abs(said - found) <= 1e-6:
            yield f"training.{name} does not follow from {HISTORY_FILE}"
    if training.validations:  # records of before they were kept have none
        kept = [(each.step, each.ad, each.seconds) for each in training.validations]
        if len(kept) != len(rows) or not np.allclose(kept, rows, rtol=0, atol=1e-6):
            yield f"training.validations are not those of {HISTORY_FILE}"


def _cost(cost: Cost, experiment: Experiment, registry: Registry) -> Iterator[str]:
    """What of the cost can be known without the machine that it was measured on."""
    try:
        found = _parameters(experiment.model_copy(update={"seed": 0}).model_dump_json(), registry)
    except BastzooError as error:
        yield f"its model cannot be built here: {str(error).rstrip('.')}"
        return
    if found != cost.parameters:
        yield f"cost.parameters is {cost.parameters:,} in the record, and the model has {found:,}"
    if not 0 < cost.latency_p50_ms <= cost.latency_p95_ms:
        yield "cost.latency_p50_ms is above cost.latency_p95_ms, or not above zero"
    if abs(cost.real_time_factor - cost.latency_p50_ms / 500) > 1e-6 * cost.real_time_factor:
        yield "cost.real_time_factor is not that of cost.latency_p50_ms"


@lru_cache(maxsize=256)
def _parameters(experiment: str, registry: Registry) -> int:
    made = Experiment.model_validate_json(experiment)
    return parameter_count(
        build_model(
            registry,
            made.components,
            sharing=made.combination.sharing,
            size=made.preset.model.model_dump(),
        )
    )
