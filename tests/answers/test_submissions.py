"""Rows that travel: small predictions, submissions that are checked, rows made again from their records."""

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bastzoo.answers.submitted.bundle import bundle_of, opened, sealed
from bastzoo.answers.submitted.submissions import submission_faults
from bastzoo.answers.submitted.truths import Truths
from bastzoo.plugins import default_registry
from tests.answers.conftest import Run


@pytest.fixture(scope="module")
def truths() -> Truths:
    return Truths(default_registry())


def the_run(runs: Path, name: str = "vanilla") -> Path:
    (path,) = runs.glob(f"{name}*")
    return path


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where all numbers of a record's part are."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from numbers(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers(inner, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def forged_record(record: dict[str, Any], where: tuple[Any, ...]) -> bytes:
    changed = copy.deepcopy(record)
    inner = changed
    for name in where[:-1]:
        inner = inner[name]
    old = inner[where[-1]]
    inner[where[-1]] = old + 1 if isinstance(old, int) else old * 1.01 + 0.01
    return json.dumps(changed).encode()


def forgeries(members: dict[str, bytes]) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    """What was forged, the bundle's name, its files, sealed anew: figures, key, name, parts, predictions."""
    record = json.loads(members["record.json"])
    name = f"the name of {record['key']}"
    for part in ("evaluation", "training"):
        for where in numbers(record[part]):
            # Of long lists the first four entries stand for all.
            if where != ("seconds",) and all(not isinstance(w, int) or w < 4 for w in where):
                data = forged_record(record, (part, *where))
                yield f"{part} {where}", "", {**members, "record.json": data}
    for where in (("cost", "parameters"), ("cost", "real_time_factor"), ("experiment", "seed")):
        data = forged_record(record, where)
        yield f"{where}", "", {**members, "record.json": data}
    key = {**record, "key": "0" * 16}
    yield "the key", "", {**members, "record.json": json.dumps(key).encode()}
    yield "the name", name, members
    with np.load(io.BytesIO(members["predictions.npz"])) as file:
        arrays = {each: file[each] for each in file.files}
    for each in arrays:
        for row in (0, len(arrays[each]) // 2):
            changed = {k: v.copy() for k, v in arrays.items()}
            other = changed[each][row] * 0 + (1 if each in ("sounds", "rooms") else 0.6)
            changed[each][row] = 1 - changed[each][row] if each == "rooms" else other
            if np.array_equal(changed[each][row], arrays[each][row]):
                changed[each][row] = 2
            data = io.BytesIO()
            np.savez_compressed(data, **changed)
            yield f"{each} {row}", "", {**members, "predictions.npz": data.getvalue()}
    for gone in members:
        if gone != "history.csv":
            yield f"no {gone}", "", {k: v for k, v in members.items() if k != gone}


def test_every_forged_bundle_is_caught(runs: Path, tmp_path: Path, truths: Truths) -> None:
    file, data = bundle_of(the_run(runs))
    (tmp_path / file).write_bytes(data)
    assert submission_faults(tmp_path / file, truths) == []
    name, members = opened(tmp_path / file)
    missed, count = [], 0
    path = tmp_path / "forged.bastzoo.zip"
    for what, other, changed in forgeries(members):
        path.write_bytes(sealed(other or name, changed))
        count += 1
        if not submission_faults(path, truths):
            missed.append(what)
    assert count >= 100
    assert missed == []


def test_a_bundle_whose_seal_is_broken_or_whose_paths_lead_elsewhere_is_refused(
    runs: Path, tmp_path: Path, truths: Truths
) -> None:
    _, data = bundle_of(the_run(runs))
    path = tmp_path / "x.bastzoo.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    for name in ("../outside.json", "/tmp/outside.json", "a/record.json", "model.safetensors"):
        with zipfile.ZipFile(path, "w") as bundle:
            for member, content in {**members, name: b"{}"}.items():
                bundle.writestr(member, content)
        (fault,) = submission_faults(path, truths)
        assert "which no submission has" in fault
    assert not (tmp_path.parent / "outside.json").exists()
    members["record.json"] += b" "
    with zipfile.ZipFile(path, "w") as bundle:
        for member, content in members.items():
            bundle.writestr(member, content)
    (fault,) = submission_faults(path, truths)
    assert "not hold the files that were sealed" in fault
    path.write_bytes(b"no zip")
    (fault,) = submission_faults(path, truths)
    assert "cannot be read" in fault


def damaged_zip(data: bytes) -> bytes:
    """A bundle whose first compressed member has other bytes than it had."""
    return data[:60] + bytes(255 - byte for byte in data[60:90]) + data[90:]


def test_whatever_is_in_a_bundle_ends_in_sentences(
    runs: Path, tmp_path: Path, truths: Truths
) -> None:
    run = the_run(runs)
    name, data = bundle_of(run)
    path = tmp_path / "x.bastzoo.zip"
    path.write_bytes(data)
    _, members = opened(path)
    small = io.BytesIO()
    text = np.full(len(json.loads(members["record.json"])), "x")
    np.savez_compressed(small, step=np.float64(0.0055), azimuth=text)
    only_small = {"record.json": members["record.json"], "small.npz": small.getvalue()}
    other = {**json.loads(members["record.json"]), "key": "0" * 16}
    history = b"step,validation_ad\ninf,nan\n"
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as bundle:
        bundle.writestr("manifest.json", b"[" * 100_000)
    for content, words in (
        (damaged_zip(data), ["cannot be read"]),
        (nested.getvalue(), ["no manifest, or a damaged one"]),
        (sealed(name, only_small), ["predictions"]),
        (sealed(name, {**members, "history.csv": history}), ["history.csv cannot be read"]),
        # What was found first stays, whatever ends the check later.
        (
            sealed(name, {**only_small, "record.json": json.dumps(other).encode()}),
            ["the record's key is"],
        ),
    ):
        path.write_bytes(content)
        faults = submission_faults(path, truths)
        assert any(word in fault for fault in faults for word in words), (words, faults)


def test_submit_and_check_are_commands_also_for_scored_answers(
    runs: Path, exported: Path, tiny_preset: Path, tmp_path: Path, bastzoo: Run
) -> None:
    there = tmp_path / "runs"
    bastzoo(
        *("score", exported, "--track", "RI", "--name", "mine"),
        *("--preset", tiny_preset, "--runs", there),
    )
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    bastzoo("submit", "answers", "--runs", there, "--to", one)
    bastzoo("submit", "vanilla", "--runs", runs, "--to", two)
    assert "2 of 2 submissions hold" in bastzoo("submissions", "check", one, two).output
    name, members = opened(one)
    rows = list(csv.DictReader(io.StringIO(members["answers.csv"].decode())))
    head = list(rows[0])
    rows[0]["raw_x"] = "0.123"
    text = io.StringIO()
    writer = csv.DictWriter(text, head)
    writer.writeheader()
    writer.writerows(rows)
    one.write_bytes(sealed(name, {**members, "answers.csv": text.getvalue().encode()}))
    done = bastzoo("submissions", "check", one, two, code=2)
    assert "answers.csv is not what was scored" in done.output
    assert "1 of 2 submissions hold" in done.output


def test_a_committed_record_is_verified_from_the_small_predictions_beside_it(
    runs: Path, tmp_path: Path, bastzoo: Run
) -> None:
    run = the_run(runs)
    committed = tmp_path / f"{run.name}.json"
    shutil.copy(run / "record.json", committed)
    said = bastzoo("runs", "verify", tmp_path).output
    assert "no predictions beside it" in said
    bastzoo("runs", "answers", run, "--to", committed.with_suffix(".npz"))
    assert committed.with_suffix(".npz").stat().st_size <= 20_000
    said = bastzoo("runs", "verify", tmp_path).output
    assert "1 of 1 records hold; 1 have predictions" in said
    record = json.loads(committed.read_text())
    record["evaluation"]["metrics"]["ad_mean"] += 0.1
    committed.write_text(json.dumps(record))
    said = bastzoo("runs", "verify", committed, code=2).output
    assert "metrics.ad_mean is" in said


def test_a_row_is_made_again_from_its_record_to_the_bit(
    runs: Path, tmp_path: Path, bastzoo: Run
) -> None:
    for name in ("vanilla", "baseline-ITD-RI"):
        record = tmp_path / f"{the_run(runs, name).name}.json"
        shutil.copy(the_run(runs, name) / "record.json", record)
        done = bastzoo("reproduce", record, "--runs", tmp_path / "again", "--device", "cpu")
        assert "the same to the last bit" in done.output
    changed = json.loads(record.read_text())
    changed["evaluation"]["metrics"]["ad_mean"] += 30
    changed["evaluation"]["by_sound"]["ad_mean"] = [90.0, 91.0, 90.5]
    record.write_text(json.dumps(changed))
    done = bastzoo("reproduce", record, "--runs", tmp_path / "other", "--device", "cpu", code=2)
    assert "OUTSIDE" in done.output
