"""Leaderboards on a terminal: never wider than it is, the paper's form at 80 cells, more as there is room."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from bastzoo.boards.formats import Section
from bastzoo.boards.runs import sections
from bastzoo.cli.terminal.boards import fitted
from tests.cli.command import ROOT
from tests.records.made import baseline_record, keep, model_record
from tests.site.made import HOSTILE, renamed


def lines(width: int, *names: str, has_blocks: bool = True) -> list[str]:
    records = [renamed(model_record(5.0 + i), name) for i, name in enumerate(names)]
    (section,) = sections([model_record(4.0), *records, baseline_record("ITD", 50.0)])
    return [line.plain for line in fitted(section, width, has_blocks=has_blocks)]


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_whatever_the_names(width: int) -> None:
    found = lines(width, *HOSTILE, "ohr耳" * 30)
    assert max(map(cell_len, found)) <= width
    # A title (of two lines on a narrow terminal), headers, five models, a heading, a baseline.
    assert len(found) == 9 + (width <= 40)
    assert not any(mark in line for line in found for mark in "\u202e\u200f\n")


def test_the_papers_form_fits_80_cells_and_more_comes_with_room() -> None:
    narrow, wide = lines(80, "vanilla")[1].split(), lines(200, "vanilla")[1].split()
    assert [word for word in narrow if word in ("Model", "Loss", "Integ.", "AD")] == narrow[1:5]
    assert {"MACs", "Latency"} <= set(wide) - set(narrow)


def test_what_all_models_are_made_with_is_said_once_and_not_in_their_names() -> None:
    headers = ["Rank", "Model", "Loss", "Integ.", "AD (95 %)"]
    names = ("ViT-SP + vmf + binaural + ipd", "conv-SP + binaural + vmf ←")
    models = [["1", name, "VMF", "Sub.", "3.10°"] for name in names]
    blocks = [models, [["-", "ITD + vmf", "-", "-", "9.00°"]]]
    section = Section({"environment": "RI"}, [], {}, "", headers, frozenset(headers[1:4]), blocks)
    found = [line.plain for line in fitted(section, 80)]
    assert found[1] == "all models: vmf, binaural"
    assert ["ViT-SP + ipd " in found[3], "conv-SP ←  " in found[4]] == [True, True]
    assert "ITD + vmf" in found[6]


def test_bars_are_drawn_from_zero_and_say_what_lies_beyond() -> None:
    first, *_, baseline = lines(80, "vanilla")[2:]
    assert first.count("█") >= 1
    assert baseline.endswith("▶")
    assert lines(80, has_blocks=False)[-1].endswith(">")


def test_a_terminal_gets_what_fits_without_colours_where_they_are_not_wanted(
    tmp_path: Path,
) -> None:
    folder = keep(tmp_path / "runs", model_record(), baseline_record())
    master, slave = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}
    words = [sys.executable, "-m", "bastzoo", "leaderboard", str(folder), "--no-color"]
    done = subprocess.run(words, stdout=slave, stderr=subprocess.PIPE, env=env, timeout=120)
    os.close(slave)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 0, done.stderr
    assert "BAST-Mamba-SP" in shown
    assert "\x1b" not in shown
    assert "|" not in shown  # a pipe gets markdown: tests/cli/test_leaderboard.py
