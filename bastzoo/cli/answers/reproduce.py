"""`bastzoo reproduce`: a row of a leaderboard, made again from its record."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.options import AlsoOut


@click.command()
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda", "mps"]))
@click.option(
    "--runs",
    "out",
    cls=AlsoOut,
    default="reproduced",
    show_default=True,
    metavar="DIR",
    help="Folder of the runs that the new one is kept in, with its weights.",
)
@click.pass_context
def reproduce(context: click.Context, record: Path, device: str, out: str) -> None:
    """Train the row of RECORD again, from its record alone, and say how it agrees.

    RECORD is a file of leaderboards/records/, or a run's folder. On the same kind of machine a row comes out
    the same to the last bit; elsewhere within its interval. Exit code 2 when it does not.

    Example: bastzoo reproduce leaderboards/records/quick/baseline-ITD-RI-454fb4c4df7cbccd.json
    """
    from bastzoo.cli.terminal.progress import say
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import (
        RECORD_FILE,
        RunStore,
        read_any_record,
    )

    path = record / RECORD_FILE if record.is_dir() else record
    found = read_any_record(path)
    store = RunStore(out)
    store.prepare()

    from bastzoo.answers.reproduction import reproduce as made_again

    say(f"Making {found.name} again ...")
    results = made_again(found, registry=default_registry(), store=store, device=device)
    for result in results:
        click.echo(result.words)
    if not all(result.holds for result in results):
        context.exit(2)
