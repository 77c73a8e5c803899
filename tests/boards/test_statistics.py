"""Promises of the statistics: coverage, pairing, clusters, ranks, the same bytes everywhere."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bastzoo.boards import statistics
from bastzoo.boards.statistics import (
    Standing,
    bootstrap_mean_interval,
    bootstrap_mean_intervals,
    mean_over_clips,
    paired_difference,
    shared_ranks,
    standings,
)


def hard_and_easy(seed: int, sounds: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, 5, sounds)


CLIPS = np.full(40, 72)


def test_the_interval_agrees_with_scipys_bootstrap():
    means = hard_and_easy(1)
    reference = stats.bootstrap(
        (means,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    interval = bootstrap_mean_interval(means, CLIPS)
    assert interval.low == pytest.approx(reference.low, abs=0.1)
    assert interval.high == pytest.approx(reference.high, abs=0.1)


def test_a_nominal_95_percent_covers_the_truth_about_that_often():
    covered = 0
    for seed in range(300):
        means = np.random.default_rng(seed).normal(20, 6, 40)
        low, high = bootstrap_mean_interval(means, CLIPS, resamples=500, seed=seed)
        covered += low <= 20 <= high
    assert 0.90 <= covered / 300 <= 0.98


def test_the_clips_of_a_sound_move_together():
    means = hard_and_easy(2)
    once, often = (bootstrap_mean_interval(means, np.full(40, n)) for n in (1, 1000))
    assert once == pytest.approx(often)


def test_sounds_with_more_clips_weigh_more():
    means, counts = np.array([0.0, 90.0]), np.array([9, 1])
    assert mean_over_clips(means, counts) == 9
    low, high = bootstrap_mean_interval(means, counts)
    assert (low, high) == (0, 90)


def test_seeds_are_averaged_before_sounds_are_drawn():
    seeds = np.stack([hard_and_easy(s) for s in range(5)])
    assert bootstrap_mean_interval(seeds, CLIPS) == pytest.approx(
        bootstrap_mean_interval(seeds.mean(axis=0), CLIPS)
    )


@given(shift=st.floats(-50, 50), scale=st.floats(0.01, 10), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_interval_moves_and_stretches_with_the_data(shift, scale, seed):
    means = hard_and_easy(seed)
    low, high = bootstrap_mean_interval(means, CLIPS, resamples=200)
    moved = bootstrap_mean_interval(means * scale + shift, CLIPS, resamples=200)
    assert moved == pytest.approx((low * scale + shift, high * scale + shift), abs=1e-9)


def test_pairing_finds_a_small_difference_between_models_that_find_the_same_sounds_hard():
    a = hard_and_easy(3)
    b = a + 0.5 + np.random.default_rng(4).normal(0, 0.2, 40)
    apart = [bootstrap_mean_interval(x, CLIPS) for x in (a, b)]
    assert apart[0].high > apart[1].low
    low, high = paired_difference(b, a, CLIPS)
    assert 0 < low < 0.5 < high
    assert paired_difference(a, b, CLIPS) == pytest.approx((-high, -low))


def test_models_may_have_run_with_different_numbers_of_seeds():
    a, b = hard_and_easy(5)[None], np.stack([hard_and_easy(6), hard_and_easy(7)])
    low, high = paired_difference(a, b, CLIPS)
    assert low < mean_over_clips(a, CLIPS) - mean_over_clips(b, CLIPS) < high


def test_a_model_does_not_differ_from_itself():
    a = hard_and_easy(8)
    assert paired_difference(a, a, CLIPS) == (0, 0)


def test_rows_that_cannot_be_told_apart_share_a_rank():
    best, noise = hard_and_easy(9), np.random.default_rng(10).normal(0, 1, (2, 40))
    noise -= noise.mean(axis=1, keepdims=True)
    rows = [best + 10, best + 0.05 + noise[0], best, best + 10.05 + noise[1]]
    assert shared_ranks(rows, CLIPS) == [3, 1, 1, 3]


def test_ranks_do_not_depend_on_the_order_of_the_rows():
    rows = [hard_and_easy(9) * scale + 3 * scale for scale in (1.0, 1.02, 1.3, 2.0, 2.5)]
    ranks = shared_ranks(rows, CLIPS)
    assert ranks == sorted(ranks)
    assert shared_ranks(rows[::-1], CLIPS) == ranks[::-1]
    assert shared_ranks([], CLIPS) == []


def test_the_same_bytes_on_every_machine():
    # Written down once: a change of NumPy, BLAS or processor must not change a leaderboard.
    means = (np.arange(40) * 37 % 41) / 4
    interval = bootstrap_mean_interval(means, np.arange(1, 41))
    assert [x.hex() for x in interval] == ["0x1.06cff5b1bb52cp+2", "0x1.84c8e9c254dd9p+2"]
    assert bootstrap_mean_interval(means, np.arange(1, 41), seed=1) != interval


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_what_else_is_computed_beside_a_row_does_not_change_a_bit_of_it(seed):
    # A BLAS adds in another order for another shape.
    means, counts = hard_and_easy(seed), np.random.default_rng(seed).integers(1, 100, 40)
    alone = bootstrap_mean_interval(means, counts, resamples=100)
    assert paired_difference(means, np.zeros(40), counts, resamples=100) == alone


@pytest.mark.parametrize("at_a_time", [1, 3, 512])
def test_many_rows_at_once_give_each_what_it_has_alone_to_the_last_bit(monkeypatch, at_a_time):
    monkeypatch.setattr(statistics, "_ROWS", at_a_time)
    # Rows a hundred million times apart: a common rounding would show.
    rows = [hard_and_easy(seed) * 10.0 ** (seed % 9) for seed in range(8)]
    counts = np.random.default_rng(0).integers(1, 100, 40)
    alone = [bootstrap_mean_interval(row, counts) for row in rows]
    assert bootstrap_mean_intervals(rows, counts) == alone
    ranks = shared_ranks(rows, counts)
    assert standings(rows, counts) == [
        Standing(rank, interval) for rank, interval in zip(ranks, alone, strict=True)
    ]
    assert bootstrap_mean_intervals([], counts) == []


def test_ten_thousand_resamples_of_a_large_test_set_take_under_two_seconds():
    means = np.random.default_rng(13).uniform(0, 90, (5, 400))
    started = time.perf_counter()
    bootstrap_mean_interval(means, np.full(400, 72))
    assert time.perf_counter() - started < 2
