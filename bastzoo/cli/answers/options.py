"""What `clips`, `score` and `runs answers` share: which track, which test sounds, which clips."""

from __future__ import annotations

from bastzoo.cli.options import Command, environment_option, preset_option


def asked_options(command: Command) -> Command:
    """`--preset` and `--env`."""
    for option in (
        environment_option("Where the cases of a track are heard that name no environment."),
        preset_option("Whose test sounds: those of the runs that the answers are to stand beside."),
    ):
        command = option(command)
    return command
