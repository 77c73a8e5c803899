"""Where a result comes from says how it was made, and nothing of one machine's folders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bastzoo.records.provenance import command_line

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "words", [("--runs", "/data/mine"), ("--runs=/data/mine",), ("--out", "/data/mine"), ()]
)
def test_a_command_says_what_was_made_and_not_where(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ["train", "--backbone", "vanilla"]
    monkeypatch.setattr(sys, "argv", ["/opt/bin/bastzoo", *made, *words, "--seed", "3"])
    assert command_line() == "bastzoo train --backbone vanilla --seed 3"


def test_committed_records_name_no_absolute_folder() -> None:
    for path in (ROOT / "leaderboards" / "records").glob("*/*.json"):
        text = path.read_text(encoding="utf-8")
        assert '"command"' in text
        assert " /" not in text, path.name
