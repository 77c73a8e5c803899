"""`bastzoo report`: what it writes is whole, safe and the same every time; gaps are said."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bastzoo.cli import cli
from bastzoo.errors import BastzooError
from bastzoo.plots.report import PANELS, write_report
from tests.plots.conftest import RECORDS, Make
from tests.plots.test_plots import GRID, HOSTILE, quick


class Page(HTMLParser):
    """The tags, ids and references of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "xlink:href", "src"):
                self.references.append(value or "")


def test_a_page_is_whole_and_says_what_it_left_out_and_why(tmp_path: Path) -> None:
    (path,), missing = write_report(quick("mamba-SUB-MIX-SP-RI", "baseline-ITD-"), tmp_path / "r")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert all(one.startswith(("#", "data:image/png")) for one in page.references)
    assert {one[1:] for one in page.references if one.startswith("#")} <= {*page.ids}
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= {*page.ids}
    assert page.tags.count("svg") + len(missing) == len(PANELS)
    for one in missing:
        assert one.panel.title in text
        assert one.why_not.split("`")[0].split("'")[0] in text
    assert "True against predicted azimuth" in [one.panel.title for one in missing]
    again, _ = write_report(quick("mamba-SUB-MIX-SP-RI", "baseline-ITD-"), tmp_path / "again")
    assert again[0].read_text(encoding="utf-8") == text


def test_nothing_of_a_name_is_markup(make: Make, tmp_path: Path) -> None:
    run = make(GRID, GRID, name=HOSTILE, rooms=(HOSTILE,))
    (path,), _ = write_report([run], tmp_path / "r")
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    assert "\u200f" not in text


def test_a_picture_file_is_not_blank(record: object, tmp_path: Path) -> None:
    from matplotlib.image import imread

    done = CliRunner().invoke(
        cli,
        [
            "report",
            str(next((RECORDS / "quick").glob("mamba-SUB-MIX-SP-RI-*"))),
            "--format",
            "png",
            "--style",
            "dark",
            "--to",
            str(tmp_path / "p"),
        ],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    files = done.stdout.split()
    assert str(tmp_path / "p" / "azimuth-error.png") in files
    assert "Left out: Training." in done.stderr
    for file in files:
        pixels = imread(file)[..., :3]
        assert pixels.shape[0] > 200
        assert np.std(pixels) > 0.02


def test_what_cannot_be_reported_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for args, sentence in [
        ([str(tmp_path / "empty")], "There is no run in the folder"),
        (["nothing", "--runs", str(tmp_path)], "There is no run 'nothing'"),
        (
            [str(next((RECORDS / "quick").glob("*.json"))), "--to", str(tmp_path / "no" / "way")],
            "no folder",
        ),
    ]:
        with pytest.raises(BastzooError, match=sentence):
            CliRunner().invoke(cli, ["report", *args], catch_exceptions=False)
