"""Leaderboards: a pure function of the records, in the papers' own form."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bastzoo.bench.leaderboard import render_leaderboard
from bastzoo.bench.record import RunRecord
from bastzoo.bench.store import read_records
from bastzoo.bench.tracks import TRACKS
from bastzoo.experiment import Preset, load_preset
from tests.bench.records import baseline_record, model_record

LEADERBOARDS = Path(__file__).parents[2] / "leaderboards"


def table_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def paper_cells(text: str) -> list[list[str]]:
    """The rows of the papers' tables, of all parts."""
    tables = [part.split("## In detail")[0] for part in text.split("as the papers print it")[1:]]
    lines = [line for table in tables for line in table_lines(table)[2:]]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def figure(*found: RunRecord) -> str:
    """How a table prints the AD of these records: their mean."""
    figures = [r.evaluation.metrics["ad_mean"] for r in found if r.evaluation is not None]
    return f"{sum(map(float, filter(None, figures))) / len(found):.2f}°"


def changed_preset(**recipe: float) -> Preset:
    """The preset `quick` with another recipe, under the same name."""
    preset = load_preset("quick")
    return preset.model_copy(update={"recipe": preset.recipe.model_copy(update=recipe)})


def windowed_preset() -> Preset:
    """The preset `quick` with another window of mamba, under the same name."""
    parameters = {"backbone.mamba": {"window": 7}}
    return load_preset("quick").model_copy(update={"parameters": parameters})


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


def test_the_figure_of_a_row_is_the_mean_over_its_seeds() -> None:
    seeds = [model_record(5.0, seed=0), model_record(21.0, seed=1)]
    ((*_, ad),) = paper_cells(render_leaderboard(seeds))
    assert ad == figure(*seeds)
    assert ad not in (figure(seeds[0]), figure(seeds[1]))


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": changed_preset(learning_rate=0.123)},
        {"preset": windowed_preset()},
        {"precision": "bf16"},
        {"versions": {"backbone": 2}},
        {"versions": {"environment": 2}},
    ],
    ids=["learning rate", "parameter", "precision", "backbone version", "environment version"],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_differs_in_more_than_the_seed_is_never_averaged(
    changes: dict[str, Any], seed: int
) -> None:
    one, other = model_record(5.0), model_record(21.0, seed=seed, **changes)
    text = render_leaderboard([one, other])
    assert sorted(row[-1] for row in paper_cells(text)) == sorted([figure(one), figure(other)])


@pytest.mark.parametrize(
    "changes",
    [{"preset": changed_preset(steps=601)}, {"precision": "bf16"}],
    ids=["recipe", "precision"],
)
def test_another_recipe_or_precision_is_a_part_of_its_own_with_the_same_baselines(
    changes: dict[str, Any],
) -> None:
    text = render_leaderboard(
        [
            model_record(5.0),
            model_record(21.0, **changes),
            baseline_record("ITD"),
            baseline_record("ILD", data_digest="other clips"),
        ]
    )
    assert text.count("## In detail") == 2
    assert text.count("| ITD ") == 2
    assert "| ILD " not in text


def test_rows_of_another_component_version_say_so() -> None:
    text = render_leaderboard([model_record(), model_record(versions={"backbone": 2})])
    models = {row[0] for row in paper_cells(text)}
    assert models == {"BAST-Mamba-SP", "BAST-Mamba-SP + backbone version 2"}


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


@pytest.mark.parametrize(
    "path",
    sorted(path for path in LEADERBOARDS.glob("*.md") if path.stem not in TRACKS),
    ids=lambda p: p.stem,
)
def test_a_committed_leaderboard_follows_from_its_records(path: Path) -> None:
    found, faults = read_records(LEADERBOARDS / "records" / path.stem)
    assert not faults
    assert path.read_text(encoding="utf-8") == render_leaderboard(found)
