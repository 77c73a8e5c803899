"""`bastzoo train`, `evaluate`, `bench` and `leaderboard`, end to end at a size of seconds."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bastzoo.records.record import RunRecord
from bastzoo.records.store import RunStore
from tests.cli.command import ROOT, Command, completed
from tests.fake_distributions import Site, backbones_source

# A baseline and a backbone that need what is not there, an environment that cannot be built.
PLUGIN = (
    backbones_source("needy").replace("summary=", "requires=('a_missing_package',), summary=")
    + """
@hookimpl
def bastzoo_baselines():
    needs = {"requires": ("a_missing_package",), "summary": "-"}
    return [Component(kind="baseline", name="needy", target="nowhere:Needy", **needs)]

@hookimpl
def bastzoo_environments():
    return [Component(kind="environment", name="leaky", target="leaks:leaky", summary="raises")]
"""
)
LEAKS = "def leaky(): raise ZeroDivisionError('a defect of a plugin')"

# The fastest recipe that a preset admits: a factor of a million a step.
DIVERGES = "learning_rate = 1e3\nweight_decay = 1e3"
BENCH = ("bench", "--backbone", "mamba", "--integ", "SUB", "--loss", "MSE", "--loss", "MIX")


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> tuple[Path, str, str]:
    folder = tmp_path_factory.mktemp("bench")
    done = completed(*BENCH, "--preset", str(tiny_preset), cwd=folder)
    return folder, done.stdout, done.stderr


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables under which the plugin is installed."""
    site = Site(tmp_path_factory.mktemp("site"))
    files = {"poor_ears.py": PLUGIN, "leaks.py": LEAKS}
    site.install("poor-ears", files, {"poor-ears": "poor_ears"})
    return {"PYTHONPATH": f"{site.path}{os.pathsep}{ROOT}"}


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
    done = completed(*BENCH, "--preset", str(tiny_preset), cwd=folder)
    assert done.stdout == out
    assert done.stderr.count("done before") == 4 + 5  # and the baselines
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/record.json")}


def test_train_twice_gives_identical_metrics_to_the_last_bit(
    tmp_path: Path, tiny_preset: Path
) -> None:
    records = []
    for out in ("one", "two"):
        done = completed(
            "train", "--preset", str(tiny_preset), "--runs", out, "--json", cwd=tmp_path
        )
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
    done = completed("train", *words, "--preset", str(tiny_preset), cwd=folder)
    assert "finished already" in done.stderr
    assert "AD, mean" in done.stdout


def test_evaluate_prints_each_environment_and_keeps_the_result(
    benched: tuple[Path, str, str],
) -> None:
    folder, _, _ = benched
    words = ("evaluate", "mamba-SUB-MIX-SP", "--env", "RI01", "--env", "ri02")
    done = completed(*words, cwd=folder)
    assert "RI01" in done.stdout
    assert "RI02" in done.stdout
    run = RunStore(folder / "runs").find("mamba-SUB-MIX-SP")
    assert (run / "track-RI02.json").is_file()
    # The rooms of RI are the test of RI01 and RI02 on the same sounds.
    listed = json.loads(completed(*words, "--json", cwd=folder).stdout)
    record = json.loads((run / "record.json").read_text())
    for result, room in zip(listed["evaluations"], ("anechoic", "lecture-hall"), strict=True):
        assert result["metrics"]["ad_mean"] == pytest.approx(
            record["evaluation"]["by_room"][room]["ad_mean"], abs=1e-3
        )


def test_leaderboard_makes_the_table_again_and_checks_it(benched: tuple[Path, str, str]) -> None:
    folder, out, _ = benched
    assert completed("leaderboard", cwd=folder).stdout.rstrip() == out.rstrip()
    completed("leaderboard", "runs", "--to", "table.md", cwd=folder)
    completed("leaderboard", "runs", "--to", "table.md", "--check", cwd=folder)
    (folder / "table.md").write_text("another")
    done = completed("leaderboard", "runs", "--to", "table.md", "--check", cwd=folder, code=1)
    assert "does not follow" in done.stderr


def test_every_environment_is_a_part_and_every_seed_a_run_in_json_and_in_the_table(
    tmp_path: Path, tiny_preset: Path
) -> None:
    words = ("--backbone", "vanilla", "--integ", "SUB", "--loss", "MSE", "--sharing", "SP")
    rooms = ("--env", "RI", "--env", "RI01", "--env", "RI02")
    axes = (*words, *rooms, "--seeds", "2", "--preset", str(tiny_preset), "--json")
    done = completed("bench", *axes, cwd=tmp_path, env={"BASTZOO_LOAD_PLUGINS": ""})
    records = [RunRecord.model_validate(values) for values in json.loads(done.stdout)]
    runs = [record.experiment for record in records if record.experiment]
    environments = ("RI", "RI01", "RI02")
    assert sorted((run.environment, run.seed) for run in runs) == [
        (environment, seed) for environment in environments for seed in (0, 1)
    ]
    assert len(records) == len(runs) + 3 * 5  # five baselines in each
    text = (tmp_path / "runs" / "leaderboard.md").read_text()
    assert text.count("seeds 0, 1;") == text.count("## In detail") == 3
    assert sorted(re.findall(r"^Environment (\w+)", text, re.MULTILINE)) == list(environments)
    assert len(re.findall(r"^\| +1 \| BAST-SP ", text, re.MULTILINE)) == 3  # a row for both seeds
    assert not re.search(r"^\| +2 \|", text, re.MULTILINE)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_interrupted_bench_keeps_what_is_finished_and_goes_on_from_there(
    tmp_path: Path, tiny_preset: Path
) -> None:
    slow = tmp_path / "slow.toml"
    text = tiny_preset.read_text().replace("steps = 4", "steps = 40")
    slow.write_text(text.replace("validate_every = 2", "validate_every = 20"))
    words = ["bench", "--backbone", "vanilla", "--integ", "SUB", "--sharing", "SP"]
    words += ["--preset", str(slow)]
    started = Command(*words, cwd=tmp_path, env=os.environ)
    for line in started.stderr:  # until the second of three is being trained
        if line.startswith("[2/3]"):
            started.send_signal(signal.SIGINT)
            break
    _, rest = started.communicate()
    assert started.returncode == 130, rest
    assert "Traceback" not in rest
    assert "give the same command again" in rest
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.glob("runs/*/record.json")}
    models = [path for path in kept if path.parent.name.startswith("vanilla")]
    assert 1 <= len(models) < 3
    assert not list(tmp_path.glob("runs/.writing*"))
    assert "| BAST-SP " in (tmp_path / "runs" / "leaderboard.md").read_text()

    done = completed(*words, cwd=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    trained = re.findall(r"^\[(\d)/3\].*step 40/40", done.stderr, re.MULTILINE)
    assert trained == ["1", "2", "3"][len(models) :]


def test_a_record_of_a_newer_bastzoo_is_left_out_and_never_overwritten(
    benched: tuple[Path, str, str], tmp_path: Path, tiny_preset: Path
) -> None:
    shutil.copytree(benched[0] / "runs", tmp_path / "runs")
    (newer,) = tmp_path.glob("runs/mamba-SUB-MIX-SP-*/record.json")
    text = newer.read_text().replace('"schema_version": 1', '"schema_version": 99', 1)
    newer.write_text(text)
    done = completed("train", "--preset", str(tiny_preset), cwd=tmp_path, code=1)
    assert "newer bastzoo" in done.stderr
    done = completed(*BENCH, "--preset", str(tiny_preset), cwd=tmp_path, code=2)
    assert "newer bastzoo" in done.stderr
    assert done.stderr.count("done before") == 3 + 5
    assert newer.read_text() == text


def test_a_component_that_cannot_run_here_is_refused_before_anything_is_written(
    plugin: dict[str, str], tmp_path: Path, tiny_preset: Path
) -> None:
    words = ("train", "--backbone", "needy", "--preset", str(tiny_preset))
    done = completed(*words, cwd=tmp_path, code=1, env=plugin)
    assert "'needy' cannot run here: it needs a_missing_package: pip install" in done.stderr
    assert not list(tmp_path.rglob("record.json"))


def test_a_baseline_that_cannot_run_here_is_left_out_in_a_sentence(
    benched: tuple[Path, str, str], plugin: dict[str, str], tiny_preset: Path
) -> None:
    folder, out, _ = benched
    done = completed(*BENCH, "--preset", str(tiny_preset), cwd=folder, env=plugin)
    assert "baseline 'needy' is left out: it needs a_missing_package" in done.stderr
    assert done.stdout == out


@pytest.mark.parametrize("command", ["train", "bench"])
def test_an_environment_that_cannot_be_built_is_a_sentence(
    command: str, plugin: dict[str, str], tmp_path: Path, tiny_preset: Path
) -> None:
    words = (command, "--env", "leaky", "--preset", str(tiny_preset))
    done = completed(*words, cwd=tmp_path, code=1, env=plugin)
    for words in ("'leaky' of poor-ears cannot be built", "a defect of a plugin"):
        assert words in done.stderr
    assert done.stdout == ""


def test_evaluate_says_so_when_there_is_no_model_to_be_read(
    benched: tuple[Path, str, str], tmp_path: Path
) -> None:
    shutil.copytree(benched[0] / "runs", tmp_path / "runs")
    (weights,) = tmp_path.glob("runs/mamba-SUB-MIX-SP-*/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    done = completed("evaluate", "mamba-SUB-MIX-SP", cwd=tmp_path, code=1)
    assert "model.safetensors' cannot be read" in done.stderr


def test_a_baseline_is_fitted_again_to_be_evaluated_elsewhere(
    benched: tuple[Path, str, str],
) -> None:
    folder, _, _ = benched
    done = completed("evaluate", "baseline-ITD-", "--env", "RI", "--json", cwd=folder)
    (result,) = json.loads(done.stdout)["evaluations"]
    run = RunStore(folder / "runs").find("baseline-ITD-")
    record = json.loads((run / "record.json").read_text())
    assert {**record["evaluation"], "track": "RI", "label": "RI"} == result


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path, tiny_preset: Path) -> None:
    done = completed(*BENCH, "--preset", str(tiny_preset), "--dry-run", cwd=tmp_path)
    assert done.stdout.count("to run") == 4
    assert "4 runs, about" in done.stdout
    words = ("--preset", str(tiny_preset), "--steps", "7", "--batch", "3", "--dry-run")
    for command in (BENCH, ("train", "--backbone", "vanilla", "--precision", "auto")):
        done = completed(*command, *words, cwd=tmp_path)
        assert "+steps=7+batch=3" in done.stdout
    assert "1 run, about" in done.stdout
    assert re.search(r"Computing in \w+: a step in bfloat16 takes [\d.]+ times", done.stderr)
    assert not any(tmp_path.iterdir())


def test_a_run_that_diverges_is_recorded_and_the_rest_goes_on(
    tmp_path: Path, tiny_preset: Path
) -> None:
    wild = tmp_path / "wild.toml"
    wild.write_text(tiny_preset.read_text().replace("learning_rate = 1e-3", DIVERGES))
    words = ("--backbone", "vanilla", "--integ", "SUB", "--loss", "MSE", "--sharing", "all")
    done = completed("bench", *words, "--preset", str(wild), cwd=tmp_path, code=2)
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
        (("bench", "--runs", "file/runs"), "cannot be written"),
        (("train", "--loss", "MXI"), "Did you mean 'MIX'"),
        (("train", "--env", "RI03"), "no environment named 'RI03'"),
        (("evaluate", "nothing"), "no model named 'nothing'"),
        (("leaderboard", "nowhere"), "no finished run"),
        (("leaderboard", "--check"), "--to"),
    ],
)
def test_a_mistake_is_answered_by_a_sentence_and_exit_code_1(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = completed(*words, cwd=tmp_path, code=1, env={"CUDA_VISIBLE_DEVICES": ""})
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize("checkpoint_every", [0, 1000])
def test_a_full_disk_is_a_sentence_and_finished_runs_are_kept(
    benched: tuple[Path, str, str], tiny_preset: Path, checkpoint_every: int
) -> None:
    """Full when the first checkpoint is written, or when the run is."""
    folder, _, _ = benched
    before = len(list(folder.glob("runs/*/record.json")))
    # A limit on the size of files stands for a full disk: the weights do not fit.
    command = (
        "ulimit -f 4; trap '' XFSZ; "
        f"exec {sys.executable} -m bastzoo train --backbone vanilla --preset {tiny_preset} "
        f"--checkpoint-every {checkpoint_every}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "There is no space left in 'runs'" in done.stderr
    assert "Finished runs are kept" in done.stderr
    assert len(list(folder.glob("runs/*/record.json"))) == before
    assert not list(folder.glob("runs/.writing*"))
    assert not list(folder.glob("runs/.unfinished/*/*checkpoint*"))
