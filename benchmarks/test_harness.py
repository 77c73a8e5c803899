"""What does the harness cost? Its share of a quick run, and the time between two runs.

Run with: make perf (or pytest benchmarks/test_harness.py -o addopts="").
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from bastzoo.acoustics.sounds import SPLITS
from bastzoo.engine.checkpoint import Checkpoints
from bastzoo.experiment import Combination, Experiment
from bastzoo.harness import runner
from bastzoo.harness.jobs import Bench, Job, Settings
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import DataSize, load_preset

LIMIT_BETWEEN_S = 0.05
LIMIT_SHARE = 0.03
RUNS = 12


class Clock:
    """Notes when the work of a run (model, training, test, cost) begins and ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[float] = []
        self.ended: list[float] = []
        record = runner._record

        def timed(identity: Any, work: Any, **more: Any) -> Any:
            def clocked() -> Any:
                self.begun.append(time.perf_counter())
                try:
                    return work()
                finally:
                    self.ended.append(time.perf_counter())

            return record(identity, clocked, **more)

        monkeypatch.setattr(runner, "_record", timed)

    @property
    def between(self) -> list[float]:
        """Seconds from the end of each run's work to the beginning of the next one's."""
        return [b - e for e, b in zip(self.ended, self.begun[1:], strict=False)]

    @property
    def worked(self) -> float:
        return sum(e - b for b, e in zip(self.begun, self.ended, strict=True))


def experiments(workbench: Workbench, count: int, **recipe: int) -> list[Experiment]:
    preset = load_preset("quick")
    size = DataSize(train_sounds=60, validation_sounds=10, test_sounds=40)
    preset = preset.model_copy(
        update={
            "name": "short",
            "data": size,
            "recipe": preset.recipe.model_copy(update=recipe),
        }
    )
    chosen = Combination(backbone="vanilla", integration="SUB", loss="MIX", sharing="SP")
    return [
        workbench.resolver.experiment(chosen, preset=preset, environment="RI", seed=seed)
        for seed in range(count)
    ]


def test_between_two_runs(
    benchmark: Any, ratio: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing a run (weights, predictions, record), and claiming and beginning the next."""
    workbench = Workbench(default_registry(), device="cpu")
    bench = Bench(
        Settings(out=str(tmp_path)), registry=workbench.session.registry, workbench=workbench
    )
    jobs = [
        Job(experiment=e)
        for e in experiments(workbench, RUNS, steps=2, warmup_steps=1, validate_every=2)
    ]
    clock = Clock(monkeypatch)
    benchmark.pedantic(lambda: [bench.perform(job) for job in jobs], rounds=1)
    between = statistics.median(clock.between)
    ratio(clock.worked / RUNS / between, "the work of a run of two steps")
    benchmark.extra_info["between_runs_ms"] = [round(1e3 * s, 1) for s in clock.between]
    print(
        f"\nbetween two runs: median {1e3 * between:.1f} ms, most {1e3 * max(clock.between):.1f} ms"
    )
    assert between < LIMIT_BETWEEN_S


@pytest.mark.thorough
def test_overhead_of_a_quick_run(
    benchmark: Any, ratio: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that `bench` does beside model, training, test and cost: claims, checkpoints, record.

    Counted, not subtracted: the difference of two trainings is noise of several per cent.
    """
    workbench = Workbench(default_registry(), device="cpu")
    (warm,) = experiments(workbench, 1, steps=2, warmup_steps=1, validate_every=2)
    quick = workbench.resolver.experiment(
        warm.combination, preset=load_preset("quick"), environment="RI", seed=0
    )
    bench = Bench(
        Settings(out=str(tmp_path)), registry=workbench.session.registry, workbench=workbench
    )
    bench.perform(Job(experiment=warm))
    for split in SPLITS:
        workbench.data.of(quick).split(split)
    clock = Clock(monkeypatch)
    saves: list[float] = []
    save = Checkpoints.save

    def timed(self: Checkpoints, *words: Any) -> None:
        started = time.perf_counter()
        save(self, *words)
        saves.append(time.perf_counter() - started)

    monkeypatch.setattr(Checkpoints, "save", timed)
    started = time.perf_counter()
    benchmark.pedantic(lambda: bench.perform(Job(experiment=quick)), rounds=1)
    whole = time.perf_counter() - started
    share = (whole - clock.worked + sum(saves)) / clock.worked
    ratio(1 / (1 + share), "the run alone")
    benchmark.extra_info["share"] = share
    print(
        f"\na quick run of {whole:.1f} s: {len(saves)} checkpoints {1e3 * sum(saves):.0f} ms, the rest "
        f"{1e3 * (whole - clock.worked):.0f} ms; {100 * share:.2f} % together"
    )
    assert share < LIMIT_SHARE
