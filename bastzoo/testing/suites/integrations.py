"""Promises of integrations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bastzoo.testing.modules import SEED, SIZES, Inputs, ModuleSuite, random, seeded


class IntegrationSuite(ModuleSuite):
    """Promises of an integration: tokens of two ears become one sequence."""

    kind = "integration"

    def build(self, *, seed: int = SEED, **changes: Any) -> nn.Module:
        """Build the integration for ears of the usual width."""
        with seeded(seed):
            module: nn.Module = self.record.build(**{**SIZES, **changes})
        return module

    def inputs(self, batch: int = 3) -> Inputs:
        """Tokens of the left and of the right ear."""
        left, right = random(2, batch, 8, SIZES["dim"]).unbind()
        return left, right

    def test_shapes_follow_the_contract(self) -> None:
        """Two ears of `[B, N, D]` become `[B, N, width(D)]`, for every size and batch."""
        for dim in (16, 96):
            module: Any = self.build(dim=dim).eval()
            width = module.width(dim)
            assert isinstance(width, int), f"width({dim}) is {width!r}, not an integer"
            for batch, tokens in ((1, 8), (2, 1), (5, 180)):
                left, right = random(2, batch, tokens, dim).unbind()
                shape = tuple(module(left, right).shape)
                assert shape == (batch, tokens, width), (
                    f"ears of {batch} × {tokens} × {dim} become {shape}, and width({dim}) is {width}"
                )

    def test_both_ears_count(self) -> None:
        """The result depends on the left ear, and on the right one."""
        module = self.build().eval()
        left, right = self.inputs()
        with torch.no_grad():
            before = module(left, right)
            assert not torch.equal(before, module(left + 1, right)), "the left ear does not count"
            assert not torch.equal(before, module(left, right + 1)), "the right ear does not count"
