"""`bastzoo tune`: search for the best recipe of a combination."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bastzoo.cli.bench.precision import settled, workbench_for
from bastzoo.cli.data_options import Heard, data_options
from bastzoo.cli.grouped import GroupedCommand
from bastzoo.cli.names import Named
from bastzoo.cli.options import (
    SEED,
    as_json,
    checkpoint_option,
    combination_options,
    training_options,
    where_and_how,
)

if TYPE_CHECKING:
    from bastzoo.conditions import Condition
    from bastzoo.experiment import Experiment
    from bastzoo.harness.tuning import Trial, Tuning
    from bastzoo.presets import Recipe


@click.command(cls=GroupedCommand)
@combination_options
@click.option("--head", default="azimuth", show_default=True, type=Named("head"), metavar="NAME")
@click.option("--seed", default=0, show_default=True, type=SEED)
@click.option(
    "--trials",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Trials of the study in all, those of other processes and of earlier calls included.",
)
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write the best recipe; default: best.toml in the folder of the study.",
)
@checkpoint_option
@training_options
@data_options
@where_and_how
@as_json
def tune(
    environment: str,
    frontend: str | None,
    seed: int,
    trials: int,
    write: Path | None,
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
    """Search for the best recipe of one combination: learning rate, weight decay, warm-up, gradient
    clipping and batch.

    Trials are compared on the validation split, and bad ones are stopped early. Several processes and
    machines that give the same command on the same --runs share the work; what was stopped goes on.

    Example: bastzoo tune --backbone mamba --integ SUB --trials 20, then
    bastzoo bench --backbone mamba --integ SUB --preset FILE
    """
    from bastzoo.errors import SetupError
    from bastzoo.experiment import Combination
    from bastzoo.harness.grid.axes import READY_MADE, axis, check_frontends
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset
    from bastzoo.records.store import RunStore

    registry = default_registry()
    layout = heard.source.layout
    (chosen["sharing"],) = axis("sharing", [chosen["sharing"]], registry)
    chosen["frontend"] = frontend or (READY_MADE if layout == "csv" else "spectrogram")
    check_frontends([chosen["frontend"]], layout)
    combination = Combination.model_validate(chosen)
    for component in combination.components(registry).values():
        component.require()
    if len(conditions) > 1:
        raise click.UsageError(
            "--train-snr names one ratio (or `mix`), and --without no `each`, for one search."
        )
    if write is not None and write.suffix != ".toml":
        raise click.UsageError(f"--write {write}: a preset is a file that ends in .toml.")
    values = load_preset(preset)
    values.check_parameters(registry)
    store = RunStore(out)
    store.prepare()
    try:
        from bastzoo.harness.tuning import Tuning
    except ModuleNotFoundError as error:
        if error.name not in ("optuna", "tomli_w"):
            raise
        raise SetupError(
            f"`bastzoo tune` needs {error.name}: pip install 'bastzoo[tune]'."
        ) from error
    from bastzoo.cli.terminal.progress import TrainingProgress, say
    from bastzoo.harness.stopping import Stopping

    workbench = workbench_for(registry, device=device, precision=precision, heard=heard)

    def resolved() -> Experiment:
        return workbench.resolver.experiment(
            combination,
            preset=values,
            environment=environment,
            seed=seed,
            condition=conditions[0] if conditions else None,
        )

    settled(precision, lambda: [resolved()], workbench=workbench, folder=store.folder)
    tuning = Tuning(resolved(), workbench=workbench, out=store.folder)

    def observer(number: int, recipe: Recipe) -> TrainingProgress:
        return TrainingProgress(f"[{number + 1}/{trials}] {_words(recipe)}")

    def ended(trial: Trial) -> None:
        found = f"validation AD {trial.ad:.2f}°" if trial.ad is not None else "no validation"
        state = {"complete": ""}.get(trial.state, f", {trial.state}")
        say(f"[{trial.number + 1}/{trials}] {_words(trial.recipe)}: {found}{state}")

    with Stopping() as stopping, stopping.deferred():
        tuning.run(
            trials,
            observer=observer,
            ended=ended,
            checkpoint_every=checkpoint_every,
            stopping=stopping,
        )
    path = tuning.write_best(write)
    _report(tuning, path, out, as_json=json_)


def _words(recipe: Recipe) -> str:
    return (
        f"learning rate {recipe.learning_rate:.2g}, weight decay {recipe.weight_decay:.2g}, "
        f"{recipe.warmup_steps} warm-up steps, clip norm {recipe.clip_norm:.2g}, "
        f"batch {recipe.batch}"
    )


def _report(tuning: Tuning, path: Path, out: str, *, as_json: bool) -> None:
    from dataclasses import asdict

    from bastzoo.cli.terminal.output import echo_json, table

    best = tuning.best()
    found = tuning.trials()
    assert best is not None
    if as_json:
        listed = [{**asdict(trial), "recipe": trial.recipe.model_dump()} for trial in found]
        echo_json({"trials": listed, "best": best.number, "preset": str(path)})
        return
    headers = ["trial", "AD", "", "rate", "decay", "warm-up", "clip", "batch", "steps"]
    rows = [
        [
            str(trial.number + 1),
            "-" if trial.ad is None else f"{trial.ad:.2f}°",
            "best" if trial.number == best.number else trial.state.replace("complete", ""),
            f"{trial.recipe.learning_rate:.2g}",
            f"{trial.recipe.weight_decay:.2g}",
            str(trial.recipe.warmup_steps),
            f"{trial.recipe.clip_norm:.2g}",
            str(trial.recipe.batch),
            str(trial.recipe.steps),
        ]
        for trial in found
    ]
    click.echo("\n".join(table([headers, *rows], indent=0)))
    own = found[0]
    before = f"; the preset's own recipe (trial 1): {own.ad:.2f}°" if own.ad is not None else ""
    click.echo(f"\nBest: trial {best.number + 1}, validation AD {best.ad:.2f}°{before}.")
    click.echo(_to_train_it(tuning.experiment, path, out))


def _to_train_it(experiment: Experiment, path: Path, out: str) -> str:
    """The command that trains what was tuned, with the recipe that was found, into the same folder."""
    import shlex

    chosen = experiment.combination
    words = ["bastzoo", "bench", "--backbone", chosen.backbone, "--integ", chosen.integration]
    words += ["--loss", chosen.loss, "--sharing", chosen.sharing]
    words += ["--head", chosen.head, "--frontend", chosen.frontend]
    if experiment.source.layout != "csv":  # an index has no environments to choose from
        words += ["--env", experiment.environment]
    return shlex.join([*words, "--preset", str(path), "--runs", out])
