"""What `--precision auto` comes to, said in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bastzoo.experiment import Experiment
    from bastzoo.harness.workbench import Workbench

AUTO = "auto"


def before(precision: str) -> str:
    """The precision of a workbench until `auto` is measured on it."""
    return "no" if precision == AUTO else precision


def settled(
    precision: str,
    experiments: Callable[[], Sequence[Experiment]],
    *,
    workbench: Workbench,
    folder: Path | None,
) -> str:
    """The precision that was asked for; `auto` is measured, said, and set on the workbench.

    experiments: as they are in float32; only asked for where it has to be measured.
    folder: of the runs, which remembers; None to leave no trace.
    """
    if precision != AUTO:
        return precision
    from bastzoo.cli.terminal.progress import say
    from bastzoo.harness.workbench.precision import chosen_precision

    choice = chosen_precision(experiments(), workbench=workbench, folder=folder)
    say(str(choice))
    workbench.session.compute_in(choice.precision)
    return choice.precision
