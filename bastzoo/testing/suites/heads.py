"""Promises of heads."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor, nn

from bastzoo.model import CREDIBLE_LEVELS
from bastzoo.testing.modules import SEED, SIZES, Inputs, ModuleSuite, random, seeded

CLASSES = ("bell", "click", "noise")

# One output stands for many: a head of slots names them together.
_SLOTS = ("slot_vector", "slot_class", "slot_presence")


class HeadSuite(ModuleSuite):
    """Promises of a head: from pooled features to named outputs, and to what they mean."""

    kind = "head"

    def build(self, *, width: int = SIZES["dim"], seed: int = SEED, **changes: Any) -> nn.Module:
        """Build the head for features of a width, with three classes where it answers any."""
        with seeded(seed):
            module: nn.Module = self.record.build(
                **{**SIZES, **changes}, width=width, classes=CLASSES
            )
        return module

    def inputs(self, batch: int = 3) -> Inputs:
        """Pooled features."""
        return (random(batch, SIZES["dim"]),)

    def test_outputs_are_those_declared(self) -> None:
        """It gives the outputs that its record names, one row a clip, for every width and batch."""
        given = set(self.record.gives)
        expected = set(_SLOTS) if "slots" in given else given
        for width in (24, 96):
            head = self.build(width=width).eval()
            for batch in (1, 5):
                outputs = head(random(batch, width))
                assert set(outputs) == expected, (
                    f"it gives {sorted(outputs)}, and its record names {sorted(expected)}"
                )
                for name, value in outputs.items():
                    assert len(value) == batch, f"{name} of {batch} clips has {len(value)} rows"

    def test_decoded_directions_are_unit_vectors(self) -> None:
        """`decode` gives directions `[B, 3]` of length 1."""
        decoded = self._decoded(random(5, SIZES["dim"]))
        direction = decoded["direction"]
        assert tuple(direction.shape) == (5, 3), f"directions are {tuple(direction.shape)}"
        off = (direction.norm(dim=-1) - 1).abs().max()
        assert off < 1e-4, f"the length of a direction is off by {off:.2g}"

    def test_a_clip_without_an_answer_is_nan(self) -> None:
        """Features that are not finite give a row of NaN, and leave the other clips alone."""
        features = random(3, SIZES["dim"])
        expected = self._decoded(features)["direction"]
        features[1] = torch.nan
        direction = self._decoded(features)["direction"]
        assert direction[1].isnan().all(), "a clip without features has a direction"
        assert torch.allclose(direction[[0, 2]], expected[[0, 2]], atol=1e-5), "others changed"

    def test_radii_grow_with_their_probability(self) -> None:
        """A head that says how sure it is gives radii of 0 to 180 degrees that grow with the level."""
        decoded = self._decoded(random(5, SIZES["dim"]))
        if "radii" not in decoded:
            raise SkipTest("it does not say how sure it is")
        radii = decoded["radii"]
        assert tuple(radii.shape) == (5, len(CREDIBLE_LEVELS)), f"radii are {tuple(radii.shape)}"
        assert (radii >= 0).all() and (radii <= 180).all(), "a radius is not within 0 to 180"  # noqa: PT018
        assert (radii.diff(dim=1) > 0).all(), "a more probable cap is not larger"

    def _decoded(self, features: Tensor) -> dict[str, Tensor]:
        head: Any = self.build().eval()
        with torch.no_grad():
            decoded: dict[str, Tensor] = head.decode(head(features))
        return decoded
