"""`bastzoo submit` and `bastzoo submissions check`: a row for a leaderboard, proposed in one file."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.names import Named
from bastzoo.cli.options import as_json, runs_option


@click.command()
@click.argument("run", type=Named("run"))
@click.option("--to", "target", type=click.Path(path_type=Path), metavar="FILE.bastzoo.zip")
@runs_option
def submit(run: str, target: Path | None, out: str) -> None:
    """Bundle RUN (or a record file) with its predictions: one file, to be proposed for a leaderboard.

    It holds the record, which says how and where it was made, and what was answered to every clip; no
    weights. leaderboards/README.md says where it goes.

    Example: bastzoo submit mamba-SUB-MIX-SP
    """
    from bastzoo.answers.submitted.bundle import bundle_of
    from bastzoo.limits.writing import put
    from bastzoo.records.store import RunStore, in_sentences

    path = Path(run) if run.endswith(".json") else RunStore(out).find(run)
    name, data = bundle_of(path)
    target = target or Path(name)
    with in_sentences(target.parent):
        put(target, data)
    click.echo(f"Wrote {target} ({len(data) / 1000:.0f} kB); bastzoo submissions check {target}")


@click.group()
def submissions() -> None:
    """Check rows that were proposed for a leaderboard."""


@submissions.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json
@click.pass_context
def check(context: click.Context, files: tuple[Path, ...], json_: bool) -> None:
    """Compute every figure of proposed bundles again, from their answers and the clips as they are here.

    Names what does not follow. Nothing in a bundle is executed. Exit code 2 when one does not hold. Whether a
    model gave those answers, only training it again can say: bastzoo reproduce.
    """
    from bastzoo.answers.submitted.submissions import submission_faults
    from bastzoo.answers.submitted.truths import Truths
    from bastzoo.cli.terminal.output import echo_json
    from bastzoo.plugins import default_registry

    truths = Truths(default_registry())
    found = {str(file): submission_faults(file, truths) for file in files}
    if json_:
        echo_json({"submissions": [{"file": f, "faults": faults} for f, faults in found.items()]})
    else:
        for file, faults in found.items():
            for fault in faults:
                click.echo(f"{file}: {fault}.")
        held = sum(not faults for faults in found.values())
        click.echo(f"{held} of {len(found)} submissions hold.")
    if any(found.values()):
        context.exit(2)
