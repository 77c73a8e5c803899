"""von Mises-Fisher: heads and loss keep their promises; densities integrate to 1; radii are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bastzoo.errors import ComponentError
from bastzoo.model import CREDIBLE_LEVELS
from bastzoo.plugins import default_registry
from bastzoo.zoo.vmf.distribution import credible_radii, negative_log_density
from bastzoo.zoo.vmf.loss import NegativeLogLikelihood

concentrations = st.floats(1e-3, 1e5)


@settings(deadline=None)
@given(concentrations, st.sampled_from([2, 3]))
def test_the_density_integrates_to_one(kappa: float, coordinates: int) -> None:
    angle = torch.cat([torch.zeros(1), torch.logspace(-5, math.log10(math.pi), 20_000)]).double()
    density = torch.exp(
        -negative_log_density(angle.cos(), torch.full_like(angle, kappa), coordinates=coordinates)
    )
    around = 2.0 if coordinates == 2 else 2 * math.pi * angle.sin()
    assert torch.trapezoid(density * around, angle).item() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0, 2000.0])
def test_the_circle_is_that_of_scipy(kappa: float) -> None:
    angle = torch.linspace(-3, 3, 13).double()
    mine = negative_log_density(angle.cos(), torch.full_like(angle, kappa), coordinates=2)
    assert np.allclose(mine, -stats.vonmises(kappa).logpdf(angle), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0, 2000.0])
def test_the_sphere_is_that_of_scipy(kappa: float) -> None:
    pole = np.array([0.0, 0.0, 1.0])
    points = np.array([[math.sin(a), 0, math.cos(a)] for a in np.linspace(0, 3, 7)])
    mine = negative_log_density(
        torch.from_numpy(points @ pole), torch.full((7,), kappa).double(), coordinates=3
    )
    assert np.allclose(
        mine, -stats.vonmises_fisher(pole, kappa).logpdf(points), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0, 2000.0])
def test_radii_on_the_circle_hold_their_share(kappa: float) -> None:
    radii = credible_radii(torch.tensor([kappa]).double(), CREDIBLE_LEVELS, coordinates=2)
    share = 2 * stats.vonmises(kappa).cdf(np.radians(radii[0].numpy())) - 1
    assert np.allclose(share, CREDIBLE_LEVELS, atol=2e-3)


@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0, 2000.0])
def test_radii_on_the_sphere_hold_their_share(kappa: float) -> None:
    radii = credible_radii(torch.tensor([kappa]).double(), CREDIBLE_LEVELS, coordinates=3)[0]
    angles = np.arccos(
        np.clip(stats.vonmises_fisher([0, 0, 1], kappa).rvs(20_000, random_state=1)[:, 2], -1, 1)
    )
    share = (np.degrees(angles)[:, None] <= radii.numpy()).mean(axis=0)
    assert np.allclose(share, CREDIBLE_LEVELS, atol=0.02)


def test_the_loss_is_least_where_the_spread_matches_the_errors() -> None:
    kappa = 40.0
    errors = stats.vonmises(kappa).rvs(20_000, random_state=2)
    vector = torch.from_numpy(np.stack([np.cos(errors), np.sin(errors)], axis=1)).float()
    target = {"direction": torch.tensor([[1.0, 0.0, 0.0]]).expand(len(vector), -1)}
    values = {
        k: NegativeLogLikelihood()(
            {"vector": vector, "concentration": torch.full((20_000,), k)}, target
        )
        for k in (20.0, 40.0, 80.0)
    }
    assert min(values, key=lambda k: values[k].item()) == kappa


def test_other_coordinates_are_refused() -> None:
    target = default_registry().get("head", "vmf").load()
    with pytest.raises(ComponentError, match="2 or 3 coordinates, and 4"):
        target(width=8, coordinates=4)
