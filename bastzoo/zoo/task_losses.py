"""One loss of several: where it was, what it was, how high, each with its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bastzoo.zoo.losses import Loss


class TaskLoss(nn.Module):
    """A localization loss, plus cross-entropy of the class, plus squared error of the elevation.

    localization: any loss on `outputs["vector"]`; its weight is 1.
    gives: the outputs of the head: `class_logits` and `elevation` are scored where they are among them.
    cls_weight, elev_weight: of the cross-entropy in nats and of the mean squared error in degrees².
    learned: whether each task's weight is learned, by its homoscedastic uncertainty (Kendall, Gal,
        Cipolla, CVPR 2018, arXiv:1705.07115). Then the module has one parameter a task, the logarithm
        of its variance, which begins at 0.
    """

    def __init__(
        self,
        localization: Loss,
        *,
        gives: Sequence[str],
        cls_weight: float = 1.0,
        elev_weight: float = 0.1,
        learned: bool = False,
    ) -> None:
        super().__init__()
        self.localization = localization
        weights = {"class_logits": cls_weight, "elevation": elev_weight}
        self.weights = {"vector": 1.0, **{n: w for n, w in weights.items() if n in gives}}
        self.log_variance = nn.Parameter(torch.zeros(len(self.weights))) if learned else None

    def forward(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the weighted sum.

        targets: `direction` `[B, 3]` and `class` `[B]`. With learned weights it can be below zero.
        """
        total = torch.zeros((), device=outputs["vector"].device)
        for number, (task, weight) in enumerate(self.weights.items()):
            value = weight * self.parts[task](self, outputs, targets)
            if self.log_variance is not None:
                spread = self.log_variance[number]
                # A likelihood's exponent is divided by twice the variance for a continuous answer, by the
                # variance for a class; its normalisation adds half the logarithm of the variance.
                share = 1.0 if task == "class_logits" else 0.5
                value = share * torch.exp(-spread) * value + 0.5 * spread
            total = total + value
        return total

    def _where(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        return self.localization(outputs, targets)

    def _what(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        return class_loss(outputs["class_logits"], targets["class"])

    def _how_high(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        return elevation_loss(outputs["elevation"], targets["direction"])

    parts = {"vector": _where, "class_logits": _what, "elevation": _how_high}  # noqa: RUF012


def class_loss(logits: Float[Tensor, "B C"], labels: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Cross-entropy in nats; binary, against "it is there", where there is one class only."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if logits.shape[-1] == 1:
        return functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    return functional.cross_entropy(logits, labels)


def elevation_loss(
    elevation: Float[Tensor, " B"], direction: Float[Tensor, "B 3"]
) -> Float[Tensor, ""]:
    """Mean squared error of the elevation, degrees²."""
    elevation = elevation.to(torch.promote_types(elevation.dtype, torch.float32))
    target = torch.rad2deg(torch.asin(direction[:, 2].clamp(-1, 1)))
    return (elevation - target).square().mean()
