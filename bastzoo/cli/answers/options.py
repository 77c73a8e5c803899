"""What `clips`, `score` and `runs answers` share: which track, which test sounds, which clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bastzoo.answers.questions import Question
    from bastzoo.harness.tracks import Track
    from bastzoo.harness.workbench import Workbench
    from bastzoo.presets import DataSize

Command = Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """A track, and what its clips are made of."""

    track: Track
    questions: list[Question]
    size: DataSize
    workbench: Workbench

    @property
    def clips(self) -> int:
        """How many clips there are in all cases."""
        return sum(len(question.clips) for question in self.questions)


def asked_options(command: Command) -> Command:
    """`--preset` and `--env`."""
    for option in (
        click.option(
            "--env",
            "environment",
            default="RI",
            show_default=True,
            metavar="NAME",
            help="Where the cases of a track are heard that name no environment.",
        ),
        click.option(
            "--preset",
            default="quick",
            show_default=True,
            metavar="NAME|FILE",
            help="Whose test sounds: those of the runs that the answers are to stand beside.",
        ),
    ):
        command = option(command)
    return command


def asked(track: str, *, preset: str, environment: str) -> Asked:
    """The clips of a track. Raises BastzooErrors for an unknown track, and for data that is not there."""
    from bastzoo.harness.tracks import find_track
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset

    registry = default_registry()
    found, size = find_track(track, registry), load_preset(preset).data

    from bastzoo.answers.questions import questions_of
    from bastzoo.harness.workbench import Workbench

    workbench = Workbench(registry, device="cpu", precision="no")
    questions = questions_of(found, workbench=workbench, environment=environment, size=size)
    return Asked(found, questions, size, workbench)
