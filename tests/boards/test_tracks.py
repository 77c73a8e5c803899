"""Tables of tracks: pure functions of records, and nothing ranked with what it cannot be compared to."""

from __future__ import annotations

import random
import runpy
import sys
from pathlib import Path

import pytest

from bastzoo.boards.tracks import render_track, sections
from bastzoo.conditions import Condition
from bastzoo.metrics.questions import QUESTIONS
from bastzoo.presets import load_preset
from bastzoo.records.store import read_track_records
from tests.records.made import baseline_record, model_record, on_track


def rows(table: str, part: str = "## Angular distance") -> list[list[str]]:
    lines = table.partition(part)[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return cells[2:]


GOOD = on_track(model_record(loss="MIX"), {"on": 3.0, "between": 5.0})
POOR = on_track(model_record(loss="MSE"), {"on": 30.0, "between": 50.0})
BASE = on_track(baseline_record("ITD"), {"on": 1.0, "between": 20.0})


def test_the_same_records_in_any_order_give_the_same_bytes() -> None:
    records = [GOOD, POOR, BASE]
    table = render_track(records)
    for seed in range(5):
        random.Random(seed).shuffle(records)
        assert render_track(records) == table


def test_models_are_ranked_by_the_mean_over_cases_and_baselines_stand_below() -> None:
    found = rows(render_track([POOR, BASE, GOOD]))
    assert [(row[0], row[1], row[2]) for row in found] == [
        ("(1)", "BAST-Mamba-SP", "Hybrid"),
        ("(2)", "BAST-Mamba-SP", "MSE"),
        ("-", "ITD", "-"),
    ]
    on, between, mean = (float(cell.rstrip("°")) for cell in found[0][5:])
    assert mean == pytest.approx((on + between) / 2, abs=0.011)


def test_rows_that_cannot_be_told_apart_share_a_rank() -> None:
    twin = on_track(model_record(loss="AD"), {"on": 3.0, "between": 5.0})
    assert [row[0] for row in rows(render_track([GOOD, twin, POOR]))] == ["(1)", "(1)", "(3)"]


def test_the_listeners_that_were_named_for_training_stand_above_the_table() -> None:
    usual = model_record(loss="AD")
    assert usual.experiment is not None
    source = usual.experiment.source.model_copy(update={"listeners": ("cipic/003", "cipic/009")})
    trained = usual.experiment.model_copy(update={"source": source})
    measured = usual.model_copy(update={"experiment": trained, "key": trained.key})
    both = [GOOD, on_track(measured, {"on": 3.0, "between": 5.0}, clips="heard by others")]
    assert render_track(both).count("; listeners `cipic/003`, `cipic/009`; seed 0;") == 1
    named = [section.facts.get("listeners") for section in sections(both)]
    assert sorted(map(str, named)) == ["None", "cipic/003, cipic/009"]


def test_seeds_are_one_row() -> None:
    again = on_track(model_record(loss="MIX", seed=1), {"on": 4.0, "between": 6.0})
    found = rows(render_track([GOOD, again]))
    assert len(found) == 1
    assert "seeds 0, 1;" in render_track([GOOD, again])


def test_several_seeds_are_counted_and_their_spread_is_shown() -> None:
    again = on_track(model_record(loss="MIX", seed=1), {"on": 4.0, "between": 6.0})
    with_several, without = (rows(render_track(found)) for found in ([GOOD, again, POOR], [POOR]))
    assert with_several[0][-2] == "2"
    assert with_several[0][-1].startswith("± ")
    assert with_several[1][-2:] == ["1", "-"]
    assert len(without[0]) == len(with_several[0]) - 2


def test_a_row_of_an_older_version_is_never_ranked() -> None:
    old, same = (
        GOOD,
        on_track(model_record(loss="MIX", versions={"backbone": 2}), {"on": 4.0, "between": 6.0}),
    )
    other = on_track(
        model_record(loss="MSE", versions={"backbone": 2}), {"on": 30.0, "between": 50.0}
    )
    assert "## Stale" not in render_track([old, same])
    assert len(rows(render_track([old, same]))) == 1
    text = render_track([old, other, BASE])
    assert [row[2] for row in rows(text)] == ["MSE", "-"]
    ((*_, why),) = rows(text, "## Stale, not ranked")
    assert why == "backbone mamba version 1, now 2"


def test_where_no_row_has_the_newest_of_everything_none_is_ranked() -> None:
    crossed = [
        on_track(model_record(versions={"backbone": 2}), {"on": 4.0}),
        on_track(model_record(loss="AD", versions={"frontend": 2}), {"on": 4.0}),
    ]
    text = render_track(crossed)
    assert "none is ranked" in text
    assert len(rows(text, "## Stale, not ranked")) == 2


def test_machines_read_a_row_for_each_design_baseline_and_case() -> None:
    (section,) = sections([GOOD, POOR, BASE])
    found = [(row["kind"], row["loss"], row["case"], row["rank"]) for row in section.rows]
    assert found == [
        ("model", "Hybrid", "on", 1),
        ("model", "Hybrid", "between", 1),
        ("model", "MSE", "on", 2),
        ("model", "MSE", "between", 2),
        ("baseline", "-", "on", None),
        ("baseline", "-", "between", None),
    ]
    for row in section.rows:
        low, figure, high = (float(row[name] or 0) for name in ("ad_low", "ad_mean", "ad_high"))
        assert low < figure < high


def test_what_a_row_was_trained_on_is_said() -> None:
    assert GOOD.experiment is not None
    noisy = GOOD.experiment.model_copy(
        update={"condition": Condition(snr_db=(20.0,)), "data_digest": "in noise"}
    )
    other = GOOD.model_copy(update={"experiment": noisy, "key": noisy.key})
    assert {row[4] for row in rows(render_track([GOOD, other]))} == {
        "RI",
        "RI, 20 dB speech noise",
    }


@pytest.mark.parametrize("change", [{"version": 2}, {"clips": "others"}])
def test_other_clips_and_other_versions_of_a_track_are_parts_of_their_own(
    change: dict[str, object],
) -> None:
    other = on_track(model_record(loss="MSE"), {"on": 30.0, "between": 50.0}, **change)  # type: ignore[arg-type]
    table = render_track([GOOD, other, BASE])
    assert table.count("## Angular distance") == 2
    assert table.count("| ITD ") == 3  # AD, intervals, front-back; with its own clips only


@pytest.mark.parametrize("ads", [(2.0, 9.0), (9.0, 2.0)])
def test_of_two_presets_on_the_same_clips_the_one_with_the_best_row_is_first(
    ads: tuple[float, float],
) -> None:
    presets = (load_preset("quick"), load_preset("standard"))
    records = [
        on_track(model_record(preset=preset), {"on": ad, "between": ad})
        for preset, ad in zip(presets, ads, strict=True)
    ]
    table = render_track([*records, BASE])
    best = "quick" if ads[0] < ads[1] else "standard"
    assert table.partition("Preset `")[2].startswith(f"{best}`")


def test_published_figures_stand_apart_and_are_marked_as_other_data() -> None:
    table = render_track([on_track(model_record(), {"100 ms": 5.0}, track="duration")])
    published = table.partition("## Published, on other data")[2]
    assert "not comparable" in published
    assert "| BAST-Mamba-SP  | Hybrid | Sub.     |    6.97° |" in published
    assert "## Published" not in render_track([GOOD])


LEADERBOARDS = Path(__file__).parents[2] / "leaderboards"


@pytest.mark.parametrize(
    "name", [name for name in QUESTIONS if (LEADERBOARDS / f"{name}.md").exists()]
)
def test_a_committed_leaderboard_follows_from_its_records(name: str) -> None:
    found, faults = read_track_records(LEADERBOARDS / "records" / name)
    assert not faults
    assert {record.track for record in found} == {name}
    text = (LEADERBOARDS / f"{name}.md").read_text(encoding="utf-8")
    assert text == render_track(found, QUESTIONS[name])


def test_what_the_protocol_says_of_tracks_that_predict_each_other_follows_from_the_records(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["track_correlation.py"])
    runpy.run_path(
        str(LEADERBOARDS.parent / "benchmarks" / "track_correlation.py"), run_name="__main__"
    )
    printed = capsys.readouterr().out.partition("\n\n")[0]
    assert printed in (LEADERBOARDS.parent / "docs" / "protocol.md").read_text(encoding="utf-8")
