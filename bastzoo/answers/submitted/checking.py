"""Do figures follow from answers? Scored again on the clips as they are, not on what a file says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bastzoo.answers.questions import questions_of
from bastzoo.answers.scoring import ANSWERS_FILE, answers_digest, results
from bastzoo.answers.table import read_answers
from bastzoo.errors import BastzooError
from bastzoo.harness.tracks import find_track
from bastzoo.harness.verification import differences
from bastzoo.harness.workbench import Workbench
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord
from bastzoo.records.store import read_track_record, track_files


def faults_of_answers(record: RunRecord, path: Path, *, workbench: Workbench) -> Iterator[str]:
    """A sentence for everything in the folder of scored answers that does not hold."""
    if record.key != record.tested.key:
        yield f"the record's key is {record.key}, that of what it says was scored {record.tested.key}"
    if path.name != record.name:
        yield f"the folder should be called {record.name}"
    try:
        on_tracks = [read_track_record(file) for file in track_files(path)]
    except BastzooError as error:
        yield str(error).rstrip(".")
        return
    yield from answers_do_not_give(record, on_tracks, path / ANSWERS_FILE, workbench=workbench)


def answers_do_not_give(
    record: RunRecord, on_tracks: list[TrackRecord], answers: Path, *, workbench: Workbench
) -> Iterator[str]:
    """A sentence for each way in which records of answers differ from what the answers give."""
    scored = record.answers
    assert scored is not None
    try:
        track = find_track(scored.track, workbench.session.registry)
        questions = questions_of(
            track, workbench=workbench, environment=scored.environment, size=scored.data
        )
        given = read_answers(answers, questions, track)
    except BastzooError as error:
        yield str(error).rstrip(".")
        return
    if track.version != scored.track_version or questions[0].digest != scored.data_digest:
        yield f"its clips are not those of the track {track.name} here"
    if answers_digest(given) != scored.answers_digest:
        yield f"{answers.name} is not what was scored: its hash is another"
    found = results(given, questions, workbench.session.metrics)
    if [one.track for one in on_tracks] != [scored.track]:
        yield f"there is no record of the track {scored.track} beside it, or another"
    for on_track in on_tracks:
        if (on_track.key, on_track.answers) != (record.key, scored):
            yield f"the record of the track {on_track.track} is of other answers"
        if [c.label for c in on_track.cases] != [c.label for c in found]:
            yield f"the record of the track {on_track.track} has other cases"
            continue
        for case, now in zip(on_track.cases, found, strict=True):
            if (case.data_digest, case.condition) != (now.data_digest, now.condition):
                yield f"the case {case.label} is of other clips"
            yield from said_otherwise(
                case.evaluation, now.evaluation, answers.name, f"{case.label}: "
            )
    if record.evaluation is not None:
        yield from said_otherwise(record.evaluation, found[0].evaluation, answers.name)


def said_otherwise(then: Evaluation, now: Evaluation, name: str, where: str = "") -> Iterator[str]:
    """A sentence for each part of an evaluation that says otherwise than what was computed again.

    name: of the file that it was computed from.
    """
    head: Mapping[str, tuple[object, object]] = {
        "clips": (then.clips, now.clips),
        "environment": (then.environment, now.environment),
    }
    for what, (said, is_) in head.items():
        if said != is_:
            yield f"{where}{what} is {said} in the record and {is_} here"
    for what, told in now.definitions.items():
        # Figures of another definition are not compared: no record may hide one behind such a word.
        mine = then.definitions.get(what)
        if what in then.metrics and (mine is None or mine.version != told.version):
            said = "no definition" if mine is None else f"version {mine.version}"
            yield f"{where}{what} is of {said} in the record, and of version {told.version} here"
    found = now.model_dump(exclude={"environment", "split", "clips"})
    for what, said, is_ in differences(then, found):
        yield (f"{where}{what} is {said} in the record and {is_} when computed again from {name}")
