"""A head that answers how far away a sound is too, as a third party would write it.

Its environment says how far its rooms' sources are; the head has a loss of its own, and a metric scores it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from bastzoo import Component, hookimpl
from bastzoo.acoustics.rooms.shoebox import Room
from bastzoo.data.environments import Environment
from bastzoo.metrics.metric import Arrays, Figure, Figures, Metric
from bastzoo.zoo.heads import Azimuth
from bastzoo.zoo.losses import Loss
from bastzoo.zoo.task_losses import TaskLoss, Term

HERE = "tests.plugins.far_and_near"
TELL = {"summary": "of a test", "citation": "none", "licence": "MIT"}


@hookimpl
def bastzoo_heads() -> list[Component]:
    return [
        Component(
            kind="head",
            name="azimuth+distance",
            target=f"{HERE}:AzimuthAndDistance",
            gives=("vector", "distance"),
            needs=("distance",),
            terms=("distance",),
            **TELL,
        )
    ]


@hookimpl
def bastzoo_environments() -> list[Component]:
    return [Component(kind="environment", name="FAR-NEAR", target=f"{HERE}:far_and_near", **TELL)]


@hookimpl
def bastzoo_metrics() -> list[Component]:
    return [Component(kind="metric", name="distance", target=f"{HERE}:distance", **TELL)]


def far_and_near() -> Environment:
    size, ears = (6.0, 5.0, 3.0), (2.8, 2.4, 1.5)
    rooms = [
        Room(name, size=size, rt60=0.3, listener=ears, source_distance=metres)
        for name, metres in (("near", 0.8), ("far", 2.0))
    ]
    known = {"distance": {room.name: room.source_distance for room in rooms}}
    return Environment("FAR-NEAR", tuple(rooms), targets=known)


class AzimuthAndDistance(nn.Module):
    """The azimuth as the usual head answers it, and metres."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.azimuth = Azimuth(width=width)
        self.metres = nn.Linear(width, 1)

    def forward(self, pooled: Tensor) -> dict[str, Tensor]:
        return {**self.azimuth(pooled), "distance": self.metres(pooled)[:, 0]}

    def decode(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {**self.azimuth.decode(outputs), "distance": outputs["distance"]}

    def loss(self, localization: Loss, *, weighting: str = "fixed") -> TaskLoss:
        return TaskLoss(localization, [Term("distance", l1, 0.5)], learned=weighting == "learned")


def l1(outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    return torch.nn.functional.l1_loss(outputs["distance"].float(), targets["distance"])


def distance() -> Metric:
    return Metric(
        figures={"distance_error": Figure("distance error", "mean absolute error", "m")},
        needs=("distance", "true_distance"),
        compute=distance_error,
    )


def distance_error(arrays: Arrays) -> Figures:
    off = np.abs(arrays["distance"].astype(np.float64) - arrays["true_distance"])
    return {"distance_error": float(off.mean()) if len(off) else None}
