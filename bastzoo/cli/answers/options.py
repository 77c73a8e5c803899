"""What `clips`, `score` and `runs answers` share: which track, which test sounds, which clips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bastzoo.cli.names import Named

Command = Callable[..., Any]


def asked_options(command: Command) -> Command:
    """`--preset` and `--env`."""
    for option in (
        click.option(
            "--env",
            "environment",
            default="RI",
            show_default=True,
            type=Named("environment"),
            metavar="NAME",
            help="Where the cases of a track are heard that name no environment.",
        ),
        click.option(
            "--preset",
            default="quick",
            show_default=True,
            type=Named("preset"),
            metavar="NAME|FILE",
            help="Whose test sounds: those of the runs that the answers are to stand beside.",
        ),
    ):
        command = option(command)
    return command
