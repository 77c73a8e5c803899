"""Bootstrap statistics of a leaderboard: intervals over sounds, paired differences, shared ranks.

The unit is the *sound*: clips of one sound in several places are not independent, so a resample
draws sounds and takes all their clips (Efron, Tibshirani, An Introduction to the Bootstrap, 1993,
ch. 8 and 13). Results are first averaged over seeds. An interval says how far a figure depends on
which sounds were tested, not how far apart two trainings of one model come out.

Every function is deterministic, to the last bit, on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Means = Float[np.ndarray, "... sounds"]
Counts = Int[np.ndarray, " sounds"]

RESAMPLES = 10_000
LEVEL = 0.95

# Resamples, and rows, worked on at a time: bounds the memory to so many times the number of sounds,
# and to so many times the number of resamples.
_CHUNK = 1_000
_ROWS = 512


class Interval(NamedTuple):
    """Ends of an interval, in the unit of the figure."""

    low: float
    high: float


class Standing(NamedTuple):
    """Where a row stands in a table: its rank (see `shared_ranks`) and the interval of its mean."""

    rank: int
    interval: Interval


def mean_over_clips(means: Means, counts: Counts) -> float:
    """The figure that the intervals are about: mean over clips of the mean over seeds.

    means: `[..., sounds]`, mean of each sound; leading axes (seeds) are averaged.
    counts: `[sounds]`, clips of each sound.
    """
    return math.fsum(_over_seeds(means) * counts) / int(np.sum(counts))


def bootstrap_mean_interval(
    means: Means,
    counts: Counts,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of `mean_over_clips`, resampling sounds.

    Percentile intervals are a little narrow when sounds are few: simulated with normal and
    gamma distributed means, a nominal 95 % covered 93 to 94 % with 40 sounds, 92 to 93 % with 20
    and 88 to 91 % with 10.
    """
    (interval,) = bootstrap_mean_intervals(
        [means], counts, resamples=resamples, level=level, seed=seed
    )
    return interval


def bootstrap_mean_intervals(
    rows: Sequence[Float[np.ndarray, "... sounds"]],
    counts: Counts,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> list[Interval]:
    """`bootstrap_mean_interval` of every row, to the last bit, from one set of resamples.

    rows: for each model `[..., sounds]`, on the same sounds in the same order.
    """
    intervals: list[Interval] = []
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        intervals += _intervals(_resampled(some, counts, resamples=resamples, seed=seed), level)
    return intervals


def paired_difference(
    a: Means,
    b: Float[np.ndarray, "... sounds"],
    counts: Counts,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of `mean_over_clips(a) - mean_over_clips(b)`.

    a, b: `[..., sounds]`, two models on the same sounds in the same order; their seeds need not be
    equally many. Both see the same resamples, so what makes a sound hard for both cancels.
    """
    drawn = _resampled([a, b], counts, resamples=resamples, seed=seed)
    return _percentiles(drawn[0] - drawn[1], level)


def shared_ranks(
    rows: Sequence[Float[np.ndarray, "... sounds"]],
    counts: Counts,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> list[int]:
    """Ranks of models, best (lowest mean) first, where rows that cannot be told apart share one.

    From the best row on, each group has a leader, its best row. A row joins the group while the
    interval of its paired difference from the leader includes zero; the first row for which it does
    not leads the next group, and its rank is one more than the number of rows before it (1, 1, 3,
    ...). Being indistinguishable is not transitive: neighbours across two groups may be closer to
    each other than to their leaders. The intervals are not corrected for the number of comparisons.

    rows: for each model `[..., sounds]`, on the same sounds in the same order.
    Returns the ranks in the order of `rows`.
    """
    found = standings(rows, counts, resamples=resamples, level=level, seed=seed)
    return [standing.rank for standing in found]


def standings(
    rows: Sequence[Float[np.ndarray, "... sounds"]],
    counts: Counts,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> list[Standing]:
    """`shared_ranks` and `bootstrap_mean_intervals` of the same rows, from one set of resamples."""
    figures = [mean_over_clips(row, counts) for row in rows]
    order = sorted(range(len(rows)), key=figures.__getitem__)
    found: dict[int, Standing] = {}
    leading: np.ndarray | None = None
    rank = 0
    for start in range(0, len(order), _ROWS):
        some = order[start : start + _ROWS]
        drawn = _resampled([rows[row] for row in some], counts, resamples=resamples, seed=seed)
        intervals = _intervals(drawn, level)
        for row, mine, interval in zip(some, drawn, intervals, strict=True):
            if leading is None or _percentiles(mine - leading, level).low > 0:
                leading, rank = mine, len(found) + 1
            found[row] = Standing(rank, interval)
    return [found[row] for row in range(len(rows))]


def _resampled(
    rows: Sequence[Float[np.ndarray, "... sounds"]],
    counts: Counts,
    *,
    resamples: int,
    seed: int,
) -> Float[np.ndarray, "rows resamples"]:
    """`mean_over_clips` of every row in every resample of the sounds, drawn with replacement."""
    clips = counts.astype(np.float64)
    sums = _summable(np.stack([*(_over_seeds(row) * clips for row in rows), clips]))
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = np.empty((len(sums), resamples))
    for start in range(0, resamples, _CHUNK):
        stop = min(start + _CHUNK, resamples)
        drawn[:, start:stop] = sums @ _times_drawn(generator, stop - start, len(counts)).T
    return drawn[:-1] / drawn[-1]


def _times_drawn(
    generator: np.random.Generator, resamples: int, sounds: int
) -> Float[np.ndarray, "resamples sounds"]:
    """How often each sound is in each resample of as many sounds as there are."""
    drawn = generator.integers(0, sounds, size=(resamples, sounds))
    drawn += np.arange(0, resamples * sounds, sounds)[:, None]
    times = np.bincount(drawn.ravel(), minlength=resamples * sounds)
    return times.reshape(resamples, sounds).astype(np.float64)


def _summable(sums: Float[np.ndarray, "rows sounds"]) -> Float[np.ndarray, "rows sounds"]:
    """The same numbers, rounded so that any weighted sum that a resample can make is exact.

    Each row is rounded by itself, so what stands beside it does not change a bit of it. Whole
    multiples of one power of two add without rounding while sums stay below 2**53 of it, so the
    order in which a machine's BLAS adds them cannot matter. What is rounded off here is in the 16th
    digit of the row's largest sum.
    """
    largest = np.max(np.abs(sums), axis=1, keepdims=True) * sums.shape[1]
    _, exponent = np.frexp(largest)
    return np.ldexp(np.rint(np.ldexp(sums, 52 - exponent)), exponent - 52)


def _over_seeds(means: Means) -> Float[np.ndarray, " sounds"]:
    means = np.asarray(means, dtype=np.float64)
    return means.reshape(-1, means.shape[-1]).mean(axis=0)


def _intervals(drawn: Float[np.ndarray, "rows resamples"], level: float) -> list[Interval]:
    ends = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return [Interval(low, high) for low, high in ends.T.tolist()]


def _percentiles(drawn: Float[np.ndarray, " resamples"], level: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
