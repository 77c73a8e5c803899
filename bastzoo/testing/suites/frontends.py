"""Promises of frontends."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

import torch
from torch import nn

from bastzoo.harness.grid.axes import READY_MADE
from bastzoo.testing.modules import SEED, SIZES, Inputs, ModuleSuite, random, seeded

_LOUDNESS = 0.1


class FrontendSuite(ModuleSuite):
    """Promises of a frontend: from clips of two ears to features."""

    kind = "frontend"

    def build(self, *, seed: int = SEED, **changes: Any) -> nn.Module:
        """Build the frontend."""
        if self.record.name == READY_MADE:
            raise SkipTest("it stands for features that come ready-made, and computes none")
        with seeded(seed):
            module: nn.Module = self.record.build(**{**SIZES, **changes})
        return module

    def inputs(self, batch: int = 3) -> Inputs:
        """Clips of noise that the ears share in part."""
        shared, own = random(batch, 1, 8000), random(batch, 2, 8000, seed=SEED + 1)
        return (_LOUDNESS * (shared + 0.3 * own),)

    def test_shapes_are_those_announced(self) -> None:
        """Clips of every length and batch become `[B, 2, C, F, T]` as `output_shape` says."""
        frontend: Any = self.build().eval()
        for samples in (4000, 8000, 16000):
            for batch in (1, 5):
                shape = tuple(frontend(_LOUDNESS * random(batch, 2, samples)).shape)
                announced = (batch, 2, *frontend.output_shape(samples))
                assert shape == announced, f"{samples} samples become {shape}, not {announced}"

    def test_silence_is_finite(self) -> None:
        """Digital silence, in one ear or both, and single clicks have finite features."""
        frontend = self.build().eval()
        clips = torch.zeros(3, 2, 8000)
        clips[1, 0] = _LOUDNESS * random(8000)
        clips[2, :, 4000] = 1.0
        for number, what in enumerate(("silence", "silence in the right ear", "a click")):
            features = frontend(clips[number : number + 1])
            assert features.isfinite().all(), f"the features of {what} are not finite"

    def test_clips_are_left_as_they_are(self) -> None:
        """The clips that it is given are not changed."""
        (clips,) = self.inputs()
        before = clips.clone()
        self.build().eval()(clips)
        assert torch.equal(clips, before), "it writes into its input"

    def test_level_does_not_say_where(self) -> None:
        """Features of a clip at half the level stay within a tenth of their spread."""
        frontend = self.build().eval()
        (clips,) = self.inputs()
        loud, quiet = frontend(clips), frontend(clips / 2)
        off = (loud - quiet).abs().mean() / loud.std()
        assert off < 0.1, f"they change by {off:.2f} of their spread; standardise each clip"
