"""Promises of baselines."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bastzoo.testing.modules import random
from bastzoo.testing.suite import ComponentSuite

_DIRECTIONS = 8
_LARGEST_DELAY = 10  # samples, 0.6 ms


class BaselineSuite(ComponentSuite):
    """Promises of a baseline: fitted on clips, it answers with directions."""

    kind = "baseline"

    def clips(self, batch: int, *, seed: int) -> tuple[Tensor, Tensor]:
        """Clips of noise with the level and time differences of a sphere, and their directions."""
        angle = torch.arange(batch) % _DIRECTIONS * (2 * torch.pi / _DIRECTIONS)
        directions = torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=1)
        noise = 0.1 * random(batch, 4000 + 2 * _LARGEST_DELAY, seed=seed)
        ears = []
        for side in (1, -1):
            delays = (_LARGEST_DELAY * (1 - side * directions[:, 1])).round().long()
            starts = 2 * _LARGEST_DELAY - delays
            heard = [n[s : s + 4000] for n, s in zip(noise, starts.tolist(), strict=True)]
            gain = 10 ** (side * 6 * directions[:, 1] / 20)
            ears.append(gain[:, None] * torch.stack(heard))
        return torch.stack(ears, dim=1), directions

    def fitted(self) -> Any:
        """Build the baseline and fit it."""
        baseline = self.record.build()
        baseline.fit(*self.clips(48, seed=1))
        return baseline

    def test_answers_are_directions(self) -> None:
        """It answers every clip with a unit vector, or with NaN where it has no answer."""
        clips, _ = self.clips(12, seed=2)
        found = self.fitted().predict(clips)
        assert tuple(found.shape) == (12, 3), f"12 clips have answers of {tuple(found.shape)}"
        lengths = found[found.isfinite().all(dim=1)].norm(dim=1)
        assert ((lengths - 1).abs() < 1e-3).all(), "an answer is not of length 1"

    def test_it_is_deterministic(self) -> None:
        """Fitted on the same clips it gives the same answers."""
        clips, _ = self.clips(12, seed=2)
        first, second = (self.fitted().predict(clips) for _ in range(2))
        assert torch.equal(first.nan_to_num(9), second.nan_to_num(9)), "answers differ"

    def test_batches_do_not_matter(self) -> None:
        """Clips that are asked in two batches have the same answers as in one."""
        clips, _ = self.clips(12, seed=2)
        together = self.fitted().predict(clips)
        baseline = self.fitted()
        apart = torch.cat([baseline.predict(part) for part in clips.split(5)])
        assert torch.allclose(together, apart, atol=1e-4, equal_nan=True), "answers differ"

    def test_silence_raises_nothing(self) -> None:
        """A clip without any sound has an answer, or none, but raises nothing."""
        found = self.fitted().predict(torch.zeros(2, 2, 4000))
        assert tuple(found.shape) == (2, 3), f"2 clips have answers of {tuple(found.shape)}"

    def test_clips_are_left_as_they_are(self) -> None:
        """The clips that it is given are not changed."""
        clips, _ = self.clips(12, seed=2)
        before = clips.clone()
        self.fitted().predict(clips)
        assert torch.equal(clips, before), "it writes into its input"
