"""Class, azimuth and elevation by one model, end to end: the fork's command, bench, and its mistakes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import completed

# BAST's fork documents this command.
TRAIN = (
    *("train", "--csv", "dataset_index.csv", "--backbone", "vanilla", "--integ", "SUB"),
    *("--loss", "MIX", "--epochs", "20", "--batch", "16"),
    *("--cls-weight", "1.0", "--elev-weight", "0.1"),
)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> Path:
    """A sound of every class in each split."""
    path = tmp_path_factory.mktemp("preset") / "classes.toml"
    text = tiny_preset.read_text().replace("train_sounds = 4", "train_sounds = 12")
    text = text.replace("validation_sounds = 1", "validation_sounds = 12")
    path.write_text(text.replace("test_sounds = 3", "test_sounds = 12"))
    return path


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, preset: Path) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "clips"
    words = ("--layout", "csv", "--preset", str(preset), "--env", "RI01", "--frontend", "mel")
    completed("data", "render", "--to", str(folder), *words, cwd=folder.parent)
    return folder


@pytest.fixture
def folder(rendered: Path, tmp_path: Path) -> Path:
    """A copy of the data that a test may change."""
    copy = tmp_path / "clips"
    shutil.copytree(rendered, copy)
    return copy


def changed(folder: Path, column: str, value: str, *, split: str | None = None) -> None:
    path = folder / "dataset_index.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if split is None or row["split"] == split:
            row[column] = value
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_the_forks_command_works_as_it_stands(folder: Path, preset: Path) -> None:
    done = completed(*TRAIN, "--preset", str(preset), cwd=folder)
    for words in ("class accuracy", "macro F1", "azimuth error", "F20", "ER20"):
        assert words in done.stdout
    assert "vowels" in done.stdout, "the table of the classes has their names"
    # The data is rendered on the horizontal plane.
    assert "All training clips are at one elevation, 0°" in done.stderr
    (record,) = (json.loads(p.read_text()) for p in folder.glob("runs/*/record.json"))
    experiment = record["experiment"]
    assert experiment["combination"]["head"] == "azimuth+elevation+class"
    assert experiment["tasks"] == {"cls_weight": 1.0, "elev_weight": 0.1, "weighting": "fixed"}
    assert len(experiment["components"]["head"]["parameters"]["classes"]) == 12
    recipe = experiment["preset"]["recipe"]
    assert (recipe["batch"], recipe["steps"]) == (16, 20 * (12 * 6 // 16))
    assert set(record["evaluation"]["by_class"]) >= {"vowels", "clicks"}
    assert sum(map(sum, record["evaluation"]["confusion"])) == record["evaluation"]["clips"]
    assert "hold" in completed("runs", "verify", cwd=folder).stdout
    completed("compare", "vanilla", "vanilla", cwd=folder, code=1)


def test_one_class_is_said_and_trained(folder: Path, preset: Path) -> None:
    changed(folder, "class", "speech")
    done = completed(*TRAIN, "--preset", str(preset), cwd=folder)
    assert "All clips are of one class, 'speech'" in done.stderr


def test_a_class_that_training_never_saw_is_named(folder: Path, preset: Path) -> None:
    changed(folder, "class", "unheard", split="validation")
    done = completed(*TRAIN, "--preset", str(preset), cwd=folder, code=1)
    assert "its class 'unheard' is in no row of train" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--cls-weight", "-1"), "-1.0 is not in the range"),
        (("--head", "azimuth", "--cls-weight", "1"), "answers a direction only"),
        (("--epochs", "2", "--steps", "3"), "give one of them"),
        (("--epochs", "0"), "0 is not in the range"),
    ],
)
def test_mistakes_are_sentences(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    assert sentence in completed("train", *words, cwd=tmp_path, code=1).stderr


def test_bench_ranks_multitask_models_on_their_track(preset: Path, tmp_path: Path) -> None:
    words = ("--backbone", "vanilla", "--integ", "CONCAT", "--loss", "MIX", "--sharing", "SP")
    done = completed("bench", *words, "--track", "multitask", "--preset", str(preset), cwd=tmp_path)
    table = (tmp_path / "runs" / "leaderboard-multitask.md").read_text()
    assert done.stdout.rstrip() == table.rstrip()
    for text in (
        "## What and where",
        "Tested on RI02:",
        "Class accuracy",
        "direction+class",
        "ER20",
    ):
        assert text in table
    again = completed("leaderboard", "runs", "--track", "multitask", cwd=tmp_path)
    assert again.stdout == table
    rows = completed(
        "leaderboard", "runs", "--track", "multitask", "--format", "json", cwd=tmp_path
    )
    assert '"class_accuracy"' in rows.stdout


def test_learned_weights_are_another_experiment_and_go_on_after_a_stop(
    preset: Path, tmp_path: Path
) -> None:
    words = (
        *("train", "--backbone", "vanilla", "--head", "direction+class", "--env", "RI01"),
        *("--preset", str(preset), "--json"),
    )
    fixed = json.loads(completed(*words, cwd=tmp_path).stdout)
    learned = json.loads(completed(*words, "--task-weights", "learned", cwd=tmp_path).stdout)
    assert fixed["key"] != learned["key"]
    assert fixed["evaluation"] != learned["evaluation"]
