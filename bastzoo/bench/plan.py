"""The plan: what running a grid will take on this machine, before anything runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.bench.runner import Workbench
from bastzoo.bench.store import RunStore
from bastzoo.experiment import Experiment, Preset
from bastzoo.model import parameter_count


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

    The estimate times training steps of every distinct architecture at a small batch; it leaves out
    validation and the test, which take some tenths of the training.
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


def _time_architecture(
    experiment: Experiment, workbench: Workbench, batch: int = 8, repeats: int = 2
) -> tuple[int, float]:
    """Parameters of a model, and the estimated seconds of its training."""
    preset: Preset = experiment.preset
    model = workbench.build(experiment).to(workbench.device).train()
    clips = torch.randn(min(batch, preset.recipe.batch), 2, CLIP_SAMPLES, device=workbench.device)
    seconds = []
    for _ in range(1 + repeats):
        started = time.perf_counter()
        outputs = model(clips)
        sum(output.float().square().mean() for output in outputs.values()).backward()
        seconds.append(time.perf_counter() - started)
    a_step = min(seconds[1:]) * preset.recipe.batch / len(clips)
    return parameter_count(model), a_step * preset.recipe.steps
