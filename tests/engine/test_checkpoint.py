"""Checkpoints: training that was stopped anywhere ends as if it had not been."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from bastzoo.engine.checkpoint import (
    Checkpoints,
    CheckpointWarning,
    Interrupted,
    random_state,
    set_random_state,
)
from bastzoo.engine.training import TrainingResult, train
from bastzoo.experiment import Combination, Experiment
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    return Workbench(default_registry(), device="cpu")


@pytest.fixture(scope="module")
def experiment(
    workbench: Workbench, tiny_preset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Experiment:
    # Dropout, so that the states of the random generators matter.
    text = tiny_preset.read_text().replace("dropout = 0.0", "dropout = 0.2")
    path = tmp_path_factory.mktemp("preset") / "dropping.toml"
    text = text.replace("steps = 4", "steps = 9").replace("patience = 2", "patience = 9")
    path.write_text(text)
    return workbench.resolver.experiment(
        Combination(backbone="mamba", integration="SUB", loss="MIX", sharing="SP"),
        preset=load_preset(str(path)),
        environment="RI01",
        seed=3,
    )


def trained(
    workbench: Workbench, experiment: Experiment, checkpoints: Checkpoints | None
) -> tuple[nn.Module, TrainingResult]:
    data = workbench.data.of(experiment)
    model = workbench.session.build(experiment)
    result = train(
        model,
        workbench.session.component("loss", experiment.components["loss"]).build(),
        recipe=experiment.preset.recipe,
        training=data.split("train"),
        validation=data.split("validation"),
        accelerator=workbench.session.accelerator,
        seed=experiment.seed,
        checkpoints=checkpoints,
    )
    return model, result


def stopping_after(path: Path, steps: int) -> Checkpoints:
    asked = iter([0] * (steps - 1))
    return Checkpoints(path, every=0, stop=lambda: next(asked, 15))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_training_that_is_stopped_again_and_again_gives_the_same_bits(
    workbench: Workbench, experiment: Experiment, tmp_path: Path, steps: int
) -> None:
    whole, expected = trained(workbench, experiment, None)
    path = tmp_path / "run" / "checkpoint.pt"
    stops = 0
    while stops < 9 // steps:
        with pytest.raises(Interrupted, match="of 9") as interrupted:
            trained(workbench, experiment, stopping_after(path, steps))
        assert interrupted.value.signal == 15
        stops += 1
    model, result = trained(workbench, experiment, stopping_after(path, steps))
    for key, value in whole.state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key
    assert result.best_validation_ad == expected.best_validation_ad
    same = ("step", "loss", "learning_rate", "validation_ad")
    assert [[row[k] for k in same] for row in result.history] == [
        [row[k] for k in same] for row in expected.history
    ]


@pytest.fixture(scope="module")
def stopped(
    workbench: Workbench, experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, float]:
    """A checkpoint of the third step, and the AD that the whole training comes to."""
    path = tmp_path_factory.mktemp("stopped") / "checkpoint.pt"
    with pytest.raises(Interrupted):
        trained(workbench, experiment, stopping_after(path, 3))
    return path.read_bytes(), trained(workbench, experiment, None)[1].best_validation_ad


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "other", "pickle", "pipe", "narrow", "moments", "best", "history"]
)
def test_a_checkpoint_that_cannot_be_used_means_a_new_beginning(
    workbench: Workbench,
    experiment: Experiment,
    stopped: tuple[bytes, float],
    tmp_path: Path,
    damage: str,
) -> None:
    whole, expected = stopped
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(whole)
    if damage == "cut":
        path.write_bytes(whole[:-1000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other":
        torch.save({"version": 0}, path)
    elif damage == "pickle":
        torch.save({"version": 1, "random": Path}, path)
    elif damage == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        torch.save(of_another_model(torch.load(path, weights_only=True), damage), path)
    with pytest.warns(CheckpointWarning, match=r"checkpoint.pt.* begins anew"):
        _, result = trained(workbench, experiment, Checkpoints(path))
    assert result.best_validation_ad == expected


def of_another_model(state: dict[str, Any], damage: str) -> dict[str, Any]:
    """A checkpoint that is whole, and does not fit."""
    name, value = next((n, v) for n, v in state["model"].items() if v.ndim == 2)
    if damage == "narrow":
        state["model"][name] = value[:, :-1].clone()
    elif damage == "moments":
        moments = state["optimizer"]["state"]
        moments[0]["exp_avg"] = torch.zeros(1, 2, 3)
    elif damage == "best":
        state["best"] = {name: value[:1].clone()}
    else:
        state["result"] = {"steps": "many"}
    return state


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True)
    checkpoints = Checkpoints(tmp_path / "checkpoint.pt", every=0)
    checkpoints.save({"step": 1}, accelerator)
    with pytest.raises(
        (AttributeError, pickle.PicklingError)
    ):  # as Python before 3.14 and since has it
        checkpoints.save({"step": lambda: 2}, accelerator)
    state = checkpoints.load(accelerator)
    assert state is not None
    assert state["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_random_states_come_back_to_the_last_bit() -> None:
    state = random_state()
    first = torch.rand(3), np.random.rand(3), random.random()
    set_random_state(state)
    assert torch.equal(torch.rand(3), first[0])
    assert np.array_equal(np.random.rand(3), first[1])
    assert random.random() == first[2]
