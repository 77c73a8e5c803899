"""The pictures of the rows of a site: what `bastzoo report` draws of their runs, a page for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bastzoo.boards.frames import Runs
from bastzoo.plots.report import draw_all, page
from bastzoo.plots.results import NothingToDrawError, Result, results_of
from bastzoo.site.view import Board, SiteRow

FOLDER = "reports"


def write_reports(
    target: Path,
    boards: Sequence[Board],
    folders: Sequence[Path],
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Draw the runs of every row; the page of each row's pictures, by the id of the row.

    A row of a track is drawn where the record of its run lies in one of the folders too; rows of the same
    runs share a page. progress: told the name of each row before it is drawn.
    """
    known = _results(folders)
    made: dict[tuple[str, ...], str] = {}
    found: dict[str, str] = {}
    for row in (row for board in boards for row in board.rows):
        keys = tuple(sorted({record.key for record in row.records} & {*known}))
        if not keys:
            continue
        if keys not in made:
            progress(row.name)
            made[keys] = _write(target / FOLDER, row, [known[key] for key in keys])
        found[row.id] = made[keys]
    return found


def _results(folders: Sequence[Path]) -> dict[str, Result]:
    """The finished runs of all folders by key, each with its results on tracks wherever these lie."""
    everything = [Runs.of(folder) for folder in folders]
    on_tracks = [record for runs in everything for record in runs.on_tracks]
    found: dict[str, Result] = {}
    for runs in everything:
        try:
            results = results_of(runs)
        except NothingToDrawError:
            continue
        for result in results:
            own = [record for record in on_tracks if record.key == result.record.key]
            found.setdefault(result.record.key, replace(result, on_tracks=tuple(own)))
    return found


def _write(folder: Path, row: SiteRow, results: Sequence[Result]) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / f"{row.id}.html"
    path.write_text(page(results, [*draw_all(results)]), encoding="utf-8")
    return f"{FOLDER}/{path.name}"
