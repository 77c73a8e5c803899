"""`bastzoo train`: one run, from nothing to a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bastzoo.cli.options import Heard, as_json, data_options, training_options, where_and_how

if TYPE_CHECKING:
    from bastzoo.conditions import Condition


@click.command()
@click.option("--backbone", default="mamba", show_default=True, metavar="NAME")
@click.option("--integ", "integration", default="SUB", show_default=True, metavar="NAME")
@click.option("--loss", default="MIX", show_default=True, metavar="NAME")
@click.option("--sharing", default="SP", show_default=True, metavar="SP|NSP")
@click.option("--env", "environment", default="RI", show_default=True, metavar="NAME")
@click.option("--head", default="azimuth", show_default=True, metavar="NAME")
@click.option("--frontend", metavar="NAME", help="Default: spectrogram, or precomputed with --csv.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@training_options
@data_options
@where_and_how
@as_json
@click.pass_context
def train(
    context: click.Context,
    environment: str,
    frontend: str | None,
    seed: int,
    conditions: list[Condition],
    heard: Heard,
    preset: str,
    device: str,
    precision: str,
    out: str,
    json_: bool,
    **chosen: str,
) -> None:
    """Train and test one combination.

    Example: bastzoo train --backbone mamba --integ SUB --loss MIX --sharing SP --env RI
    """
    # What can be refused is refused before torch is imported.
    from bastzoo.bench.grid import READY_MADE, axis, check_frontends
    from bastzoo.bench.store import RunStore
    from bastzoo.cli.progress import TrainingProgress, say
    from bastzoo.cli.results import print_run
    from bastzoo.experiment import Combination, load_preset
    from bastzoo.plugins import default_registry

    registry = default_registry()
    layout = heard.source.layout
    (chosen["sharing"],) = axis("sharing", [chosen["sharing"]], registry)
    chosen["frontend"] = frontend or (READY_MADE if layout == "csv" else "spectrogram")
    check_frontends([chosen["frontend"]], layout)
    combination = Combination.model_validate(chosen)
    for component in combination.components(registry).values():
        component.require()
    if layout == "rendered":
        registry.get("environment", environment).require()
    if len(conditions) > 1:
        raise click.UsageError("--train-snr names one ratio (or `mix`) for one run.")
    values = load_preset(preset)
    values.check_parameters(registry)
    store = RunStore(out)
    store.prepare()

    from bastzoo.bench.runner import train_run
    from bastzoo.bench.workbench import Workbench

    workbench = Workbench(registry, device=device, precision=precision, **heard.workbench_options())
    experiment = workbench.experiment(
        combination,
        preset=values,
        environment=environment,
        seed=seed,
        condition=conditions[0] if conditions else None,
    )
    record = store.get(experiment.key)
    if record is None or record.status != "finished":
        progress = TrainingProgress(str(experiment))
        try:
            record = train_run(experiment, workbench=workbench, store=store, observer=progress)
        finally:
            progress.close()
    else:
        say(f"This run is finished already: {store.path(experiment.key)}")
    print_run(record, store.path(record.key), as_json=json_)
    if record.status == "failed":
        context.exit(2)
