"""Integrations: they keep their kind's promises; the ears are treated alike; nothing is lost."""

from __future__ import annotations

import torch
from bastzoo_crossattention.integrations import CrossAttention, DifferenceAndSum

from bastzoo.testing import IntegrationSuite


class TestCrossAttention(IntegrationSuite):
    component = "CROSSATTENTION"


class TestDiffsum(IntegrationSuite):
    component = "DIFFSUM"


def ears() -> tuple[torch.Tensor, torch.Tensor]:
    left, right = torch.randn(2, 3, 5, 16, generator=torch.Generator().manual_seed(1)).unbind()
    return left, right


def test_an_exchange_of_the_ears_exchanges_the_halves() -> None:
    left, right = ears()
    module = CrossAttention(dim=16, heads=4).eval()
    there, back = module(left, right), module(right, left)
    assert torch.allclose(there, back.roll(16, dims=-1), atol=1e-6)


def test_each_ear_hears_the_other() -> None:
    left, right = ears()
    module = CrossAttention(dim=16).eval()
    half = module(left, right)[..., :16]
    assert not torch.allclose(half, module(left, right.flip(0))[..., :16], atol=1e-4)


def test_as_many_heads_as_divide_the_width() -> None:
    assert CrossAttention(dim=30, heads=4).attention.num_heads == 3


def test_the_ears_can_be_had_back_from_difference_and_sum() -> None:
    left, right = ears()
    difference, total = DifferenceAndSum()(left, right).chunk(2, dim=-1)
    assert torch.allclose((total + difference) / 2, left, atol=1e-6)
    assert torch.allclose((total - difference) / 2, right, atol=1e-6)
