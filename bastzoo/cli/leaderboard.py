"""`bastzoo leaderboard`: the tables of runs that exist, made again from their records."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("runs", default="runs")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--check", is_flag=True, help="Exit with 1 when --out does not follow from the records."
)
@click.pass_context
def leaderboard(context: click.Context, runs: str, out: Path | None, check: bool) -> None:
    """Write the leaderboard of the records in the folder RUNS (default: runs).

    RUNS holds run folders, or record files (*.json) as kept under leaderboards/records/.
    """
    from bastzoo.bench.leaderboard import render_leaderboard
    from bastzoo.bench.store import read_records, write_text
    from bastzoo.cli.progress import say
    from bastzoo.errors import RecordError, SetupError

    if check and out is None:
        raise SetupError("--check compares a file with its records; name the file with --out.")
    records, faults = read_records(Path(runs))
    for fault in faults:
        say(fault)
    finished = [record for record in records if record.status == "finished"]
    if not any(record.experiment for record in finished):
        raise RecordError(f"There is no finished run in {runs!r}; `bastzoo bench` writes some.")
    text = render_leaderboard(finished)
    if out is None:
        click.echo(text)
    elif not check:
        write_text(out, text)
        say(f"Wrote {out}")
    elif not out.is_file() or out.read_text(encoding="utf-8") != text:
        say(f"{out} does not follow from the records in {runs!r}; make it again without --check.")
        context.exit(1)
    else:
        say(f"{out} follows from {len(finished)} records.")
    if faults:
        context.exit(2)
