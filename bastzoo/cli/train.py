"""`bastzoo train`: one run, from nothing to a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bastzoo.cli.options import (
    Heard,
    as_json,
    checkpoint_option,
    data_options,
    training_options,
    where_and_how,
)

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
@checkpoint_option
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
    checkpoint_every: float,
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

    On several GPUs: accelerate launch -m bastzoo train ...
    """
    # What can be refused is refused before torch is imported.
    from bastzoo.bench.grid import READY_MADE, axis, check_frontends
    from bastzoo.bench.store import RunStore
    from bastzoo.cli.grid_display import GridDisplay
    from bastzoo.cli.progress import say
    from bastzoo.cli.results import print_run
    from bastzoo.errors import RecordError
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

    from bastzoo.bench.jobs import Bench, Job, Settings
    from bastzoo.bench.stopping import Stopping
    from bastzoo.bench.workbench import Workbench

    workbench = Workbench(registry, device=device, precision=precision, **heard.workbench_options())
    experiment = workbench.experiment(
        combination,
        preset=values,
        environment=environment,
        seed=seed,
        condition=conditions[0] if conditions else None,
    )
    settings = Settings(
        out=out,
        device=device,
        precision=precision,
        checkpoint_every=checkpoint_every,
        **heard.settings(),
    )
    with Stopping() as stopping, GridDisplay({experiment.key: str(experiment)}) as display:
        bench = Bench(
            settings,
            registry=registry,
            workbench=workbench,
            watch=display.watch if workbench.accelerator.is_main_process else lambda *_: None,
            stopping=stopping,
        )
        failed_before = store.get(experiment.key)
        again = failed_before is not None and failed_before.status == "failed"
        outcome = bench.wait_for(Job(experiment=experiment, again=again), say=display.say)
    record = outcome.record
    if record is None:
        raise RecordError(" ".join(outcome.faults))
    if not workbench.accelerator.is_main_process:  # one of several processes of this training
        return
    if outcome.status == "done":
        say(f"This run is finished already: {store.path(experiment.key)}")
    print_run(record, store.path(record.key), as_json=json_)
    if record.status == "failed":
        context.exit(2)
