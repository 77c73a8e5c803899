"""The "model focus": how much of the answer comes from each frequency of either ear, and a test of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.errors import SetupError
from bastzoo.explanation.attention import gradient_rollout, rollout
from bastzoo.explanation.gradients import Maps, Method, saliency
from bastzoo.model import BinauralLocalizer

METHODS: dict[str, Method] = {
    "gradient": saliency,
    "rollout": rollout,
    "gradient-rollout": gradient_rollout,
}
BATCH = 16
"""Clips at a time: a backward pass keeps what the forward pass computed."""


@dataclass(frozen=True)
class Focus:
    """A curve for each ear: the share of the whole (both ears, all frequencies) for each kHz.

    frequencies: `[F]`, Hz. left, right: `[F]`, shares per kHz; both curves together have an area of 1.
    """

    frequencies: Float[np.ndarray, " F"]
    left: Float[np.ndarray, " F"]
    right: Float[np.ndarray, " F"]

    @property
    def both(self) -> Float[np.ndarray, " F"]:
        """The sum of both ears."""
        return self.left + self.right

    def share(self, low: float, high: float) -> float:
        """How much comes from `low <= frequency < high` (Hz), 0 to 1."""
        chosen = (self.frequencies >= low) & (self.frequencies < high)
        return float(self.both[chosen].sum() / max(self.both.sum(), 1e-300))

    @property
    def left_share(self) -> float:
        """How much comes from the left ear, 0 to 1."""
        return float(self.left.sum() / max(self.both.sum(), 1e-300))


def maps_of(model: Any, clips: Tensor, method: str = "gradient") -> Maps:
    """Explain clips `[B, 2, N]` to a `BinauralLocalizer`, some at a time.

    Raises SetupError for an unknown method, DataError as that does."""
    if method not in METHODS:
        raise SetupError(f"There is no method {method!r}; use {', '.join(METHODS)}.")
    model.eval()
    parts = [METHODS[method](model, part) for part in clips.split(BATCH)]
    values = np.concatenate([part.values for part in parts])
    return Maps(values, parts[0].frequencies, parts[0].times, parts[0].unit)


def focus(maps: Maps) -> Focus:
    """The mean over clips and times; every clip counts the same, however steep its answer."""
    by_frequency = maps.values.sum(axis=-1)
    whole = by_frequency.sum(axis=(1, 2), keepdims=True)
    shares = np.divide(by_frequency, whole, out=np.zeros_like(by_frequency), where=whole > 0)
    step = float(np.diff(maps.frequencies[:2])[0]) / 1000
    left, right = shares.mean(axis=0) / step
    return Focus(maps.frequencies, left, right)


def randomised(model: BinauralLocalizer, *, seed: int = 0) -> BinauralLocalizer:
    """A copy that has learned nothing: the numbers of every weight change places among themselves."""
    found = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in found.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return found


def likeness(one: Maps, other: Maps) -> float:
    """Rank correlation (Spearman) of two explanations of the same clips, mean over clips, -1 to 1."""
    found = [
        _correlation(_ranks(a.ravel()), _ranks(b.ravel()))
        for a, b in zip(one.values, other.values, strict=True)
    ]
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def sanity(model: BinauralLocalizer, clips: Tensor, maps: Maps, method: str = "gradient") -> float:
    """The test of Adebayo et al. (arXiv:1810.03292): how alike maps are when the weights are randomised.

    Of the first 16 clips. 1: the method shows the sound, and nothing that the network has learned.
    """
    few = Maps(maps.values[:BATCH], maps.frequencies, maps.times, maps.unit)
    return likeness(few, maps_of(randomised(model), clips[:BATCH], method))


def focus_and_error(curves: Sequence[Focus], errors: Sequence[float]) -> Float[np.ndarray, " F"]:
    """Across models, the rank correlation of the focus at each frequency with the mean AD.

    Negative: those that listen there err less. NaN where all listen alike. Raises SetupError for fewer than
    four models, or models whose curves have other frequencies.
    """
    if len(curves) < 4:
        raise SetupError("A correlation across models takes four of them at least.")
    if len({len(curve.frequencies) for curve in curves}) > 1:
        raise SetupError(
            "The curves of these models have other frequencies; explain them by one method."
        )
    table = np.stack([curve.both for curve in curves])
    ranks = _ranks(np.asarray(errors, dtype=float))
    return np.array([_correlation(_ranks(column), ranks) for column in table.T])


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    ranks: np.ndarray = rankdata(values)
    return ranks


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")
