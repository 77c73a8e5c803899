"""Answers from elsewhere become records, with every figure, on the clips that models are tested on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from bastzoo.answers.questions import Asked, Question
from bastzoo.answers.table import write_answers
from bastzoo.conditions import USUAL
from bastzoo.engine.evaluation import Answers, score
from bastzoo.errors import DataError
from bastzoo.metrics.metric import Metric
from bastzoo.records.provenance import provenance
from bastzoo.records.record import (
    AnswersExperiment,
    CaseResult,
    Evaluation,
    RunRecord,
    TrackRecord,
)
from bastzoo.records.store import RunStore

ANSWERS_FILE = "answers.csv"


def _records(
    answers: Sequence[Answers], asked: Asked, *, name: str, seconds: float
) -> tuple[RunRecord, TrackRecord]:
    """The records of answers to all cases of a track: as a run, and on the track.

    The run has an evaluation of its own where the track is the plain test of one environment, which is the
    test that models of that environment have in the main table. Raises DataError for a name without letters.
    """
    if not any(letter.isalnum() for letter in name) or not name.isprintable() or len(name) > 100:
        raise DataError(
            "The name of a method is a line of at most 100 letters; give it with --name."
        )
    questions, track, workbench = asked.questions, asked.track, asked.workbench
    cases = results(answers, questions, workbench.session.metrics)
    experiment = AnswersExperiment(
        name=name,
        track=track.name,
        track_version=track.version,
        environment=questions[0].environment,
        data=asked.size,
        source=workbench.data.source,
        condition=questions[0].case.condition,
        data_digest=questions[0].digest,
        answers_digest=answers_digest(answers),
    )
    made = provenance(device=workbench.session.device, seconds=seconds)
    shared: dict[str, Any] = {"key": experiment.key, "answers": experiment, "provenance": made}
    plain = len(cases) == 1 and questions[0].case.condition == USUAL
    run = RunRecord(**shared, status="finished", evaluation=cases[0].evaluation if plain else None)
    on_track = TrackRecord(
        **shared, track=track.name, track_version=track.version, cases=list(cases)
    )
    return run, on_track


def results(
    answers: Sequence[Answers], questions: Sequence[Question], metrics: Sequence[Metric]
) -> list[CaseResult]:
    """The figures of answers, case by case."""
    return [
        CaseResult(
            label=question.case.label,
            condition=question.case.condition,
            data_digest=question.digest,
            evaluation=Evaluation(
                environment=question.environment,
                clips=len(question.clips),
                **score(given, question.clips, metrics),
            ),
        )
        for given, question in zip(answers, questions, strict=True)
    ]


def keep(
    answers: Sequence[Answers], asked: Asked, store: RunStore, *, name: str, started: float
) -> tuple[RunRecord, TrackRecord, Path]:
    """Score answers, and write both records and the answers into a folder of runs, whose path is the last.

    started: when asking began, of `time.perf_counter`.
    """
    run, on_track = _records(answers, asked, name=name, seconds=time.perf_counter() - started)

    def fill(folder: Path) -> None:
        write_answers(folder / ANSWERS_FILE, asked.questions, answers)

    path = store.write(run, fill)
    store.write_track(on_track)
    return run, on_track, path


def answers_digest(answers: Sequence[Answers]) -> str:
    """Hash of what was answered to all clips, in their order."""
    known = sha256()
    for given in answers:
        for name, values in sorted(given.arrays().items()):
            if name in ("targets", "sounds", "rooms", "true_class"):
                continue
            kind = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float64
            known.update(name.encode())
            known.update(np.ascontiguousarray(values, dtype=kind).tobytes())
    return known.hexdigest()[:32]
