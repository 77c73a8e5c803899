"""The answers of a run, as a method from elsewhere would hand them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bastzoo.answers.questions import Question
from bastzoo.answers.scoring import ANSWERS_FILE
from bastzoo.answers.table import read_answers
from bastzoo.conditions import Track
from bastzoo.data.batches import ClipSet
from bastzoo.engine.evaluation import Answers, kept_answers, localize, localize_baseline
from bastzoo.harness.runner import EVALUATION_BATCH, fitted
from bastzoo.harness.track_run import load_run
from bastzoo.harness.workbench import Workbench
from bastzoo.records.record import RunRecord
from bastzoo.records.store import PREDICTIONS_FILE


def answers_of(
    record: RunRecord,
    path: Path,
    questions: Sequence[Question],
    track: Track,
    *,
    workbench: Workbench,
) -> list[Answers]:
    """What a run answers to every case of a track.

    Predictions that lie in its folder are taken for its own test; for all others the model is asked again.
    Raises RecordError where neither is there.
    """
    if record.answers is not None:
        return read_answers(path / ANSWERS_FILE, questions, track)
    ask: Callable[[ClipSet], Answers] | None = None
    found = []
    for question in questions:
        own = record.evaluation is not None and record.tested.data_digest == question.digest
        # A baseline that draws (`chance`) answers the cases of a track one after the other.
        own = own and (record.baseline is None or len(questions) == 1)
        if own and (path / PREDICTIONS_FILE).is_file():
            found.append(kept_answers(path / PREDICTIONS_FILE, len(question.clips)))
            continue
        ask = ask or _asker(record, path, workbench)
        found.append(ask(question.clips))
    return found


def _asker(record: RunRecord, path: Path, workbench: Workbench) -> Callable[[ClipSet], Answers]:
    if record.experiment is not None:
        model = load_run(path, record, workbench=workbench)
        return partial(
            localize, model, batch=EVALUATION_BATCH, accelerator=workbench.session.accelerator
        )
    assert record.baseline is not None
    baseline = fitted(record.baseline, workbench)
    return partial(localize_baseline, baseline, batch=EVALUATION_BATCH)
