"""A record is read whole, or left out and named; what was read can be listed, shown, ranked and compared."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bastzoo.boards import runs as board
from bastzoo.boards import tables as board_tables
from bastzoo.boards.formats import FORMATS
from bastzoo.boards.frames import Runs
from bastzoo.boards.tracks import render_track
from bastzoo.cli.boards.runs import _line
from bastzoo.cli.terminal.output import table
from bastzoo.cli.terminal.results import print_details, print_run, print_tracks
from bastzoo.errors import BastzooError
from bastzoo.plugins import default_registry
from bastzoo.records.listing import of_record
from bastzoo.records.record import RunRecord, TrackRecord
from bastzoo.records.staleness import Present
from bastzoo.records.store import read_record, read_records, read_track_record, read_track_records
from tests.records.damage import GONE, damaged, damages

RECORDS = Path(__file__).parents[2] / "leaderboards" / "records"
FOLDERS = sorted(path.name for path in RECORDS.iterdir())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_committed_record_is_read(folder: Path) -> None:
    path = RECORDS / folder
    for read in (read_records, read_track_records):
        assert read(path)[1] == []
    files = len(list(path.glob("*.json")))
    assert files == len(read_records(path)[0]) + len(read_track_records(path)[0]) > 0


def everything_with(record: RunRecord, sound: RunRecord) -> None:
    """What commands do with a record."""
    listed = of_record(record, Present(default_registry()), Path("run"))
    "\n".join(table([_line(listed)]))
    json.dumps(listed.facts, default=repr)
    print_run(record, Path("run"), as_json=False)
    print_details(record, Path("run"))
    if record.status == "finished" and record.evaluation is not None:
        board.render_leaderboard([record, sound])
        for form in FORMATS.values():
            form(board.sections([record, sound]))
        runs = Runs([record, sound])
        runs.frame()
        runs.compare(record.key, sound.key)


def everything_on_a_track(record: TrackRecord, sound: TrackRecord) -> None:
    render_track([record, sound])
    print_tracks("a run", [record], as_json=False)
    Runs([], [record, sound]).frame()


def hold(file: Path, read: Callable, use: Callable, aside: Path, count: int | None) -> list[str]:
    """What went wrong with damaged records, in words."""
    whole = json.loads(file.read_bytes())
    sound, wrong = read(file), []
    for told, text in damages(whole, count):
        aside.write_text(text)
        started = time.perf_counter()
        try:
            use(read(aside), sound)
        except BastzooError:
            pass
        except Exception as error:
            wrong.append(f"{told}: {type(error).__name__}: {str(error)[:100]}")
        if time.perf_counter() - started > 10:
            wrong.append(f"{told}: took {time.perf_counter() - started:.0f} s")
    return wrong


@pytest.mark.parametrize(
    ("file", "read", "use"),
    [
        (next((RECORDS / "quick").glob("mamba-*.json")), read_record, everything_with),
        (next((RECORDS / "quick").glob("baseline-*.json")), read_record, everything_with),
        (
            next((RECORDS / "multitask").glob("track-*.json")),
            read_track_record,
            everything_on_a_track,
        ),
    ],
    ids=["model", "baseline", "track"],
)
@pytest.mark.filterwarnings("error")
def test_a_damaged_record_ends_in_a_sentence_or_works(
    tmp_path: Path, file: Path, read: Callable, use: Callable
) -> None:
    assert not hold(file, read, use, tmp_path / "damaged.json", 30)


@pytest.mark.parametrize(
    ("at", "odd", "named"),
    [
        ("evaluation.metrics.ad_mean", float("nan"), "ad_mean"),
        ("evaluation.metrics.ad_mean", GONE, "ad_mean"),
        ("evaluation.metrics.mse", 1e308, "mse"),
        ("evaluation.by_sound.ad_mean.0", "3", "ad_mean"),
        ("evaluation.by_sound.ad_mean.1", float("nan"), "ad_mean"),
        ("evaluation.by_azimuth.3.count", GONE, "by_azimuth lacks"),
        ("evaluation", GONE, "evaluation"),
        ("training.seconds", -1.0, "seconds"),
        ("experiment", None, "experiment"),
        ("experiment.seed", 10**30, "seed"),
        ("experiment.components.backbone", GONE, "backbone"),
        ("experiment.preset.recipe.learning_rate", float("inf"), "learning_rate"),
        ("experiment.preset.model.depth", 10**9, "depth"),
        ("experiment.components.backbone.parameters", {"window": 10**400}, "parameters"),
        ("provenance.peak_memory_mb", 10**400, "peak_memory_mb"),
        ("notes", {"train_sounds": "many"}, "train_sounds"),
        ("schema_version", 10**400, "newer"),
    ],
)
def test_a_record_that_says_what_cannot_be_is_left_out_and_the_field_named(
    tmp_path: Path, at: str, odd: object, named: str
) -> None:
    file = next((RECORDS / "quick").glob("mamba-*.json"))
    path = [int(part) if part.isdigit() else part for part in at.split(".")]
    (tmp_path / "damaged.json").write_text(damaged(json.loads(file.read_bytes()), path, odd))
    (tmp_path / "whole.json").write_bytes(file.read_bytes())
    runs = Runs.of(tmp_path)
    assert len(runs) == 1
    assert len(runs.faults) == 1
    assert named in runs.faults[0]
    assert "damaged.json" in runs.faults[0]
    assert len(runs.faults[0]) < 1_000


def test_a_strangers_words_write_no_escape_table_link_or_tag() -> None:
    evil = "\x1b[2J|<script>[x](http://evil)`\u202e\n# head"
    for text in (board_tables.marked(evil), board_tables.markdown([[evil]], ["Model"])):
        row = text.splitlines()[-1]
        assert not re.search(r"\x1b|\u202e|<|(?<!\\)[\[\]`]|(?<!\\)\|(?=[^ ]*script)", row)
        assert "# head" in row
    assert board_tables.code("`a`\n") == "`'a'\\n`"
    (line,) = table([[evil]])
    assert line.isprintable()
