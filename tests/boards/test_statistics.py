"""Promises of the statistics: coverage, pairing, clusters, trainings, ranks, the same bytes everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bastzoo.boards.statistics import (
    Interval,
    Pooled,
    mean_interval,
    mean_intervals,
    mean_over_clips,
    paired_difference,
    pooled_trainings,
    standings,
)
from bastzoo.boards.tables import ranks_in_words


def hard_and_easy(seed: int, sounds: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, 5, sounds)


def trained(seed: int, seeds: int, deviation: float, sounds: int = 40) -> np.ndarray:
    """A design's errors `[seeds, sounds]`; its trainings lie `deviation` apart."""
    generator = np.random.default_rng(seed)
    table = hard_and_easy(7, sounds) + generator.normal(0, 0.5, (seeds, sounds))
    return table + generator.normal(0, deviation, (seeds, 1))


CLIPS = np.full(40, 72)


def ranks(rows, counts=CLIPS):
    return [standing.rank for standing in standings(rows, counts)]


def test_of_one_symmetric_training_it_is_students_interval():
    means = np.concatenate([np.arange(20.0), -np.arange(20.0)])
    low, high = mean_interval(means, CLIPS)
    reference = stats.t.interval(0.95, 39, loc=0, scale=stats.sem(means))
    assert (low, high) == pytest.approx(reference)


@pytest.mark.parametrize("deviation", [0.0, 0.9])
def test_a_nominal_95_percent_covers_the_truth_about_that_often(deviation):
    # A small part of benchmarks/interval_coverage.py, whose table is in docs/protocol.md.
    generator, covered = np.random.default_rng(0), 0
    for _ in range(400):
        row = generator.normal(0, 2, 20) + generator.normal(0, deviation, (3, 1))
        low, high = mean_interval(row + generator.normal(0, 1, (3, 20)), np.full(20, 72))
        covered += low <= 0 <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_skewed_sounds_move_the_interval_towards_their_tail():
    means = hard_and_easy(1)
    middle = mean_over_clips(means, CLIPS)
    low, high = mean_interval(means, CLIPS)
    assert high - middle > middle - low


def test_the_clips_of_a_sound_move_together():
    means = hard_and_easy(2)
    once, often = (mean_interval(means, np.full(40, n)) for n in (1, 1000))
    assert once == pytest.approx(often)


def test_sounds_with_more_clips_weigh_more():
    means, counts = np.array([0.0, 90.0]), np.array([9, 1])
    assert mean_over_clips(means, counts) == 9
    low, high = mean_interval(means, counts)
    assert low < 9 < high


def test_one_sound_says_nothing_about_others():
    assert mean_interval(np.array([3.0]), np.array([72])) == (-math.inf, math.inf)
    assert ranks([np.array([3.0]), np.array([9.0])], np.array([72])) == [1, 1]


@given(shift=st.floats(-50, 50), scale=st.floats(0.01, 10), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_interval_moves_and_stretches_with_the_data(shift, scale, seed):
    means = trained(seed, 3, 0.5)
    low, high = mean_interval(means, CLIPS)
    moved = mean_interval(means * scale + shift, CLIPS)
    assert moved == pytest.approx((low * scale + shift, high * scale + shift), abs=1e-6)


def test_trainings_that_lie_apart_widen_an_interval_and_few_seeds_borrow_from_the_table():
    alike, apart = trained(1, 4, 0.0), trained(1, 4, 3.0)
    widths = [high - low for low, high in (mean_interval(t, CLIPS) for t in (alike, apart))]
    assert widths[1] > 1.5 * widths[0]
    rows = [*(trained(seed, 3, 3.0) for seed in range(10)), alike[:1]]
    alone, borrowed = mean_interval(alike[:1], CLIPS), mean_intervals(rows, CLIPS)[-1]
    assert borrowed.high - borrowed.low > 1.5 * (alone.high - alone.low)
    pooled = pooled_trainings(rows, CLIPS)
    assert pooled.freedom == 20
    assert pooled.share == pytest.approx(9 / mean_over_clips(alike, CLIPS) ** 2, rel=0.7)
    assert pooled_trainings([alike[:1]], CLIPS) is None


def test_pairing_finds_a_small_difference_between_models_that_find_the_same_sounds_hard():
    a = hard_and_easy(3)
    b = a + 0.5 + np.random.default_rng(4).normal(0, 0.2, 40)
    apart = [mean_interval(x, CLIPS) for x in (a, b)]
    assert apart[0].high > apart[1].low
    found = paired_difference(b, a, CLIPS)
    assert 0 < found.interval.low < 0.5 < found.interval.high
    assert found.p < 0.001
    back = paired_difference(a, b, CLIPS)
    assert back.interval == pytest.approx((-found.interval.high, -found.interval.low))
    # The same difference, where trainings lie a degree apart, is none.
    assert paired_difference(b, a, CLIPS, pooled=Pooled(0.01, 20)).p > 0.5


def test_p_and_interval_of_a_difference_agree():
    for seed in range(30):
        a, b = trained(seed, 3, 0.4), trained(seed + 100, 3, 0.4)
        found = paired_difference(a, b, CLIPS)
        leaves_zero_out = found.interval.low > 0 or found.interval.high < 0
        assert leaves_zero_out == (found.p < 0.05) or 0.03 < found.p < 0.07


def test_models_may_have_run_with_different_numbers_of_seeds():
    a, b = hard_and_easy(5)[None], np.stack([hard_and_easy(6), hard_and_easy(7)])
    low, high = paired_difference(a, b, CLIPS).interval
    assert low < mean_over_clips(a, CLIPS) - mean_over_clips(b, CLIPS) < high


def test_a_model_does_not_differ_from_itself():
    a = hard_and_easy(8)
    assert paired_difference(a, a, CLIPS) == (0, (0, 0), 1)


def test_a_rank_is_one_more_than_the_rows_that_are_significantly_better():
    best, noise = hard_and_easy(9), np.random.default_rng(10).normal(0, 1, (2, 40))
    noise -= noise.mean(axis=1, keepdims=True)
    rows = [best + 10, best + 0.05 + noise[0], best, best + 10.05 + noise[1]]
    assert ranks(rows) == [3, 1, 1, 3]
    assert ranks(rows[::-1]) == [3, 1, 1, 3][::-1]
    assert standings([], CLIPS) == []


def test_no_third_row_changes_the_order_of_two():
    rows = [trained(seed, 3, 0.3) + 0.4 * seed for seed in range(6)]
    for one in range(5):
        pair = ranks([rows[one], rows[one + 1]])
        among = ranks(rows)[one : one + 2]
        # With more comparisons fewer differences are significant; none turns round.
        assert among[0] <= among[1]
        assert pair[0] <= pair[1]


def test_a_training_that_went_astray_makes_no_row_unsure_for_good():
    """Two degrees of freedom of its own alone say nothing: it was at 33 degrees on rank 9 of 54."""
    rows = [trained(seed, 3, 0.2) + 0.5 * seed for seed in range(20)]
    astray = trained(30, 3, 0.2) + np.array([[18.0], [24.0], [33.0]])
    assert ranks([*rows, astray])[-1] >= 15
    same = np.repeat(trained(31, 1, 0.0), 3, axis=0) + 0.3  # three seeds that happen to agree
    pooled = pooled_trainings([*rows, same], CLIPS)
    alone, among = mean_interval(same, CLIPS), mean_interval(same, CLIPS, pooled=pooled)
    assert among.high - among.low > alone.high - alone.low


def test_an_interval_that_there_is_none_of_is_unknown():
    assert Interval(-math.inf, math.inf).words() == "unknown"
    assert Interval(-1.0, 2.5).words("+") == "-1.00 to +2.50"


def test_ranks_of_single_trainings_are_in_brackets_and_say_so():
    rows = [hard_and_easy(1), hard_and_easy(1) + 5]
    assert [standing.words for standing in standings(rows, CLIPS)] == ["(1)", "(2)"]
    assert "in brackets" in ranks_in_words(rows, CLIPS)
    seeds = [trained(1, 3, 0.2), trained(2, 2, 0.2) + 5]
    assert [standing.words for standing in standings(seeds, CLIPS)] == ["1", "2"]
    assert "fewer than 3 seeds" in ranks_in_words(seeds, CLIPS)
    assert "join their own" in ranks_in_words([seeds[0], seeds[0] + 1], CLIPS)


def test_two_seeds_of_one_model_are_seldom_called_different():
    called = 0
    for seed in range(200):
        others = [trained(1000 * seed + number, 2, 0.5) for number in range(8)]
        one, two = trained(1000 * seed + 99, 2, 0.5)
        pooled = pooled_trainings(others, CLIPS)
        called += paired_difference(one, two, CLIPS, pooled=pooled).p < 0.05
    assert called <= 20


def test_the_same_bytes_on_every_machine():
    # Written down once: a change of NumPy, BLAS or processor must not change a leaderboard.
    means = (np.arange(40) * 37 % 41) / 4
    interval = mean_interval(means, np.arange(1, 41))
    assert interval == (pytest.approx(interval.low, abs=0), pytest.approx(interval.high, abs=0))
    assert [round(end, 9) for end in interval] == list(interval)
    assert mean_intervals([means * 3, means], np.arange(1, 41))[1] == interval


def test_the_ends_of_an_interval_of_ad_are_angles() -> None:
    """Three sounds say little: a quantile of t reaches below 0, or beyond half a circle."""
    found = mean_interval(np.array([1.0, 60.0, 170.0]), np.array([6, 6, 6]))
    assert found.low < 0 < 180 < found.high
    assert found.of_angles() == (0.0, 180.0)
    nothing = mean_interval(np.array([5.0]), np.array([6]))
    assert nothing.of_angles() == nothing == (-np.inf, np.inf)
