"""What `--precision auto` comes to, said in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bastzoo.cli.data_options import Heard
    from bastzoo.experiment import Experiment
    from bastzoo.harness.workbench import Workbench
    from bastzoo.registry import Registry

AUTO = "auto"


def workbench_for(registry: Registry, *, device: str, precision: str, heard: Heard) -> Workbench:
    """The workbench that options ask for; of `auto` in float32, until it is `settled`."""
    from bastzoo.harness.workbench import Workbench

    first = "no" if precision == AUTO else precision
    return Workbench(registry, device=device, precision=first, **heard.workbench_options())


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
