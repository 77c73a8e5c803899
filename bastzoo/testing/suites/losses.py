"""Promises of losses."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor

from bastzoo.testing.modules import SEED, SIZES, random, seeded
from bastzoo.testing.suite import ComponentSuite

_STEPS = 60


class LossSuite(ComponentSuite):
    """Promises of a loss, on the outputs of a head that gives what it needs.

    head: the name of that head; the first that fits where it is empty.
    """

    kind = "loss"
    head: str = ""

    def outputs(self, batch: int = 6) -> dict[str, Tensor]:
        """Outputs of the head for random features, to be moved by gradients."""
        needs = set(self.record.needs)
        names = [self.head] if self.head else self.registry.names("head")
        for name in names:
            head = self.registry.get("head", name)
            if needs <= set(head.gives) and not head.needs:  # it needs nothing of the data
                with seeded(SEED), torch.no_grad():
                    module = head.build(**SIZES, width=SIZES["dim"])
                    found: dict[str, Tensor] = module(random(batch, SIZES["dim"]))
                return {n: v.detach().clone().requires_grad_(True) for n, v in found.items()}
        raise SkipTest(f"no head here gives {', '.join(sorted(needs))}")

    def targets(self, batch: int = 6) -> dict[str, Tensor]:
        """Unit vectors in the horizontal plane."""
        angle = torch.arange(batch) * (2 * torch.pi / batch) + 0.3
        return {"direction": torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=1)}

    def call(self, outputs: dict[str, Tensor], batch: int = 6) -> Tensor:
        """The loss of outputs."""
        loss: Any = self.record.build()
        value: Tensor = loss(outputs, self.targets(batch))
        return value

    def test_it_is_one_finite_number(self) -> None:
        """It is a finite scalar, for a batch of any size."""
        for batch in (1, 2, 7):
            value = self.call(self.outputs(batch), batch)
            assert tuple(value.shape) == (), f"it has the shape {tuple(value.shape)}"
            assert value.isfinite(), f"it is {value.item()} for {batch} clips"

    def test_it_is_deterministic(self) -> None:
        """The same outputs have the same loss."""
        outputs = self.outputs()
        first, second = self.call(outputs), self.call(outputs)
        assert torch.equal(first, second), f"once {first.item()}, once {second.item()}"

    def test_gradients_are_finite(self) -> None:
        """Every output that it needs gets a finite gradient, also after training to the end."""
        for outputs in (self.outputs(), self._trained()):
            value = self.call(outputs)
            value.backward()
            for name in self.record.needs:
                gradient = outputs[name].grad
                assert gradient is not None, f"no gradient reaches {name}"
                assert gradient.isfinite().all(), f"the gradient of {name} is not finite"

    def test_following_the_gradient_makes_it_smaller(self) -> None:
        """Gradient steps on the outputs make it smaller."""
        before, after = self.call(self.outputs()).item(), self.call(self._trained()).item()
        assert after < before, f"it went from {before:.4g} to {after:.4g}"

    def test_low_precision(self) -> None:
        """Outputs in bfloat16 have a loss in single precision, near that of the full ones."""
        outputs = self.outputs()
        full = self.call(outputs)
        half = self.call({name: value.bfloat16() for name, value in outputs.items()})
        assert half.dtype == torch.float32, f"the loss of bfloat16 outputs is {half.dtype}"
        assert abs(half - full) <= 0.05 * abs(full) + 0.05, f"{half.item():.4g}, not {full:.4g}"

    def _trained(self) -> dict[str, Tensor]:
        outputs = self.outputs()
        optimizer = torch.optim.Adam(outputs.values(), lr=0.05)
        for _ in range(_STEPS):
            optimizer.zero_grad()
            self.call(outputs).backward()
            optimizer.step()
        return {name: value.detach().requires_grad_(True) for name, value in outputs.items()}
