"""`bastzoo leaderboard`: its options, from record files alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bastzoo.boards.columns import COLUMNS
from tests.cli.command import bastzoo
from tests.cli.test_startup import modules_after
from tests.records.made import baseline_record, keep, model_record, on_track

AD = {"on the grid": 3.0, "between": 5.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    good, poor = model_record(5.0), model_record(20.0, loss="AD")
    return keep(
        tmp_path_factory.mktemp("records"),
        *(good, poor, baseline_record("ITD")),
        on_track(good, {"100 ms": 9.0, "500 ms": 5.0}, track="duration"),
        *(on_track(record, AD, track="off-grid") for record in (good, poor)),
        on_track(good, {"my-room": 6.0}, track="my-room"),
    )


def test_all_tracks_stand_under_the_main_table_in_one_document(folder: Path) -> None:
    main = bastzoo("leaderboard", str(folder)).stdout
    named = [
        bastzoo("leaderboard", str(folder), "--track", name).stdout
        for name in ("duration", "off-grid", "my-room")
    ]
    done = bastzoo("leaderboard", str(folder), "--track", "all")
    assert done.returncode == 0
    assert done.stdout == "\n".join([main, *named])
    several = bastzoo("leaderboard", str(folder), "--track", "DURATION", "--track", "off-grid")
    assert several.stdout == "\n".join(named[:2])


def test_a_folder_of_a_tracks_records_alone_gives_its_table(tmp_path: Path) -> None:
    keep(tmp_path, on_track(model_record(5.0), AD, track="off-grid"))
    named = bastzoo("leaderboard", str(tmp_path), "--track", "off-grid")
    assert bastzoo("leaderboard", str(tmp_path)).stdout == named.stdout
    refused = bastzoo("leaderboard", str(tmp_path), "--sort", "ad")
    assert "no finished run" in refused.stderr


def test_a_track_of_another_plugins_environment_needs_no_plugin(folder: Path) -> None:
    text = bastzoo("leaderboard", str(folder), "--track", "my-room").stdout
    assert text.startswith("# Track my-room\n\nHow good is a design in my-room?\n")


def test_columns_and_order_are_the_users(folder: Path) -> None:
    words = ("--columns", "rank,loss,ad", "--sort", "-ad", "--format", "csv")
    done = bastzoo("leaderboard", str(folder), *words)
    found = list(csv.DictReader(done.stdout.splitlines()))
    assert [(line["kind"], line["rank"], line["loss"]) for line in found] == [
        ("model", "2", "AD"),
        ("model", "1", "Hybrid"),
        ("baseline", "", "-"),
    ]


@pytest.mark.parametrize(("form", "suffix"), [("csv", "csv"), ("json", "json"), ("latex", "tex")])
def test_what_is_written_is_what_is_printed_and_check_knows_it(
    folder: Path, tmp_path: Path, form: str, suffix: str
) -> None:
    printed = bastzoo("leaderboard", str(folder), "--track", "all", "--format", form).stdout
    path = tmp_path / f"table.{suffix}"
    words = ("leaderboard", str(folder), "--track", "all", "--to", str(path))
    done = bastzoo(*words)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == printed.encode()
    assert bastzoo(*words, "--check").returncode == 0
    path.write_bytes(printed.encode().replace(b"\n", b"\r\n"))
    assert bastzoo(*words, "--check").returncode == 1


def test_json_of_everything_names_the_track_of_each_part(folder: Path) -> None:
    text = bastzoo("leaderboard", str(folder), "--track", "all", "--format", "json").stdout
    parts = json.loads(text)["parts"]
    assert [part["track"] for part in parts] == [None, "duration", "off-grid", "my-room"]


def test_a_record_that_cannot_be_read_is_named_and_the_rest_is_ranked(tmp_path: Path) -> None:
    keep(tmp_path, model_record())
    (tmp_path / "half.json").write_text('{"schema_version": 1, "key')
    done = bastzoo("leaderboard", str(tmp_path))
    assert done.returncode == 2
    assert "half.json" in done.stderr
    assert "| BAST-Mamba-SP |" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--columns", "rank,latncy"),
            "There is no column named 'latncy'. Did you mean 'latency'?",
        ),
        (("--sort", "-speed"), "There is no column named 'speed'."),
        (("--columns", ""), "There is no column named ''."),
        (("--track", "durations"), "There is no track named 'durations'. Did you mean 'duration'?"),
        (("--track", "duration", "--track", "snr"), "no result of the track 'snr'"),
        (("--track", "duration", "--sort", "ad"), "The columns of a track's tables are its cases"),
        (("--format", "xml"), "'xml' is not one of"),
        (("--check",), "name the file with --to"),
    ],
)
def test_a_mistake_is_a_sentence(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    done = bastzoo("leaderboard", str(folder), *words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_help_names_every_column() -> None:
    text = " ".join(bastzoo("leaderboard", "--help").stdout.split())
    assert f"Columns: {', '.join(COLUMNS)}." in text


def test_no_model_code_and_no_plugin_is_loaded_for_a_table(folder: Path) -> None:
    command = f"main(['leaderboard', {str(folder)!r}, '--track', 'all'])"
    loaded = modules_after(f"from bastzoo.cli import main; {command}")
    assert "numpy" in loaded
    assert not loaded & {"torch", "timm", "pandas", "numba", "pluggy"}
