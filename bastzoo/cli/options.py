"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def where_and_how(command: Command) -> Command:
    """`--preset`, `--device`, `--precision` and `--out`."""
    for option in (
        click.option(
            "--out",
            default="runs",
            show_default=True,
            metavar="DIR",
            help="Folder of the runs; shared by all commands.",
        ),
        click.option(
            "--precision",
            default="no",
            show_default=True,
            type=click.Choice(["no", "bf16", "fp16"]),
            help="Mixed precision of training and evaluation.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            type=click.Choice(["auto", "cpu", "cuda", "mps"]),
            help="Where to train and to render.",
        ),
        click.option(
            "--preset",
            default="quick",
            show_default=True,
            metavar="NAME|FILE",
            help="Sizes and recipe: quick, standard, paper, or a TOML file.",
        ),
    ):
        command = option(command)
    return command


def as_json(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON instead of tables.")(
        command
    )
