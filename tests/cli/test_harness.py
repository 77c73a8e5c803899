"""The harness: what is killed goes on, what is shared is done once, and mistakes are sentences."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bastzoo.records.store import RunStore
from tests.cli.command import ROOT, Command, completed

# The fastest recipe that a preset admits: a factor of a million a step.
DIVERGES = "learning_rate = 1e3\nweight_decay = 1e3"
GRID = ("bench", "--backbone", "vanilla", "--integ", "SUB", "--loss", "MSE", "--seeds", "2")
# All columns but those that a clock has measured.
COLUMNS = "rank,model,loss,integration,ad,median,acc10,lateral,front-back,parameters,macs,seeds"


# `make soak` asks for 200.
KILLS = int(os.environ.get("BASTZOO_KILLS", "5"))


# One thread each, whatever shares the machine: the last digits depend on their number.
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "BASTZOO_LOAD_PLUGINS": "", "OMP_NUM_THREADS": "1"}


def start(*words: str, cwd: Path) -> Command:
    return Command(*words, cwd=cwd, env={**os.environ, **ENVIRONMENT})


def run(*words: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    return completed(*words, cwd=cwd, code=code, env=ENVIRONMENT, timeout=240)


def table(folder: Path) -> str:
    return run("leaderboard", "runs", "--columns", COLUMNS, cwd=folder).stdout


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> Path:
    """A preset of many short steps, so that a kill finds training at work."""
    path = tmp_path_factory.mktemp("preset") / "short.toml"
    text = tiny_preset.read_text().replace("steps = 4", "steps = 40")
    path.write_text(text.replace("validate_every = 2", "validate_every = 10"))
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, preset: Path) -> str:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(*GRID, "--preset", str(preset), "--checkpoint-every", "0", cwd=folder)
    return table(folder)


@pytest.mark.timeout(120 + 20 * KILLS)
@pytest.mark.parametrize(
    ("jobs", "kills"),
    [("1", KILLS), ("2", max(1, KILLS // 4))],  # with two, the runs are those of orphans
)
def test_a_grid_that_is_killed_again_and_again_ends_in_the_same_table(
    jobs: str, kills: int, undisturbed: str, preset: Path, tmp_path: Path
) -> None:
    words = (*GRID, "--preset", str(preset), "--checkpoint-every", "0")
    words = words if jobs == "1" else (*words, "--jobs", jobs)
    draw = random.Random(1)
    for _ in range(kills):
        process = start(*words, cwd=tmp_path)
        said = _until_it_works(process) if jobs == "2" else ""
        until = time.monotonic() + draw.uniform(0.0, 3.0)
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is not None:  # it came to an end: begin with an empty folder again
            process.communicate()
            assert process.returncode == 0
            assert _made_again(tmp_path, jobs) == undisturbed
            shutil.rmtree(tmp_path / "runs")
            continue
        process.kill()
        _, err = process.communicate()  # until the orphans have ended, whose output it is too
        assert "Traceback" not in said + err
        records, faults = RunStore(tmp_path / "runs").records()
        assert faults == []
        assert all(record.status == "finished" for record in records)
    run(*words, cwd=tmp_path)
    assert _made_again(tmp_path, jobs) == undisturbed
    assert not (tmp_path / "runs" / ".unfinished").exists()


def _made_again(folder: Path, jobs: str) -> str:
    """The table, with the command of one job beside it."""
    return table(folder).replace(f" --jobs {jobs}", "")


def _until_it_works(process: Command) -> str:
    """What a grid says until it has trained for the first time, or has ended."""
    said = ""
    for line in process.stderr:
        said += line
        if "validation AD" in line:
            break
    return said


def test_a_grid_whose_output_nobody_reads_any_more_is_interrupted_not_failed(
    undisturbed: str, preset: Path, tmp_path: Path
) -> None:
    words = (*GRID, "--preset", str(preset), "--checkpoint-every", "0")
    for _ in range(2):  # as `2>&1 | head` does, in the middle of a run
        process = start(*words, cwd=tmp_path)
        _until_it_works(process)
        process.stderr.close()
        process.stdout.close()
        assert process.wait() == 128 + signal.SIGPIPE
        records, _ = RunStore(tmp_path / "runs").records()
        assert all(record.status == "finished" for record in records)
        assert list(tmp_path.glob("runs/.unfinished/*/checkpoint.pt"))
    run(*words, cwd=tmp_path)
    assert table(tmp_path) == undisturbed


def test_four_processes_on_one_folder_train_each_run_once(preset: Path, tmp_path: Path) -> None:
    words = ("bench", "--backbone", "vanilla", "--integ", "all", "--sharing", "SP")
    words = (*words, "--loss", "MSE", "--loss", "AD", "--seeds", "2", "--preset", str(preset))
    processes = [start(*words, cwd=tmp_path) for _ in range(4)]
    trained: list[str] = []
    for process in processes:
        out, err = process.communicate(timeout=280)
        assert process.returncode == 0, out + err
        rows = re.findall(r"^\[\d+/12\] (.*): (done before, )?AD [\d.]+°", err, re.MULTILINE)
        assert len(rows) == 12
        trained += [title for title, before in rows if not before]
    assert len(trained) == len(set(trained)) == 12


@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGTERM, "1"), (signal.SIGINT, "2")])
def test_a_signal_keeps_a_checkpoint_and_the_command_goes_on(
    number: signal.Signals, jobs: str, tiny_preset: Path, tmp_path: Path
) -> None:
    long = tmp_path / "long.toml"
    text = tiny_preset.read_text().replace("steps = 4", "steps = 100000")
    long.write_text(text.replace("patience = 2", "patience = 100000"))
    process = start(*GRID, "--preset", str(long), "--jobs", jobs, cwd=tmp_path)
    for line in process.stderr:
        if "validation AD" in line:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "Interrupted" in err
    assert "same command again" in err
    assert "Traceback" not in err
    assert list(tmp_path.glob("runs/.unfinished/*/checkpoint.pt"))


def test_several_jobs_make_the_runs_of_one(preset: Path, tmp_path: Path) -> None:
    words = (*GRID, "--preset", str(preset))
    run(*words, "--jobs", "2", cwd=tmp_path)
    again = run(*words, cwd=tmp_path)
    assert again.stderr.count("done before") == 4 + 5  # and the baselines
    records, faults = RunStore(tmp_path / "runs").records()
    assert faults == []
    assert all(record.status == "finished" for record in records)
    assert {r.provenance.threads for r in records} == {1}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--jobs", "0"), "--jobs"),
        (("--runs", "missing/runs"), "there is no"),
        (("--executor", "cloud"), "no executor named 'cloud'"),
        (("--executor", "ray", "--address", "127.0.0.1:1"), "does not answer"),
        (("--rerun", "some"), "--rerun"),
    ],
)
def test_a_mistake_is_a_sentence(
    words: tuple[str, ...], sentence: str, tiny_preset: Path, tmp_path: Path
) -> None:
    done = run(*GRID, "--preset", str(tiny_preset), *words, cwd=tmp_path, code=1)
    assert sentence in done.stderr
    assert done.stdout == ""


def test_rerun_says_what_is_run_again(preset: Path, tmp_path: Path, tiny_preset: Path) -> None:
    words = ("bench", "--backbone", "vanilla", "--integ", "SUB", "--loss", "MSE")
    words = (*words, "--sharing", "SP", "--env", "RI01")
    wild = tmp_path / "wild.toml"
    wild.write_text(tiny_preset.read_text().replace("learning_rate = 1e-3", DIVERGES))
    run(*words, "--preset", str(wild), cwd=tmp_path, code=2)
    again = run(*words, "--preset", str(wild), cwd=tmp_path, code=2)
    assert "done before, failed" in again.stderr
    assert "--rerun failed" in again.stderr
    failed = run(*words, "--preset", str(wild), "--rerun", "failed", cwd=tmp_path, code=2)
    assert "done before, failed" not in failed.stderr


def launched(*words: str) -> list[str]:
    """A command line in two processes that train together."""
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    return [sys.executable, *launch, str(Path(__file__).with_name("rank.py")), *words]


def in_two_processes(
    *words: str, cwd: Path, timeout: float = 200
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        launched(*words),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **ENVIRONMENT},
    )


def test_one_run_in_two_processes_learns_what_one_process_learns(
    tiny_preset: Path, tmp_path: Path
) -> None:
    uneven = tmp_path / "uneven.toml"  # batches of which one process has two clips, the other one
    uneven.write_text(tiny_preset.read_text().replace("batch = 8", "batch = 3"))
    words = ("train", "--backbone", "vanilla", "--env", "RI01", "--preset", str(uneven))
    done = in_two_processes(*words, "--runs", "two", "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for process in (0, 1):
        assert f"process {process} of 2, exit code 0" in done.stderr
    assert done.stdout.count("AD, mean") == 1
    run(*words, "--runs", "one", "--device", "cpu", cwd=tmp_path)
    ((two,), _), ((one,), _) = (RunStore(tmp_path / out).records() for out in ("two", "one"))
    assert two.key == one.key
    assert two.training is not None
    assert one.training is not None
    # The mean over the processes is not that over the batch to the last bit.
    assert two.training.best_validation_ad == pytest.approx(
        one.training.best_validation_ad, abs=0.5
    )
    # The loss is that of the whole batch, not that of the first process's share.
    assert _losses(tmp_path / "two") == pytest.approx(_losses(tmp_path / "one"), rel=1e-3)
    assert two.evaluation is not None
    assert two.evaluation.clips == 18


def _losses(runs: Path) -> list[float]:
    (path,) = runs.glob("*/history.csv")
    with path.open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_more_processes_than_clips_in_a_batch_is_a_sentence(
    tiny_preset: Path, tmp_path: Path
) -> None:
    single = tmp_path / "single.toml"
    single.write_text(tiny_preset.read_text().replace("batch = 8", "batch = 1"))
    words = ("train", "--backbone", "vanilla", "--env", "RI01", "--preset", str(single))
    done = in_two_processes(*words, "--device", "cpu", cwd=tmp_path)
    assert done.returncode != 0
    assert "2 processes cannot share a batch of 1 clips" in done.stderr
    assert RunStore(tmp_path / "runs").records() == ([], [])
