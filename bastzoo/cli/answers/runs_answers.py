"""`bastzoo runs answers`: what a run answered, as the CSV that `bastzoo score` takes."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.names import Named
from bastzoo.cli.options import runs_option


@click.command()
@click.argument("run", type=Named("run"))
@click.option("--track", type=Named("track"), metavar="NAME", help="Default: the run's own test.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="FILE.csv, or FILE.npz: the small form that travels with a record.",
)
@runs_option
def answers(run: str, track: str | None, target: Path | None, out: str) -> None:
    """Write the answers of RUN to every test clip, as `bastzoo score` takes them.

    Predictions that lie beside the record are taken as they are; on another track, the model is asked again.
    Scored, they give the run's own figures to the last digit.

    FILE.npz holds the same rounded to steps of 0.0055 degrees, in at most 20 kB: what lies beside committed
    records, for `bastzoo runs verify leaderboards/records/NAME`.

    Example: bastzoo runs answers mamba-SUB-MIX-SP --to answers.csv
    """
    from bastzoo.errors import RecordError
    from bastzoo.harness.tracks import find_track
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import RECORD_FILE, RunStore, in_sentences, read_record

    registry = default_registry()
    path = RunStore(out).find(run)
    record = read_record(path / RECORD_FILE)
    tested = record.tested
    if record.status != "finished" or tested.source.layout != "rendered":
        raise RecordError(
            f"The run {path.name!r} has no answers to rendered clips; there are none to write."
        )
    own = record.answers.track if record.answers else tested.environment
    found = find_track(track or own, registry)

    from bastzoo.answers.compact import packed
    from bastzoo.answers.exported import answers_of
    from bastzoo.answers.questions import questions_of
    from bastzoo.answers.table import write_answers
    from bastzoo.harness.workbench import Workbench
    from bastzoo.limits.writing import put

    workbench = Workbench(registry, device="cpu", precision="no", source=tested.source)
    size = tested.data
    questions = questions_of(found, workbench=workbench, environment=tested.environment, size=size)
    given = answers_of(record, path, questions, found, workbench=workbench)
    target = target or Path(f"answers-{record.key}.csv")
    with in_sentences(target.parent):
        if target.suffix == ".npz":
            put(target, packed(given))
        else:
            write_answers(target, questions, given)
    rows = sum(len(question.clips) for question in questions)
    click.echo(f"Wrote {rows:,} answers to the track {found.name} to {target}")
