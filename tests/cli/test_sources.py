"""Several sources at a time, end to end: rendered, as a CSV index, on their track; and the mistakes."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from bastzoo.conditions import Condition
from bastzoo.data.environments import ri
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.presets import DataSize
from tests.cli.command import completed
from tests.cli.test_multitask import preset  # noqa: F401

SIZE = DataSize(train_sounds=12, validation_sounds=4, test_sounds=6, azimuth_step=30)


def data(*sources: int) -> RenderedData:
    return RenderedData(environment=ri(), size=SIZE, condition=Condition(sources=sources))


def test_a_clip_of_several_sources_is_the_sum_of_its_sources() -> None:
    clips = data(2).split("test")
    batch = clips.take(torch.arange(40))
    alone = RenderedData(environment=ri(), size=SIZE).split("test")
    directions = torch.as_tensor(alone.directions, dtype=torch.float32)
    for row in range(0, 40, 7):
        parts = []
        for source in range(2):
            angle = (batch.targets["directions"][row, source] - directions).norm(dim=-1).argmin()
            of_class = batch.targets["classes"][row, source]
            sound = next(
                s for s in range(6) if alone.class_of_sound[s] == of_class
            )  # six sounds, six classes
            rooms = len(alone.rooms)
            index = (sound * rooms + batch.rooms[row]) * len(directions) + angle
            parts.append(alone.take(index[None]).inputs[0])
        torch.testing.assert_close(batch.inputs[row], parts[0] + parts[1], rtol=0, atol=1e-6)


def test_numbers_of_sources_are_mixed_evenly_and_depend_on_the_index_alone() -> None:
    clips = data(1, 2, 3).split("train")
    batch = clips.take(torch.arange(len(clips)))
    counts = batch.targets["present"].sum(dim=1)
    shares = torch.bincount(counts, minlength=4)[1:] / len(clips)
    assert (shares - 1 / 3).abs().max() < 0.1
    some = clips.take(torch.tensor([100, 7]))
    assert torch.equal(some.inputs[1], batch.inputs[7])
    assert torch.equal(some.targets["classes"][0], batch.targets["classes"][100])
    # No two sources of a clip come from one direction.
    directions = batch.targets["directions"]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        both = batch.targets["present"][:, a] & batch.targets["present"][:, b]
        assert (directions[both, a] - directions[both, b]).norm(dim=-1).min() > 0.1


def test_one_source_keeps_the_digests_of_before() -> None:
    assert data(1).digest == RenderedData(environment=ri(), size=SIZE).digest
    assert data(2).digest != data(1).digest
    assert "sources" not in Condition(snr_db=(10.0,)).model_dump()


def test_bench_answers_how_many_on_its_track(preset: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("--backbone", "vanilla", "--integ", "CONCAT", "--loss", "MIX", "--sharing", "SP")
    completed("bench", *words, "--track", "sources", "--preset", str(preset), cwd=tmp_path)
    table = (tmp_path / "runs" / "leaderboard-sources.md").read_text()
    for text in ("## How many, what and where", "Tested on 3 sources:", "Count right", "multi"):
        assert text in table
    again = completed("leaderboard", "runs", "--track", "sources", cwd=tmp_path)
    assert again.stdout == table
    assert "hold" in completed("runs", "verify", cwd=tmp_path).stdout


def test_a_csv_with_several_rows_a_file_trains_slots(preset: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("--layout", "csv", "--preset", str(preset), "--env", "RI01", "--sources", "1-3")
    completed("data", "render", "--to", "clips", *words, cwd=tmp_path)
    with (tmp_path / "clips" / "dataset_index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(Counter(row["input_file"] for row in rows).values()) == {1, 2, 3}
    train = ("train", "--csv", "clips/dataset_index.csv", "--backbone", "vanilla")
    train = (*train, "--preset", str(preset), "--steps", "4", "--json")
    found = json.loads(completed(*train, "--head", "multi", cwd=tmp_path).stdout)
    assert found["evaluation"]["metrics"]["sources"] == sum(row["split"] == "test" for row in rows)
    assert "hold" in completed("runs", "verify", cwd=tmp_path).stdout
    refused = completed(*train, cwd=tmp_path, code=1)
    assert "Clips have up to 3 sources, and the head 'azimuth' answers 1" in refused.stderr
    assert "use --head multi" in refused.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--train-sources", "1-3"), "the head 'azimuth' answers 1"),
        (("--head", "multi", "--train-sources", "1-4"), "more slots"),
        (("--train-sources", "0"), "no number of sources"),
        (("--train-sources", "two"), "no number of sources"),
        (("--train-sources", "2", "--train-snr", "10"), "have no noise"),
    ],
)
def test_mistakes_are_sentences(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    assert sentence in completed("train", *words, cwd=tmp_path, code=1).stderr


def test_a_row_that_repeats_a_source_is_a_fault(preset: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("--layout", "csv", "--preset", str(preset), "--env", "RI01")
    completed("data", "render", "--to", "clips", *words, cwd=tmp_path)
    index = tmp_path / "clips" / "dataset_index.csv"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines, lines[5]]) + "\n")
    train = ("train", "--csv", "clips/dataset_index.csv", "--preset", str(preset), "--steps", "2")
    done = completed(*train, cwd=tmp_path, code=1)
    assert "says what row 6 says already" in done.stderr
