"""Calibration: a model whose caps hold what they claim has no error, one that is too sure has one."""

from __future__ import annotations

import numpy as np
import pytest

from bastzoo.directions import direction_from_angles
from bastzoo.engine.evaluation import Answers
from bastzoo.metrics.calibration import calibration_metrics
from bastzoo.model import CREDIBLE_LEVELS

LEVELS = np.array(CREDIBLE_LEVELS)


def scattered(count: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers off by 0 to 40°, evenly; targets; and the radii that hold their share of them."""
    errors = np.random.default_rng(0).uniform(0, 40, count)
    target = direction_from_angles(np.zeros(count))
    return direction_from_angles(errors), target, np.tile(40 * LEVELS, (count, 1))


def test_a_calibrated_model_has_no_error() -> None:
    found = calibration_metrics(*scattered())
    assert found["calibration_error"] == pytest.approx(0, abs=0.01)
    assert found["coverage_30"] == pytest.approx(0.3, abs=0.02)
    assert found["radius_50"] == pytest.approx(20)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_too_sure_and_too_shy_count(factor: float) -> None:
    predicted, target, radii = scattered()
    found = calibration_metrics(predicted, target, factor * radii)
    expected = np.abs(np.minimum(factor * LEVELS, 1) - LEVELS).mean()
    assert found["calibration_error"] == pytest.approx(expected, abs=0.01)


def test_the_surest_half_is_that_with_the_smallest_caps() -> None:
    predicted, target, radii = scattered()
    errors = np.degrees(np.arccos(predicted[:, 0]))
    found = calibration_metrics(predicted, target, radii * (1 + errors[:, None]))
    assert found["ad_surest_half"] == pytest.approx(10, abs=0.3)


def test_an_answer_without_direction_is_in_no_cap_below_90() -> None:
    nothing, target = np.full((4, 3), np.nan), direction_from_angles(np.zeros(4))
    found = calibration_metrics(nothing, target, np.full((4, 9), 89.0))
    assert found["coverage_90"] == 0


def test_no_clips_have_no_figures() -> None:
    found = calibration_metrics(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 9)))
    assert set(found.values()) == {None}


def test_radii_go_through_the_file_of_predictions() -> None:
    predicted, target, radii = scattered(5)
    counts = np.arange(5)
    answers = Answers(predicted, target, None, counts, counts, {"radii": radii})
    assert np.array_equal(Answers.of_arrays(answers.arrays()).more["radii"], radii)
