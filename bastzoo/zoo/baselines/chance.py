"""Chance: the row of a leaderboard that knows nothing."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.directions import direction_from_angles


class Chance:
    """A horizontal direction drawn at random, whatever is heard; its expected AD is 90°.

    The draws start anew with every `fit` and follow the order of the clips, not their batches.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self._generator = np.random.default_rng(seed)

    def fit(self, clips: Float[Tensor, "B 2 N"], directions: Float[Tensor, "B 3"]) -> None:
        """Learn nothing."""
        self._generator = np.random.default_rng(self.seed)

    def predict(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 3"]:
        """Draw a direction for each clip."""
        azimuth = self._generator.uniform(-180, 180, len(clips))
        return torch.as_tensor(direction_from_angles(azimuth), dtype=clips.dtype).to(clips.device)
