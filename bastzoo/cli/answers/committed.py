"""`bastzoo runs verify leaderboards/records/NAME`: records that lie there without their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click


def verify_committed(context: click.Context, names: Sequence[str], *, as_json: bool) -> None:
    """Print what does not hold of record files; exit code 2 when something does not."""
    from bastzoo.answers.submitted.committed import verify_file
    from bastzoo.answers.submitted.truths import Truths
    from bastzoo.cli.terminal.output import echo_json
    from bastzoo.plugins import default_registry

    truths = Truths(default_registry())
    files = [
        path
        for name in map(Path, names)
        for path in (sorted(name.glob("*.json")) if name.is_dir() else [name])
    ]
    found = [verify_file(path, truths) for path in files]
    if as_json:
        echo_json({"records": [asdict(one) for one in found]})
    else:
        for one in found:
            for fault in one.faults:
                click.echo(f"{one.name}: {fault}.")
        for one in found:
            if not one.has_predictions:
                click.echo(f"{one.name}: no predictions beside it; its key alone was checked.")
        held = sum(not one.faults for one in found)
        with_them = [one for one in found if one.has_predictions]
        click.echo(
            f"{held} of {len(found)} records hold; {len(with_them)} have predictions, which give "
            f"{sum(one.figures for one in with_them):,} figures again."
        )
    if any(one.faults for one in found):
        context.exit(2)
