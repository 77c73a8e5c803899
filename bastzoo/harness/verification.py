"""Verification: does what lies in a run's folder follow from what the record says, and is it whole?"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from bastzoo.engine.evaluation import Answers, Names, kept_answers, score
from bastzoo.errors import BastzooError, RecordError, tellable
from bastzoo.harness.track_run import load_run
from bastzoo.harness.workbench import Workbench
from bastzoo.limits.reading import MEBIBYTE, read_text
from bastzoo.metrics.metric import Metric
from bastzoo.model import parameter_count
from bastzoo.records.record import Evaluation, RunRecord, Training
from bastzoo.records.store import (
    HISTORY_FILE,
    PREDICTIONS_FILE,
    RunStore,
    read_track_record,
    track_files,
)

_LARGEST_HISTORY = 64 * MEBIBYTE

# Metrics are recomputed on another machine than they were made on: sums may end in another digit.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-6


def faults_of(
    record: RunRecord, path: Path, *, workbench: Workbench, is_stale: bool
) -> Iterator[str]:
    """A sentence for everything in a run's folder that does not hold.

    The key is hashed again, the metrics are computed again from the predictions, the weights are loaded
    into the model, and the records of tracks are read. The weights of a stale run are not loaded: the
    code that they belong to is gone.
    """
    if record.key != record.tested.key:
        yield (
            f"the record's key is {record.key}, that of what it says was run {record.tested.key}: "
            "it was changed by hand, or written by a version that counted otherwise"
        )
    if path.name != record.name:
        yield f"the folder should be called {record.name}"
    if record.status == "finished":
        yield from _predictions(record, path / PREDICTIONS_FILE, workbench.session.metrics)
        if record.training is not None:
            yield from _history(record.training, path / HISTORY_FILE)
        if record.experiment is not None and not is_stale:
            yield from _weights(record, path, workbench)
    for file in track_files(path):
        try:
            key = read_track_record(file).key
        except RecordError as error:
            yield str(error).rstrip(".")
            continue
        if key != record.key:
            yield f"{file.name} is a result of the run {key}, not of this one"


def twice(store: RunStore) -> dict[str, list[str]]:
    """Keys that more than one folder has, with the folders."""
    folders: dict[str, list[str]] = {}
    for path in store.folders():
        folders.setdefault(path.name.rpartition("-")[2], []).append(path.name)
    return {key: names for key, names in folders.items() if len(names) > 1}


def _predictions(record: RunRecord, path: Path, metrics: Sequence[Metric]) -> Iterator[str]:
    if record.evaluation is None:  # a model from elsewhere, not tested yet
        return
    if not os.path.lexists(path):
        yield f"{path.name} is missing"
        return
    try:
        answers = kept_answers(path, record.evaluation.clips)
    except RecordError as error:
        yield str(error).rstrip(".")
        return
    lengths = {len(answers.directions), len(answers.targets), len(answers.sounds)}
    if len(lengths) > 1 or answers.clips != record.evaluation.clips:
        yield f"{path.name} does not hold the {record.evaluation.clips} clips of the record"
        return
    try:
        found = score(answers, _split(record.evaluation, answers), metrics)
    except Exception as error:
        yield f"no metrics can be computed from {path.name} ({tellable(str(error))})"
        return
    yield from (
        f"{where} is {then} in the record and {now} when computed again from {path.name}"
        for where, then, now in differences(record.evaluation, found)
    )


def _split(evaluation: Evaluation, answers: Answers) -> Names:
    """The names of sounds, rooms and classes, which is all that scoring asks of a split."""
    ids = [""] * (1 + int(answers.sounds.max(initial=-1)))
    positions = np.unique(answers.sounds)
    for position, name in zip(positions, evaluation.by_sound["sounds"], strict=True):
        ids[position] = name
    return cast(
        Names,
        SimpleNamespace(
            rooms=tuple(evaluation.by_room),
            sound_ids=tuple(ids),
            classes=tuple(evaluation.by_class or ()),
        ),
    )


def differences(evaluation: Evaluation, found: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Where, what the record says, and what was found, for the first difference of each part."""
    recorded = evaluation.model_dump()
    # What was computed by another definition, or by a metric that is not here, says nothing of faults.
    then, now = (
        {n: d["version"] for n, d in e.get("definitions", {}).items()} for e in (recorded, found)
    )
    otherwise = {name for name in {*then, *now} if then.get(name) != now.get(name)}
    recorded, found = (_without(otherwise, each) for each in (recorded, found))
    for part, value in found.items():
        yield from list(_differing(part, recorded.get(part), value))[:1]


def _without(names: set[str], evaluation: dict[str, Any]) -> dict[str, Any]:
    """An evaluation without some figures."""
    kept = {name: value for name, value in evaluation.items() if name != "definitions"}

    def rest(figures: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in figures.items() if name not in names}

    by_room = {room: rest(figures) for room, figures in kept["by_room"].items()}
    return {**kept, "metrics": rest(kept["metrics"]), "by_room": by_room}


def _differing(where: str, then: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(now, dict) and isinstance(then, dict):
        for name in {**now, **then}:
            yield from _differing(f"{where}.{name}", then.get(name), now.get(name))
    elif isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        for index, (a, b) in enumerate(zip(then, now, strict=True)):
            yield from _differing(f"{where}[{index}]", a, b)
    elif isinstance(now, float) and isinstance(then, (int, float)):
        if not math.isclose(now, then, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
            yield where, then, now
    elif then != now:
        yield where, then, now


def _history(training: Training, path: Path) -> Iterator[str]:
    try:
        text = read_text(path, _LARGEST_HISTORY)
        steps = [int(float(row["step"])) for row in csv.DictReader(io.StringIO(text, newline=""))]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, csv.Error) as error:
        yield f"{path.name} cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
        return
    if not steps or steps[-1] != training.steps or training.best_step not in steps:
        yield (
            f"{path.name} does not hold the {training.steps} steps of the record, or not the best "
            f"one, {training.best_step}"
        )


def _weights(record: RunRecord, path: Path, workbench: Workbench) -> Iterator[str]:
    assert record.experiment is not None
    try:
        model = load_run(path, record, workbench=workbench)
    except BastzooError as error:
        yield str(error).rstrip(".")
        return
    broken = [name for name, value in model.state_dict().items() if not torch.isfinite(value).all()]
    if broken:
        yield f"the weights of {broken[0]} are not finite"
    if record.cost is not None and parameter_count(model) != record.cost.parameters:
        yield (
            f"the record counts {record.cost.parameters:,} parameters, the model has "
            f"{parameter_count(model):,}"
        )
