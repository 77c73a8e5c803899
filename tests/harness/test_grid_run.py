"""A grid from Python is the grid of the command line, and its tables are those of the whole folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import bastzoo as bz
from bastzoo.boards.tables import MARKED
from bastzoo.conditions import DataSource
from bastzoo.errors import TrainingError
from bastzoo.harness.grid.asked import grid_of
from bastzoo.harness.grid.run import run_grid
from bastzoo.harness.jobs import Outcome, Settings
from bastzoo.plugins import default_registry
from tests.cli.command import bastzoo

ROW = {"backbone": "vanilla", "integration": "SUB", "loss": "MIX", "env": "RI01"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grid") / "runs"


@pytest.fixture(scope="module")
def runs(out: Path, tiny_preset: Path) -> bz.Runs:
    return bz.bench(**ROW, sharing="SP", preset=str(tiny_preset), runs=out)


def test_a_row_has_the_same_figures_to_the_last_bit_as_through_the_command(
    runs: bz.Runs, tmp_path: Path, tiny_preset: Path
) -> None:
    words = ("--backbone", "vanilla", "--integ", "SUB", "--loss", "MIX", "--sharing", "SP")
    words += ("--env", "RI01", "--preset", str(tiny_preset), "--runs", str(tmp_path / "runs"))
    done = bastzoo("bench", *words)
    assert done.returncode == 0, done.stderr
    other = bz.load_runs(tmp_path / "runs").frame().set_index("key")
    mine = runs.frame().set_index("key")
    assert len(mine) == len(other) > 1
    assert mine.sort_index().equals(other.sort_index())


def test_the_table_of_a_second_grid_is_the_folders_with_its_own_rows_marked(
    runs: bz.Runs, out: Path, tiny_preset: Path
) -> None:
    words = ("--backbone", "vanilla", "--integ", "SUB", "--loss", "MIX", "--sharing", "NSP")
    done = bastzoo(
        "bench", *words, "--env", "RI01", "--preset", str(tiny_preset), "--runs", str(out)
    )
    table = (out / "leaderboard.md").read_text()
    assert table == bz.load_runs(out).leaderboard()
    assert "BAST-SP" in table
    assert "BAST-NSP" in table
    assert MARKED in done.stdout
    assert "BAST-NSP ←" in done.stdout
    assert "BAST-SP ←" not in done.stdout
    assert "←" not in table


def test_what_is_done_is_not_done_again_and_other_runs_of_the_folder_are_left_out(
    runs: bz.Runs, out: Path, tiny_preset: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/record.json")}
    again = bz.bench(**ROW, sharing="SP", preset=str(tiny_preset), runs=out)
    assert [record.key for record in again] == [record.key for record in runs]
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*/record.json")}


def test_a_run_is_tested_on_a_track_and_with_other_ears(runs: bz.Runs, out: Path) -> None:
    model = next(record for record in runs if record.experiment)
    found = bz.evaluate(model, track="off-grid", runs=out)
    cases = found.frame().set_index(["track", "case"])["ad_mean"]
    assert cases["off-grid", "on the grid"] == cases["", "RI01"]
    assert "What does a design answer between the azimuths" in found.leaderboard("off-grid")
    other = bz.evaluate(model.name, listener="virtual/3", runs=out)
    assert "RI01 with virtual/3" in other.tracks


def test_the_first_failure_ends_a_grid_unless_it_is_to_be_recorded(
    runs: bz.Runs, tmp_path: Path, tiny_preset: Path
) -> None:
    model = next(record for record in runs if record.experiment)
    failure = {"error": "ValueError", "message": "a defect of a plugin", "traceback": ""}
    failed = type(model).model_validate(
        {**model.model_dump(include={"key", "experiment", "provenance"}), "status": "failed"}
        | {"failure": failure}
    )

    class Failing:
        def run(self, jobs, settings, *, watch, stopping, here):
            for job in jobs:
                yield Outcome(job.key, "ran", failed)

    registry = default_registry()
    chosen = {**dict.fromkeys(("head", "frontend"), ()), "sharing": ("SP",)}
    chosen |= {"backbone": ("vanilla",), "integration": ("SUB",), "loss": ("MIX",)}
    grid = grid_of(
        {**chosen, "environment": ("RI01",)},
        registry=registry,
        source=DataSource(),
        preset=str(tiny_preset),
    )
    settings = Settings(out=str(tmp_path))
    with pytest.raises(TrainingError, match="failed: a defect of a plugin"):
        run_grid(grid, settings, registry=registry, executor=Failing())
    kept = run_grid(grid, settings, registry=registry, executor=Failing(), on_failure="record")
    assert len(kept.failed) > 1
