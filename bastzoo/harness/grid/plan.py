"""The plan: what running a grid will take on this machine, before anything runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from bastzoo.experiment import Experiment
from bastzoo.harness.workbench import Workbench
from bastzoo.harness.workbench.session import input_shape
from bastzoo.model import BinauralLocalizer, parameter_count
from bastzoo.records.store import RunStore

# Clips of a first, cautious step; and seconds of a whole one above which nothing more is tried.
_FEW = 2
_LONG_STEP = 2.0
_TRIES, _PATIENCE = 5, 2.0


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One row of a plan: an experiment, whether it is done, its size and its estimated time."""

    experiment: Experiment
    status: str
    parameters: int
    seconds: float


def plan(
    experiments: Iterable[Experiment],
    *,
    workbench: Workbench,
    store: RunStore,
    progress: Callable[[str], None] = lambda _: None,
) -> list[PlannedRun]:
    """Say what running these experiments takes: parameters, and seconds estimated on this machine.

    The estimate times forward and backward passes of every distinct architecture; rendering, the
    optimizer, validation and the test come on top, some tenths of it. Where a whole batch would take
    seconds, one step of two clips is timed and scaled up: nobody waits minutes to hear of months.
    """
    timed: dict[tuple[str, ...], tuple[int, float]] = {}
    rows = []
    for experiment in experiments:
        chosen = experiment.combination
        key = (chosen.frontend, chosen.backbone, chosen.integration, chosen.head, chosen.sharing)
        if key not in timed:
            progress("/".join(key))
            timed[key] = _time_architecture(experiment, workbench)
        record = store.get(experiment.key)
        parameters, seconds = timed[key]
        done = record is not None and record.status == "finished"
        rows.append(
            PlannedRun(
                experiment=experiment,
                status="done" if done else ("failed" if record else "to run"),
                parameters=parameters,
                seconds=0.0 if done else seconds,
            )
        )
    return rows


def _time_architecture(experiment: Experiment, workbench: Workbench) -> tuple[int, float]:
    """Parameters of a model, and the estimated seconds of its training."""
    recipe = experiment.preset.recipe
    model = workbench.session.build(experiment).to(workbench.session.device).train()
    shape = input_shape(experiment)
    few = min(_FEW, recipe.batch)
    a_step = _fastest(model, (few, *shape), workbench) * recipe.batch / few
    if a_step < _LONG_STEP:
        a_step = _fastest(model, (recipe.batch, *shape), workbench)
    return parameter_count(model), a_step * recipe.steps


def _fastest(model: BinauralLocalizer, shape: tuple[int, ...], workbench: Workbench) -> float:
    """The fastest of some steps: the first also compiles, and others wait for whoever shares the machine."""
    steps: list[float] = []
    # Two at the least: on a machine that never trained, the first is mostly a compiler's.
    while len(steps) < 2 or (len(steps) < _TRIES and sum(steps) < _PATIENCE):
        steps.append(_time_step(model, shape, workbench))
    return min(steps)


def _time_step(model: BinauralLocalizer, shape: tuple[int, ...], workbench: Workbench) -> float:
    inputs = torch.randn(shape, device=workbench.session.device)
    started = time.perf_counter()
    outputs = model(inputs)
    total = torch.stack([output.float().square().mean() for output in outputs.values()]).sum()
    total.backward()
    total.item()  # waits for the device
    return time.perf_counter() - started
