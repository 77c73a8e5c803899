"""Does rendering the next batch in a thread pay, and what does a step on `wild` cost beside one on RI?

`quick`, ViT (SUB, SP, MIX): whole trainings of a few steps, as `bastzoo train` runs them, in turns. A thread
pays where a core is free, and costs where none is: with OMP_NUM_THREADS=1 on two cores, or without.

Run with: pytest benchmarks/test_stepping.py --benchmark-only
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
import torch

from bastzoo.conditions import Condition
from bastzoo.data.environments import Environment, Scenes, ri, wild
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.data.rendering.scenes import SceneData
from bastzoo.engine.training import train
from bastzoo.experiment import Combination
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset

STEPS, ROUNDS = 30, 3


class Training:
    """A training of `STEPS` steps in an environment."""

    def __init__(self, environment: Environment) -> None:
        preset = load_preset("quick").with_recipe(steps=STEPS)
        self._workbench = Workbench(default_registry(), device="cpu")
        self._experiment = self._workbench.resolver.experiment(
            Combination(backbone="vanilla", integration="SUB", loss="MIX", sharing="SP"),
            preset=preset,
            environment=environment.name,
            seed=0,
        )
        few = preset.data.model_copy(update={"train_sounds": 100, "validation_sounds": 1})
        made = RenderedData if environment.scenes is None else SceneData
        data: Any = made(environment=environment, size=few, condition=environment.condition)
        self._training, self._validation = data.split("train"), data.split("validation")

    def run(self) -> float:
        """Train; return the milliseconds of a step, the one validation at the end included."""
        session = self._workbench.session
        model = session.build(self._experiment)
        result = train(
            model,
            session.loss(self._experiment, model),
            recipe=self._experiment.preset.recipe,
            training=self._training,
            validation=self._validation,
            accelerator=session.accelerator,
            seed=0,
        )
        return 1e3 * result.seconds / STEPS


def in_turns(benchmark: Any, ours: Callable[[], float], other: Callable[[], float]) -> float:
    """How much longer the other takes: the median ratio of rounds in which both took turns."""
    pairs: list[tuple[float, float]] = []
    benchmark.pedantic(
        lambda: pairs.append((ours(), other())), rounds=ROUNDS, warmup_rounds=1, iterations=1
    )
    for name, each in zip(("ours", "other"), zip(*pairs[1:], strict=True), strict=True):
        benchmark.extra_info[f"ms a step, {name}"] = round(median(each), 1)
    return median(theirs / mine for mine, theirs in pairs[1:])


def test_rendering_ahead(benchmark: Any, ratio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(ri())

    def with_spare_cores(count: int) -> float:
        with monkeypatch.context() as patched:
            patched.setattr("bastzoo.engine.ahead.spare_cores", lambda busy: count)
            return training.run()

    benchmark.extra_info["threads"] = torch.get_num_threads()
    found = in_turns(benchmark, lambda: with_spare_cores(1), lambda: with_spare_cores(0))
    ratio(found, "each batch rendered when it is asked for")


def test_a_step_on_wild(benchmark: Any, ratio: Any) -> None:
    # How many scenes there are does not change what a step costs.
    few = Environment(
        "wild",
        scenes=Scenes(train=20, validation=4, test=4, train_takes=256, validation_takes=40),
        condition=wild().condition.model_copy(update={"listeners": Condition().listeners}),
    )
    ratio(in_turns(benchmark, Training(few).run, Training(ri()).run), "a step on RI")
