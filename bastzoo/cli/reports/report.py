"""`bastzoo report`: the pictures of runs, as one page or as files."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.names import Named
from bastzoo.cli.options import target_option


@click.command()
@click.argument("references", nargs=-1, required=True, type=Named("run"), metavar="RUN...")
@target_option(
    default="report",
    show_default=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write.",
)
@click.option(
    "--format",
    "form",
    default="html",
    show_default=True,
    type=click.Choice(["html", "svg", "png"]),
    help="html: one page with everything in it; svg, png: a file for each picture.",
)
@click.option(
    "--style",
    default="paper",
    show_default=True,
    type=click.Choice(["paper", "slides", "dark"]),
    help="paper: text of 8 points at a column of 85 mm.",
)
@click.option(
    "--runs", "out", default="runs", show_default=True, metavar="DIR", help="Folder of the runs."
)
def report(references: tuple[str, ...], target: Path, form: str, style: str, out: str) -> None:
    """Draw runs: error by azimuth, room, noise and duration, confusions, training, calibration.

    RUN is a run (its folder, a key, or the beginning of either), a folder of runs, or a record file as kept
    under leaderboards/records/, which has no predictions: what takes them is left out, and said.

    Examples: bastzoo report mamba-SUB-MIX-SP; bastzoo report runs/ --format svg --to pictures
    """
    from bastzoo.cli.terminal.progress import say
    from bastzoo.plots.report import write_report
    from bastzoo.plots.results import read_results, results_of

    found = results_of([read_results(reference, out) for reference in references])
    written, missing = write_report(found, target, form=form, style=style)  # type: ignore[arg-type]
    for one in missing:
        say(f"Left out: {one.panel.title}. {one.why_not}")
    for path in written:
        click.echo(path)
