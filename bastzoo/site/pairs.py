"""What the page that compares two rows is given: figures of every row, and paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from bastzoo.boards.comparison import difference
from bastzoo.records.record import Evaluation, TrackRecord
from bastzoo.site.details import evaluations_of, told
from bastzoo.site.view import Board, SiteRow, finite

MOST = 6500
"""Paired differences of a site. They take milliseconds each; `bastzoo compare` makes those left out."""


def comparison_data(boards: Sequence[Board]) -> dict[str, Any]:
    """Everything the comparison shows, as plain data: boards, rows, tests, figures, differences."""
    left, paired = MOST, set[str]()
    # A design's own test first, then as many boards as there is room for.
    for board in sorted(boards, key=lambda board: (_is_of_track(board), _count(board))):
        if (count := _count(board)) <= left:
            paired.add(board.slug)
            left -= count
    records = [record for board in boards for row in board.rows for record in row.records]
    used = {name for b in boards for row in b.rows for figures in row.figures for name in figures}
    words = {
        name: [told_as.words.strip(), told_as.unit, told_as.better]
        for name, told_as in told(records).items()
        if name in used
    }
    return {
        "words": words,
        "boards": [_board(board, board.slug in paired) for board in boards],
    }


def _board(board: Board, is_paired: bool) -> dict[str, Any]:
    names = dict.fromkeys(name for row in board.rows for f in row.figures for name in f)
    return {
        "title": board.title,
        "folder": board.folder,
        "track": board.track if _is_of_track(board) else "",
        "tests": [test.label for test in board.rows[0].tests] if board.rows else [],
        "names": [*names],
        "rows": [_row(row, [*names]) for row in board.rows],
        "pairs": _pairs(board) if is_paired else None,
    }


def _row(row: SiteRow, names: Sequence[str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "run": row.records[0].name,
        "rank": row.rank,
        "ad": [[_short(test.ad), _short(test.low), _short(test.high)] for test in row.tests],
        "figures": [[_short(mine.get(name)) for name in names] for mine in row.figures],
    }


def _comparable(board: Board) -> list[SiteRow]:
    return [row for row in board.rows if row.kind in ("model", "baseline", "answers")]


def _count(board: Board) -> int:
    rows = _comparable(board)
    return len(rows) * (len(rows) - 1) // 2 * (len(rows[0].tests) if rows else 1)


def _is_of_track(board: Board) -> bool:
    return any(isinstance(row.records[0], TrackRecord) for row in board.rows)


def _pairs(board: Board) -> dict[str, list[list[float | None]]]:
    """For two rows by their places on the board: difference, low, high and p in each test."""
    places = {row.id: place for place, row in enumerate(board.rows)}
    found = {}
    for a, b in combinations(_comparable(board), 2):
        results = [difference(*tests) for tests in zip(_tests(a), _tests(b), strict=True)]
        found[f"{places[a.id]},{places[b.id]}"] = [
            [_short(value) for value in (one.figure, *one.interval, one.p)] for one in results
        ]
    return found


def _tests(row: SiteRow) -> list[list[Evaluation]]:
    """Each of a row's tests, one evaluation a seed."""
    return [[*seeds] for seeds in zip(*map(evaluations_of, row.records), strict=True)]


def _short(value: float | None) -> float | None:
    """Five digits: what a page shows, in a file that stays small."""
    return None if finite(value) is None else float(f"{value:.5g}")
