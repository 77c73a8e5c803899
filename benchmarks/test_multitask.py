"""What do more tasks on one trunk cost? A training step of several answers, against localization alone.

Run with: make perf (or pytest benchmarks/test_multitask.py -o addopts="").
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bastzoo.conditions import Condition
from bastzoo.experiment import Combination
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset

ROUNDS = 20
LIMIT_SHARE = 0.10


def stepper(workbench: Workbench, head: str, backbone: str) -> Callable[[], None]:
    """A function that does one training step of the quick preset, rendering left out."""
    experiment = workbench.resolver.experiment(
        Combination(backbone=backbone, integration="CONCAT", loss="MIX", sharing="SP", head=head),
        preset=load_preset("quick"),
        environment="RI01",
        seed=0,
        condition=Condition(directions="sphere"),
    )
    model = workbench.session.build(experiment)
    loss = workbench.session.loss(experiment, model)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    batch = workbench.data.of(experiment).split("validation").take(torch.arange(64))

    def step() -> None:
        loss(model(batch.inputs), batch.targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


@pytest.mark.parametrize("head", ["direction+class", "azimuth+elevation+class", "multi"])
@pytest.mark.parametrize("backbone", ["mamba", "vanilla", "swin"])
def test_a_step_of_several_tasks(benchmark: Any, ratio: Any, backbone: str, head: str) -> None:
    """In turns, so that what else the machine does meets both alike."""
    workbench = Workbench(default_registry(), device="cpu")
    alone, several = (stepper(workbench, name, backbone) for name in ("direction", head))
    for step in (alone, several):
        for _ in range(5):
            step()
    seconds: dict[str, list[float]] = {"alone": [], "several": []}

    def turns() -> None:
        for _ in range(ROUNDS):
            for name, step in (("alone", alone), ("several", several)):
                started = time.perf_counter()
                step()
                seconds[name].append(time.perf_counter() - started)

    benchmark.pedantic(turns, rounds=1)
    one, more = (statistics.median(seconds[name]) for name in ("alone", "several"))
    ratio(one / more, "the localization alone")
    benchmark.extra_info["share"] = more / one - 1
    print(
        f"\n{backbone}, {head}: {1e3 * one:.1f} -> {1e3 * more:.1f} ms, {100 * (more / one - 1):+.1f} %"
    )
    assert more / one - 1 < LIMIT_SHARE
