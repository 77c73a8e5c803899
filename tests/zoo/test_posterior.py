"""The head `posterior`: it answers between its azimuths, decides at a peak, and says how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.errors import ComponentError
from bastzoo.model import CREDIBLE_LEVELS
from bastzoo.plugins import default_registry
from bastzoo.zoo.posterior import AzimuthLikelihood, AzimuthPosterior

AZIMUTHS = np.arange(72) * 5.0


def around(azimuth: float) -> np.ndarray:
    """Degrees from each azimuth of the head's grid."""
    return np.abs((AZIMUTHS - azimuth + 180) % 360 - 180)


def peaks(*wanted: tuple[float, float]) -> dict[str, torch.Tensor]:
    """Outputs whose probabilities are peaks of 5 degrees: azimuth and weight of each."""
    density = sum(weight * np.exp(-np.square(around(at) / 5) / 2) for at, weight in wanted)
    return {"azimuth_logits": torch.from_numpy(np.log(density + 1e-12))[None]}


def answered(outputs: dict[str, torch.Tensor]) -> tuple[float, np.ndarray]:
    decoded = AzimuthPosterior.decode(outputs)
    x, y, _ = decoded["direction"][0].numpy()
    return float(np.degrees(np.arctan2(y, x))), decoded["radii"][0].numpy()


@settings(deadline=None)
@given(st.floats(-180, 180))
def test_an_answer_lies_between_the_azimuths_of_the_grid(azimuth: float) -> None:
    found, _ = answered(peaks((azimuth, 1.0)))
    assert abs((found - azimuth + 180) % 360 - 180) < 0.1


@settings(deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=72, max_size=72))
def test_the_answer_has_the_least_expected_distance(logits: list[float]) -> None:
    outputs = {"azimuth_logits": torch.tensor([logits], dtype=torch.float64)}
    shares = outputs["azimuth_logits"].softmax(dim=-1)[0].numpy()
    # Each azimuth stands for an arc of 5 degrees.
    arcs = np.arange(-2.25, 2.5, 0.5)

    def cost(azimuth: float) -> float:
        return float(sum(shares @ around(azimuth + shift) for shift in arcs) / len(arcs))

    found, _ = answered(outputs)
    assert cost(found) <= min(cost(azimuth) for azimuth in np.arange(0, 360, 2.5)) + 0.02


def test_front_or_back_is_answered_at_one_of_both_and_not_between() -> None:
    found, radii = answered(peaks((30, 0.6), (150, 0.4)))
    assert abs(found - 30) < 10
    # With 60 % near, and with 70 % at the other peak only.
    assert radii[CREDIBLE_LEVELS.index(0.5)] < 15
    assert radii[CREDIBLE_LEVELS.index(0.7)] > 90


def test_the_radii_hold_their_share() -> None:
    outputs = peaks((40, 1.0))
    found, radii = answered(outputs)
    draw = np.random.default_rng(0)
    shares = outputs["azimuth_logits"].softmax(dim=-1)[0].numpy()
    truth = draw.choice(AZIMUTHS, 20_000, p=shares) + draw.uniform(-2.5, 2.5, 20_000)
    held = (np.abs(truth - found)[:, None] <= radii).mean(axis=0)
    assert np.allclose(held, CREDIBLE_LEVELS, atol=0.015)


def test_the_loss_is_least_at_the_true_azimuth() -> None:
    radians = np.radians(62.0)
    target = {"direction": torch.tensor([[np.cos(radians), np.sin(radians), 0.0]])}
    losses = {
        azimuth: AzimuthLikelihood()(peaks((azimuth, 1.0)), target).item()
        for azimuth in (52.0, 60.0, 62.0, 64.0, 118.0, 242.0)
    }
    assert min(losses, key=lambda azimuth: losses[azimuth]) == 62.0


def test_few_azimuths_are_refused() -> None:
    target = default_registry().get("head", "posterior").load()
    with pytest.raises(ComponentError, match="8 azimuths at least, and 4"):
        target(width=8, azimuths=4)
