"""Small models for tests, untrained, with a record of what they are."""

from __future__ import annotations

from typing import Any

import torch

from bastzoo.experiment import Combination, resolve
from bastzoo.models.building import build_model
from bastzoo.models.localizer import Localizer
from bastzoo.models.sharing.record import record_of_experiment
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset


def made(
    *, parameters: dict[str, dict[str, Any]] | None = None, size: int = 24, **choices: Any
) -> Localizer:
    """An untrained localizer: SUB, SP, of the smallest size."""
    chosen = {"backbone": "vanilla", "integration": "SUB", "loss": "MIX", "sharing": "SP"} | choices
    registry = default_registry()
    preset = load_preset("quick")
    sizes = preset.model.model_copy(update={"dim": size, "depth": 1, "mlp_dim": size})
    experiment = resolve(
        Combination(**chosen),
        registry=registry,
        preset=preset.model_copy(update={"model": sizes}),
        environment="RI01",
        data_digest="none",
        parameters=parameters,
    )
    torch.manual_seed(0)
    model = build_model(
        registry,
        experiment.components,
        sharing=experiment.combination.sharing,
        size=sizes.model_dump(),
    )
    return Localizer(model, record_of_experiment(experiment, registry, name="made"))
