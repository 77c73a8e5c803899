"""`bastzoo data render`, `convert` and `info`, and training on what they write, end to end."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.command import bastzoo
from tests.data.recorded.made import csv_index, default_rows, samples, write_wave

ROW = ("--backbone", "vanilla", "--integ", "SUB", "--loss", "MIX", "--sharing", "SP")


@pytest.fixture(scope="module")
def preset(tiny_preset: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny preset with a sound of each class for training."""
    path = tmp_path_factory.mktemp("presets") / "tiny.toml"
    text = tiny_preset.read_text().replace("train_sounds = 4", "train_sounds = 24")
    path.write_text(text.replace("azimuth_step = 60", "azimuth_step = 90"))
    return str(path)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"BASTZOO_CACHE": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, preset: str) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "clips"
    done = bastzoo("data", "render", "--layout", "bast", "--to", str(folder), "--preset", preset)
    assert done.returncode == 0, done.stderr
    assert "Wrote 224 clips" in done.stderr
    return folder


def test_a_rendered_folder_is_converted_once_and_trained_on_with_baselines(
    clips: Path, preset: str, cache: dict[str, str], tmp_path: Path
) -> None:
    words = ("--data", str(clips), "--preset", preset)
    done = bastzoo("data", "convert", *words, **cache)
    assert done.returncode == 0, done.stderr
    assert "224 clips are in" in done.stderr
    assert "Converted" not in bastzoo("data", "convert", *words, "--verify", **cache).stderr
    out = ("--runs", str(tmp_path / "runs"))
    done = bastzoo("bench", *words, *ROW, *out, "--json", **cache)
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    (model,) = [record for record in records if record["experiment"]]
    assert model["experiment"]["source"]["layout"] == "bast"
    assert set(model["evaluation"]["by_room"]) == {"RI01", "RI02"}
    assert model["evaluation"]["clips"] == 3 * 2 * 4
    baselines = {r["baseline"]["component"]["name"]: r for r in records if r["baseline"]}
    assert baselines["ITD+ILD"]["evaluation"]["metrics"]["ad_mean"] < 30
    again = bastzoo("bench", *words, *ROW, *out, **cache)
    assert again.stderr.count("done before") == 6
    assert "recorded data" in again.stdout
    assert "Trained on 24 other sounds, 1 held out for validation" in " ".join(again.stdout.split())
    done = bastzoo("evaluate", "vanilla-SUB", "--env", "RI01", *out, "--json", **cache)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["evaluations"]
    expected = model["evaluation"]["by_room"]["RI01"]["ad_mean"]
    assert result["metrics"]["ad_mean"] == pytest.approx(expected, abs=1e-3)


def test_the_environments_of_a_folder_are_tracks_and_axes(
    clips: Path, preset: str, cache: dict[str, str], tmp_path: Path
) -> None:
    words = ("--data", str(clips), "--preset", preset, "--runs", str(tmp_path / "runs"))
    done = bastzoo("bench", *words, *ROW, "--track", "cross-environment", **cache)
    assert done.returncode == 0, done.stderr
    assert "|   RI01 |   RI02 |     RI |" in done.stdout
    wrong = bastzoo("bench", *words, *ROW, "--env", "RI09", **cache)
    assert wrong.returncode == 1
    assert "it has RI01 (112), RI02 (112)" in wrong.stderr


def test_a_rendered_csv_index_is_trained_on(
    preset: str, cache: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "spectrograms"
    words = ("--layout", "csv", "--to", str(folder), "--preset", preset, "--env", "RI01")
    done = bastzoo("data", "render", *words)
    assert done.returncode == 0, done.stderr
    index = str(folder / "dataset_index.csv")
    words = ("--csv", index, "--preset", preset, "--runs", str(tmp_path / "runs"))
    done = bastzoo("train", *words, "--backbone", "vanilla", "--json", **cache)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["experiment"]["combination"]["frontend"] == "precomputed"
    assert record["cost"]["macs"] > 0
    done = bastzoo("evaluate", "vanilla", "--runs", str(tmp_path / "runs"), **cache)
    assert done.returncode == 0, done.stderr
    done = bastzoo("bench", *words, *ROW, **cache)
    assert done.returncode == 0, done.stderr
    assert "Baselines are left out" in done.stderr


def test_info_counts_and_finds_what_is_wrong(clips: Path, preset: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(clips, copy)
    write_wave(copy / "train" / "A000_RI01_mono.wav", samples(0, channels=1), rate=44_100)
    write_wave(copy / "train" / "A000_RI01_quiet.wav", np.zeros((8_000, 2), np.int16))
    write_wave(copy / "train" / "A000_RI01_loud.wav", np.full((8_000, 2), 32_767, np.int16))
    leaked = next((copy / "test").glob("A000_RI01_*.wav"))
    shutil.copy(leaked, copy / "train" / "A000_RI01_leaked.wav")
    done = bastzoo("data", "info", "--data", str(copy), "--preset", preset, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sum(told["clips"].values()) == 224 + 3
    assert told["rooms"] == {"RI01": 112 + 3, "RI02": 112}
    assert told["sample_rates"] == {"16000": 227, "44100": 1}
    assert (told["clipped_clips"], told["silent_clips"]) == (1, 2)
    assert told["duplicates_across_splits"]["count"] == 2
    assert "A000_RI01_leaked.wav" in str(told["duplicates_across_splits"]["first"])
    assert told["faults"] == 1
    assert "A000_RI01_mono.wav: 1 channel" in told["first_faults"][0]
    text = bastzoo("data", "info", "--data", str(copy), "--preset", preset).stdout
    assert "azimuths: 4 from -90° to 180°" in text
    assert "A000_RI01_mono.wav: 1 channel" in text


def test_info_tells_of_rendered_data_and_its_head(preset: str) -> None:
    told = json.loads(bastzoo("data", "info", "--preset", preset, "--json").stdout)
    assert told["clips"] == {"train": 192, "validation": 8, "test": 24}
    assert told["head"]["id"] == "kemar-virtual-0"
    assert len(told["head"]["sha256"]) == 64
    assert sum(told["classes"].values()) == 224


def test_a_csv_index_is_described(tmp_path: Path, preset: str) -> None:
    path = csv_index(tmp_path, default_rows(groups=20))
    told = json.loads(bastzoo("data", "info", "--csv", str(path), "--json").stdout)
    assert told["classes"] == {"bell": 30, "drum": 30}
    assert told["shapes"] == {"2×6×5": 60}
    assert sum(told["clips"].values()) == 60


def test_faults_are_told_at_once_and_skipped_on_request(
    clips: Path, preset: str, cache: dict[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(clips, copy)
    write_wave(copy / "train" / "A000_RI01_mono.wav", samples(0, channels=1))
    write_wave(copy / "train" / "A005_RI01_off.wav", samples(0))
    words = (*ROW, "--data", str(copy), "--preset", preset, "--runs", str(tmp_path / "runs"))
    refused = bastzoo("train", *words, **cache)
    assert refused.returncode == 1
    assert "A000_RI01_mono.wav: 1 channel" in refused.stderr
    assert "the azimuth 5 is not on the grid of 0 to 360 in steps of 90" in refused.stderr
    assert "2 faults in all; --skip-bad goes on without them." in refused.stderr
    done = bastzoo("train", *words, "--skip-bad", "--json", **cache)
    assert done.returncode == 0, done.stderr
    notes = json.loads(done.stdout)["notes"]
    assert notes == {
        "skipped_rows": 2,
        "train_sounds": 24,
        "validation_sounds": 1,
        "test_sounds": 3,
    }


def test_info_has_a_form_for_nothing(clips: Path, tmp_path: Path, preset: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(clips, copy)
    for path in copy.rglob("*.wav"):
        path.write_bytes(b"")
    done = bastzoo("data", "info", "--data", str(copy), "--preset", preset)
    assert done.returncode == 0, done.stderr
    assert "azimuths: none" in done.stdout
    assert "faults: 224" in done.stdout


def test_a_manifest_of_one_s_own_recordings_is_trained_on(
    preset: str, cache: dict[str, str], tmp_path: Path
) -> None:
    """WAV at 44.1 kHz in rooms of one's own, as the README says it."""
    rows = ["path,azimuth_deg,environment,sound"]
    for number in range(24):
        noise = 0.1 * np.random.default_rng(number).normal(size=(22_050, 2))
        soundfile.write(tmp_path / f"{number}.wav", noise, 44_100)
        room = "office" if number % 4 else "attic"
        rows.append(f"{number}.wav,{(number % 6) * 60 - 120},{room},s{number // 2}")
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(rows) + "\n")
    words = ("--csv", str(path), "--preset", preset, "--backbone", "vanilla", "--json")
    out = ("--runs", str(tmp_path / "runs"))
    done = bastzoo("train", *words, *out, **cache)
    assert done.returncode == 0, done.stderr
    assert "mine.csv' is tested with one sound, of which there is no interval" in done.stderr
    record = json.loads(done.stdout)
    assert record["experiment"]["combination"]["frontend"] == "spectrogram"
    assert record["experiment"]["environment"] == "recorded"  # not the papers' RI
    assert set(record["evaluation"]["by_room"]) <= {"office", "attic"}
    table = bastzoo("leaderboard", str(tmp_path / "runs")).stdout
    assert "° (unknown)" in table
    assert "inf" not in table
    done = bastzoo("data", "info", "--csv", str(path), "--env", "office", "--json")
    assert json.loads(done.stdout)["rooms"] == {"office": 18}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("info", "--data", "nowhere"), "has no folder train/"),
        (("info", "--csv", "nowhere.csv"), "cannot be read"),
        (("info", "--hrtf", "nowhere.sofa"), "is not a file"),
        (("info", "--sounds", "nowhere"), "nowhere"),
        (("render", "--to", "taken"), "exists already"),
        (
            ("render", "--to", "new", "--listeners", "family"),
            "file names cannot tell listeners 1-8",
        ),
        (("render", "--to", "new", "--snr", "loud"), "is no signal-to-noise ratio"),
        (("render", "--to", "new", "--env", "KITCHEN"), "no environment named 'KITCHEN'"),
    ],
)
def test_a_mistake_is_a_sentence(
    tmp_path: Path,
    preset: str,
    words: tuple[str, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    done = bastzoo("data", *words, "--preset", preset)
    assert done.returncode == 1
    assert sentence in done.stderr.replace(os.linesep, " ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
