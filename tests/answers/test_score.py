"""`bastzoo clips`, `bastzoo score`, `bastzoo runs answers`: what stands in a CSV is what is scored."""

from __future__ import annotations

import csv
import json
import math
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bastzoo.answers.table import _rows
from bastzoo.errors import DataError
from bastzoo.records.store import RunStore
from tests.answers.conftest import Run

Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def record(folder: Path, beginning: str, name: str = "record.json") -> dict[str, object]:
    (path,) = folder.glob(f"{beginning}*/{name}")
    found: dict[str, object] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path, bastzoo: Run) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "RI"
    bastzoo("clips", "ri", "--to", folder, "--preset", tiny_preset)
    return folder


def plain(exported: Path) -> Rows:
    return [{"clip": r["clip"], "azimuth_deg": r["azimuth_deg"]} for r in read(exported)]


def test_clips_are_what_models_hear_and_say_nothing_of_the_answers(
    clips: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    rows = read(clips / "clips.csv")
    assert list(rows[0]) == ["clip", "file"]
    assert len(rows) == 3 * 6 * 2
    assert [row["clip"] for row in rows] == sorted(row["clip"] for row in rows)
    samples, rate = soundfile.read(clips / rows[0]["file"], dtype="float32")
    assert (samples.shape, rate) == ((8000, 2), 16000)
    again = tmp_path / "again"
    bastzoo("clips", "RI", "--to", again, "--preset", tiny_preset)
    files = sorted(path.relative_to(clips) for path in clips.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((clips / file).read_bytes() == (again / file).read_bytes() for file in files)
    # libsndfile's float files hold the second in which they were written.
    assert b"PEAK" not in (clips / rows[0]["file"]).read_bytes()
    done = bastzoo("clips", "RI", "--to", again, "--preset", tiny_preset, code=1)
    assert "exists already" in str(done.exception)


def test_the_answers_of_a_run_score_as_the_run_to_the_last_digit(
    runs: Path, exported: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    bastzoo(
        *("score", exported, "--track", "RI", "--name", "as exported"),
        *("--preset", tiny_preset, "--runs", tmp_path / "scored"),
    )
    then, now = record(runs, "vanilla"), record(tmp_path / "scored", "answers")
    assert now["evaluation"] == then["evaluation"]
    on_track = record(tmp_path / "scored", "answers", "track-RI.json")
    assert on_track["cases"][0]["evaluation"] == then["evaluation"]  # type: ignore[index]


def test_a_model_asked_on_a_track_scores_as_its_evaluation_there(
    runs: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    there = tmp_path / "runs"
    shutil.copytree(runs, there)
    bastzoo("evaluate", "vanilla", "--track", "cross-environment", "--runs", there)
    target = tmp_path / "cross.csv"
    bastzoo(
        *("runs", "answers", "vanilla", "--track", "cross-environment"),
        *("--to", target, "--runs", there),
    )
    bastzoo(
        *("score", target, "--track", "cross-environment", "--name", "again"),
        *("--preset", tiny_preset, "--runs", there),
    )
    name = "track-cross-environment.json"
    then, now = record(there, "vanilla", name), record(there, "answers", name)
    assert now["cases"] == then["cases"]
    board = bastzoo("leaderboard", there, "--track", "cross-environment").output
    (row,) = [line for line in board.splitlines() if "again (scored from answers)" in line][:1]
    assert re.match(r"\|\s+\(1\) \| again", row)
    assert "changes no model's" in " ".join(board.split())


def test_scored_answers_stand_marked_in_the_main_table_and_hold_when_verified(
    runs: Path, exported: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    there = tmp_path / "runs"
    shutil.copytree(runs, there)
    answers = write(tmp_path / "plain.csv", plain(exported))
    bastzoo(
        *("score", answers, "--track", "RI", "--name", "My method"),
        *("--preset", tiny_preset, "--runs", there),
    )
    board = bastzoo("leaderboard", there).output
    assert "| My method (scored from answers)" in board
    then, now = record(runs, "vanilla"), record(there, "answers")
    ads = [e["evaluation"]["metrics"]["ad_mean"] for e in (then, now)]  # type: ignore[index]
    assert ads[1] == pytest.approx(ads[0], abs=1e-9)
    assert "answers of My method" in bastzoo("runs", "list", "--runs", there).output
    assert RunStore(there).find("my method").name.startswith("answers-My_method-RI")
    assert (
        "2 of 2 runs hold"
        in bastzoo("runs", "verify", "answers", "vanilla", "--runs", there).output
    )
    (kept,) = there.glob("answers*/answers.csv")
    rows = read(kept)
    turned = (float(rows[0]["azimuth_deg"]) + 300) % 360 - 180
    rows = [{"clip": r["clip"], "azimuth_deg": r["azimuth_deg"]} for r in rows]
    rows[0]["azimuth_deg"] = f"{turned}"
    write(kept, rows)
    done = bastzoo("runs", "verify", "answers", "--runs", there, code=2)
    assert "when computed again from answers.csv" in done.output


def azimuths(rows: Rows, change: Callable[[float], object]) -> Rows:
    return [{**row, "azimuth_deg": f"{change(float(row['azimuth_deg']))}"} for row in rows]


FAULTS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "missing": (lambda rows: rows[2:], "have nothing for 2 of 36 clips"),
    "doubled": (lambda rows: [*rows, rows[3]], "answer the clip"),
    "unknown": (lambda rows: [{**rows[0], "clip": "a.wav"}, *rows[1:]], "name 1 clip that"),
    "another preset": (
        lambda rows: [{**rows[0], "clip": "RI-v1-000000000000"}, *rows[1:]],
        "another --preset",
    ),
    "version": (
        lambda rows: [{**row, "clip": row["clip"].replace("-v1-", "-v9-")} for row in rows],
        "are to version 9 of the track 'RI'",
    ),
    "radians": (lambda rows: azimuths(rows, math.radians), "look like radians"),
    "0 to 360": (lambda rows: azimuths(rows, lambda a: a % 360), "from 0 to 360"),
    "NaN": (lambda rows: [{**rows[0], "azimuth_deg": "nan"}, *rows[1:]], "no finite number"),
    "too far": (lambda rows: [{**rows[0], "azimuth_deg": "-270"}, *rows[1:]], "not from -180"),
    "words": (lambda rows: [{**rows[0], "azimuth_deg": "left"}, *rows[1:]], "no finite number"),
    "a column": (lambda rows: [{**row, "elevation": "0"} for row in rows], "'elevation' that is"),
    "no azimuths": (lambda rows: [{"clip": row["clip"]} for row in rows], "no column"),
    "a class": (lambda rows: [{**row, "class": "bat"} for row in rows], "have the class 'bat'"),
    "confidence": (lambda rows: [{**row, "confidence": "80"} for row in rows], "not from 0 to 1"),
}


def test_a_faulty_row_is_named_by_its_line_and_only_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("clip,azimuth_deg\n\na,1\n\nb\n")
    with pytest.raises(DataError, match="1 cells in row 5"):
        _rows(path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="no regular file"):
        _rows(tmp_path / "pipe.csv")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_refused_in_one_sentence_and_nothing_is_scored(
    fault: str, exported: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    change, words = FAULTS[fault]
    rows = plain(exported)
    for row, azimuth in zip(rows, np.linspace(-179, 179, len(rows)), strict=True):
        row["azimuth_deg"] = f"{azimuth}"
    path = write(tmp_path / "answers.csv", change(rows))
    done = bastzoo(
        *("score", path, "--track", "RI", "--name", "faulty", "--preset", tiny_preset),
        *("--runs", tmp_path / "runs"),
        code=1,
    )
    sentence = str(done.exception)
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not list((tmp_path / "runs").glob("*/record.json"))


def test_answers_may_come_in_any_order_and_leave_clips_unanswered(
    exported: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    rows = plain(exported)
    rows[0]["azimuth_deg"] = ""
    random.Random(0).shuffle(rows)
    path = write(tmp_path / "answers.csv", rows)
    done = bastzoo(
        *("score", path, "--track", "RI", "--name", "x", "--preset", tiny_preset),
        *("--runs", tmp_path / "runs", "--json"),
    )
    assert json.loads(done.output)["evaluations"][0]["metrics"]["invalid"] == 1


def test_a_track_of_several_sources_is_refused(tmp_path: Path, bastzoo: Run) -> None:
    done = bastzoo("clips", "sources", "--to", tmp_path / "clips", code=1)
    assert "several sources" in str(done.exception)


def test_a_baseline_that_draws_gives_the_figures_of_a_track_again(
    runs: Path, tmp_path: Path, bastzoo: Run
) -> None:
    there = tmp_path / "runs"
    shutil.copytree(runs, there)
    (chance,) = there.glob("baseline-chance-*")
    bastzoo("evaluate", chance.name, "--track", "duration", "--runs", there)
    folder = tmp_path / "records"
    folder.mkdir()
    kept = folder / f"track-duration-{chance.name}"
    kept.with_suffix(".json").write_text((chance / "track-duration.json").read_text())
    small = kept.with_suffix(".npz")
    bastzoo("runs", "answers", chance.name, "--track", "duration", "--runs", there, "--to", small)
    assert "1 of 1 records hold" in bastzoo("runs", "verify", folder).output
