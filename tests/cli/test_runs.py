"""`bastzoo train`, `evaluate`, `bench` and `leaderboard`, end to end at a size of seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bastzoo.bench.store import RunStore

BENCH = ("bench", "--backbone", "mamba", "--integ", "SUB", "--loss", "MSE", "--loss", "MIX")


def bastzoo(
    *words: str, cwd: Path, code: int = 0, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bastzoo", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> tuple[Path, str, str]:
    folder = tmp_path_factory.mktemp("bench")
    done = bastzoo(*BENCH, "--preset", str(tiny_preset), cwd=folder)
    return folder, done.stdout, done.stderr


def test_bench_prints_and_writes_the_leaderboard(benched: tuple[Path, str, str]) -> None:
    folder, out, _ = benched
    assert out.rstrip() == (folder / "runs" / "leaderboard.md").read_text().rstrip()
    for words in ("BAST-Mamba-SP", "BAST-Mamba-NSP", "Hybrid", "Sub.", "ITD+ILD", "GCC-PHAT"):
        assert words in out
    assert "bastzoo bench --backbone mamba --integ SUB" in out


def test_bench_again_trains_nothing_and_prints_the_same(
    benched: tuple[Path, str, str], tiny_preset: Path
) -> None:
    folder, out, _ = benched
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/record.json")}
    done = bastzoo(*BENCH, "--preset", str(tiny_preset), cwd=folder)
    assert done.stdout == out
    assert done.stderr.count("done before") == 4
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/record.json")}


def test_train_twice_gives_identical_metrics_to_the_last_bit(
    tmp_path: Path, tiny_preset: Path
) -> None:
    records = []
    for out in ("one", "two"):
        done = bastzoo("train", "--preset", str(tiny_preset), "--out", out, "--json", cwd=tmp_path)
        records.append(json.loads(done.stdout))
    for part in ("key", "evaluation"):
        assert records[0][part] == records[1][part]
    assert (
        records[0]["training"]["best_validation_ad"]
        == (records[1]["training"]["best_validation_ad"])
    )


def test_train_is_the_same_run_as_the_row_of_bench(
    benched: tuple[Path, str, str], tiny_preset: Path
) -> None:
    folder, _, _ = benched
    words = [
        "--backbone",
        "mamba",
        "--integ",
        "SUB",
        "--loss",
        "MIX",
        "--sharing",
        "SP",
        "--env",
        "RI",
    ]
    done = bastzoo("train", *words, "--preset", str(tiny_preset), cwd=folder)
    assert "finished already" in done.stderr
    assert "AD, mean" in done.stdout


def test_evaluate_prints_each_environment_and_keeps_the_result(
    benched: tuple[Path, str, str],
) -> None:
    folder, _, _ = benched
    words = ("evaluate", "mamba-SUB-MIX-SP", "--env", "RI01", "--env", "ri02")
    done = bastzoo(*words, cwd=folder)
    assert "RI01" in done.stdout
    assert "RI02" in done.stdout
    run = RunStore(folder / "runs").find("mamba-SUB-MIX-SP")
    assert (run / "evaluation-RI02.json").is_file()
    # The rooms of RI are the test of RI01 and RI02 on the same sounds.
    listed = json.loads(bastzoo(*words, "--json", cwd=folder).stdout)
    record = json.loads((run / "record.json").read_text())
    for result, room in zip(listed["evaluations"], ("anechoic", "lecture-hall"), strict=True):
        assert result["metrics"]["ad_mean"] == pytest.approx(
            record["evaluation"]["by_room"][room]["ad_mean"], abs=1e-3
        )


def test_leaderboard_makes_the_table_again_and_checks_it(benched: tuple[Path, str, str]) -> None:
    folder, out, _ = benched
    assert bastzoo("leaderboard", cwd=folder).stdout.rstrip() == out.rstrip()
    bastzoo("leaderboard", "runs", "--out", "table.md", cwd=folder)
    bastzoo("leaderboard", "runs", "--out", "table.md", "--check", cwd=folder)
    (folder / "table.md").write_text("another")
    done = bastzoo("leaderboard", "runs", "--out", "table.md", "--check", cwd=folder, code=1)
    assert "does not follow" in done.stderr


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path, tiny_preset: Path) -> None:
    done = bastzoo(*BENCH, "--preset", str(tiny_preset), "--dry-run", cwd=tmp_path)
    assert done.stdout.count("to run") == 4
    assert "4 runs, about" in done.stdout
    assert not any(tmp_path.iterdir())


def test_a_run_that_diverges_is_recorded_and_the_rest_goes_on(
    tmp_path: Path, tiny_preset: Path
) -> None:
    wild = tmp_path / "wild.toml"
    wild.write_text(tiny_preset.read_text().replace("learning_rate = 1e-3", "learning_rate = 1e30"))
    words = ("--backbone", "vanilla", "--integ", "SUB", "--loss", "MSE", "--sharing", "all")
    done = bastzoo("bench", *words, "--preset", str(wild), cwd=tmp_path, code=2)
    assert "The loss became" in done.stderr
    records, _ = RunStore(tmp_path / "runs").records()
    failed = [record for record in records if record.status == "failed"]
    assert len(failed) == 2
    assert all("TrainingError" in r.failure.traceback for r in failed if r.failure)
    assert any(record.baseline and record.status == "finished" for record in records)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("bench", "--backbone", "mambo"), "Did you mean 'mamba'"),
        (("bench", "--integ", "MUL"), "no integration named 'MUL'"),
        (("bench", "--sharing", "both"), "no sharing 'both'"),
        (("bench", "--preset", "quik"), "no preset named 'quik'"),
        (("bench", "--seeds", "0"), "--seeds"),
        (("bench", "--device", "cuda"), "no CUDA GPU"),
        (("bench", "--out", "file/runs"), "cannot be written"),
        (("train", "--loss", "MXI"), "Did you mean 'MIX'"),
        (("train", "--env", "RI03"), "no environment named 'RI03'"),
        (("evaluate", "nothing"), "no run 'nothing'"),
        (("leaderboard", "nowhere"), "no finished run"),
        (("leaderboard", "--check"), "--out"),
    ],
)
def test_a_mistake_is_answered_by_a_sentence_and_exit_code_1(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = bastzoo(*words, cwd=tmp_path, code=1, env={"CUDA_VISIBLE_DEVICES": ""})
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_full_disk_is_a_sentence_and_finished_runs_are_kept(
    benched: tuple[Path, str, str], tiny_preset: Path
) -> None:
    folder, _, _ = benched
    before = len(list(folder.glob("runs/*/record.json")))
    # A limit on the size of files stands for a full disk: the weights do not fit.
    command = (
        "ulimit -f 4; trap '' XFSZ; "
        f"exec {sys.executable} -m bastzoo train --backbone vanilla --preset {tiny_preset}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(list(folder.glob("runs/*/record.json"))) == before
    assert not list(folder.glob("runs/.writing*"))
