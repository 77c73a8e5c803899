"""`bastzoo leaderboard`: the tables of runs that exist, made again from their records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bastzoo.cli.names import Named
from bastzoo.cli.options import no_color, target_option
from bastzoo.limits.memory import without_garbage_collection

if TYPE_CHECKING:
    from bastzoo.boards.columns import ColumnChoice
    from bastzoo.boards.formats import Section
    from bastzoo.records.record import TrackRecord

_SUFFIXES = {".csv": "csv", ".json": "json", ".tex": "latex"}


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUNS]...")
@target_option(type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--track",
    "tracks",
    multiple=True,
    type=Named("track"),
    metavar="NAME",
    help="The leaderboard of a track instead; repeatable. all: the main table, then every track.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "csv", "json", "latex"]),
    help="Default: md, or what FILE ends in (.csv, .json, .tex).",
)
@click.option(
    "--columns",
    metavar="A,B,...",
    help="Columns of the main leaderboard's detailed table; see below.",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort the detailed table by a column, from high to low with - before it. Ranks stay by AD.",
)
@click.option(
    "--check", is_flag=True, help="Exit with 1 when --to does not follow from the records."
)
@click.option(
    "--html",
    "site",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="SITE",
    help="Write all boards as pages into a folder; open its index.html. Takes several folders RUNS.",
)
@click.option(
    "--reports",
    is_flag=True,
    help="With --html: a page of pictures for each row too, as `bastzoo report` draws; seconds each.",
)
@no_color
@click.pass_context
def leaderboard(
    context: click.Context,
    runs: tuple[str, ...],
    target: Path | None,
    tracks: tuple[str, ...],
    form: str | None,
    columns: str | None,
    sort: str | None,
    check: bool,
    site: Path | None,
    reports: bool,
) -> None:
    """Write the leaderboard of the records in the folder RUNS (default: runs).

    RUNS holds run folders, or record files (*.json) as kept under leaderboards/records/. On a terminal
    the table fits the width; a file or a pipe gets all of it.

    Columns: rank, model, loss, integration, ad, seeds, seed-sd, median, p90, mse, acc5, acc10, acc20,
    lateral, front-back, left-right, folded-ad, hemifield-gap, elevation, calibration, radius,
    parameters, macs, latency, trained, environment, head, frontend, sharing, backbone, key. And
    time-to-10, macs-to-10, with any AD. All but latency, trained and time-to-10 are the same in every
    repetition of the same experiments.
    """
    from bastzoo.boards.columns import ColumnChoice
    from bastzoo.cli.terminal.boards import is_shown, print_boards
    from bastzoo.cli.terminal.progress import say
    from bastzoo.errors import SetupError
    from bastzoo.records.store import write_text

    folders = runs or ("runs",)
    if site is not None:
        if target or form or columns or sort or check or tracks:
            raise SetupError(
                "--html writes every board, with every column; leave other options away."
            )
        context.exit(_write_site(site, folders, reports=reports))
    if reports:
        raise SetupError("--reports are pages of a site; name its folder with --html.")
    if len(folders) > 1:
        raise SetupError(
            "A table is made of one folder; several make a site, with a board for each: --html SITE."
        )
    if check and target is None:
        raise SetupError("--check compares a file with its records; name the file with --to.")
    layout = ColumnChoice.of(columns, sort)
    everything = any(name.lower() == "all" for name in tracks)
    if tracks and not everything and layout != ColumnChoice():
        raise SetupError(
            "The columns of a track's tables are its cases; leave --columns and --sort away, or use "
            "--format csv, which has all figures."
        )
    form = form or _SUFFIXES.get(target.suffix.lower() if target else "", "md")
    shown = target is None and form == "md" and columns is None and is_shown()
    text, sections, count, faults = _document(folders[0], tracks, form, layout, shown)
    for fault in faults:
        say(fault)
    if shown:
        print_boards(sections)
    elif target is None:
        click.echo(text, nl=False)
    elif not check:
        write_text(target, text)
        say(f"Wrote {target}")
    elif not target.is_file() or target.read_bytes() != text.encode():
        say(
            f"{target} does not follow from the records in {folders[0]!r}; make it again without --check."
        )
        context.exit(1)
    else:
        say(f"{target} follows from {count} records.")
    if faults:
        context.exit(2)


def _write_site(site: Path, folders: Sequence[str], *, reports: bool) -> int:
    """Write the pages of all boards; 2 when some record could not be shown, as for a table."""
    from bastzoo.cli.terminal.progress import say
    from bastzoo.errors import RecordError
    from bastzoo.site.pages import write_site

    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise RecordError(
                f"There is no folder {str(path)!r}; `bastzoo bench` writes its runs into one."
            )
    rows, faults = write_site(
        site, paths, reports=reports, progress=lambda row: say(f"Drawing {row} ...")
    )
    for fault in faults:
        say(fault)
    say(f"Wrote {rows} rows; open {site / 'index.html'}")
    return 2 if faults else 0


@without_garbage_collection()
def _document(
    runs: str, tracks: Sequence[str], form: str, layout: ColumnChoice, shown: bool
) -> tuple[str, list[Section], int, list[str]]:
    """The text, or what a terminal shows of it; of how many records, and what cannot be read in sentences.

    Raises RecordError when there is nothing to make a table of.
    """
    from bastzoo.boards import runs as main_table
    from bastzoo.boards import tracks as track_tables
    from bastzoo.boards.columns import ColumnChoice
    from bastzoo.boards.formats import FORMATS
    from bastzoo.cli.terminal.progress import say
    from bastzoo.errors import RecordError
    from bastzoo.harness.tracks import question_of
    from bastzoo.records.store import read_records, read_track_records

    everything = any(name.lower() == "all" for name in tracks)
    texts: list[str] = []
    sections: list[Section] = []
    faults: list[str] = []
    count = 0
    if everything or not tracks:
        records, faults = read_records(Path(runs))
        finished = [record for record in records if record.status == "finished"]
        if any(record.experiment for record in finished):
            count += len(finished)
            if form == "md" and not shown:
                texts.append(main_table.render_leaderboard(finished, layout=layout))
            else:
                sections += main_table.sections(finished, layout)
        elif layout == ColumnChoice():
            # A folder with results of tracks alone, as most of leaderboards/records/ are.
            tracks, everything = ("all",), True
    if tracks:
        on_tracks, more = read_track_records(Path(runs))
        faults = [*faults, *more]
        for name in _names(tracks, everything, on_tracks):
            found = [record for record in on_tracks if record.track == name]
            if not any(record.experiment for record in found):
                if everything:
                    continue
                if own := main_table.of_environment(read_records(Path(runs))[0], name):
                    # The test that models of an environment have anyhow, as `score --track RI` calls it.
                    count += len(own)
                    if form == "md" and not shown:
                        texts.append(main_table.render_leaderboard(own, layout=layout))
                    else:
                        sections += main_table.sections(own, layout)
                    continue
                for fault in faults:
                    say(fault)
                raise RecordError(_nothing(runs, name))
            count += len(found)
            if form == "md" and not shown:
                texts.append(track_tables.render_track(found, question_of(name, found)))
            else:
                sections += track_tables.sections(found)
    if not texts and not sections:
        for fault in faults:
            say(fault)
        raise RecordError(_nothing(runs))
    text = "\n".join(texts) if form == "md" else FORMATS[form](sections)
    return text, sections, count, faults


def _names(tracks: Sequence[str], everything: bool, records: Sequence[TrackRecord]) -> list[str]:
    """The tracks that are asked for, as the records spell them, in the order of the command.

    Raises CombinationError for a name that neither the records nor bastzoo knows.
    """
    from bastzoo.harness.tracks import find_track
    from bastzoo.metrics.questions import QUESTIONS

    there = {record.track.lower(): record.track for record in records}
    if everything:
        known = ["RI01", "RI02", "RI", *QUESTIONS]
        return sorted(
            there.values(), key=lambda t: (known.index(t) if t in known else len(known), t)
        )
    names = []
    for name in dict.fromkeys(tracks):
        if name.lower() in there:
            names.append(there[name.lower()])
            continue
        from bastzoo.plugins import default_registry  # only a track without results pays for it

        names.append(find_track(name, default_registry()).name)
    return list(dict.fromkeys(names))


def _nothing(runs: str, track: str = "") -> str:
    if not track:
        return f"There is no finished run in {runs!r}; `bastzoo bench` writes some."
    from bastzoo.plugins import default_registry

    known = {component.name for component in default_registry() if component.kind == "environment"}
    option = "--env" if track in known else "--track"
    return (
        f"There is no result of the track {track!r} of any model in {runs!r}; "
        f"`bastzoo bench {option} {track}` writes some."
    )
