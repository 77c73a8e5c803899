"""Leaderboards: a pure function of the records, in the papers' own form."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bastzoo.bench.leaderboard import render_leaderboard
from bastzoo.bench.store import read_records
from tests.bench.records import baseline_record, model_record

LEADERBOARDS = Path(__file__).parents[2] / "leaderboards"


def table_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def records() -> list:
    models = [
        model_record(8.0, sharing=sharing, loss=loss, seed=seed)
        for sharing in ("SP", "NSP")
        for loss in ("MSE", "AD", "MIX")
        for seed in (0, 1)
    ]
    return [*models, baseline_record("ITD", 30.0), baseline_record("chance", 90.0)]


def test_the_same_records_in_any_order_give_the_same_bytes() -> None:
    expected = render_leaderboard(records())
    for seed in range(5):
        shuffled = records()
        random.Random(seed).shuffle(shuffled)
        assert render_leaderboard(shuffled) == expected


def test_the_first_table_has_the_papers_form() -> None:
    lines = table_lines(render_leaderboard([model_record(), baseline_record()]))
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "Model",
        "Loss",
        "Integ.",
        "AD",
    ]
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells[:3] == ["BAST-Mamba-SP", "Hybrid", "Sub."]
    assert cells[3].endswith("°")


def test_seeds_of_one_combination_are_one_row() -> None:
    text = render_leaderboard(records())
    paper = text.split("## In detail")[0]
    assert len(table_lines(paper)) == 2 + 6
    assert "seeds 0, 1" in text


def test_rows_that_cannot_be_told_apart_share_a_rank() -> None:
    text = render_leaderboard(
        [model_record(5.0), model_record(5.0, loss="AD"), model_record(20.0, loss="MSE")]
    )
    detail = text.split("## In detail")[1].split("##")[0]
    ranks = [line.strip("|").split("|")[0].strip() for line in table_lines(detail)[2:]]
    assert ranks == ["1", "1", "3"]


def test_environments_are_never_ranked_together() -> None:
    text = render_leaderboard([model_record(), model_record(environment="RI01")])
    assert text.count("## Angular distance") == 2


def test_published_figures_stand_apart_and_are_marked_as_other_data() -> None:
    text = render_leaderboard([model_record(), baseline_record()])
    published = text.split("## Published, on other data")[1]
    assert "not comparable" in published
    assert "0.89°" in published  # bast_mamba_ad.csv: SP, MIX, SUB
    assert "0.89°" not in text.split("## Published")[0]


def test_failed_runs_are_left_out() -> None:
    text = render_leaderboard([model_record(), model_record(failed=True, loss="MSE")])
    assert "MSE" not in text.split("## In detail")[0]


@pytest.mark.parametrize("path", sorted(LEADERBOARDS.glob("*.md")), ids=lambda p: p.stem)
def test_a_committed_leaderboard_follows_from_its_records(path: Path) -> None:
    found, faults = read_records(LEADERBOARDS / "records" / path.stem)
    assert not faults
    assert path.read_text(encoding="utf-8") == render_leaderboard(found)
