"""Losses: the figures of BAST, and gradients that are finite and go the right way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.errors import ComponentError
from bastzoo.zoo.losses import MSE, AngularDistance, ExactAngularDistance, ExactMix, Mix

LOSSES = [MSE, AngularDistance, Mix, ExactAngularDistance, ExactMix]
ANGLES = [AngularDistance, ExactAngularDistance]


def direction(degrees: float) -> torch.Tensor:
    angle = math.radians(degrees)
    return torch.tensor([[math.cos(angle), math.sin(angle), 0.0]])


def loss_and_gradient(loss, vector: torch.Tensor, target: torch.Tensor):
    vector = vector.clone().requires_grad_()
    value = loss()({"vector": vector}, {"direction": target})
    (gradient,) = torch.autograd.grad(value, vector)
    return value.detach(), gradient


@pytest.mark.parametrize(
    ("loss", "name"), [(MSE, "MSE"), (AngularDistance, "AD"), (Mix, "MIX")], ids=str
)
def test_losses_agree_with_bast(loss, name: str):
    figures = np.load(Path(__file__).parents[1] / "parity" / "losses.npz")
    target = torch.nn.functional.pad(torch.from_numpy(figures["target"]), (0, 1))
    value = loss()({"vector": torch.from_numpy(figures["prediction"])}, {"direction": target})
    assert value.item() == pytest.approx(figures[name].item(), abs=1e-6)


def test_for_unit_vectors_mse_is_one_minus_the_cosine():
    vector = direction(100.0)[:, :2]
    value, _ = loss_and_gradient(MSE, vector, direction(40.0))
    assert value.item() == pytest.approx(1 - math.cos(math.radians(60)), abs=1e-6)


@pytest.mark.parametrize("loss", ANGLES)
@pytest.mark.parametrize("angle", [3.0, 45.0, 90.0, 135.0, 177.0])
@pytest.mark.parametrize("length", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("coordinates", [2, 3])
def test_the_angle_does_not_depend_on_length(loss, angle, length, coordinates):
    vector = length * direction(30.0 + angle)[:, :coordinates]
    value, _ = loss_and_gradient(loss, vector, direction(30.0))
    assert math.degrees(value.item()) == pytest.approx(angle, abs=1e-3)


def test_the_clamped_angle_is_dead_below_2_56_degrees_and_the_exact_one_is_not():
    vector, target = direction(2.5)[:, :2], direction(0.0)
    value, gradient = loss_and_gradient(AngularDistance, vector, target)
    assert value.item() == pytest.approx(math.acos(0.999), abs=1e-6)
    assert (gradient == 0).all()
    value, gradient = loss_and_gradient(ExactAngularDistance, vector, target)
    assert math.degrees(value.item()) == pytest.approx(2.5, abs=1e-4)
    assert gradient.norm().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("loss", [Mix, ExactMix])
def test_a_hybrid_is_the_sum_of_its_parts(loss):
    outputs, targets = {"vector": torch.tensor([[0.3, -2.0]])}, {"direction": direction(70.0)}
    parts = sum(part(outputs, targets) for part in loss.parts)
    assert loss()(outputs, targets) == parts


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("coordinates", [2, 3])
@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-12, 1.0])
@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0])
def test_no_vector_has_a_gradient_that_is_not_finite(loss, coordinates, length, angle):
    vector = length * direction(angle)[:, :coordinates]
    value, gradient = loss_and_gradient(loss, vector, direction(0.0))
    assert value.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("loss", ANGLES)
def test_a_vector_without_direction_is_90_degrees_off_and_is_led_to_the_target(loss):
    target = direction(50.0)
    value, gradient = loss_and_gradient(loss, torch.zeros(1, 2), target)
    assert math.degrees(value.item()) == pytest.approx(90)
    assert (gradient * target[:, :2]).sum() < 0


@given(
    x=st.floats(-10, 10, width=32),
    y=st.floats(-10, 10, width=32),
    z=st.floats(-10, 10, width=32),
    azimuth=st.floats(-180, 180),
)
@settings(max_examples=200, deadline=None)
def test_the_exact_angle_is_the_angle(x: float, y: float, z: float, azimuth: float):
    vector, target = torch.tensor([[x, y, z]]), direction(azimuth)
    value, gradient = loss_and_gradient(ExactAngularDistance, vector, target)
    assert 0 <= value.item() <= math.pi + 1e-6
    assert gradient.isfinite().all()
    if vector.norm() > 1e-3:
        unit = vector.double() / vector.double().norm()
        chord = (unit - target.double()).norm().item()
        assert value.item() == pytest.approx(2 * math.asin(min(1, chord / 2)), abs=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_outputs_are_compared_in_single(loss, dtype):
    vector, targets = direction(10.0)[:, :2].to(dtype), {"direction": direction(30.0)}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss()({"vector": vector}, targets)
    assert value == loss()({"vector": vector.float()}, targets)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_vector_of_four_coordinates_is_a_sentence(loss):
    with pytest.raises(ComponentError, match="2 or 3 coordinates, and the head gives 4"):
        loss()({"vector": torch.ones(1, 4)}, {"direction": direction(0.0)})
