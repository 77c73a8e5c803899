"""`bastzoo train`: one run, from nothing to a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli.bench.precision import settled, workbench_for
from bastzoo.cli.data_options import Heard, data_options
from bastzoo.cli.grouped import GroupedCommand
from bastzoo.cli.names import Named
from bastzoo.cli.options import (
    SEED,
    as_json,
    check_tasks,
    checkpoint_option,
    combination_options,
    dry_run_option,
    pretrained_option,
    recipe_options,
    task_options,
    training_options,
    usual_head,
    where_and_how,
)

if TYPE_CHECKING:
    from bastzoo.conditions import Condition
    from bastzoo.experiment import Experiment, Tasks


@click.command(cls=GroupedCommand)
@combination_options
@click.option(
    "--head",
    type=Named("head"),
    metavar="NAME",
    help="Default: azimuth; azimuth+elevation+class with --cls-weight or --elev-weight.",
)
@click.option("--seed", default=0, show_default=True, type=SEED)
@pretrained_option
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Times that every training clip is heard; instead of --steps.",
)
@recipe_options
@task_options
@checkpoint_option
@training_options
@data_options
@where_and_how
@dry_run_option
@as_json
@click.pass_context
def train(
    context: click.Context,
    environment: str,
    head: str | None,
    frontend: str | None,
    seed: int,
    pretrained: bool,
    epochs: int | None,
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
    **chosen: str,
) -> None:
    """Train and test one combination.

    Example: bastzoo train --backbone mamba --integ SUB --loss MIX --sharing SP --env RI

    What, where and how high: bastzoo train --csv dataset_index.csv --backbone vanilla --integ SUB
    --loss MIX --epochs 20 --batch 16 --cls-weight 1.0 --elev-weight 0.1

    On several GPUs: accelerate launch -m bastzoo train ...
    """
    # What can be refused is refused before torch is imported.
    from bastzoo.cli.terminal.grid_display import GridDisplay
    from bastzoo.cli.terminal.progress import say, warn
    from bastzoo.cli.terminal.results import print_plan, print_run
    from bastzoo.errors import RecordError
    from bastzoo.experiment import Combination
    from bastzoo.harness.grid.axes import READY_MADE, axis, check_frontends
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset
    from bastzoo.records.store import RunStore

    registry = default_registry()
    layout = heard.source.layout
    (chosen["sharing"],) = axis("sharing", [chosen["sharing"]], registry)
    chosen["head"] = head or usual_head(tasks)
    chosen["frontend"] = frontend or (READY_MADE if layout == "csv" else "spectrogram")
    check_frontends([chosen["frontend"]], layout)
    combination = Combination.model_validate(chosen)
    for component in combination.components(registry).values():
        component.require()
    check_tasks(tasks, [combination.head], registry)
    if layout == "rendered":
        registry.get("environment", environment).require()
    if len(conditions) > 1:
        raise click.UsageError(
            "--train-snr names one ratio (or `mix`), and --without no `each`, for one run."
        )
    values = load_preset(preset)
    values.check_parameters(registry)
    if pretrained:
        values = values.with_pretrained([registry.get("backbone", combination.backbone)])
    if epochs and recipe["steps"]:
        raise click.UsageError("--epochs and --steps say the same; give one of them.")
    values = values.with_recipe(**recipe)
    store = RunStore(out)
    if not dry_run:
        store.prepare()

    from bastzoo.harness.jobs import Bench, Job, Settings
    from bastzoo.harness.stopping import Stopping

    workbench = workbench_for(registry, device=device, precision=precision, heard=heard)
    condition = conditions[0] if conditions else None
    if epochs:
        values = workbench.resolver.with_epochs(epochs, combination, values, environment, condition)

    def resolved() -> Experiment:
        return workbench.resolver.experiment(
            combination,
            preset=values,
            environment=environment,
            seed=seed,
            condition=condition,
            tasks=tasks,
        )

    precision = settled(
        precision,
        lambda: [resolved()],
        workbench=workbench,
        folder=None if dry_run else store.folder,
    )
    experiment = resolved()
    warn(workbench.resolver.task_warnings(experiment))
    if dry_run:
        print_plan([experiment], workbench=workbench, store=store, as_json=json_)
        return
    settings = Settings(
        out=out,
        device=device,
        precision=precision,
        checkpoint_every=checkpoint_every,
        **heard.settings(),
    )
    titles, steps = {experiment.key: str(experiment)}, {experiment.key: values.recipe.steps}
    with Stopping() as stopping, GridDisplay(titles, steps=steps) as display:
        bench = Bench(
            settings,
            registry=registry,
            workbench=workbench,
            watch=display.watch
            if workbench.session.accelerator.is_main_process
            else lambda *_: None,
            stopping=stopping,
        )
        failed_before = store.get(experiment.key)
        again = failed_before is not None and failed_before.status == "failed"
        outcome = bench.wait_for(Job(experiment=experiment, again=again), say=display.say)
    record = outcome.record
    if record is None:
        raise RecordError(" ".join(outcome.faults))
    if (
        not workbench.session.accelerator.is_main_process
    ):  # one of several processes of this training
        return
    if outcome.status == "done":
        say(f"This run is finished already: {store.path(experiment.key)}")
    print_run(record, store.path(record.key), as_json=json_)
    if record.status == "failed":
        context.exit(2)
