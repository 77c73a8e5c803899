"""A folder of runs in a notebook says what its records and boards say."""

from __future__ import annotations

from pathlib import Path

import pytest

import bastzoo as bz
from bastzoo.boards.comparison import all_seeds, compare
from bastzoo.errors import RecordError
from bastzoo.records.store import read_records

LEADERBOARDS = Path(__file__).parents[2] / "leaderboards"


@pytest.fixture(scope="module")
def quick() -> bz.Runs:
    return bz.load_runs(LEADERBOARDS / "records" / "quick")


def test_a_frame_has_a_row_for_every_run_and_its_figures_in_full(quick: bz.Runs) -> None:
    frame = quick.frame()
    assert len(frame) == len(quick) == len(frame["key"].unique())
    for record, row in zip(quick, frame.to_dict("records"), strict=True):
        assert record.evaluation is not None
        assert row["ad_mean"] == record.evaluation.metrics["ad_mean"]
        assert row["ad_low"] < row["ad_mean"] < row["ad_high"]
    models = frame[frame["kind"] == "model"]
    assert sorted(models["backbone"].unique()) == ["mamba", "swin", "vanilla"]
    assert set(models["case"]) == {"RI"}


def test_a_row_of_a_frame_is_a_case_of_a_track() -> None:
    runs = bz.load_runs(LEADERBOARDS / "records" / "measured-rooms")
    assert not runs.faults
    frame = runs.frame()
    assert list(frame["case"][:4]) == [f"room {room}" for room in "ABCD"]
    assert len(frame) == sum(len(record.cases) for record in runs.on_tracks)
    trained = bz.load_runs(LEADERBOARDS / "records" / "snr").frame()["condition"]
    assert set(trained) == {"", "mixed speech noise"}


def test_leaderboards_are_those_of_the_command(quick: bz.Runs) -> None:
    table = quick.leaderboard()
    assert table == (LEADERBOARDS / "quick.md").read_text(encoding="utf-8")
    assert table._repr_markdown_() == table
    with pytest.raises(RecordError, match="tracks: none"):
        quick.leaderboard("snr")


def test_a_board_has_its_lines_as_numbers(quick: bz.Runs) -> None:
    board = quick.leaderboard()
    frame = board.frame()
    models = frame[frame["kind"] == "model"]
    assert len(models) == 54
    for row in models.itertuples():
        assert f"{row.ad_mean:.2f}° ({row.ad_low:.2f} to {row.ad_high:.2f})" in board
    on_track = bz.load_runs(LEADERBOARDS / "records" / "measured-rooms").leaderboard(
        "measured-rooms"
    )
    means = (
        on_track.frame()
        .groupby(["kind", "model", "loss", "preset", "data_digest"])["ad_mean"]
        .mean()
    )
    assert all(f"{mean:.2f}°" in on_track for mean in means)


def test_rows_are_compared_with_all_their_seeds(quick: bz.Runs) -> None:
    found = quick.compare("vanilla-SUB-MIX-SP-RI", "mamba-SUB-MIX-SP-RI")
    records, _ = read_records(LEADERBOARDS / "records" / "quick")
    sides = [
        all_seeds(next(r for r in records if r.name.startswith(name)), records)
        for name in ("vanilla-SUB-MIX-SP-RI", "mamba-SUB-MIX-SP-RI")
    ]
    assert found == compare(*sides)
    assert found.a.seeds == (0, 1, 2, 3, 4)
    for reference in ("vanilla-SUB", "vanilla-NOTHING"):  # fits several rows, fits none
        with pytest.raises(RecordError, match=reference):
            quick.compare(reference, "mamba-SUB-MIX-SP-RI")
    with pytest.raises(RecordError, match="same row"):
        quick.compare("mamba-SUB-MIX-SP-RI", "mamba-SUB-MIX-SP-RI")


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no folder"):
        bz.load_runs(tmp_path / "nothing")
    assert len(bz.load_runs(tmp_path)) == 0
