"""Dropout by a hash: as many zeros as torch's, where nothing foretells them, whatever the threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bastzoo.experiment import Combination, resolve
from bastzoo.models.building import build_model
from bastzoo.ops.dropout import Dropout
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset

COUNT = 200_000
SIGMAS = 5.0


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def kept(p: float, seed: int, count: int = COUNT) -> Tensor:
    torch.manual_seed(seed)
    return Dropout(p)(torch.ones(count)) > 0


@settings(deadline=None)
@given(p=st.floats(0.001, 0.999), seed=st.integers(0, 2**32))
def test_the_share_of_zeros_is_p(p: float, seed: int) -> None:
    share = 1 - kept(p, seed).double().mean().item()
    assert abs(share - p) < SIGMAS * (p * (1 - p) / COUNT) ** 0.5


def test_no_place_foretells_another_one_nor_the_next_mask() -> None:
    rows = torch.stack([kept(0.2, seed) for seed in range(2)]).double()
    torch.manual_seed(0)
    layer = Dropout(0.2)
    ones = torch.ones(COUNT)
    rows = torch.cat([rows, torch.stack([layer(ones), layer(ones)]).gt(0).double()[1:]])
    rows = (rows - 0.8) / 0.16**0.5
    products = [rows[a] @ rows[b] for a in range(3) for b in range(a)]
    lags = (1, 2, 3, 8, 16, 64, 96, 1024, 2**16)
    products += [row[lag:] @ row[:-lag] for row in rows for lag in lags]
    assert max(map(abs, products)) < SIGMAS * COUNT**0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_is_kept_and_its_gradient_are_multiplied_as_torch_does(dtype: torch.dtype) -> None:
    given_ = torch.randn(64, 33, 5, generator=torch.manual_seed(3)).to(dtype).requires_grad_()
    found = Dropout(0.05)(given_)
    found.sum().backward()
    expected = given_ * torch.tensor(1.0).div(0.95).to(dtype)
    mask = found != 0
    assert mask.double().mean() > 0.9
    assert torch.equal(found, torch.where(mask, expected, 0))
    assert given_.grad is not None
    assert torch.equal(given_.grad != 0, mask)


def test_threads_and_what_was_done_before_change_no_bit(threads: None) -> None:
    masks = []
    for count in (1, 3):
        torch.set_num_threads(count)
        masks.append(kept(0.3, 7))
    assert torch.equal(*masks)
    assert torch.equal(masks[0][:1000], kept(0.3, 7, 1000))


def test_in_evaluation_and_for_nothing_it_is_the_input() -> None:
    values = torch.randn(10)
    assert Dropout(0.5).eval()(values) is values
    assert torch.equal(Dropout(0.0)(values), values)
    assert not Dropout(1.0)(values).any()
    same = torch.ones(1000)
    assert Dropout(0.5, inplace=True)(same) is same
    assert 300 < int((same == 0).sum()) < 700


@pytest.mark.parametrize("backbone", ["vanilla", "swin", "mamba"])
def test_every_dropout_of_a_model_is_of_this_kind(backbone: str) -> None:
    registry, preset = default_registry(), load_preset("quick")
    chosen = Combination(backbone=backbone, integration="SUB", loss="MIX", sharing="SP")
    experiment = resolve(
        chosen, registry=registry, preset=preset, environment="RI", data_digest="none"
    )
    model = build_model(
        registry, experiment.components, sharing="SP", size=preset.model.model_dump()
    )
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]
    assert len(layers) > 4
    assert {type(layer) for layer in layers} == {Dropout}
