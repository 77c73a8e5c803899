"""Several sources: matching against scipy, losses that do not care for order, and a batch of nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from torch.nn import functional

from bastzoo.errors import ComponentError
from bastzoo.plugins import default_registry
from bastzoo.zoo.losses import MSE, Mix
from bastzoo.zoo.slots import SlotLoss, Slots, assign, binary_focal, focal, match, sources_of

CLASSES = tuple("abcde")
Tensors = dict[str, torch.Tensor]


def made(seed: int, clips: int = 4, slots: int = 3, sources: int = 3) -> tuple[Tensors, Tensors]:
    """Outputs and targets; every clip has 1 to `sources` sources, the present ones first."""
    g = torch.Generator().manual_seed(seed)
    outputs = {
        "slot_vector": torch.randn(clips, slots, 3, generator=g),
        "slot_class": torch.randn(clips, slots, len(CLASSES), generator=g),
        "slot_presence": torch.randn(clips, slots, generator=g),
    }
    count = torch.randint(1, sources + 1, (clips,), generator=g)
    present = torch.arange(sources) < count[:, None]
    directions = functional.normalize(torch.randn(clips, sources, 3, generator=g), dim=-1)
    classes = torch.randint(0, len(CLASSES), (clips, sources), generator=g)
    return outputs, {
        "directions": torch.where(present[..., None], directions, torch.nan),
        "classes": torch.where(present, classes, -1),
        "present": present,
    }


@given(seed=st.integers(0, 10_000), slots=st.integers(1, 6), data=st.data())
@settings(deadline=None, max_examples=60)
def test_the_assignment_is_scipys(seed: int, slots: int, data: st.DataObject) -> None:
    sources = data.draw(st.integers(1, min(slots, 5)))
    g = torch.Generator().manual_seed(seed)
    cost = torch.rand(3, sources, slots, generator=g)
    present = torch.ones(3, sources, dtype=torch.bool)
    chosen = assign(cost, present)
    for mine, one in zip(chosen.numpy(), cost.numpy(), strict=True):
        rows, columns = linear_sum_assignment(one)
        assert one[np.arange(sources), mine].sum() == pytest.approx(one[rows, columns].sum())
        assert len(set(mine.tolist())) == sources


def test_absent_sources_have_no_slot_and_take_none_away() -> None:
    outputs, targets = made(0)
    found = match(outputs, targets)
    assert ((found >= 0) == targets["present"]).all()
    # Alone in its clip, a source has the slot that it would have among slots of no other source.
    alone = {name: value[:, :1] for name, value in targets.items()}
    one = targets["present"].sum(1) == 1
    assert torch.equal(match(outputs, alone)[one, 0], found[one, 0])


@given(seed=st.integers(0, 10_000), data=st.data())
@settings(deadline=None, max_examples=30)
def test_the_order_of_slots_and_of_sources_changes_nothing(seed: int, data: st.DataObject) -> None:
    outputs, targets = made(seed)
    loss = SlotLoss(Mix())
    before = loss(outputs, targets)
    slots = torch.tensor(data.draw(st.permutations(range(3))))
    sources = torch.tensor(data.draw(st.permutations(range(3))))
    turned = {name: value[:, slots] for name, value in outputs.items()}
    torch.testing.assert_close(loss(turned, targets), before)
    mixed = {name: value[:, sources] for name, value in targets.items()}
    torch.testing.assert_close(loss(outputs, mixed), before)


def test_a_perfect_answer_costs_next_to_nothing() -> None:
    _, targets = made(3)
    sure = 30.0
    outputs = {
        "slot_vector": targets["directions"].nan_to_num(1.0),
        "slot_class": sure * functional.one_hot(targets["classes"].clamp(min=0), 5).float(),
        "slot_presence": sure * (2.0 * targets["present"] - 1),
    }
    assert SlotLoss(MSE())(outputs, targets) < 1e-6


def test_a_batch_without_any_source_has_a_finite_loss_with_gradients() -> None:
    outputs, targets = made(1)
    outputs = {name: value.requires_grad_() for name, value in outputs.items()}
    targets["present"] = torch.zeros_like(targets["present"])
    value = SlotLoss(Mix())(outputs, targets)
    value.backward()
    assert value.isfinite()
    gradient = outputs["slot_presence"].grad
    assert gradient is not None
    assert (gradient > 0).all()


def test_outputs_that_are_not_finite_do_not_stop_the_matching() -> None:
    outputs, targets = made(2)
    outputs["slot_vector"][0, 0] = torch.nan
    outputs["slot_class"][1] = torch.inf
    found = match(outputs, targets)
    assert ((found >= 0) == targets["present"]).all()


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_focal_losses_are_cross_entropies_at_gamma_0_and_smaller_above(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits, labels = 5 * torch.randn(7, 4, generator=g), torch.randint(0, 4, (7,), generator=g)
    entropy = functional.cross_entropy(logits, labels)
    torch.testing.assert_close(focal(logits, labels, 0.0), entropy)
    assert focal(logits, labels, 2.0) <= entropy
    there = (torch.rand(7, 4, generator=g) > 0.5).float()
    binary = functional.binary_cross_entropy_with_logits(logits, there)
    torch.testing.assert_close(binary_focal(logits, there, 0.0), binary)
    assert binary_focal(logits, there, 2.0) <= binary


@pytest.mark.parametrize("size", [0.0, 1e4])
def test_gradients_of_the_focal_losses_are_finite(size: float) -> None:
    logits = torch.full((2, 3), size)
    logits[0, 0] = -size
    logits.requires_grad_()
    (focal(logits, torch.tensor([0, 1])) + binary_focal(logits, torch.ones(2, 3))).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_head_answers_slots_and_the_surest_of_them() -> None:
    head: Slots = default_registry().get("head", "multi").build(width=16, classes=CLASSES)
    outputs = head(torch.randn(4, 16))
    assert outputs["slot_vector"].shape == (4, 3, 3)
    assert outputs["slot_class"].shape == (4, 3, 5)
    decoded = head.decode(outputs)
    surest = outputs["slot_presence"].argmax(dim=1)
    assert torch.equal(decoded["class"], decoded["classes"][torch.arange(4), surest])
    torch.testing.assert_close(decoded["directions"].norm(dim=-1), torch.ones(4, 3))
    assert torch.equal(decoded["present"], outputs["slot_presence"] > 0)


def test_a_head_without_slots_or_classes_is_refused() -> None:
    with pytest.raises(ComponentError, match="0 slots"):
        Slots(width=8, slots=0, classes=CLASSES)
    with pytest.raises(ComponentError, match="0 classes"):
        Slots(width=8)


def test_data_of_one_source_is_a_clip_of_one_source() -> None:
    targets = {"direction": torch.eye(3), "class": torch.tensor([0, 2, 1])}
    found = sources_of(targets)
    assert found["directions"].shape == (3, 1, 3)
    assert found["present"].all()
