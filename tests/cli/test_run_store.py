"""`bastzoo runs` and `bastzoo compare`, end to end on runs of seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import completed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> Path:
    """Two backbones, two seeds each, and the baselines."""
    folder = tmp_path_factory.mktemp("made")
    completed(
        *("bench", "--backbone", "vanilla", "--backbone", "swin", "--integ", "SUB"),
        *("--loss", "MIX", "--sharing", "SP", "--seeds", "2", "--preset", str(tiny_preset)),
        cwd=folder,
    )
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the runs that a test may change."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    return tmp_path


def the_run(folder: Path, name: str = "vanilla-SUB-MIX-SP") -> Path:
    return sorted((folder / "runs").glob(f"{name}*"))[0]


def change(run: Path, **values: object) -> None:
    path = run / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_list_shows_every_run_and_the_options_choose_among_them(made: Path) -> None:
    whole = completed("runs", "list", cwd=made).stdout
    assert whole.count("vanilla/SUB/MIX/SP") == whole.count("swin/SUB/MIX/SP") == 2
    assert "baseline ITD+ILD" in whole
    assert "9 runs in runs: 9 finished" in whole
    some = completed("runs", "list", "--backbone", "SWIN", "--seed", "1", "--json", cwd=made)
    (only,) = json.loads(some.stdout)
    assert (only["backbone"], only["seed"], only["status"]) == ("swin", 1, "finished")
    assert "0 of 9 runs" in completed("runs", "list", "--status", "failed", cwd=made).stdout


def test_list_calls_a_run_of_older_code_stale(folder: Path) -> None:
    run = the_run(folder)
    experiment = json.loads((run / "record.json").read_text())["experiment"]
    experiment["components"]["backbone"]["version"] = 0
    change(run, experiment=experiment)
    out = completed("runs", "list", "--status", "stale", cwd=folder).stdout
    assert "backbone vanilla version 0, now" in out
    assert "1 of 9 runs" in out


def test_list_shows_what_a_kill_left_and_what_it_was_to_be(folder: Path, tiny_preset: Path) -> None:
    from bastzoo.harness.jobs import Job
    from bastzoo.records.claims import Claims
    from bastzoo.records.store import read_record

    run = the_run(folder)
    record = read_record(run / "record.json")
    shutil.rmtree(run)
    claims = Claims(folder / "runs")
    claim = claims.acquire(record.key)
    assert claim is not None
    claims.describe(record.key, Job(experiment=record.experiment).model_dump_json())
    out = completed("runs", "list", "--backbone", "vanilla", cwd=folder).stdout
    assert out.count("running") == 2  # the row, and the count
    left_alone = completed("runs", "rm", record.key, "--yes", cwd=folder)
    assert "left alone" in left_alone.stderr
    claim.release()
    out = completed("runs", "list", "--status", "unfinished", cwd=folder).stdout
    assert "vanilla/SUB/MIX/SP" in out
    assert "before its first checkpoint" in out
    completed("runs", "rm", "--status", "unfinished", "--yes", cwd=folder)
    assert not (folder / "runs" / ".unfinished").exists()


def test_a_damaged_record_is_named_and_the_rest_is_listed(folder: Path) -> None:
    (the_run(folder) / "record.json").write_text('{"status": ')
    done = completed("runs", "list", cwd=folder, code=2)
    assert "cut short" in done.stderr
    assert "8 runs in runs" in done.stdout


def test_show_says_how_a_run_was_made(made: Path) -> None:
    run = the_run(made)
    out = completed("runs", "show", run.name.rpartition("-")[2], cwd=made).stdout
    for words in ("AD, mean", "backbone     vanilla version", "model.safetensors (", "seed 0"):
        assert words in out
    told = json.loads(completed("runs", "show", run.name, "--json", cwd=made).stdout)
    assert told["status"] == "finished"
    assert told["record"]["key"] == run.name.rpartition("-")[2]
    done = completed("runs", "show", "nothing", cwd=made, code=1)
    assert "There is no run 'nothing' in 'runs'" in done.stderr


def test_rm_removes_what_is_named_or_chosen_and_asks_first(folder: Path) -> None:
    assert "Say which runs" in completed("runs", "rm", cwd=folder, code=1).stderr
    completed("runs", "rm", "swin-SUB", cwd=folder, code=1)  # two runs fit
    run = the_run(folder, "swin-SUB")
    assert "would be removed" in completed("runs", "rm", run.name, "--dry-run", cwd=folder).stdout
    unanswered = completed("runs", "rm", run.name, cwd=folder, code=1)
    assert "Nothing was removed" in unanswered.stderr
    assert "--yes" in unanswered.stderr
    assert run.is_dir()
    completed("runs", "rm", run.name, "--yes", cwd=folder)
    assert not run.exists()
    completed("runs", "rm", "--baseline", "ITD", "--baseline", "ILD", "--yes", cwd=folder)
    assert "6 runs in runs" in completed("runs", "list", cwd=folder).stdout


def test_verify_finds_nothing_in_what_bastzoo_wrote(made: Path) -> None:
    assert "9 of 9 runs hold" in completed("runs", "verify", cwd=made).stdout


def test_verify_names_everything_that_does_not_hold(folder: Path) -> None:
    first, second = sorted((folder / "runs").glob("vanilla-*"))
    third, fourth = sorted((folder / "runs").glob("swin-*"))
    evaluation = json.loads((first / "record.json").read_text())["evaluation"]
    evaluation["metrics"]["ad_mean"] = 0.1
    change(first, evaluation=evaluation)
    weights = (second / "model.safetensors").read_bytes()
    (second / "model.safetensors").write_bytes(weights[:-100])
    (third / "predictions.npz").unlink()
    fourth.rename(fourth.with_name("renamed"))
    done = completed("runs", "verify", cwd=folder, code=2)
    assert f"{first.name}: metrics.ad_mean is 0.1 in the record and" in done.stdout
    assert f"{second.name}: The weights" in done.stdout
    assert f"{third.name}: predictions.npz is missing" in done.stdout
    assert "renamed: the folder should be called swin-" in done.stdout
    assert "5 of 9 runs hold" in done.stdout


def test_verify_finds_a_key_that_is_not_that_of_what_was_run(folder: Path) -> None:
    run = the_run(folder)
    experiment = json.loads((run / "record.json").read_text())["experiment"]
    change(run, experiment={**experiment, "seed": 17})
    done = completed("runs", "verify", run.name, cwd=folder, code=2)
    assert "changed by hand" in done.stdout


def test_compare_takes_all_seeds_and_says_who_is_better(made: Path) -> None:
    out = completed("compare", "vanilla-SUB", "swin-SUB", cwd=made).stdout
    assert "vanilla/SUB/MIX/SP (seeds 0, 1)" in out
    assert "95 % of A - B" in out
    names = [the_run(made, "vanilla").name, sorted((made / "runs").glob("vanilla-*"))[1].name]
    assert "--this-seed" in completed("compare", *names, cwd=made, code=1).stderr
    (found,) = json.loads(completed("compare", *names, "--this-seed", "--json", cwd=made).stdout)
    assert found["difference"] == pytest.approx(found["a"]["ad"] - found["b"]["ad"])


def test_compare_on_a_track_needs_results_on_it(made: Path) -> None:
    names = [the_run(made, name).name for name in ("vanilla", "swin")]
    done = completed("compare", *names, "--this-seed", "--track", "duration", cwd=made, code=1)
    assert "bastzoo evaluate" in done.stderr
    for name in names:
        completed("evaluate", name, "--track", "duration", cwd=made)
    done = completed("compare", *names, "--this-seed", "--track", "duration", cwd=made)
    assert "of 5 cases" in done.stdout


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    done = completed("runs", "list", "--runs", "nowhere", cwd=tmp_path, code=1)
    assert "There is no folder 'nowhere'" in done.stderr
