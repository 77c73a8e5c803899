"""One loss of several: that of the direction, and a term for everything else that a head answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bastzoo.zoo.losses import Loss


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a loss: what one output of a head should be.

    name: what is answered. value: `(outputs, targets) -> scalar`. weight: its factor; that of the loss of
    the direction is 1. categorical: whether the answer is a choice (cross-entropy) instead of a number.
    """

    name: str
    value: Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]
    weight: float = 1.0
    categorical: bool = False


class TaskLoss(nn.Module):
    """A localization loss, plus the terms of a head's further answers, each with its weight.

    localization: any loss on `outputs["vector"]`; its weight is 1.
    learned: whether each task's weight is learned, by its homoscedastic uncertainty (Kendall, Gal,
        Cipolla, CVPR 2018, arXiv:1705.07115). Then the module has one parameter a task, the logarithm
        of its variance, which begins at 0.
    """

    def __init__(self, localization: Loss, terms: Sequence[Term], *, learned: bool = False) -> None:
        super().__init__()
        self.localization = localization
        self.terms = (Term("direction", localization), *terms)
        self.log_variance = nn.Parameter(torch.zeros(len(self.terms))) if learned else None

    def forward(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Float[Tensor, ""]:
        """Return the weighted sum. With learned weights it can be below zero."""
        total = torch.zeros((), device=targets["direction"].device)
        for number, term in enumerate(self.terms):
            value = term.weight * term.value(outputs, targets)
            if self.log_variance is not None:
                spread = self.log_variance[number]
                # A likelihood's exponent is divided by twice the variance for a continuous answer, by the
                # variance for a class; its normalisation adds half the logarithm of the variance.
                share = 1.0 if term.categorical else 0.5
                value = share * torch.exp(-spread) * value + 0.5 * spread
            total = total + value
        return total


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
