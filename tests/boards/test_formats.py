"""CSV, JSON and LaTeX: what machines and papers read is what the markdown says."""

from __future__ import annotations

import csv
import json
import random
import re
from typing import Any

import pytest

from bastzoo.boards import runs as leaderboard
from bastzoo.boards import tracks as track_tables
from bastzoo.boards.columns import ColumnChoice
from bastzoo.boards.formats import FORMATS, as_csv, as_json, as_latex, escaped
from tests.boards.test_tracks import BASE, GOOD
from tests.records.made import baseline_record, model_record


def records() -> list:
    return [
        model_record(5.0),
        model_record(6.0, seed=1),
        model_record(20.0, loss="AD"),
        model_record(9.0, loss="AD", environment="RI01"),
        baseline_record("ITD", 30.0),
    ]


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_records_in_any_order_give_the_same_bytes(form: str) -> None:
    expected = FORMATS[form](leaderboard.sections(records()))
    for seed in range(3):
        shuffled = records()
        random.Random(seed).shuffle(shuffled)
        assert FORMATS[form](leaderboard.sections(shuffled)) == expected


def test_csv_has_a_line_a_row_in_full_precision_with_the_interval_apart() -> None:
    found = lines(as_csv(leaderboard.sections(records())))
    assert [(line["environment"], line["kind"], line["model"], line["rank"]) for line in found] == [
        ("RI", "model", "BAST-Mamba-SP", "1"),
        ("RI", "model", "BAST-Mamba-SP", "1"),
        ("RI", "baseline", "ITD", ""),
        ("RI01", "model", "BAST-Mamba-SP", "1"),
    ]
    evaluation = model_record(20.0, loss="AD").evaluation
    assert evaluation is not None
    assert float(found[1]["ad_mean"]) == evaluation.metrics["ad_mean"]
    assert float(found[1]["ad_low"]) < float(found[1]["ad_mean"]) < float(found[1]["ad_high"])
    assert found[0]["seeds"] == "2"
    assert float(found[0]["ad_seed_sd"]) > 0
    assert found[1]["ad_seed_sd"] == ""


def test_csv_holds_the_main_table_and_tracks_in_one_file() -> None:
    both = [*leaderboard.sections([model_record()]), *track_tables.sections([GOOD, BASE])]
    found = lines(as_csv(both))
    assert [(line["track"], line["case"]) for line in found] == [
        ("", ""),
        *[("off-grid", "on"), ("off-grid", "between")] * 2,
    ]


def test_json_says_where_each_part_comes_from() -> None:
    parts: list[dict[str, Any]] = json.loads(as_json(leaderboard.sections(records())))["parts"]
    assert [part["environment"] for part in parts] == ["RI", "RI01"]
    origin = parts[0]["provenance"]
    assert origin["commands"] == ["bastzoo bench --backbone mamba --integ SUB"]
    assert origin["seeds"] == [0, 1]
    (machine,) = origin["measured_on"]
    assert machine["versions"] == {"python": "3.11", "bastzoo": "0"}
    assert machine["commit"] == "abc"
    assert machine["processor"] == "a processor, 2 cores"
    assert not {"created", "seconds", "peak_memory_mb"} & set(machine)
    assert parts[0]["rows"][0]["parameters"] == 123_456
    assert parts[0]["published_on_other_data"][0]["ad"] == "1.03"


def test_a_stale_row_is_one_for_machines_too() -> None:
    stale = [model_record(5.0), model_record(6.0, loss="AD", versions={"backbone": 2})]
    found = lines(as_csv(leaderboard.sections(stale)))
    assert [(line["kind"], line["rank"], line["stale"]) for line in found] == [
        ("model", "1", ""),
        ("stale", "", "backbone mamba version 1, now 2"),
    ]


def test_json_has_no_word_for_what_is_no_number() -> None:
    record = model_record()
    assert record.evaluation is not None
    metrics = {**record.evaluation.metrics, "ad_median": float("nan")}
    evaluation = record.evaluation.model_copy(update={"metrics": metrics})
    text = as_json(leaderboard.sections([record.model_copy(update={"evaluation": evaluation})]))
    assert json.loads(text)["parts"][0]["rows"][0]["ad_median"] is None


def unescaped(letters: str, text: str) -> list[str]:
    return re.findall(rf"(?<!\\)[{letters}]", text)


def test_latex_is_balanced_and_every_line_has_as_many_cells_as_the_table_has_columns() -> None:
    both = [*leaderboard.sections(records()), *track_tables.sections([GOOD, BASE])]
    text = as_latex(both)
    opened = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
    assert len(opened) == text.count(r"\end{tabular}") == 3
    for rule in ("toprule", "bottomrule"):
        assert text.count(f"\\{rule}") == 3
    tables = text.split(r"\begin{tabular}")[1:]
    for columns, table in zip(opened, tables, strict=True):
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len(rows) >= 2
        for row in rows:
            assert len(unescaped("&", row)) == len(columns) - 1
            assert not unescaped("%_#", row)
            assert len(unescaped("$", row)) % 2 == 0
            assert row.count("{") - row.count(r"\{") == row.count("}") - row.count(r"\}")
            assert row.isascii()


def test_latex_takes_names_as_they_are() -> None:
    assert escaped("a_b & 50 % of {x}") == r"a\_b \& 50 \% of \{x\}"
    assert escaped("5.00° ± 1 #~^\\$") == (
        r"5.00$^\circ$ $\pm$ 1 \#\textasciitilde{}\textasciicircum{}\textbackslash{}\$"
    )
    assert escaped("[1]") == "{}[1]"  # no optional argument of the line's end before it
    odd = model_record(backbone="mamba").model_copy()
    assert odd.experiment is not None
    combination = odd.experiment.combination.model_copy(update={"backbone": "my_net_50%&co"})
    experiment = odd.experiment.model_copy(update={"combination": combination})
    record = odd.model_copy(update={"experiment": experiment, "key": experiment.key})
    text = as_latex(leaderboard.sections([record], ColumnChoice.of("model,ad")))
    assert r"my\_net\_50\%\&co-SP & " in text
