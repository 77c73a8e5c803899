"""`bastzoo bench`: a grid of combinations, trained, tested, and written as leaderboards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli.bench.precision import settled, workbench_for
from bastzoo.cli.data_options import Heard, data_options
from bastzoo.cli.grouped import GroupedCommand
from bastzoo.cli.names import Named
from bastzoo.cli.options import (
    SEED,
    TRACK_NAMES,
    Command,
    as_json,
    check_tasks,
    checkpoint_option,
    dry_run_option,
    no_color,
    pretrained_option,
    recipe_options,
    task_options,
    training_options,
    usual_head,
    where_and_how,
)

if TYPE_CHECKING:
    from bastzoo.cli.terminal.grid_display import GridDisplay
    from bastzoo.conditions import Condition
    from bastzoo.experiment import Tasks
    from bastzoo.harness.grid.run import Results
    from bastzoo.harness.jobs import Job, Outcome
    from bastzoo.records.record import RunRecord
    from bastzoo.records.store import RunStore


def _axis(name: str, parameter: str, text: str) -> Callable[[Command], Command]:
    return click.option(
        name,
        parameter,
        multiple=True,
        type=Named(parameter),
        metavar="NAME",
        help=f"{text}; repeatable, or `all`.",
    )


@click.command(cls=GroupedCommand)
@_axis("--backbone", "backbone", "Ear and fusion encoder")
@_axis("--integ", "integration", "How two ears become one")
@_axis("--loss", "loss", "Loss")
@_axis("--sharing", "sharing", "SP or NSP")
@_axis("--env", "environment", "Environment")
@_axis("--head", "head", "Head")
@_axis("--frontend", "frontend", "Frontend")
@click.option(
    "--track",
    "tracks",
    multiple=True,
    type=Named("track"),
    metavar="NAME",
    help=f"Question to answer: {TRACK_NAMES}, or an environment; repeatable.",
)
@click.option(
    "--seeds",
    show_default="1",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many runs of each combination, with the seeds from 0.",
)
@click.option(
    "--seed",
    "seed",
    multiple=True,
    type=SEED,
    metavar="S",
    help="The seed itself, as of `train`; repeatable; instead of --seeds.",
)
@click.option(
    "--rerun",
    default="missing",
    show_default=True,
    type=click.Choice(["missing", "failed", "stale", "all"]),
    help="What to run beside rows without a record: failed ones, stale ones, or all.",
)
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs at a time; the threads are divided among them.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="NAME",
    help="Where to run: local, ray.",
)
@click.option("--address", metavar="ADDRESS", help="Of the cluster, for --executor ray.")
@pretrained_option
@recipe_options
@task_options
@checkpoint_option
@training_options
@data_options
@where_and_how
@dry_run_option
@as_json
@no_color
@click.pass_context
def bench(
    context: click.Context,
    tracks: tuple[str, ...],
    seeds: int | None,
    seed: tuple[int, ...],
    rerun: str,
    jobs: int,
    executor: str,
    address: str | None,
    pretrained: bool,
    recipe: dict[str, Any],
    tasks: Tasks | None,
    checkpoint_every: float,
    conditions: list[Condition],
    heard: Heard,
    preset: str,
    device: str,
    precision: str,
    out: str,
    dry_run: bool,
    json_: bool,
    **chosen: tuple[str, ...],
) -> None:
    """Train and test every combination of the axes and write a leaderboard.

    An axis that is not named takes the papers' values, so no axis at all is the papers' grid of 54.
    With --track, what the track needs is trained, and each track has a leaderboard of its own.
    What is done is not done again, and what was stopped goes on. Exit code 2 when some run failed.

    Example: bastzoo bench --backbone mamba --integ SUB
    """
    # What can be refused is refused before torch is imported.
    from bastzoo.cli.terminal.progress import say, warn
    from bastzoo.cli.terminal.results import print_plan, print_records
    from bastzoo.harness.grid.asked import grid_of
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import RunStore

    started = time.perf_counter()
    if seed and seeds is not None:
        raise click.UsageError("--seeds says how many, --seed which; give one of them.")
    registry = default_registry()
    where = registry.get("executor", executor)
    where.require()
    grid = grid_of(
        chosen,
        registry=registry,
        source=heard.source,
        tracks=tracks,
        conditions=conditions,
        preset=preset,
        pretrained=pretrained,
        recipe=recipe,
        seeds=seed or seeds or 1,
        tasks=tasks,
        usual_head=usual_head(tasks),
    )
    check_tasks(tasks, grid.heads, registry)
    store = RunStore(out)
    if not dry_run:
        store.prepare()

    from bastzoo.cli.terminal.boards import is_shown, print_boards
    from bastzoo.cli.terminal.grid_display import GridDisplay
    from bastzoo.harness.grid.run import GridRun
    from bastzoo.harness.jobs import Settings
    from bastzoo.harness.stopping import Stopping

    workbench = workbench_for(registry, device=device, precision=precision, heard=heard)
    precision = settled(
        precision,
        lambda: GridRun(grid, workbench=workbench, store=store).experiments,
        workbench=workbench,
        folder=None if dry_run else store.folder,
    )
    settings = Settings(
        out=out,
        device=device,
        precision=precision,
        checkpoint_every=checkpoint_every,
        **heard.settings(),
    )
    run = GridRun(grid, workbench=workbench, store=store, say=say)
    warn(run.warnings())
    if dry_run:
        print_plan(run.experiments, workbench=workbench, store=store, as_json=json_)
        return
    rows = run.jobs(rerun)
    titles = {row.key: _title(row, rows) for row in rows}
    runner = where.build(jobs=jobs, address=address)
    steps = {
        row.key: row.experiment.preset.recipe.steps for row in rows if row.experiment is not None
    }
    with Stopping() as stopping, GridDisplay(titles, steps=steps) as display:
        try:
            for outcome in run.perform(
                rows, runner, settings, stopping=stopping, watch=display.watch
            ):
                _show(outcome, display)
        finally:  # an interrupt or a full disk in the tenth run does not take the table of nine away
            boards = run.write_leaderboards()
    results = run.results
    if json_:
        print_records(results.records, results.on_tracks)
    elif boards.texts and is_shown():
        print_boards(boards.sections)
    elif boards.texts:
        click.echo("\n".join(boards.texts))
    _summary(results, rows, bool(boards.texts), store, time.perf_counter() - started)
    if results.failed or results.faults:
        context.exit(2)


def _title(job: Job, jobs: list[Job]) -> str:
    if job.baseline is not None:
        return str(job)
    models = [other.key for other in jobs if other.experiment is not None]
    return f"[{models.index(job.key) + 1}/{len(models)}] {job}"


def _show(outcome: Outcome, display: GridDisplay) -> None:
    """Say what came of a job."""
    record = outcome.record
    if record is None:
        display.ended(outcome.key, f"left out. {' '.join(outcome.faults)}", failed=True)
        return
    done = outcome.status == "done"
    failed = record.status == "failed"
    line = f"{'done before, ' if done else ''}{_words(record)}"
    display.ended(outcome.key, line, failed=failed)
    title = display.titles[outcome.key]
    for found in outcome.on_tracks:
        errors = ", ".join(
            f"{case.label} {case.evaluation.metrics['ad_mean']:.2f}°" for case in found.cases
        )
        before = "" if found.track in outcome.tested else "done before, "
        display.say(f"{title}, track {found.track}: {before}AD {errors}")
    for fault in outcome.faults:
        display.say(f"{title}, {fault}")


def _summary(
    results: Results, rows: list[Job], has_tables: bool, store: RunStore, seconds: float
) -> None:
    from bastzoo.cli.terminal.progress import say

    for record in results.failed:
        say(f"Failed: {record.name}: {record.failure.message if record.failure else ''}")
    say(
        f"{len(results.records) - len(results.failed)} of {len(rows)} rows finished in "
        f"{seconds:.0f} s; {'leaderboard and runs' if has_tables else 'runs'} are in {store.folder}/"
    )
    if results.failed:
        say("--rerun failed runs those that failed again.")
    if results.stale:
        say(
            f"{len(results.stale)} rows are left out: their records are stale (of other code, preset or "
            "data). --rerun stale runs them again; `bastzoo runs list --status stale` says why."
        )


def _words(record: RunRecord) -> str:
    if record.evaluation is None:
        return f"failed: {record.failure.message if record.failure else 'unknown'}"
    ad = record.evaluation.metrics["ad_mean"]
    text = f"AD {ad:.2f}°"
    if record.training is not None:
        text += f", trained {record.training.seconds:.0f} s"
    return text
