"""`bastzoo leaderboard`: the tables of runs that exist, made again from their records."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("runs", default="runs")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--track", metavar="NAME", help="The leaderboard of a track instead.")
@click.option(
    "--check", is_flag=True, help="Exit with 1 when --out does not follow from the records."
)
@click.pass_context
def leaderboard(
    context: click.Context, runs: str, out: Path | None, track: str | None, check: bool
) -> None:
    """Write the leaderboard of the records in the folder RUNS (default: runs).

    RUNS holds run folders, or record files (*.json) as kept under leaderboards/records/.
    """
    from bastzoo.bench.store import write_text
    from bastzoo.cli.progress import say
    from bastzoo.errors import SetupError

    if check and out is None:
        raise SetupError("--check compares a file with its records; name the file with --out.")
    text, count, faults = _of_track(runs, track) if track else _of_runs(runs)
    for fault in faults:
        say(fault)
    if out is None:
        click.echo(text)
    elif not check:
        write_text(out, text)
        say(f"Wrote {out}")
    elif not out.is_file() or out.read_text(encoding="utf-8") != text:
        say(f"{out} does not follow from the records in {runs!r}; make it again without --check.")
        context.exit(1)
    else:
        say(f"{out} follows from {count} records.")
    if faults:
        context.exit(2)


def _of_runs(runs: str) -> tuple[str, int, list[str]]:
    from bastzoo.bench.leaderboard import render_leaderboard
    from bastzoo.bench.store import read_records
    from bastzoo.cli.progress import say
    from bastzoo.errors import RecordError

    records, faults = read_records(Path(runs))
    finished = [record for record in records if record.status == "finished"]
    if not any(record.experiment for record in finished):
        for fault in faults:
            say(fault)
        raise RecordError(f"There is no finished run in {runs!r}; `bastzoo bench` writes some.")
    return render_leaderboard(finished), len(finished), faults


def _of_track(runs: str, name: str) -> tuple[str, int, list[str]]:
    from bastzoo.bench.store import read_track_records
    from bastzoo.bench.track_tables import render_track
    from bastzoo.bench.tracks import find_track
    from bastzoo.cli.progress import say
    from bastzoo.errors import RecordError
    from bastzoo.plugins import default_registry

    track = find_track(name, default_registry())
    records, faults = read_track_records(Path(runs))
    found = [record for record in records if record.track == track.name]
    if not any(record.experiment for record in found):
        for fault in faults:
            say(fault)
        raise RecordError(
            f"There is no result of the track {track.name!r} in {runs!r}; "
            f"`bastzoo bench --track {track.name}` writes some."
        )
    return render_track(found, track.question), len(found), faults
