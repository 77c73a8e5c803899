"""Records that travelled alone (leaderboards/records): does what lies beside them give their figures?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bastzoo.answers.compact import unpacked
from bastzoo.answers.scoring import results
from bastzoo.answers.submitted.following import looked_at, unfollowed
from bastzoo.answers.submitted.truths import Truths
from bastzoo.errors import BastzooError
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord
from bastzoo.records.store import read_any_record


@dataclass
class Verified:
    """One record: its name, what does not hold, and whether predictions lie beside it.

    figures: how many figures were computed again.
    """

    name: str
    faults: list[str] = field(default_factory=list)
    has_predictions: bool = False
    figures: int = 0


def verify_file(path: Path, truths: Truths) -> Verified:
    """Hash a record's key again, and compute its figures again from `NAME.npz` beside `NAME.json`."""
    found = Verified(path.stem)
    record = _read(path, found)
    if record is None:
        return found
    found.faults += key_faults(record)
    expected = record.name
    if isinstance(record, TrackRecord):
        expected = f"track-{record.track}-{expected}"
    if path.stem != expected:
        found.faults.append(f"the file should be called {expected}.json")
    predictions = path.with_suffix(".npz")
    if not predictions.is_file():
        return found
    found.has_predictions = True
    try:
        faults, found.figures = figure_faults(record, predictions, truths)
    except BastzooError as error:
        faults = [str(error).rstrip(".")]
    found.faults += faults
    return found


def key_faults(record: RunRecord | TrackRecord) -> list[str]:
    """What is wrong with a record's key."""
    if record.key == record.tested.key:
        return []
    return [
        f"the record's key is {record.key}, that of what it says was run {record.tested.key}: it was "
        "changed by hand, or written by a version that counted otherwise"
    ]


def figure_faults(
    record: RunRecord | TrackRecord, path: Path, truths: Truths
) -> tuple[list[str], int]:
    """What does not follow from predictions in the small form, and how many figures were held against them.

    Raises BastzooErrors for predictions or clips that are not what the record names.
    """
    questions = truths.of(record)
    small = unpacked(path, questions)
    now = results(small.answers, questions, truths.metrics)
    faults, count = [], 0
    for said, case, given in zip(_evaluations(record), now, small.answers, strict=True):
        count += (1 + len(said.by_room)) * len(looked_at(said.metrics)) + len(said.by_azimuth)
        count += len(said.by_sound["sounds"])
        where = f"{case.label}: " if isinstance(record, TrackRecord) else ""
        faults += [
            f"{where}{what} is {then} in the record and {found} when computed again from {path.name}"
            for what, then, found in unfollowed(said, case.evaluation, given, moved=small.moved)
        ]
    return faults, count


def _evaluations(record: RunRecord | TrackRecord) -> list[Evaluation]:
    if isinstance(record, TrackRecord):
        return [case.evaluation for case in record.cases]
    return [] if record.evaluation is None else [record.evaluation]


def _read(path: Path, found: Verified) -> RunRecord | TrackRecord | None:
    try:
        return read_any_record(path)
    except BastzooError as error:
        found.faults.append(str(error).rstrip("."))
        return None
