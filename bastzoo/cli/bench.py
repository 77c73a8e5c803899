"""`bastzoo bench`: a grid of combinations, trained, tested, and written as a leaderboard."""

from __future__ import annotations

import time
from collections.abc import Callable
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
    from bastzoo.bench.grid import PAPER_AXES, axis, combinations
    from bastzoo.bench.store import RunStore, write_text
    from bastzoo.cli.progress import say
    from bastzoo.cli.results import print_plan, print_records
    from bastzoo.experiment import load_preset
    from bastzoo.plugins import default_registry

    started = time.perf_counter()
    registry = default_registry()
    axes = {name: axis(name, chosen[name], registry) for name in PAPER_AXES}
    grid = combinations(axes, registry)
    values = load_preset(preset)
    store = RunStore(out)
    if not dry_run:
        store.prepare()

    from bastzoo.bench.leaderboard import render_leaderboard
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
    records = _baselines(axes["environment"], values, workbench, store)
    records += _runs(experiments, workbench, store)
    finished = [record for record in records if record.status == "finished"]
    if json_:
        print_records(records)
    elif finished:
        text = render_leaderboard(finished)
        write_text(store.folder / "leaderboard.md", text)
        click.echo(text)
    failed = [record for record in records if record.status == "failed"]
    for record in failed:
        say(f"Failed: {record.name}: {record.failure.message if record.failure else ''}")
    say(
        f"{len(finished)} of {len(records)} rows finished in {time.perf_counter() - started:.0f} s; "
        f"leaderboard and runs are in {store.folder}/"
    )
    if failed:
        context.exit(2)


def _baselines(
    environments: tuple[str, ...], preset: Preset, workbench: Workbench, store: RunStore
) -> list[RunRecord]:
    from bastzoo.bench.runner import baseline_experiment, baseline_run
    from bastzoo.cli.progress import say

    records = []
    for environment in environments:
        for name in workbench.registry.names("baseline"):
            experiment = baseline_experiment(
                name, workbench=workbench, preset=preset, environment=environment
            )
            record = store.get(experiment.key)
            if record is None or record.status != "finished":
                record = baseline_run(experiment, workbench=workbench, store=store)
                say(f"Baseline {experiment}: {_outcome(record)}")
            records.append(record)
    return records


def _runs(experiments: list[Experiment], workbench: Workbench, store: RunStore) -> list[RunRecord]:
    from bastzoo.bench.runner import train_run
    from bastzoo.cli.progress import TrainingProgress, say

    records = []
    for number, experiment in enumerate(experiments, start=1):
        record = store.get(experiment.key)
        title = f"[{number}/{len(experiments)}] {experiment}"
        if record is None or record.status != "finished":
            progress = TrainingProgress(title)
            try:
                record = train_run(experiment, workbench=workbench, store=store, observer=progress)
            finally:
                progress.close()
            say(f"{title}: {_outcome(record)}")
        else:
            say(f"{title}: done before, {_outcome(record)}")
        records.append(record)
    return records


def _outcome(record: RunRecord) -> str:
    if record.evaluation is None:
        return f"failed: {record.failure.message if record.failure else 'unknown'}"
    ad = record.evaluation.metrics["ad_mean"]
    text = f"AD {ad:.2f}°"
    if record.training is not None:
        text += f", trained {record.training.seconds:.0f} s"
    return text
