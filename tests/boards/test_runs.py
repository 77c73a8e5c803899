"""Leaderboards: a pure function of the records, in the papers' own form."""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import Any

import pytest

from bastzoo.boards.columns import COLUMNS, ColumnChoice
from bastzoo.boards.formats import FORMATS
from bastzoo.boards.runs import render_leaderboard, sections
from bastzoo.errors import RecordError
from bastzoo.metrics.questions import QUESTIONS
from bastzoo.presets import Preset, load_preset
from bastzoo.records.record import RunRecord
from bastzoo.records.store import read_records
from tests.records.made import PROVENANCE, baseline_record, evaluation, model_record

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
    ],
    ids=["learning rate", "parameter", "precision"],
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


@pytest.mark.parametrize("kind", ["backbone", "environment", "loss", "frontend"])
def test_a_row_of_an_older_version_is_left_out_where_its_combination_was_run_again(
    kind: str,
) -> None:
    old, new = model_record(5.0), model_record(21.0, versions={kind: 2})
    text = render_leaderboard([old, new])
    assert [row[-1] for row in paper_cells(text)] == [figure(new)]
    assert figure(old) not in text
    assert f"BAST-Mamba-SP + {kind} version 2" in text
    assert "## Stale" not in text


def test_a_row_of_an_older_version_that_was_not_run_again_stands_apart_without_a_rank() -> None:
    old, new = model_record(5.0), model_record(21.0, loss="AD", versions={"backbone": 2})
    text = render_leaderboard([old, new])
    assert [row[-1] for row in paper_cells(text)] == [figure(new)]
    (stale,) = table_lines(text.split("## Stale, not ranked")[1].split("\n## ")[0])[2:]
    assert "| backbone mamba version 1, now 2 |" in stale
    assert figure(old) in stale
    assert figure(old) not in text.split("## Stale")[0]


def test_versions_of_another_component_or_another_data_set_make_nothing_stale() -> None:
    others = [
        model_record(backbone="swin", versions={"backbone": 2}),
        model_record(environment="RI01", versions={"backbone": 2}),
    ]
    assert "## Stale" not in render_leaderboard([model_record(), *others])


def test_where_no_row_has_the_newest_of_everything_none_is_ranked() -> None:
    crossed = [
        model_record(5.0, versions={"backbone": 2}),
        model_record(6.0, loss="AD", versions={"frontend": 2}),
    ]
    text = render_leaderboard(crossed)
    assert paper_cells(text) == []
    assert text.count("none is ranked") == 2
    assert "frontend spectrogram version 1, now 2" in text
    assert "backbone mamba version 1, now 2" in text


def test_a_baseline_of_an_older_version_is_left_out() -> None:
    old, new = baseline_record("ITD", 30.0), baseline_record("ITD", 25.0)
    assert new.baseline is not None
    newer = new.baseline.model_copy(
        update={"component": new.baseline.component.model_copy(update={"version": 2})}
    )
    new = new.model_copy(update={"baseline": newer, "key": newer.key})
    text = render_leaderboard([model_record(), old, new])
    assert text.count("| ITD ") == 1
    assert figure(new) in text


def test_rows_of_one_name_say_what_sets_them_apart() -> None:
    text = render_leaderboard([model_record(5.0), model_record(21.0, preset=windowed_preset())])
    assert {row[0] for row in paper_cells(text)} == {
        "BAST-Mamba-SP + backbone window 4",
        "BAST-Mamba-SP + backbone window 7",
    }


def test_components_of_two_plugins_under_one_name_are_told_apart() -> None:
    record = model_record(21.0)
    assert record.experiment is not None
    components = record.experiment.components
    theirs = components["backbone"].model_copy(update={"target": "theirs:Mamba"})
    experiment = record.experiment.model_copy(
        update={"components": {**components, "backbone": theirs}}
    )
    other = record.model_copy(update={"experiment": experiment, "key": experiment.key})
    text = render_leaderboard([model_record(5.0), other])
    assert "BAST-Mamba-SP + backbone of theirs:Mamba" in {row[0] for row in paper_cells(text)}


def test_copies_of_a_run_count_once_and_the_newest_counts() -> None:
    old = model_record(5.0)
    later = PROVENANCE.model_copy(update={"created": "2026-02-01T00:00:00+00:00"})
    new = model_record(21.0).model_copy(update={"provenance": later})
    assert old.key == new.key
    expected = render_leaderboard([new])
    assert render_leaderboard([old, new]) == render_leaderboard([new, old, new]) == expected


def test_records_of_the_same_data_with_other_sounds_are_refused_in_a_sentence() -> None:
    few = model_record(loss="AD").model_copy(update={"evaluation": evaluation(5.0, sounds=3)})
    with pytest.raises(RecordError, match=few.key):
        render_leaderboard([model_record(), few])


def test_several_seeds_are_counted_and_their_spread_is_shown() -> None:
    seeds = [model_record(5.0, seed=0), model_record(8.0, seed=1)]
    text = render_leaderboard([*seeds, model_record(6.0, loss="AD")])
    header, _, first, second = table_lines(text.split("## In detail")[1].split("\n## ")[0])
    cells = [cell.strip() for cell in header.strip("|").split("|")]
    assert cells[5:7] == ["Seeds", "Over seeds"]
    shown = {
        tuple(cell.strip() for cell in line.strip("|").split("|"))[5:7] for line in (first, second)
    }
    values = [float(r.evaluation.metrics["ad_mean"] or 0) for r in seeds if r.evaluation]
    assert shown == {("2", f"± {statistics.stdev(values):.2f}"), ("1", "-")}


def test_one_seed_each_needs_no_column_of_seeds() -> None:
    assert "Seeds" not in render_leaderboard([model_record(), model_record(loss="AD")])


def repeated() -> list[RunRecord]:
    """What `records` gives, from other hours of the same machine: only what a clock says differs."""
    again = []
    for index, record in enumerate(records()):
        changes: dict[str, Any] = {
            "provenance": record.provenance.model_copy(
                update={
                    "created": f"2026-03-01T00:00:{index:02}+00:00",
                    "seconds": 77.0 + index,
                    "peak_memory_mb": 1234.0 + index,
                }
            )
        }
        if record.training is not None:
            changes["training"] = record.training.model_copy(update={"seconds": 99.0 + index})
        if record.cost is not None:
            changes["cost"] = record.cost.model_copy(
                update={
                    "latency_p50_ms": 9.0 + index,
                    "latency_p95_ms": 19.0,
                    "real_time_factor": 0.1,
                }
            )
        again.append(record.model_copy(update=changes))
    return again


def test_without_latency_and_training_time_repeated_runs_give_the_same_bytes() -> None:
    untimed = ",".join(key for key in COLUMNS if key not in ("latency", "trained"))
    layout = ColumnChoice.of(untimed)
    once, twice = records(), repeated()
    assert render_leaderboard(once) != render_leaderboard(twice)
    text = render_leaderboard(once, layout=layout)
    assert text == render_leaderboard(twice, layout=layout)
    assert "Latency is" not in text
    assert "training time" not in text
    for write in FORMATS.values():
        assert write(sections(once, layout)) == write(sections(twice, layout))


def test_hardware_versions_commit_and_seeds_stand_under_each_table() -> None:
    text = render_leaderboard([*records(), model_record(environment="RI01", seed=7)])
    first, second = text.split("Measured on:")[1:]
    words = (
        "- a processor, 2 cores (cpu, 2 threads, cpu scan), Linux x86_64, python 3.11, bastzoo 0"
    )
    assert f"{words}, commit abc, seeds 0, 1" in first
    assert f"{words}, commit abc, seed 7" in second


def test_rows_that_cannot_be_told_apart_share_a_rank() -> None:
    text = render_leaderboard(
        [model_record(5.0), model_record(5.0, loss="AD"), model_record(20.0, loss="MSE")]
    )
    detail = text.split("## In detail")[1].split("##")[0]
    ranks = [line.strip("|").split("|")[0].strip() for line in table_lines(detail)[2:]]
    assert ranks == ["(1)", "(1)", "(3)"]


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
    sorted(
        LEADERBOARDS / f"{folder.name}.md"
        for folder in LEADERBOARDS.glob("records/*")
        if folder.name not in QUESTIONS
    ),
    ids=lambda p: p.stem,
)
def test_a_committed_leaderboard_follows_from_its_records(path: Path) -> None:
    found, faults = read_records(LEADERBOARDS / "records" / path.stem)
    assert not faults
    assert path.read_text(encoding="utf-8") == render_leaderboard(found)
