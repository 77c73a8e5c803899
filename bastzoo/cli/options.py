"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bastzoo.cli.names import Named
from bastzoo.metrics.questions import QUESTIONS

if TYPE_CHECKING:
    from bastzoo.conditions import Condition
    from bastzoo.experiment import Tasks
    from bastzoo.registry import Registry

SOUND_SUFFIXES = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".aif",
    ".aiff",
    ".aifc",
    ".mp3",
    ".w64",
    ".rf64",
)
"""How the names of recordings end; what ends otherwise is the name of a model."""

SEED = click.IntRange(min=0, max=2**32 - 1)
"""A seed: what numpy's generators take."""

TRACK_NAMES = ", ".join(QUESTIONS)
"""The built-in tracks, for help texts, which load no plugin."""

Command = Callable[..., Any]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class AlsoOut(click.Option):
    """An option that is understood as `--out` too, as committed commands have it; help shows one name."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Hand both spellings to the parser."""
        shown = self.opts
        self.opts = [*shown, "--out"]
        super().add_to_parser(parser, ctx)
        self.opts = shown


def runs_option(command: Decorated) -> Decorated:
    """`--runs`: the folder of the runs, of every command that has one."""
    return click.option(
        "--runs",
        "out",
        cls=AlsoOut,
        default="runs",
        show_default=True,
        metavar="DIR",
        help="Folder of the runs; shared by all commands.",
    )(command)


def target_option(**keywords: Any) -> Callable[[Decorated], Decorated]:
    """`--to`: the file or folder that a command makes."""
    return click.option("--to", "target", cls=AlsoOut, **keywords)


def preset_option(text: str) -> Callable[[Decorated], Decorated]:
    """`--preset`; text: what the command takes from it."""
    return click.option(
        "--preset",
        default="quick",
        show_default=True,
        type=Named("preset"),
        metavar="NAME|FILE",
        help=text,
    )


def environment_option(text: str) -> Callable[[Decorated], Decorated]:
    """`--env`, of commands for one environment; text: what it means there."""
    return click.option(
        "--env",
        "environment",
        default="RI",
        show_default=True,
        type=Named("environment"),
        metavar="NAME",
        help=text,
    )


def where_and_how(command: Command) -> Command:
    """`--preset`, `--device`, `--precision` and `--runs`."""
    for option in (
        runs_option,
        click.option(
            "--precision",
            default="no",
            show_default=True,
            type=click.Choice(["no", "bf16", "fp16", "auto"]),
            help="Mixed precision of training and evaluation; auto: bf16 where it is measured to be faster.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            type=click.Choice(["auto", "cpu", "cuda", "mps"]),
            help="Where to train and to render.",
        ),
        preset_option("Sizes and recipe: quick, standard, paper, or a TOML file."),
    ):
        command = option(command)
    return command


def as_json(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON instead of tables.")(
        command
    )


def no_color(command: Command) -> Command:
    """`--no-color`: what the variable NO_COLOR does (no-color.org), for one command."""

    def without(context: click.Context, parameter: click.Parameter, chosen: bool) -> None:
        if chosen:
            os.environ["NO_COLOR"] = "1"

    return click.option(
        "--no-color",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=without,
        help="Without colours, as where NO_COLOR is set.",
    )(command)


def checkpoint_option(command: Command) -> Command:
    """`--checkpoint-every`."""
    return click.option(
        "--checkpoint-every",
        default=20.0,
        show_default=True,
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="How often training keeps what it needs to go on after a kill.",
    )(command)


def pretrained_option(command: Command) -> Command:
    """`--pretrained`."""
    return click.option(
        "--pretrained",
        is_flag=True,
        help="Begin with the weights that a backbone comes with (timm/NAME of bastzoo-timm).",
    )(command)


def task_options(command: Command) -> Command:
    """`--cls-weight`, `--elev-weight` and `--task-weights`, as one argument `tasks` (None: not given)."""

    @functools.wraps(command)
    def collected(
        *args: Any,
        cls_weight: float | None,
        elev_weight: float | None,
        task_weights: str | None,
        **rest: Any,
    ) -> Any:
        given = {
            "cls_weight": cls_weight,
            "elev_weight": elev_weight,
            "weighting": task_weights,
        }
        given = {name: value for name, value in given.items() if value is not None}
        tasks = None
        if given:
            from bastzoo.experiment import Tasks

            tasks = Tasks.model_validate(given)
        return command(*args, tasks=tasks, **rest)

    for option in (
        click.option(
            "--task-weights",
            type=click.Choice(["fixed", "learned"]),
            help="Whether the weights stay, or are learned from each task's uncertainty.",
        ),
        click.option(
            "--elev-weight",
            type=click.FloatRange(min=0),
            metavar="X",
            help="Weight of the squared error of elevation in degrees², for heads that answer it; "
            "default 0.1.",
        ),
        click.option(
            "--cls-weight",
            type=click.FloatRange(min=0),
            metavar="X",
            help="Weight of the cross-entropy, for heads that answer a class; default 1.",
        ),
    ):
        collected = option(collected)
    return collected


def former_option(name: str, now: str, **keywords: Any) -> Callable[[Decorated], Decorated]:
    """A hidden option that keeps working under the name it had before, and says what it is called now."""

    def said(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is not None:
            click.echo(f"{name} is called {now} now.", err=True)
        return value

    return click.option(name, hidden=True, callback=said, **keywords)


def usual_head(tasks: Tasks | None) -> str:
    """The head that a command stands for when it names none."""
    return "azimuth" if tasks is None else "azimuth+elevation+class"


def check_tasks(tasks: Tasks | None, heads: Sequence[str], registry: Registry) -> None:
    """Refuse weights of tasks that a head does not have."""
    from bastzoo.experiment import has_several_answers

    for name in heads if tasks is not None else ():
        if not has_several_answers(registry.get("head", name)):
            several = [
                other
                for other in registry.names("head")
                if has_several_answers(registry.get("head", other))
            ]
            raise click.UsageError(
                f"--cls-weight, --elev-weight and --task-weights are for heads with several answers "
                f"({', '.join(several)}); the head {name!r} answers a direction only."
            )


def combination_options(command: Command) -> Command:
    """One combination, heard in one environment: every axis but the head, with what stands for each."""
    for name, parameter, default, text in reversed(
        (
            ("--backbone", "backbone", "mamba", "Ear and fusion encoder."),
            ("--integ", "integration", "SUB", "How two ears become one."),
            ("--loss", "loss", "MIX", None),
            ("--sharing", "sharing", "SP", "SP: one encoder for both ears; NSP: one each."),
            ("--env", "environment", "RI", None),
            (
                "--frontend",
                "frontend",
                None,
                "Default: spectrogram; precomputed for a CSV of such.",
            ),
        )
    ):
        command = click.option(
            name,
            parameter,
            default=default,
            show_default=default is not None,
            type=Named(parameter),
            metavar="NAME",
            help=text,
        )(command)
    return command


def recipe_options(command: Command) -> Command:
    """`--steps`, `--batch` and `--learning-rate`, as one argument `recipe`."""

    @functools.wraps(command)
    def collected(
        *args: Any,
        steps: int | None,
        batch: int | None,
        learning_rate: float | None,
        **rest: Any,
    ) -> Any:
        given = {"steps": steps, "batch": batch, "learning_rate": learning_rate}
        return command(*args, recipe=given, **rest)

    for option in (
        click.option(
            "--learning-rate",
            type=click.FloatRange(min=0, min_open=True),
            metavar="X",
            help="Instead of the preset's.",
        ),
        click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Clips a step."),
        click.option(
            "--steps", type=click.IntRange(min=1), metavar="N", help="Instead of the preset's."
        ),
    ):
        collected = option(collected)
    return collected


def dry_run_option(command: Command) -> Command:
    """`--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Print the plan and run nothing.")(command)


def training_options(command: Command) -> Command:
    """`--train-snr`, `-noise`, `-listeners`, `-sources` and `--without`, as one argument `conditions`."""

    @functools.wraps(command)
    def collected(
        *args: Any,
        train_snr: tuple[str, ...],
        train_noise: str,
        train_listeners: str,
        train_heads: str | None,
        train_sources: str,
        left_out: tuple[str, ...],
        **rest: Any,
    ) -> Any:
        from bastzoo.harness.tracks import training_conditions

        if train_heads is not None:
            train_listeners = train_heads
        asked = bool(train_snr or left_out) or train_listeners != "own" or train_sources != "1"
        conditions: list[Condition] = []
        if asked:
            noise: Any = train_noise
            conditions = training_conditions(
                train_snr, noise, train_listeners, train_sources, left_out
            )
        return command(*args, conditions=conditions, **rest)

    for option in (
        click.option(
            "--without",
            "left_out",
            type=Named("ingredient"),
            multiple=True,
            metavar="INGREDIENT",
            help="Train under --env wild without one of its ingredients: rooms, family, individuals, "
            "colours, levels, noise, running, mirrored; repeatable. `each`, of bench: with all, and then "
            "without one after the other.",
        ),
        click.option(
            "--train-sources",
            default="1",
            show_default=True,
            metavar="N|A-B",
            help="Sounds at the same time, for --head multi; 1-3 is a mixture.",
        ),
        click.option(
            "--train-listeners",
            type=click.Choice(["own", "family"]),
            default="own",
            show_default=True,
            help="Listeners to train with: the data's own, or eight of the virtual family.",
        ),
        former_option("--train-heads", "--train-listeners", type=click.Choice(["own", "family"])),
        click.option(
            "--train-noise",
            type=click.Choice(["speech", "white"]),
            default="speech",
            show_default=True,
            help="Spectrum of the diffuse noise of --train-snr.",
        ),
        click.option(
            "--train-snr",
            multiple=True,
            metavar="DB|mix|clean",
            help="Signal-to-noise ratio to train with; `mix` is 0 to 40 dB and clean; repeatable.",
        ),
    ):
        collected = option(collected)
    return collected
