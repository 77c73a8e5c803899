"""Columns of the detailed table: which there are, how they are chosen, how they sort."""

from __future__ import annotations

import pytest

from bastzoo.boards.columns import COLUMNS, ColumnChoice, find_column
from bastzoo.boards.runs import render_leaderboard, sections
from bastzoo.errors import SetupError
from bastzoo.records.record import RunRecord, Validation
from tests.records.made import baseline_record, model_record


def detailed(text: str) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the detailed table."""
    part = text.split("## In detail")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return header, rows


def slow_and_good() -> list[RunRecord]:
    """Three rows, the better the slower, the last without a measured cost."""
    found = []
    for ad, latency, loss in ((5.0, 9.0, "MIX"), (15.0, 3.0, "AD"), (25.0, None, "MSE")):
        record = model_record(ad, loss=loss)
        assert record.cost is not None
        cost = record.cost.model_copy(update={"latency_p50_ms": latency}) if latency else None
        found.append(record.model_copy(update={"cost": cost}))
    return found


def test_columns_stand_in_the_order_that_is_asked_for() -> None:
    layout = ColumnChoice.of("model, ACC10,rank ,key,ad,model")
    header, rows = detailed(render_leaderboard([model_record()], layout=layout))
    assert header == ["Model", "ACC@10", "Rank", "Key", "AD (95 %)"]
    assert rows[0][:4] == ["BAST-Mamba-SP", "80.0 %", "(1)", model_record().key]


def test_baselines_have_the_asked_columns_that_baselines_have() -> None:
    layout = ColumnChoice.of("latency,lateral,backbone,ad")
    text = render_leaderboard([model_record(), baseline_record("ITD")], layout=layout)
    (header,) = [line for line in text.splitlines() if line.startswith("| Method")]
    cells = [cell.strip() for cell in header.strip("|").split("|")]
    assert cells == ["Method", "Lateral", "AD (95 %)"]
    assert "0.00° |                  45.00° |" in text


@pytest.mark.parametrize("key", COLUMNS)
def test_every_column_can_be_shown_and_sorted_by_for_models_with_and_without_costs(
    key: str,
) -> None:
    records = [*slow_and_good(), baseline_record("ITD")]
    header, rows = detailed(render_leaderboard(records, layout=ColumnChoice.of(key, f"-{key}")))
    assert header == [COLUMNS[key].header]
    assert len(rows) == 3
    (section,) = sections(records, ColumnChoice.of(key))
    fields = [[*row] for row in section.rows]
    assert len(fields) == 4
    assert all(names == fields[0] and len(names) > 2 for names in fields)


def test_what_it_cost_to_get_so_far() -> None:
    """The first validation that is good enough counts; nothing where one seed never was."""

    def trained(ads: list[float], seed: int) -> RunRecord:
        record = model_record(seed=seed)
        assert record.training is not None
        validations = [Validation(step=i, ad=ad, seconds=7.0 * i) for i, ad in enumerate(ads, 1)]
        training = record.training.model_copy(update={"validations": validations})
        return record.model_copy(update={"training": training})

    records = [trained([30.0, 9.5, 12.0, 9.0], 0), trained([30.0, 20.0, 20.0, 10.0], 1)]
    layout = ColumnChoice.of("time-to-10,MACS-to-9.5", "time-to-10")
    (section,) = sections(records, layout)
    assert section.rows[0]["time_to_10_s"] == (14.0 + 28.0) / 2
    assert section.rows[0]["macs_to_9_5"] is None
    assert detailed(render_leaderboard(records, layout=layout)) == (
        ["Time to 10°", "MACs to 9.5°"],
        [["21 s", "-"]],
    )
    batch = records[0].experiment.preset.recipe.batch  # type: ignore[union-attr]
    (section,) = sections(records[:1], layout)
    assert section.rows[0]["macs_to_9_5"] == 7_000_000 * 2 * batch


def test_a_latency_of_a_busy_machine_is_marked_and_explained() -> None:
    quiet, busy = model_record(), model_record(seed=1)
    assert busy.cost is not None
    busy = busy.model_copy(update={"cost": busy.cost.model_copy(update={"busy": True})})
    for records, mark in (([quiet], ""), ([busy], " (busy)"), ([quiet, busy], " (busy)")):
        records = [
            r.model_copy(update={"cost": r.cost.model_copy(update={"busy": bool(r.cost.busy)})})  # type: ignore[union-attr]
            for r in records
        ]
        text = render_leaderboard(records, layout=ColumnChoice.of("latency"))
        assert detailed(text)[1] == [[f"4.0 ms{mark}"]]
        assert ("did other work meanwhile" in " ".join(text.split())) is bool(mark)


def test_no_two_columns_share_a_header_or_a_field() -> None:
    (section,) = sections([model_record()], ColumnChoice.of(",".join(COLUMNS)))
    assert len(set(section.headers)) == len(COLUMNS)
    # `ad` gives its interval too; `kind` and `stale` are the row's.
    assert len(section.rows[0]) == len(COLUMNS) + 2 + 3


def test_sorting_moves_rows_and_not_ranks_and_what_is_unknown_comes_last() -> None:
    def order(sort: str | None) -> list[tuple[str, str]]:
        layout = ColumnChoice.of("rank,loss", sort)
        _, rows = detailed(render_leaderboard(slow_and_good(), layout=layout))
        return [(rank, loss) for rank, loss in rows]

    best_first = [("(1)", "Hybrid"), ("(2)", "AD"), ("(3)", "MSE")]
    assert order(None) == order("ad") == order("rank") == best_first
    assert order("-ad") == best_first[::-1]
    assert order("latency") == [("(2)", "AD"), ("(1)", "Hybrid"), ("(3)", "MSE")]
    assert order("-latency") == [("(1)", "Hybrid"), ("(2)", "AD"), ("(3)", "MSE")]
    assert order("loss") == [("(2)", "AD"), ("(1)", "Hybrid"), ("(3)", "MSE")]


def test_rows_of_equal_value_stay_in_the_order_of_ad_both_ways() -> None:
    for sort in ("parameters", "-parameters"):
        records = [model_record(ad, loss=loss) for ad, loss in ((9.0, "AD"), (3.0, "MIX"))]
        _, rows = detailed(render_leaderboard(records, layout=ColumnChoice.of("loss", sort)))
        assert rows == [["Hybrid"], ["AD"]]


def test_the_text_says_what_the_table_is_sorted_by() -> None:
    text = render_leaderboard([model_record()], layout=ColumnChoice.of(None, "-latency"))
    assert "Sorted by Latency, from high to low; AD is given with its 95 % interval" in text
    assert "Ranks are by AD" in " ".join(text.split())
    plain = render_leaderboard([model_record()], layout=ColumnChoice.of("model,median", "median"))
    assert "Sorted by Median.\n" in plain
    assert "rank" not in plain.split("## In detail")[1].split("\n## ")[0].lower()


@pytest.mark.parametrize(
    ("columns", "sort", "wrong"),
    [("model,latncy", None, "latncy"), ("", None, ""), (None, "-speed", "speed"), (None, "", "")],
)
def test_an_unknown_column_is_a_sentence_that_names_all(
    columns: str | None, sort: str | None, wrong: str
) -> None:
    with pytest.raises(SetupError) as caught:
        ColumnChoice.of(columns, sort)
    assert f"There is no column named {wrong!r}." in str(caught.value)
    assert f"Known: {', '.join([*COLUMNS, 'time-to-10', 'macs-to-10'])}." in str(caught.value)


def test_a_column_is_guessed_from_a_misspelt_name() -> None:
    with pytest.raises(SetupError, match="Did you mean 'latency'"):
        find_column("latncy")
