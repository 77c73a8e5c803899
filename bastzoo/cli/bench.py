"""`bastzoo bench`: a grid of combinations, trained, tested, and written as a leaderboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from bastzoo.cli.options import Command, as_json, where_and_how

if TYPE_CHECKING:
    from bastzoo.bench.record import RunRecord
    from bastzoo.bench.runner import Workbench
    from bastzoo.bench.store import RunStore
    from bastzoo.experiment import Experiment, Preset


def _axis(name: str, parameter: str, text: str) -> Callable[[Command], Command]:
    return click.option(
        name, parameter, multiple=True, metavar="NAME", help=f"{text}; repeatable, or `all`."
    )


@click.command()
@_axis("--backbone", "backbone", "Ear and fusion encoder")
@_axis("--integ", "integration", "How two ears become one")
@_axis("--loss", "loss", "Loss")
@_axis("--sharing", "sharing", "SP or NSP")
@_axis("--env", "environment", "Environment")
@_axis("--head", "head", "Head")
@_axis("--frontend", "frontend", "Frontend")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), metavar="N")
@where_and_how
@click.option("--dry-run", is_flag=True, help="Print the plan and run nothing.")
@as_json
@click.pass_context
def bench(
    context: click.Context,
    seeds: int,
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
    Finished runs are not run again. Exit code 2 when some run failed.

    Example: bastzoo bench --backbone mamba --integ SUB
    """
    # What can be refused is refused before torch is imported.
    from bastzoo.bench.grid import PAPER_AXES, axis, combinations, is_all
    from bastzoo.bench.store import RunStore
    from bastzoo.cli.progress import say
    from bastzoo.cli.results import print_plan, print_records
    from bastzoo.experiment import load_preset
    from bastzoo.plugins import default_registry

    started = time.perf_counter()
    registry = default_registry()
    axes = {name: axis(name, chosen[name], registry) for name in PAPER_AXES}
    several = is_all(chosen["head"]) or is_all(chosen["loss"])
    grid = combinations(axes, registry, skip_misfits=several)
    values = load_preset(preset)
    values.check_parameters(registry)
    store = RunStore(out)
    if not dry_run:
        store.prepare()

    from bastzoo.bench.runner import Workbench

    workbench = Workbench(registry, device=device, precision=precision)
    experiments = [
        workbench.experiment(combination, preset=values, environment=environment, seed=seed)
        for environment in axes["environment"]
        for combination in grid
        for seed in range(seeds)
    ]
    if dry_run:
        print_plan(experiments, workbench=workbench, store=store, as_json=json_)
        return
    records: list[RunRecord] = []
    try:
        rows = [*_baselines(axes["environment"], values, workbench, store)]
        rows += _runs(experiments, workbench, store)
        unreadable = _collect(rows, store, records)
    finally:  # an interrupt or a full disk in the tenth run does not take the table of nine away
        table = _write_leaderboard(records, store)
    if json_:
        print_records(records)
    elif table:
        click.echo(table)
    failed = [record for record in records if record.status == "failed"]
    for record in failed:
        say(f"Failed: {record.name}: {record.failure.message if record.failure else ''}")
    say(
        f"{len(records) - len(failed)} of {len(rows)} rows finished in "
        f"{time.perf_counter() - started:.0f} s; "
        f"{'leaderboard and runs' if table else 'runs'} are in {store.folder}/"
    )
    if failed or unreadable:
        context.exit(2)


@dataclass(frozen=True)
class _Row:
    """One row of the grid: its title and key, and how to run it when it is not done."""

    title: str
    key: str
    run: Callable[[], RunRecord]


def _baselines(
    environments: tuple[str, ...], preset: Preset, workbench: Workbench, store: RunStore
) -> Iterator[_Row]:
    from bastzoo.bench.runner import baseline_experiment, baseline_run
    from bastzoo.cli.progress import say

    for name in workbench.registry.names("baseline"):
        available = workbench.registry.get("baseline", name).availability()
        if not available.ok:
            say(f"The baseline {name!r} is left out: it {available.reason or 'cannot run here'}.")
            continue
        for environment in environments:
            experiment = baseline_experiment(
                name, workbench=workbench, preset=preset, environment=environment
            )
            run = partial(baseline_run, experiment, workbench=workbench, store=store)
            yield _Row(f"Baseline {experiment}", experiment.key, run)


def _runs(experiments: list[Experiment], workbench: Workbench, store: RunStore) -> Iterator[_Row]:
    from bastzoo.bench.runner import train_run
    from bastzoo.cli.progress import TrainingProgress

    def run(experiment: Experiment, title: str) -> RunRecord:
        progress = TrainingProgress(title)
        try:
            return train_run(experiment, workbench=workbench, store=store, observer=progress)
        finally:
            progress.close()

    for number, experiment in enumerate(experiments, start=1):
        title = f"[{number}/{len(experiments)}] {experiment}"
        yield _Row(title, experiment.key, partial(run, experiment, title))


def _collect(rows: list[_Row], store: RunStore, records: list[RunRecord]) -> int:
    """Run what is not finished, put every record into `records`; return how many cannot be read."""
    from bastzoo.cli.progress import say
    from bastzoo.errors import RecordError

    unreadable = 0
    for row in rows:
        try:
            record = store.get(row.key)
        except RecordError as error:
            say(f"{row.title}: left out. {error}")
            unreadable += 1
            continue
        done = record is not None and record.status == "finished"
        record = record if record is not None and done else row.run()
        records.append(record)
        say(f"{row.title}: {'done before, ' if done else ''}{_outcome(record)}")
    return unreadable


def _write_leaderboard(records: list[RunRecord], store: RunStore) -> str:
    """Write the table of the finished runs and return it; nothing when no model has finished."""
    from bastzoo.bench.leaderboard import render_leaderboard
    from bastzoo.bench.store import write_text

    finished = [record for record in records if record.status == "finished"]
    if not any(record.experiment for record in finished):
        return ""
    table = render_leaderboard(finished)
    write_text(store.folder / "leaderboard.md", table)
    return table


def _outcome(record: RunRecord) -> str:
    if record.evaluation is None:
        return f"failed: {record.failure.message if record.failure else 'unknown'}"
    ad = record.evaluation.metrics["ad_mean"]
    text = f"AD {ad:.2f}°"
    if record.training is not None:
        text += f", trained {record.training.seconds:.0f} s"
    return text
