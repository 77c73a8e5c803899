"""`bastzoo tune`: a study goes on after a kill, is shared, and its best recipe is a preset."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bastzoo.presets import load_preset
from tests.cli.test_harness import KILLS, run, start

Study = tuple[Path, dict[str, Any]]
# Three in the suite, thirty in `make soak`.
TUNE_KILLS = min(30, 3 * KILLS // 5)
TUNE = ("tune", "--backbone", "vanilla", "--integ", "SUB", "--loss", "MSE", "--json")


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> Path:
    """A preset of many short steps, so that a kill finds training at work."""
    path = tmp_path_factory.mktemp("preset") / "short.toml"
    text = tiny_preset.read_text().replace("steps = 4", "steps = 60")
    path.write_text(text.replace("validate_every = 2", "validate_every = 10"))
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, preset: Path) -> Study:
    """An undisturbed search of eight trials."""
    folder = tmp_path_factory.mktemp("study")
    out = run(*TUNE, "--trials", "8", "--preset", str(preset), cwd=folder).stdout
    return folder, json.loads(out)


def test_the_first_trial_is_the_presets_own_recipe(study: Study, preset: Path) -> None:
    _, found = study
    own = load_preset(str(preset)).recipe
    assert found["trials"][0]["recipe"] == own.model_dump()
    complete = [t["ad"] for t in found["trials"] if t["state"] == "complete"]
    assert found["trials"][found["best"]]["ad"] == min(complete) <= found["trials"][0]["ad"]


def test_every_trial_hears_as_many_clips(study: Study, preset: Path) -> None:
    _, found = study
    recipes = [trial["recipe"] for trial in found["trials"]]
    assert len({recipe["batch"] for recipe in recipes}) > 1
    assert {recipe["batch"] * recipe["steps"] for recipe in recipes} == {60 * 8}


def test_the_best_recipe_is_a_preset_that_bench_takes(study: Study, preset: Path) -> None:
    folder, found = study
    tuned, own = load_preset(str(folder / found["preset"])), load_preset(str(preset))
    assert tuned.recipe.model_dump() == found["trials"][found["best"]]["recipe"]
    assert (tuned.model, tuned.data) == (own.model, own.data)
    done = run(
        *("bench", "--backbone", "vanilla", "--integ", "SUB", "--loss", "MSE", "--sharing", "SP"),
        *("--preset", found["preset"], "--json"),
        cwd=folder,
    )
    trained = [r["training"] for r in json.loads(done.stdout) if r["training"]]
    best = found["trials"][found["best"]]["ad"]
    # The run is the trial again: same seed, same recipe, same weights.
    assert [training["best_validation_ad"] for training in trained] == [best]


@pytest.mark.timeout(120 + 30 * TUNE_KILLS)
def test_killed_and_interrupted_searches_go_on_to_the_same_result(
    study: Study,
    preset: Path,
    tmp_path: Path,
) -> None:
    words = (*TUNE, "--trials", "8", "--preset", str(preset), "--checkpoint-every", "0")
    draw = random.Random(1)
    done = 0
    while done < TUNE_KILLS:
        # The journal is written to right after such a line: one a validation, and one a trial.
        number = signal.SIGTERM if done % 3 == 1 else signal.SIGKILL
        process = start(*words, cwd=tmp_path)
        for _ in range(draw.randint(1, 12)):
            process.stderr.readline()
        time.sleep(draw.uniform(0.0, 0.03))
        process.send_signal(number)
        out, err = process.communicate()
        if process.returncode == 0:  # it came to an end: begin with an empty folder again
            assert json.loads(out)["trials"] == study[1]["trials"]
            shutil.rmtree(tmp_path / "runs")
            continue
        expected = -number if number == signal.SIGKILL else 128 + number
        assert process.returncode == expected, err
        assert "Traceback" not in err
        done += 1
    found = json.loads(run(*words, cwd=tmp_path).stdout)
    assert found["trials"] == study[1]["trials"]
    assert not list(tmp_path.glob("runs/tune/*/.unfinished/trial-*"))


def test_two_processes_share_the_trials(preset: Path, tmp_path: Path) -> None:
    words = (*TUNE, "--trials", "6", "--preset", str(preset))
    both = [start(*words, cwd=tmp_path) for _ in range(2)]
    outs = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    found = [json.loads(out) for out, _ in outs]
    assert found[0]["trials"] == found[1]["trials"]
    assert [trial["number"] for trial in found[0]["trials"]] == list(range(6))
    worked = [sum(": validation AD" in line for line in err.splitlines()) for _, err in outs]
    assert sum(worked) == 6


def test_more_trials_go_on_from_those_that_are_done(study: Study, preset: Path) -> None:
    folder, before = study
    out = run(*TUNE, "--trials", "9", "--preset", str(preset), cwd=folder).stdout
    after = json.loads(out)
    assert after["trials"][:8] == before["trials"]
    assert len(after["trials"]) == 9


def test_the_command_that_is_suggested_trains_what_was_tuned(study: Study, preset: Path) -> None:
    folder, _ = study
    words = [word for word in TUNE if word != "--json"]
    done = run(*words, "--trials", "8", "--preset", str(preset), cwd=folder)
    command = done.stdout.splitlines()[-1]
    assert command.startswith("bastzoo bench --backbone vanilla --integ SUB --loss MSE")
    assert "--env RI " in command
    assert command.endswith("--runs runs")


@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_seed_that_no_generator_takes_is_a_sentence(command: str, tmp_path: Path) -> None:
    done = run(command, "--seed", str(2**32), cwd=tmp_path, code=1)
    assert "--seed" in done.stderr


def test_mistakes_are_sentences(preset: Path, tmp_path: Path) -> None:
    done = run(*TUNE, "--write", "best.json", cwd=tmp_path, code=1)
    assert "ends in .toml" in done.stderr
    done = run(*TUNE, "--preset", str(preset), "--runs", "no/where", cwd=tmp_path, code=1)
    assert "mkdir -p" in done.stderr


def test_a_journal_that_is_damaged_is_a_sentence(preset: Path, tmp_path: Path) -> None:
    words = (*TUNE, "--trials", "1", "--preset", str(preset))
    run(*words, cwd=tmp_path)
    (journal,) = tmp_path.glob("runs/tune/*/journal.log")
    journal.write_text("not JSON\n" * 3)
    done = run(*words, cwd=tmp_path, code=1)
    assert "cannot be read" in done.stderr
    assert os.fspath(journal.name) in done.stderr
