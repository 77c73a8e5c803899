"""Promises of the metrics: identities that hold for every input, and hand-made cases."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial.transform import Rotation

from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of
from bastzoo.metrics.catalogue import BUILT_IN
from bastzoo.metrics.localization import (
    ad_by_sound,
    angular_distance,
    azimuth_curve,
    localization_metrics,
    root_mean_squares,
)
from bastzoo.metrics.metric import definitions

GRID = np.arange(-170, 181, 10)
angles = arrays(np.float64, 20, elements=st.floats(-180, 180))
elevations = arrays(np.float64, 20, elements=st.floats(-90, 90))


def score(predicted, target, *, raw=None, sounds=None):
    sounds = np.zeros(len(target), dtype=np.int64) if sounds is None else sounds
    return localization_metrics(predicted, target, raw=raw, sounds=sounds)


@given(azimuth=st.floats(-179.99, 180), elevation=st.floats(-89.9, 89.9))
def test_angles_survive_the_way_to_a_direction_and_back(azimuth, elevation):
    direction = direction_from_angles(azimuth, elevation)
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert azimuth_of(direction) == pytest.approx(azimuth, abs=1e-9)
    assert elevation_of(direction) == pytest.approx(elevation, abs=1e-9)


def test_the_left_is_plus_90_and_the_back_is_plus_180():
    np.testing.assert_allclose(direction_from_angles(90), [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(direction_from_angles([0, 180]), [[1, 0, 0], [-1, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(direction_from_angles(30, 90), [0, 0, 1], atol=1e-15)
    assert azimuth_of(np.array([-1.0, -0.0, 0.0])) == 180
    assert np.isnan(azimuth_of(np.array([0.0, 0.0, 1.0])))
    assert np.isnan(elevation_of(np.zeros(3)))


@given(a=angles, b=angles)
def test_horizontal_angular_distance_is_the_difference_of_azimuths(a, b):
    difference = np.abs((a - b + 180) % 360 - 180)
    ad = angular_distance(direction_from_angles(a), direction_from_angles(b))
    np.testing.assert_allclose(ad, difference, atol=1e-9)


@given(tiny=st.floats(1e-9, 1e-2))
def test_angular_distance_resolves_the_smallest_angles(tiny):
    front = direction_from_angles(0)
    assert angular_distance(direction_from_angles(tiny), front) == pytest.approx(tiny, rel=1e-6)
    near_back = angular_distance(direction_from_angles(180 - tiny), front)
    assert 180 - near_back == pytest.approx(tiny, rel=1e-4, abs=1e-12)


@given(a=angles, e=elevations, b=angles, f=elevations, seed=st.integers(0, 2**31))
def test_angular_distance_does_not_change_under_rotation_length_or_exchange(a, e, b, f, seed):
    p, t = direction_from_angles(a, e), direction_from_angles(b, f)
    rotation = Rotation.random(random_state=seed)
    ad = angular_distance(p, t)
    np.testing.assert_allclose(
        angular_distance(rotation.apply(p), rotation.apply(t)), ad, atol=1e-6
    )
    np.testing.assert_allclose(angular_distance(1e-200 * p, 1e200 * t), ad, atol=1e-6)
    np.testing.assert_allclose(angular_distance(t, p), ad, atol=1e-6)


@given(a=angles, b=angles)
def test_mse_of_unit_vectors_is_one_minus_the_cosine_of_ad(a, b):
    p, t = direction_from_angles(a), direction_from_angles(b)
    metrics = score(p, t, raw=p[:, :2])
    cosine = np.cos(np.radians(angular_distance(p, t)))
    assert metrics["mse"] == pytest.approx(np.mean(1 - cosine), abs=1e-12)


@given(a=angles, e=elevations, b=angles, f=elevations)
def test_folding_never_adds_to_the_error(a, e, b, f):
    metrics = score(direction_from_angles(a, e), direction_from_angles(b, f))
    assert metrics["folded_ad"] <= metrics["ad_mean"] + 1e-9


@given(noise=arrays(np.float64, len(GRID), elements=st.floats(-4, 4)))
def test_mirrored_predictions_are_all_confused_and_nothing_else(noise):
    target = direction_from_angles(GRID)
    near = direction_from_angles(GRID + noise)
    backwards = score(near * [-1, 1, 1], target)
    assert (backwards["front_back_rate"], backwards["left_right_rate"]) == (1, 0)
    assert backwards["folded_ad"] == pytest.approx(np.mean(np.abs(noise)), abs=1e-6)
    sideways = score(near * [1, -1, 1], target)
    assert (sideways["front_back_rate"], sideways["left_right_rate"]) == (0, 1)


def test_a_perfect_prediction_has_no_error_of_any_kind():
    target = direction_from_angles(GRID)
    metrics = score(target, target, raw=target[:, :2])
    wrong = {k: v for k, v in metrics.items() if (v or 0) > 1e-9 and k[:3] not in ("acc", "cli")}
    assert wrong == {}
    assert metrics["acc_5"] == 1
    assert metrics["clips"] == 36
    assert metrics["elevation_error"] is None
    assert metrics["hemifield_gap_p"] is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_error_of_exactly_ten_degrees_is_within_ten(dtype):
    target, p = (direction_from_angles(GRID + shift).astype(dtype) for shift in (0, 10))
    metrics = score(p, target)
    assert (metrics["acc_5"], metrics["acc_10"]) == (0, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_margins_of_the_two_rates_belong_to_what_is_counted(dtype):
    def rates(azimuth):
        target = direction_from_angles([azimuth]).astype(dtype)
        metrics = score(target, target)
        return metrics["front_back_rate"], metrics["left_right_rate"]

    assert [rates(a)[0] for a in (75, -105, 76, 90, -104)] == [0, 0, None, None, None]
    assert [rates(a)[1] for a in (15, -165, 14, 0, 180)] == [0, 0, None, None, None]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_answer_between_two_halves_is_in_neither(dtype):
    target = direction_from_angles([70.0, 110.0, -70.0, -110.0, 20.0, -20.0, 160.0, -160.0])
    between = direction_from_angles([90.0, 90.0, -90.0, -90.0, 0.0, 0.0, 180.0, 180.0])
    metrics = score(between.astype(dtype), target.astype(dtype))
    assert (metrics["front_back_rate"], metrics["left_right_rate"]) == (0, 0)


def test_a_perfect_lateral_position_without_front_and_back_is_45_degrees_off():
    target = direction_from_angles(GRID)
    coin = np.concatenate([target, target * [-1, 1, 1]])
    metrics = score(coin, np.concatenate([target, target]))
    assert metrics["ad_mean"] == pytest.approx(45)
    assert metrics["front_back_rate"] == pytest.approx(0.5)
    assert metrics["lateral_error"] == pytest.approx(0, abs=1e-6)
    assert metrics["folded_ad"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("hole", [np.nan, np.inf, 0.0])
def test_a_prediction_without_direction_counts_as_90_and_as_wrong(hole):
    target = direction_from_angles([0.0, 40.0, -30.0, -30.0])
    p = target.copy()
    p[1] = hole
    raw = p[:, :2].copy()
    metrics = score(p, target, raw=raw)
    assert metrics["invalid"] == 1
    for name in ("ad_mean", "folded_ad", "lateral_error"):
        assert metrics[name] == pytest.approx(90 / 4, abs=1e-6)
    assert metrics["front_back_rate"] == pytest.approx(1 / 4)
    assert metrics["left_right_rate"] == pytest.approx(1 / 3)
    assert metrics["mse"] == pytest.approx((0.5 if hole == 0 else 1) / 4)
    json.dumps(metrics, allow_nan=False)


def test_no_clips_define_nothing():
    none = np.zeros((0, 3))
    metrics = score(none, none, raw=none[:, :2], sounds=np.zeros(0, dtype=np.int64))
    assert metrics.pop("clips") == metrics.pop("invalid") == 0
    assert set(metrics.values()) == {None}


@given(a=angles, e=elevations, b=angles)
@settings(max_examples=30)
def test_elevation_error_is_the_mean_difference_of_elevations(a, e, b):
    target = direction_from_angles(b, np.linspace(-80, 80, 20))
    metrics = score(direction_from_angles(a, e), target)
    expected = np.mean(np.abs(e - np.linspace(-80, 80, 20)))
    assert metrics["elevation_error"] == pytest.approx(expected, abs=1e-6)


def test_the_hemifield_gap_is_tested_over_sounds_not_clips():
    rng = np.random.default_rng(1)
    azimuth = np.tile([30.0, 60.0, -30.0, -60.0, 0.0], 12)
    sounds = np.repeat(np.arange(12), 5)
    error = rng.uniform(0, 10, 60) + np.where(azimuth > 0, 3, 0) + rng.uniform(0, 5, 12)[sounds]
    metrics = score(
        direction_from_angles(azimuth + error), direction_from_angles(azimuth), sounds=sounds
    )
    by_side = error.reshape(12, 5)
    left, right = by_side[:, :2].mean(axis=1), by_side[:, 2:4].mean(axis=1)
    assert metrics["hemifield_gap"] == pytest.approx(np.mean(left - right))
    assert metrics["hemifield_gap_p"] == pytest.approx(stats.ttest_rel(left, right).pvalue)


def test_a_hemifield_gap_needs_both_sides_and_its_test_needs_two_sounds():
    left, both = direction_from_angles([30.0, 40.0]), direction_from_angles([30.0, -30.0])
    assert score(left, left)["hemifield_gap"] is None
    metrics = score(direction_from_angles([35.0, -32.0]), both)
    assert metrics["hemifield_gap"] == pytest.approx(3)
    assert metrics["hemifield_gap_p"] is None


@given(shift=st.floats(-170, 170))
@settings(max_examples=30)
def test_a_turned_head_is_a_bias_without_spread(shift):
    target = direction_from_angles(np.repeat(GRID, 3)).astype(np.float32)
    curve = azimuth_curve(direction_from_angles(np.repeat(GRID, 3) + shift), target)
    assert [point["azimuth"] for point in curve] == GRID.tolist()
    for point in curve:
        assert point["count"] == 3
        assert point["bias"] == pytest.approx(shift, abs=1e-3)
        assert point["ad_mean"] == pytest.approx(abs(shift), abs=1e-3)
        assert point["circular_std"] == pytest.approx(0, abs=1e-3)


def test_the_curve_agrees_with_scipy_across_the_back():
    error = np.array([-25.0, -3.0, 8.0, 30.0])
    target = direction_from_angles(np.full(4, 180.0))
    (point,) = azimuth_curve(direction_from_angles(180 + error), target)
    assert point["bias"] == pytest.approx(stats.circmean(error, high=180, low=-180))
    assert point["circular_std"] == pytest.approx(stats.circstd(error, high=180, low=-180))


def test_the_curve_counts_predictions_without_direction_but_takes_no_bias_of_them():
    target = direction_from_angles([20.0, 20.0, 50.0])
    p = direction_from_angles([24.0, 0.0, 0.0])
    p[1:] = np.nan
    near, far = azimuth_curve(p, target)
    assert (near["count"], near["ad_mean"], near["bias"]) == (
        2,
        pytest.approx(47),
        pytest.approx(4),
    )
    assert (far["ad_mean"], far["bias"], far["circular_std"]) == (90, None, None)


@given(arrays(np.int64, 40, elements=st.integers(0, 6)), st.integers(0, 2**31))
def test_means_by_sound_weighted_by_clips_give_the_mean(sounds, seed):
    ad = np.random.default_rng(seed).uniform(0, 180, 40)
    ids, means, clips = ad_by_sound(ad, sounds)
    assert ids.tolist() == sorted(set(sounds.tolist()))
    assert clips.sum() == 40
    assert np.sum(means * clips) / 40 == pytest.approx(ad.mean())


def test_front_and_back_are_told_apart_15_degrees_from_the_frontal_plane_on_the_whole_sphere() -> (
    None
):
    # Above, in front of and behind the zenith: the azimuth is 0 or 180, and the frontal plane near.
    target = direction_from_angles([0.0, 0.0, 180.0, 60.0], [80.0, 70.0, 80.0, 0.0])
    metrics = score(target * [-1, 1, 1], target)
    assert metrics["front_back_rate"] == 1
    near = score(target[[0, 2]] * [-1, 1, 1], target[[0, 2]])
    assert near["front_back_rate"] is None


def test_in_the_horizontal_plane_the_front_back_rate_is_what_it_was() -> None:
    azimuth = np.arange(-175.0, 181.0, 5.0)
    target = direction_from_angles(azimuth)
    rng = np.random.default_rng(3)
    for step in (1, 2):
        predicted = direction_from_angles(rng.uniform(-180, 180, len(target[::step])))
        asked = np.abs(np.abs(azimuth[::step]) - 90) >= 15
        wrong = (predicted[:, 0] * target[::step, 0] < 0)[asked]
        assert score(predicted, target[::step])["front_back_rate"] == pytest.approx(wrong.mean())


@given(st.integers(-179, 180), st.integers(-180, 180))
def test_root_mean_squares_go_round_the_circle_and_leave_front_and_back_alone(
    azimuth: int, turn: int
) -> None:
    target = direction_from_angles([float(azimuth)], 0.0)
    turned = root_mean_squares(direction_from_angles([float(azimuth + turn)], 0.0), target)
    assert turned["azimuth_rmse"] == pytest.approx(min(abs(turn), 360 - abs(turn)), abs=1e-5)
    behind = root_mean_squares(direction_from_angles([180.0 - azimuth], 0.0), target)
    assert behind["lateral_rmse"] == pytest.approx(0.0, abs=1e-5)
    above = root_mean_squares(target, direction_from_angles([0.0], 90.0))
    assert above["azimuth_rmse"] is None


def test_a_record_says_which_definition_it_follows_where_they_differ() -> None:
    def told(elevation: float) -> dict[str, Any]:
        directions = direction_from_angles([0.0, 180.0], elevation)
        return definitions(BUILT_IN, {"targets": directions})

    later = {"azimuth_rmse": 1, "lateral_rmse": 1, "ad_most_confident_half": 1}
    later |= {"quadrant_error": 1, "local_polar_error": 1}
    later |= {"lateral_bias": 1, "lateral_precision": 1}
    assert {name: d["version"] for name, d in told(0.0).items()} == later
    assert {name: d["version"] for name, d in told(40.0).items()} == {"front_back_rate": 2, **later}
