"""Writing a site: the boards on one page, a page for each row, the comparison, and the records."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastzoo.errors import RecordError, SetupError
from bastzoo.records.record import RunRecord, TrackRecord
from bastzoo.records.store import in_sentences, read_records, read_track_records, write_text
from bastzoo.site.details import facts_of, figures_of, tables_of
from bastzoo.site.pairs import comparison_data
from bastzoo.site.plot import plots_of
from bastzoo.site.run_boards import run_boards, told
from bastzoo.site.track_boards import track_boards
from bastzoo.site.view import FACETS, Board, SiteRow, bar, scale_of

if TYPE_CHECKING:
    from jinja2 import Environment

_STATIC = ("site.css", "site.js", "compare.js")
_MARK = "made-by-bastzoo.txt"


def boards_of(
    folders: Sequence[Path],
) -> tuple[list[Board], list[str]]:
    """The boards of each folder, and a sentence for whatever stands on none.

    Records of different folders are not ranked together: a folder is a board's own set of records.
    """
    boards: list[Board] = []
    faults: list[str] = []
    taken: set[str] = set()
    for folder in folders:
        records, unread = read_records(folder)
        on_tracks, more = read_track_records(folder)
        faults += [*unread, *more]
        name = folder.resolve().name if len(folders) > 1 else ""
        of_runs = partial(run_boards, records, folder, name, taken)
        of_tracks = partial(track_boards, on_tracks, folder, name, taken)
        made: list[Board] = []
        for make in (of_runs, of_tracks):
            try:
                made += make()
            except RecordError as error:
                faults.append(f"{folder}: {error}")
        boards += made
        shown = {failed for board in made for failed in board.failed}
        failed = (told(record) for record in records if record.failure is not None)
        faults += [f"{run} failed: {why}" for run, why in failed if (run, why) not in shown]
        if not records and not on_tracks and not unread and not more:
            faults.append(f"There is no run in {str(folder)!r}; `bastzoo bench` writes some.")
    return boards, faults


def write_site(
    target: Path,
    folders: Sequence[Path],
    *,
    reports: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[int, list[str]]:
    """Write the site of some folders; how many rows it has, and a sentence for each fault.

    reports: whether each row gets a page of pictures, which takes seconds each; progress: told its name.
    What an earlier site left in the folder is removed. Raises RecordError when there is nothing to show,
    SetupError when the folder holds other things.
    """
    boards, faults = boards_of(folders)
    if not boards:
        raise RecordError(faults[0] if faults else "There are no runs to make a site of.")
    with in_sentences(target):
        _prepare(target)
        pictures: dict[str, str] = {}
        if reports:
            from bastzoo.site.reports import write_reports

            pictures = write_reports(target, boards, folders, progress=progress)
        _write(target, boards, faults, pictures)
    return sum(len(board.rows) for board in boards), faults


def _prepare(target: Path) -> None:
    if target.is_dir() and any(target.iterdir()) and not (target / _MARK).is_file():
        raise SetupError(
            f"The folder {str(target)!r} holds other things than a site; name another one, or empty it."
        )
    (target / _MARK).unlink(missing_ok=True)
    for kind in ("runs", "records", "reports"):
        for old in (target / kind).glob("*"):
            old.unlink()
    for kind in ("runs", "records"):
        (target / kind).mkdir(parents=True, exist_ok=True)
    (target / _MARK).write_text("Made by `bastzoo leaderboard --html`; made anew as a whole.\n")


def _write(
    target: Path, boards: Sequence[Board], faults: Sequence[str], reports: Mapping[str, str]
) -> None:
    environment = _environment()
    shared = {"facets": _choices(boards), "boards": boards, "faults": faults, "root": ""}
    static = resources.files("bastzoo") / "site" / "static"
    for name in _STATIC:
        write_text(target / name, (static / name).read_text(encoding="utf-8"))
    pictures = {board.slug: plots_of(board) for board in boards}
    page = environment.get_template("index.html").render(**shared, plots=pictures)
    write_text(target / "index.html", page)
    data = comparison_data(boards)
    told_of = figures_of([record for b in boards for row in b.rows for record in row.records])
    page = environment.get_template("figures.html").render(root="", figures=told_of)
    write_text(target / "figures.html", page)
    page = environment.get_template("compare.html").render(**shared, data=data)
    write_text(target / "compare.html", page)
    template = environment.get_template("run.html")
    for board in boards:
        for row in board.rows:
            found = _row_page(board, row, target / "records")
            page = template.render(**found, report=reports.get(row.id), root="../")
            # A page is made whole or not at all when the site is; none needs a rename of its own.
            (target / "runs" / f"{row.id}.html").write_text(page, encoding="utf-8")


def _row_page(board: Board, row: SiteRow, records: Path) -> dict[str, Any]:
    scale = scale_of([board.scale, *(test.high or test.ad for test in row.tests)], share=1.0)
    commands = list(dict.fromkeys(record.provenance.command for record in row.records))
    return {
        "board": board,
        "row": row,
        "tables": tables_of(row),
        "bars": [(test, bar(test, scale)) for test in row.tests],
        "scale": scale,
        "facts": facts_of(row.records[0]),
        "commands": commands,
        "records": [(_words(record), _keep(record, records)) for record in row.records],
    }


def _words(record: RunRecord | TrackRecord) -> str:
    return f"seed {record.experiment.seed}" if record.experiment else "record"


def _keep(record: RunRecord | TrackRecord, folder: Path) -> str:
    """Write a copy of a record, compressed, and return its name. Equal records have one."""
    content = record.model_dump_json().encode()
    name = f"{record.key}-{hashlib.sha256(content).hexdigest()[:8]}.json.gz"
    path = folder / name
    if not path.exists():
        path.write_bytes(gzip.compress(content, mtime=0))
    return name


def _choices(boards: Sequence[Board]) -> dict[str, list[str]]:
    """What can be chosen of each facet, as the rows spell it."""
    rows = [row for board in boards for group in board.groups for row in group.rows]
    return {
        facet: sorted({row.facets[facet] for row in rows if row.facets.get(facet)}, key=str.lower)
        for facet in FACETS
    }


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only a site pays for it

    environment = Environment(
        loader=PackageLoader("bastzoo", "site/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["zip"] = zip
    environment.filters["short"] = lambda value: f"{value:.6g}"
    return environment
