"""BAST's checkpoints as models of ours: resolved like any other, their azimuths turned.

BAST counts azimuths clockwise (its file names and figures), bastzoo counter-clockwise. They are turned
here and nowhere else: the head's output for the side changes its sign, so all that is said of the model
afterwards is in our angles.
"""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from bastzoo.experiment import ELSEWHERE, Combination, Experiment, resolve
from bastzoo.models.adoption import adopt
from bastzoo.models.bast.checkpoint import BastCheckpoint, parse_bast_checkpoint
from bastzoo.models.building import build_model
from bastzoo.models.localizer import Localizer
from bastzoo.models.sharing.record import record_of_experiment
from bastzoo.presets import Preset, load_preset

if TYPE_CHECKING:
    from bastzoo.model import BinauralLocalizer
    from bastzoo.models.sharing.record import ModelRecord
    from bastzoo.records.store import RunStore
    from bastzoo.registry import Registry

_SIDE = ("head.linear.weight", "head.linear.bias")
"""Weights whose second row gives the side: BAST's y is to the right, ours to the left."""


def read_bast(path: Path, registry: Registry) -> tuple[BinauralLocalizer, ModelRecord]:
    """The model of a checkpoint and what it is, with our angles. Raises DataError as its reader does."""
    found = parse_bast_checkpoint(path)
    experiment = experiment_of(path, found, registry)
    record = record_of_experiment(
        experiment,
        registry,
        name=path.stem,
        command=f"bastzoo import-bast {shlex.quote(path.name)}",
    )
    trained = record.trained_on
    assert trained is not None
    record = record.model_copy(
        update={
            "summary": "A checkpoint of BAST's training code, imported.",
            "trained_on": trained.model_copy(
                update={"steps": 0, "source": f"BAST's own data, {found.epochs} epochs"}
            ),
            "licence": "MIT",
        }
    )
    return _model_of(found, experiment, registry), record


def import_bast(path: Path, store: RunStore, registry: Registry) -> Path:
    """Write a checkpoint as a run, and return its folder: what can be tested, asked, packaged and ranked.

    It has no evaluation of its own until it is tested here (`bastzoo evaluate`). Raises DataError as the
    reader does, SetupError when the folder cannot be written. A run of the same file stays as it is.
    """
    return adopt(Localizer(*read_bast(path, registry)), store)


def experiment_of(path: Path, found: BastCheckpoint, registry: Registry) -> Experiment:
    """What a checkpoint is in our words: its sizes as a preset, its file as the data it was trained on."""
    quick = load_preset("quick")
    sizes = {**quick.model.model_dump(), **found.sizes}
    preset = Preset.model_validate(
        {
            "name": "bast",
            "summary": "sizes of an imported checkpoint",
            "model": {name: sizes[name] for name in type(quick.model).model_fields},
            "data": quick.data.model_dump(),
            "recipe": {**quick.recipe.model_dump(), "steps": max(1, found.epochs)},
            "parameters": {f"backbone.{found.backbone}": _parameters(found)},
        }
    )
    loss = found.loss if found.loss in registry.names("loss") else "MIX"
    environments = {name.lower(): name for name in registry.names("environment")}
    return resolve(
        Combination(
            backbone=found.backbone,
            integration=found.integration,
            loss=loss,
            sharing="SP" if found.sharing == "SP" else "NSP",
        ),
        registry=registry,
        preset=preset,
        environment=environments.get(found.environment.lower(), "RI"),
        data_digest=f"{ELSEWHERE}{_sha256(path)[:16]}",
    )


def _parameters(found: BastCheckpoint) -> dict[str, str | int]:
    """What the preset's sizes do not say of a backbone."""
    return {} if found.pool == "mean" else {"pool": found.pool}


def _model_of(
    found: BastCheckpoint, experiment: Experiment, registry: Registry
) -> BinauralLocalizer:
    model = build_model(
        registry,
        experiment.components,
        sharing=found.sharing,
        size=experiment.preset.model.model_dump(),
    )
    model.load_state_dict({name: _turned(name, value) for name, value in found.weights.items()})
    return model.eval()


def _turned(name: str, value: Tensor) -> Tensor:
    """A weight with the side that it answers exchanged, where it answers one."""
    if name not in _SIDE:
        return value
    turned = value.clone()
    turned[1] = -turned[1]
    return turned


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
