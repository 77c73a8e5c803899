"""`bastzoo.metrics`: public functions that agree with what records hold, and refuse what is no answer."""

from __future__ import annotations

import doctest
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastzoo import metrics
from bastzoo.directions import direction_from_angles
from bastzoo.metrics import functions, polar

laterals = st.floats(-89, 89)
polars = st.floats(-89.9, 269.9)


def horizontal_polar(lateral: float, polar_deg: float) -> np.ndarray:
    """The direction of a lateral and a polar angle, `[1, 3]`."""
    side, around = np.radians([lateral, polar_deg])
    x, z = np.cos(side) * np.cos(around), np.cos(side) * np.sin(around)
    return np.array([[x, np.sin(side), z]])


@pytest.mark.parametrize("module", [functions, polar])
def test_the_examples_hold(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried
    assert not failed


def test_every_public_function_has_an_example_and_a_unit() -> None:
    for name in metrics.__all__:
        words = getattr(metrics, name).__doc__
        assert ">>>" in words, name
        if name not in ("directions", "localization_metrics", "class_confusion"):
            assert any(unit in words for unit in ("degrees", "Share", "Accuracy")), name


def test_the_functions_give_what_all_at_once_gives() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=(200, 3))
    predicted = true + 0.7 * generator.normal(size=(200, 3))
    predicted[3] = np.nan
    everything = metrics.localization_metrics(predicted, true)
    for name in ("front_back_rate", "left_right_rate", "azimuth_rmse", "lateral_rmse"):
        assert getattr(metrics, name)(predicted, true) == everything[name]
    for name in ("quadrant_error", "local_polar_error", "lateral_bias", "lateral_precision"):
        assert getattr(metrics, name)(predicted, true) == everything[name]
    assert metrics.mean_angular_distance(predicted, true) == everything["ad_mean"]
    assert metrics.accuracy_within(predicted, true, 10) == everything["acc_10"]
    assert metrics.lateral_errors(predicted, true).mean() == everything["lateral_error"]


@pytest.mark.parametrize(
    ("predicted", "true"),
    [
        ([[1, 0]], [[1, 0]]),
        ([[1, 0, 0]], [[1, 0, 0], [0, 1, 0]]),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        ([[1, 0, 0]], [[0, 0, 0]]),
        ([[1, 0, 0]], [[np.nan, 0, 0]]),
    ],
)
def test_arrays_that_are_no_answers_are_refused(predicted: object, true: object) -> None:
    taking = set(metrics.__all__) - {"directions", "class_confusion", "class_metrics"}
    for name in taking - {"accuracy_within"}:
        with pytest.raises(ValueError, match=r"\[n, 3\]|true direction"):
            getattr(metrics, name)(predicted, true)
    with pytest.raises(ValueError, match="integers"):
        metrics.class_confusion([0.5], [1])


@given(lateral=st.floats(-29, 29), target=polars, turn=st.floats(-179, 179))
def test_polar_errors_beyond_90_degrees_are_quadrant_errors_and_the_others_local(
    lateral: float, target: float, turn: float
) -> None:
    true = horizontal_polar(lateral, target)
    answered = horizontal_polar(lateral, target + turn)
    if abs(true[0, 2]) < 1e-3 or abs(abs(turn) - 90) < 0.1:
        return
    found = polar.polar_metrics(answered, true)
    assert found["quadrant_error"] == float(abs(turn) > 90)
    if abs(turn) < 90:
        assert found["local_polar_error"] == pytest.approx(abs(turn), abs=1e-6)
    else:
        assert found["local_polar_error"] is None


@given(target=laterals, answered=laterals, around=polars)
def test_lateral_bias_is_signed_and_blind_to_the_polar_angle(
    target: float, answered: float, around: float
) -> None:
    found = polar.polar_metrics(horizontal_polar(answered, around), horizontal_polar(target, 20.0))
    assert found["lateral_bias"] == pytest.approx(answered - target, abs=1e-5)
    assert found["lateral_precision"] == pytest.approx(0.0, abs=1e-5)


def test_polar_figures_are_left_out_where_they_mean_nothing() -> None:
    flat = direction_from_angles([0.0, 90.0, 180.0])
    found = polar.polar_metrics(flat, flat)
    assert (found["quadrant_error"], found["local_polar_error"]) == (None, None)
    none = np.full((1, 3), np.nan)
    lost = polar.polar_metrics(none, direction_from_angles([0.0], 40.0))
    assert lost["quadrant_error"] == 1.0
    assert lost["lateral_bias"] is None


def test_the_metrics_need_numpy_and_nothing_heavy() -> None:
    code = (
        "import sys; from bastzoo.metrics import directions, localization_metrics as m; "
        "m(directions([1, 2]), directions([1, 2])); "
        "print({'torch', 'pandas', 'scipy', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
