"""Integrations: what they do to two ears, and the width that they announce."""

from __future__ import annotations

import pytest
import torch

from bastzoo.zoo.integrations import Add, Concat, Sub

LEFT, RIGHT = torch.randn(2, 3, 5, 4)


def test_add_and_sub_work_feature_by_feature():
    assert torch.equal(Add()(LEFT, RIGHT), LEFT + RIGHT)
    assert torch.equal(Sub()(LEFT, RIGHT), LEFT - RIGHT)


def test_concat_joins_the_features():
    left, right = Concat()(LEFT, RIGHT).chunk(2, dim=-1)
    assert torch.equal(left, LEFT)
    assert torch.equal(right, RIGHT)


@pytest.mark.parametrize("integration", [Add(), Sub(), Concat()], ids=lambda i: type(i).__name__)
def test_the_announced_width_is_the_width(integration):
    assert integration(LEFT, RIGHT).shape == (3, 5, integration.width(4))
