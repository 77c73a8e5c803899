"""`bastzoo bench --track`, `evaluate --track` and `leaderboard --track`, end to end at a size of seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bastzoo.records.store import RunStore
from tests.cli.command import bastzoo

ROW = ("--backbone", "vanilla", "--integ", "SUB", "--loss", "MIX", "--sharing", "SP")
TRACKS = ("--track", "snr", "--track", "duration", "--track", "cross-environment")


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path) -> tuple[Path, str, str]:
    folder = tmp_path_factory.mktemp("tracks")
    words = (*ROW, *TRACKS, "--preset", str(tiny_preset), "--runs", str(folder / "runs"))
    done = bastzoo("bench", *words)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout, done.stderr


def test_each_track_has_a_leaderboard_with_its_cases_as_columns(
    benched: tuple[Path, str, str],
) -> None:
    folder, out, _ = benched
    tables = {path.name: path.read_text() for path in (folder / "runs").glob("leaderboard*.md")}
    assert set(tables) == {
        "leaderboard-snr.md",
        "leaderboard-duration.md",
        "leaderboard-cross-environment.md",
    }
    for name, columns in (
        ("snr", "   0 dB |   5 dB |   10 dB |"),
        ("duration", "   100 ms |   200 ms |"),
        ("cross-environment", "   RI01 |   RI02 |     RI |"),
    ):
        table = tables[f"leaderboard-{name}.md"]
        assert columns in table
        assert table.strip() in out
    # Trained clean and on a mixture; in each room and in both.
    assert "| RI, mixed speech noise |" in tables["leaderboard-snr.md"]
    assert tables["leaderboard-cross-environment.md"].count("| BAST-SP  |") == 4 * 3
    for name in ("snr", "duration"):
        assert "## Published, on other data" in tables[f"leaderboard-{name}.md"]


def test_what_two_tracks_need_is_trained_once(benched: tuple[Path, str, str]) -> None:
    _, _, err = benched
    trained = [line for line in err.splitlines() if ", trained " in line]
    assert len(trained) == 4  # RI, RI in noise, RI01, RI02


def test_given_again_nothing_is_trained_or_tested_and_the_tables_are_the_same(
    benched: tuple[Path, str, str], tiny_preset: Path
) -> None:
    folder, out, _ = benched
    runs = folder / "runs"
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/*.json")}
    done = bastzoo("bench", *ROW, *TRACKS, "--preset", str(tiny_preset), "--runs", str(runs))
    assert done.stdout == out
    assert before == {path: path.stat().st_mtime_ns for path in runs.glob("*/*.json")}


def test_a_whole_clean_clip_is_the_runs_own_test_to_the_last_bit(
    benched: tuple[Path, str, str],
) -> None:
    store = RunStore(benched[0] / "runs")
    record = json.loads((store.find("vanilla-SUB-MIX-SP-RI-tiny") / "record.json").read_text())
    for track, case in (("duration", "500 ms"), ("snr", "clean"), ("cross-environment", "RI")):
        found = store.track(record["key"], track)
        assert found is not None
        (result,) = [result for result in found.cases if result.label == case]
        assert result.evaluation.model_dump() == record["evaluation"]


def test_leaderboard_makes_a_tracks_table_again_from_its_records_alone(
    benched: tuple[Path, str, str], tmp_path: Path
) -> None:
    runs = benched[0] / "runs"
    table = (runs / "leaderboard-snr.md").read_text()
    assert bastzoo("leaderboard", str(runs), "--track", "snr").stdout.rstrip() == table.rstrip()
    records = tmp_path / "records"
    records.mkdir()
    for path in runs.glob("*/track-snr.json"):
        (records / f"track-snr-{path.parent.name}.json").write_bytes(path.read_bytes())
    words = (str(records), "--track", "snr", "--to", str(tmp_path / "snr.md"))
    assert bastzoo("leaderboard", *words).returncode == 0
    assert (tmp_path / "snr.md").read_text() == table
    assert bastzoo("leaderboard", *words, "--check").returncode == 0
    next(records.iterdir()).unlink()
    assert bastzoo("leaderboard", *words, "--check").returncode == 1


def test_evaluate_tests_an_existing_run_on_a_track(benched: tuple[Path, str, str]) -> None:
    runs = benched[0] / "runs"
    words = ("evaluate", "vanilla-SUB-MIX-SP-RI-tiny", "--runs", str(runs), "--track", "off-grid")
    done = bastzoo(*words)
    assert done.returncode == 0, done.stderr
    assert "between" in done.stdout
    assert (RunStore(runs).find("vanilla-SUB-MIX-SP-RI-tiny") / "track-off-grid.json").is_file()
    listed = json.loads(bastzoo(*words, "--env", "RI01", "--json").stdout)["evaluations"]
    assert [(e["track"], e["label"]) for e in listed] == [
        ("RI01", "RI01"),
        ("off-grid", "on the grid"),
        ("off-grid", "between"),
    ]


def test_the_full_sphere_takes_the_head_that_answers_elevation(
    tmp_path: Path, tiny_preset: Path
) -> None:
    words = (*ROW, "--preset", str(tiny_preset), "--runs", str(tmp_path), "--env", "RI01")
    done = bastzoo("bench", *words, "--track", "full-sphere")
    assert done.returncode == 0, done.stderr
    assert "| BAST-SP + direction |" in done.stdout
    assert "## Elevation error" in done.stdout


def test_training_in_noise_and_with_other_heads_is_a_run_of_its_own(
    tmp_path: Path, tiny_preset: Path
) -> None:
    words = (*ROW, "--preset", str(tiny_preset), "--runs", str(tmp_path), "--env", "RI01", "--json")
    keys = set()
    for how in ((), ("--train-snr", "20"), ("--train-listeners", "family")):
        done = bastzoo("train", *words, *how)
        assert done.returncode == 0, done.stderr
        keys.add(json.loads(done.stdout)["key"])
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("bench", "--track", "loudness"), "There is no track named 'loudness'"),
        (("bench", "--train-snr", "loud"), "'loud' is no signal-to-noise ratio"),
        (("train", "--train-snr", "10", "--train-snr", "20"), "names one ratio"),
        (("bench", "--without", "colors"), "Did you mean 'colours'?"),
        (("bench", "--data", "a", "--csv", "b"), "name two data sets"),
        (("bench", "--data", "a", "--hrtf", "b"), "are for rendering clips"),
        (("bench", "--skip-bad"), "says how recorded data is read"),
        (("bench", "--fit-length"), "says how a folder of recordings is read"),
        (("bench", "--data", "a", "--track", "snr"), "renders its clips"),
        (("bench", "--csv", "a", "--track", "cross-environment"), "leave --track away"),
        (("bench", "--csv", "a", "--frontend", "spectrogram"), "use --frontend precomputed"),
        (("train", "--frontend", "precomputed"), "come ready-made"),
        (("bench", "--data", "a", "--env", "all"), "names the environments of the zoo"),
        (("data", "convert"), "Name the data with --data or --csv"),
    ],
)
def test_a_mistake_is_a_sentence_before_anything_runs(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    out = () if words[0] == "data" else ("--runs", str(tmp_path / "runs"))
    done = bastzoo(*words, *out)
    assert done.returncode == 1, done.stdout
    assert sentence in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
