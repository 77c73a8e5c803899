"""Promises of heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor, nn

from bastzoo.data.batches import Batch
from bastzoo.engine.evaluation import collected
from bastzoo.model import CREDIBLE_LEVELS
from bastzoo.registry import accepted
from bastzoo.testing.modules import SEED, SIZES, Inputs, ModuleSuite, random, seeded

CLASSES = ("bell", "click", "noise")


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
        """It gives the outputs that its record names, one row a clip, for every width and batch.

        A head that joins the loss itself hands losses what they read, and may give others.
        """
        expected = set(self.record.gives)
        own = hasattr(self.build(), "loss")
        for width in (24, 96):
            head = self.build(width=width).eval()
            for batch in (1, 5):
                outputs = head(random(batch, width))
                assert own or set(outputs) == expected, (
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

    def test_its_loss_reaches_every_output(self) -> None:
        """A head that names loss terms joins them to one finite number, which moves its parameters."""
        if not self.record.terms:
            raise SkipTest("it brings no loss terms")
        head: Any = self.build().train()
        assert hasattr(head, "loss"), "its record names terms, and it has no method `loss`"
        offered = {"cls_weight": 1.0, "elev_weight": 1.0, "weighting": "fixed"}
        loss = head.loss(_squared, **accepted(head.loss, offered))
        value = loss(head(random(6, SIZES["dim"])), self.targets(6))
        assert tuple(value.shape) == (), f"its loss has the shape {tuple(value.shape)}"
        assert value.isfinite(), f"its loss is {value.item()}"
        value.backward()
        still = [n for n, p in head.named_parameters() if p.grad is None or not p.grad.any()]
        assert not still, f"no gradient of its loss reaches {', '.join(still)}"

    def test_its_answers_can_be_collected(self) -> None:
        """What it decodes is collected row by row, beside what was true."""
        head: Any = self.build().eval()
        with torch.no_grad():
            outputs = head(random(5, SIZES["dim"]))
        rooms = torch.zeros(5, dtype=torch.long)
        part = Batch(torch.zeros(5, 2, 8), self.targets(5), torch.arange(5), rooms)
        rows = collected(head, outputs, part)
        count = len(rows["directions"])
        for name in ("targets", "sounds", "rooms"):
            assert len(rows[name]) == count, f"{count} answers have {len(rows[name])} {name}"
        for name in self.record.needs:
            if name not in ("class", "elevation"):
                assert name in rows, f"it needs the target {name!r} and does not answer it"

    def targets(self, batch: int) -> dict[str, Tensor]:
        """Directions around the listener, classes, and a number for whatever else it needs."""
        angle = torch.arange(batch) * (2 * torch.pi / batch) + 0.3
        up = 0.2 * angle.sin()
        flat = torch.stack([angle.cos(), angle.sin(), up], dim=1)
        targets = {
            "direction": torch.nn.functional.normalize(flat, dim=1),
            "class": torch.arange(batch) % len(CLASSES),
        }
        more = [name for name in self.record.needs if name not in (*targets, "elevation")]
        return {**targets, **{name: 1.0 + torch.arange(batch) for name in more}}

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


def _squared(outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """A loss of the direction."""
    vector = outputs["vector"]
    return (vector - targets["direction"][:, : vector.shape[-1]]).square().mean()
