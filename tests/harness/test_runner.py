"""Runs: what a record holds, what is kept beside it, and what a failure leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bastzoo.errors import RecordError, SetupError
from bastzoo.experiment import Combination
from bastzoo.harness.jobs import Bench, Job, Settings
from bastzoo.harness.runner import (
    baseline_experiment,
    baseline_run,
    train_run,
)
from bastzoo.harness.track_run import load_run, track_run
from bastzoo.harness.tracks import environment_track
from bastzoo.harness.workbench import Workbench
from bastzoo.metrics.localization import angular_distance
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.records.store import RunStore
from bastzoo.registry import Component, Registry
from bastzoo.zoo.baselines.chance import Chance
from bastzoo.zoo.heads import Azimuth


class Exploding:
    """A loss that cannot be computed."""

    def __call__(self, outputs: object, targets: object) -> None:
        raise ValueError("a defect of a plugin")


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    registry = Registry(default_registry())
    registry.add(
        Component(
            kind="loss",
            name="exploding",
            target="tests.harness.test_runner:Exploding",
            summary="raises",
        )
    )
    for name in ("Tied", "Unwritable"):
        registry.add(
            Component(
                kind="head",
                name=name.lower(),
                target=f"tests.harness.test_runner:{name}",
                summary="of a test",
                gives=("vector",),
            )
        )
    registry.add(
        Component(
            kind="baseline",
            name="brittle",
            target="tests.harness.test_runner:Brittle",
            summary="raises for short sounds",
        )
    )
    return Workbench(registry, device="cpu")


def run(workbench: Workbench, store: RunStore, preset: Path, **chosen: str):
    values = {"backbone": "mamba", "integration": "SUB", "loss": "MIX", "sharing": "SP", **chosen}
    experiment = workbench.resolver.experiment(
        Combination.model_validate(values),
        preset=load_preset(str(preset)),
        environment="RI01",
        seed=0,
    )
    return train_run(experiment, workbench=workbench, store=store)


def test_a_run_leaves_record_predictions_history_and_weights(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    store = RunStore(tmp_path)
    record = run(workbench, store, tiny_preset)
    path = store.path(record.key)
    assert path is not None
    assert {p.name for p in path.iterdir()} == {
        "record.json",
        "predictions.npz",
        "history.csv",
        "model.safetensors",
    }
    # The record's headline follows from the predictions beside it.
    with np.load(path / "predictions.npz", allow_pickle=False) as kept:
        ad = angular_distance(kept["directions"], kept["targets"])
    assert record.evaluation is not None
    assert record.evaluation.metrics["ad_mean"] == pytest.approx(ad.mean(), abs=1e-9)
    assert record.provenance.scan == "cpu"
    assert record.provenance.versions["torch"]


def test_the_weights_that_are_kept_give_the_metrics_that_are_recorded(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    store = RunStore(tmp_path)
    record = run(workbench, store, tiny_preset, backbone="vanilla")
    path = store.path(record.key)
    assert path is not None
    again = track_run(record, environment_track("RI01"), workbench=workbench, store=store)
    assert again.cases[0].evaluation == record.evaluation
    assert store.track(record.key, "RI01") == again


def test_a_run_of_another_version_of_a_component_is_not_evaluated(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    store = RunStore(tmp_path)
    record = run(workbench, store, tiny_preset, backbone="vanilla")
    path = store.path(record.key)
    assert path is not None
    assert record.experiment is not None
    components = record.experiment.components
    newer = components["backbone"].model_copy(update={"version": 2})
    changed = {"components": {**components, "backbone": newer}}
    other = record.model_copy(update={"experiment": record.experiment.model_copy(update=changed)})
    with pytest.raises(RecordError, match=r"with version 2 .* here it has version 1"):
        track_run(other, environment_track("RI01"), workbench=workbench, store=store)


def test_a_component_that_raises_fails_its_run_and_leaves_a_traceback(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    store = RunStore(tmp_path)
    record = run(workbench, store, tiny_preset, loss="exploding")
    assert record.status == "failed"
    assert record.failure is not None
    assert record.failure.message == "ValueError: a defect of a plugin"
    assert "Exploding" in record.failure.traceback or "__call__" in record.failure.traceback
    assert store.get(record.key) == record
    path = store.path(record.key)
    assert path is not None
    with pytest.raises(RecordError, match="no trained model"):
        track_run(record, environment_track("RI01"), workbench=workbench, store=store)


class Tied(Azimuth):
    """A head whose weight has two names."""

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.again = self.linear


def test_a_weight_with_two_names_is_kept_once_and_loaded_under_both(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    store = RunStore(tmp_path)
    record = run(workbench, store, tiny_preset, backbone="vanilla", head="tied")
    assert record.failure is None
    path = store.path(record.key)
    assert path is not None
    kept = load_file(path / "model.safetensors")
    assert "head.linear.weight" in kept
    assert "head.again.weight" not in kept
    model = load_run(path, record, workbench=workbench)
    assert torch.equal(model.head.again.weight, kept["head.linear.weight"])


class Unwritable(Azimuth):
    """A head whose state no file can hold."""

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.register_buffer("odd", torch.zeros(1, dtype=torch.complex128))


def test_what_cannot_be_written_fails_its_run_and_leaves_a_record(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    store = RunStore(tmp_path)
    record = run(workbench, store, tiny_preset, backbone="vanilla", head="unwritable")
    assert record.status == "failed"
    assert record.failure is not None
    assert "complex128" in record.failure.message
    assert store.get(record.key) == record


def test_a_baseline_is_fitted_on_whole_sounds_and_recorded_without_weights(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    store = RunStore(tmp_path)
    experiment = baseline_experiment(
        "itd", workbench=workbench, preset=load_preset(str(tiny_preset)), environment="RI"
    )
    record = baseline_run(experiment, workbench=workbench, store=store)
    assert record.status == "finished", record.failure
    assert experiment.fit_clips == 4 * 2 * 6
    assert record.cost is None
    path = store.path(record.key)
    assert path is not None
    assert not (path / "model.safetensors").exists()


def test_a_device_that_is_not_there_is_refused_in_a_sentence() -> None:
    with pytest.raises(SetupError, match="no device 'tpu'"):
        Workbench(Registry(), device="tpu")


def test_half_precision_without_a_gpu_is_refused_in_a_sentence() -> None:
    with pytest.raises(SetupError, match="fp16 training needs a CUDA GPU"):
        Workbench(Registry(), device="cpu", precision="fp16")


class Brittle(Chance):
    """A baseline with a defect that only a track finds."""

    def predict(self, clips: torch.Tensor) -> torch.Tensor:
        if not clips[..., -4000:].any():
            raise ZeroDivisionError("no tail")
        return super().predict(clips)


def test_what_a_component_raises_on_a_track_is_told_and_ends_nothing_else(
    workbench: Workbench, tmp_path: Path, tiny_preset: Path
) -> None:
    experiment = baseline_experiment(
        "brittle",
        workbench=workbench,
        preset=load_preset(str(tiny_preset)),
        environment="RI01",
    )
    bench = Bench(
        Settings(out=str(tmp_path)), registry=workbench.session.registry, workbench=workbench
    )
    outcome = bench.perform(Job(baseline=experiment, tracks=("duration", "off-grid")))
    assert outcome.status == "ran"
    assert outcome.tested == ["off-grid"]
    assert outcome.faults == [
        "track duration: left out. Testing the run raised ZeroDivisionError: no tail."
    ]
