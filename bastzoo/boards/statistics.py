"""Statistics of a leaderboard, protocol 2: intervals over sounds and trainings, paired differences, ranks.

A figure is a mean over *sounds* (all clips of a sound move together) and over *trainings* (seeds). Both
are samples: other sounds would have been harder, another seed would have come out elsewhere. So the
variance of a mean has two parts, of sounds and of trainings, estimated from the two-way table of seeds
and sounds (Searle, Casella, McCulloch, Variance Components, 1992, ch. 4):

    variance = MS(sounds) / (K S)  +  max(0, MS(seeds) - MS(rest)) / (K S)

for K seeds and S sounds. A row of one or two seeds cannot say how far trainings lie apart; it takes the
coefficient of variation that the rows of its table have in common, pooled over them. One of more seeds joins
its own with that, weighed by degrees of freedom (moderated, as in Smyth 2004, Stat. Appl. Genet. Mol. Biol.
3:3): three seeds that happen to agree, or one of them that went astray, make no row sure or unsure for good.

Intervals are studentised: quantiles of Student's t, between those with Satterthwaite's degrees of
freedom (1946), which are a little short where few seeds decide, and Cochran and Cox's (1950), which are a
little long; and corrected for the skewness of sounds by Hall's transformation
(1992, J. R. Stat. Soc. B 54:221). `benchmarks/interval_coverage.py` simulates what they cover: 94 to 96 %
for 10 to 40 sounds, 3 or 5 seeds, and trainings that lie 0 to 0.9 degrees apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Means = Float[np.ndarray, "... sounds"]
Counts = Int[np.ndarray, " sounds"]

LEVEL = 0.95
STATISTICS_PROTOCOL = 2
"""The version of the protocol whose ranks and intervals these are."""

ENOUGH_SEEDS = 3
"""Trainings from which on a row says itself how far they lie apart."""

_BORROWED = 4
"""Degrees of freedom with which the table's spread of trainings stands beside a row's own: Smyth's estimate
for the 54 rows of the quick board is 2 to 4, by how those of no spread at all are counted."""

# How much of Cochran and Cox's quantile counts, beside Satterthwaite's; chosen by simulation.
_LONG = 1 / 3

# Beyond this skewness of a mean, Hall's transformation of a quantile runs away.
_SKEWEST = 0.25

# Results are rounded to this many digits, so that a machine's last bits reach no table.
_DIGITS = 9


class Interval(NamedTuple):
    """Ends of an interval, in the unit of the figure."""

    low: float
    high: float

    def words(self, sign: str = "") -> str:
        """Its ends in words; "unknown" where there is none, of one sound, say."""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "unknown"
        return f"{self.low:{sign}.2f} to {self.high:{sign}.2f}"

    def of_angles(self) -> Interval:
        """The same interval of a mean AD, cut to 0 to 180 degrees; infinite ends (there is none) stay."""
        if math.isinf(self.low):
            return self
        return Interval(min(max(self.low, 0.0), 180.0), min(max(self.high, 0.0), 180.0))


class Trainings(NamedTuple):
    """How far trainings of one design lie apart: variance, and the degrees of freedom that it rests on."""

    variance: float
    freedom: int


class Pooled(NamedTuple):
    """How far trainings of a table's designs lie apart: the variance over the squared mean of a row.

    A share of the mean, since trainings of a design that errs by 20 degrees lie farther apart than those of
    one that errs by 3.
    """

    share: float
    freedom: int


class Standing(NamedTuple):
    """Where a row stands in a table: its rank (see `standings`) and the interval of its mean.

    is_sure: whether the variance of trainings is in it; not where no row of the table has two seeds.
    """

    rank: int
    interval: Interval
    is_sure: bool

    @property
    def words(self) -> str:
        """The rank, in brackets where other seeds may change it."""
        return str(self.rank) if self.is_sure else f"({self.rank})"


class Difference(NamedTuple):
    """The first row minus the second: the figure, its interval, and the two-sided p value."""

    figure: float
    interval: Interval
    p: float


class _Row(NamedTuple):
    """What a row's mean is known by.

    over_sounds: `[sounds]`, mean over seeds, each sound weighed by its clips. sounds, trainings: the two
    parts of the variance of the mean; skew: the third cumulant of the mean, of sounds alone.
    """

    mean: float
    over_sounds: np.ndarray
    sounds: float
    trainings: Trainings
    skew: float


def mean_over_clips(means: Means, counts: Counts) -> float:
    """The figure that the intervals are about: mean over clips of the mean over seeds.

    means: `[..., sounds]`, mean of each sound; leading axes (seeds) are averaged.
    counts: `[sounds]`, clips of each sound.

    >>> mean_over_clips(np.array([[1.0, 3.0], [3.0, 5.0]]), np.array([1, 3]))
    3.5
    """
    return math.fsum(_over_seeds(means) * counts) / int(np.sum(counts))


def pooled_trainings(rows: Sequence[Means], counts: Counts) -> Pooled | None:
    """How far trainings lie apart in the rows that have several; None where none has."""
    shares, freedom = [], 0
    for row in rows:
        own, mean = _of_trainings(_weighed(row, counts)), mean_over_clips(row, counts)
        if own.freedom and mean:
            shares.append(own.variance / mean**2 * own.freedom)
            freedom += own.freedom
    return Pooled(max(0.0, math.fsum(shares) / freedom), freedom) if freedom else None


def mean_interval(
    means: Means, counts: Counts, *, pooled: Pooled | None = None, level: float = LEVEL
) -> Interval:
    """The interval of `mean_over_clips`.

    means: `[seeds, sounds]`, or `[sounds]` for one. pooled: what a row of few seeds borrows.
    A single sound gives no interval: its ends are infinite.
    """
    return _interval_of(_row(means, counts, pooled), len(counts), level)


def mean_intervals(
    rows: Sequence[Means], counts: Counts, *, level: float = LEVEL
) -> list[Interval]:
    """`mean_interval` of every row of a table, with what rows of few seeds borrow from the others."""
    pooled = pooled_trainings(rows, counts)
    return [mean_interval(row, counts, pooled=pooled, level=level) for row in rows]


def paired_difference(
    a: Means,
    b: Float[np.ndarray, "... sounds"],
    counts: Counts,
    *,
    pooled: Pooled | None = None,
    level: float = LEVEL,
) -> Difference:
    """The difference of two rows' means on the same sounds: what is hard for both cancels.

    a, b: `[..., sounds]`, in the same order of sounds; their seeds need not be equally many.
    """
    first, second = _row(a, counts, pooled), _row(b, counts, pooled)
    figure = round(first.mean - second.mean, _DIGITS)
    between = first.over_sounds - second.over_sounds
    if not np.any(between):
        return Difference(0.0, Interval(0.0, 0.0), 1.0)
    sounds, skew = _of_sounds(between)
    shared, shares = [(sounds, len(counts) - 1)], [_share(first), _share(second)]
    interval = _interval(figure, shared, shares, skew, level)
    return Difference(figure, interval, _p_value(figure, shared, shares, skew))


def standings(rows: Sequence[Means], counts: Counts, *, level: float = LEVEL) -> list[Standing]:
    """Rank and interval of every row, best (lowest mean) first, in the order of `rows`.

    A rank is one more than the number of rows that are significantly better. Whether one row is better
    than another is decided by those two alone, but for the correction for many comparisons: those of a
    row with all others are one family (Holm 1979, Scand. J. Stat. 6:65).
    """
    pooled = pooled_trainings(rows, counts)
    known = [_row(row, counts, pooled) for row in rows]
    better = _significantly_better(known, len(counts), 1 - level)
    return [
        Standing(
            rank=1 + int(better[:, place].sum()),
            interval=_interval_of(row, len(counts), level),
            is_sure=pooled is not None,
        )
        for place, row in enumerate(known)
    ]


def standing_beside(row: Means, rows: Sequence[Means], counts: Counts) -> Standing:
    """Rank and interval of a row among others whose ranks it does not change."""
    return standings([*rows, row], counts)[-1]


def _significantly_better(rows: Sequence[_Row], sounds: int, alpha: float) -> np.ndarray:
    """`[m, m]`: whether the first row is significantly better than the second."""
    count = len(rows)
    found = np.zeros((count, count), dtype=bool)
    if count < 2 or sounds < 2:
        return found
    table = np.stack([row.over_sounds for row in rows])
    means = np.array([row.mean for row in rows])
    shares = np.array([_share(row) for row in rows])
    p = np.full((count, count), np.inf)
    for one in range(count - 1):  # a difference and its opposite are equally likely
        others = slice(one + 1, None)
        figures, between = means[one] - means[others], table[one] - table[others]
        p[one, others] = p[others, one] = _p_values(figures, between, shares[one], shares[others])
    ordered = np.argsort(p, axis=1, kind="stable")[:, :-1]
    limits = alpha / np.arange(count - 1, 0, -1)
    holds = np.take_along_axis(p, ordered, axis=1) <= limits
    holds = np.logical_and.accumulate(holds, axis=1) & (means[:, None] < means[ordered])
    np.put_along_axis(found, ordered, holds, axis=1)
    return found


def _p_values(
    figures: Float[np.ndarray, " m"],
    between: Float[np.ndarray, "m sounds"],
    share: Float[np.ndarray, " 2"],
    shares: Float[np.ndarray, "m 2"],
) -> Float[np.ndarray, " m"]:
    """`_p_value` of the differences of one row from many."""
    count = between.shape[1]
    away = between - between.mean(axis=1, keepdims=True)
    squares = away * away
    variances = squares.sum(axis=1) / (count - 1) / count
    # Not `away**3`, a power for each element: it took most of the time of 500 rows.
    skews = (squares * away).sum(axis=1) / (count * max(1, (count - 1) * (count - 2)))
    parts = np.stack([variances, np.full(len(shares), share[0]), shares[:, 0]])
    freedoms = np.stack(
        [np.full(len(shares), count - 1.0), np.full(len(shares), share[1]), shares[:, 1]]
    )
    return _two_sided(figures, parts, freedoms, skews if count > 2 else 0 * skews)


def _row(means: Means, counts: Counts, pooled: Pooled | None) -> _Row:
    mean = round(mean_over_clips(means, counts), _DIGITS)
    weighed = _weighed(means, counts)
    seeds = len(weighed)
    over_sounds = weighed.mean(axis=0)
    sounds, skew = _of_sounds(over_sounds)
    own = _joined(_of_trainings(weighed), seeds, mean, pooled)
    trainings = Trainings(max(0.0, own.variance) / seeds, own.freedom)
    return _Row(mean, over_sounds, sounds, trainings, skew)


def _joined(own: Trainings, seeds: int, mean: float, pooled: Pooled | None) -> Trainings:
    """How far a row's trainings lie apart, with what its table has in common."""
    if pooled is None:
        return own if seeds >= ENOUGH_SEEDS else Trainings(0.0, 0)
    common = pooled.share * mean**2
    if seeds < ENOUGH_SEEDS:
        return Trainings(common, pooled.freedom)
    # The row is one of those that the table's spread is made of, and borrows of the others alone.
    borrowed = min(_BORROWED, max(0, pooled.freedom - own.freedom))
    freedom = own.freedom + borrowed
    return Trainings((own.variance * own.freedom + common * borrowed) / freedom, freedom)


def _weighed(means: Means, counts: Counts) -> Float[np.ndarray, "seeds sounds"]:
    """The table, each sound moved away from the mean as its clips weigh (the ratio's linear form)."""
    table = np.asarray(means, dtype=np.float64).reshape(-1, np.shape(means)[-1])
    middle = mean_over_clips(means, counts)
    return middle + (table - middle) * (counts / np.mean(counts))


def _of_sounds(over_sounds: Float[np.ndarray, " sounds"]) -> tuple[float, float]:
    """Variance and third cumulant of a mean over sounds; infinite and 0 for one sound."""
    count = len(over_sounds)
    if count < 2:
        return math.inf, 0.0
    away = over_sounds - math.fsum(over_sounds) / count
    variance = math.fsum(away**2) / (count - 1) / count
    if count < 3:
        return variance, 0.0
    third = math.fsum(away**3) * count / ((count - 1) * (count - 2))
    return variance, third / count**2


def _of_trainings(table: Float[np.ndarray, "seeds sounds"]) -> Trainings:
    """The variance of one training's mean, beyond what the sounds that it was tested on explain."""
    seeds, sounds = table.shape
    if seeds < 2 or sounds < 2:
        return Trainings(0.0, 0)
    over_seeds, over_sounds, middle = table.mean(axis=1), table.mean(axis=0), table.mean()
    rest = table - over_seeds[:, None] - over_sounds + middle
    of_seeds = sounds * math.fsum((over_seeds - middle) ** 2) / (seeds - 1)
    of_rest = math.fsum((rest**2).ravel()) / ((seeds - 1) * (sounds - 1))
    return Trainings((of_seeds - of_rest) / sounds, seeds - 1)


def _interval_of(row: _Row, sounds: int, level: float) -> Interval:
    return _interval(row.mean, [(row.sounds, sounds - 1)], [_share(row)], row.skew, level)


def _share(row: _Row) -> tuple[float, int]:
    return row.trainings.variance, row.trainings.freedom


_Parts = Sequence[tuple[float, int]]
"""Parts of a variance, each with its degrees of freedom."""


def _interval(figure: float, shared: _Parts, shares: _Parts, skew: float, level: float) -> Interval:
    from scipy.special import stdtrit

    parts = [part for part in (*shared, *shares) if part[0] > 0]
    variance = math.fsum(part for part, _ in parts)
    if not math.isfinite(variance):
        return Interval(-math.inf, math.inf)
    if variance == 0:
        return Interval(figure, figure)
    tail = (1 + level) / 2
    short = float(stdtrit(_satterthwaite(parts), tail))
    long = math.fsum(part * float(stdtrit(freedom, tail)) for part, freedom in parts) / variance
    quantile = short + _LONG * (long - short)
    ends = [figure - math.sqrt(variance) * _hall(t, skew, variance) for t in (quantile, -quantile)]
    return Interval(*(round(end, _DIGITS) for end in ends))


def _p_value(figure: float, shared: _Parts, shares: _Parts, skew: float) -> float:
    """Two-sided, by the same mean of two distributions as the interval."""
    parts, freedoms = np.array([*shared, *shares]).T[..., None]
    return float(_two_sided(np.array([figure]), parts, freedoms, np.array([skew]))[0])


def _two_sided(
    figures: Float[np.ndarray, " m"],
    parts: Float[np.ndarray, "k m"],
    freedoms: Float[np.ndarray, "k m"],
    skews: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    from scipy.special import stdtr

    freedoms = np.maximum(freedoms, 1.0)  # a part of nothing has no freedom, and no weight
    variances = parts.sum(axis=0)
    known = (variances > 0) & np.isfinite(variances)
    whole = np.where(known, variances, 1.0)
    shares = np.where(known, parts, 0.0)
    freedom = whole**2 / np.maximum((shares**2 / freedoms).sum(axis=0), 1e-300)
    t = np.abs(_symmetric(figures / np.sqrt(whole), skews, whole))
    short = stdtr(freedom, -t)
    long = (shares * stdtr(freedoms, -t)).sum(axis=0) / whole
    certain = np.where((variances == 0) & (figures != 0), 0.0, 1.0)
    mixed = 2 * (short + _LONG * (long - short))
    found: np.ndarray = np.where(known, np.minimum(mixed, 1.0), certain)
    return found


def _satterthwaite(parts: _Parts) -> float:
    whole = math.fsum(part for part, _ in parts) ** 2
    return whole / math.fsum(part**2 / freedom for part, freedom in parts)


def _hall(quantile: float, skew: float, variance: float) -> float:
    """The quantile of a studentised mean that is skewed, from that of one that is not."""
    skewness = max(-_SKEWEST, min(_SKEWEST, skew / variance**1.5))
    if abs(skewness) < 1e-6:
        return quantile
    return 3 / skewness * (float(np.cbrt(1 + skewness * (quantile - skewness / 6))) - 1)


def _symmetric(t: np.ndarray, skews: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """The inverse of `_hall`: studentised means, made symmetric."""
    skewness = np.clip(skews / variances**1.5, -_SKEWEST, _SKEWEST)
    return t + skewness * t**2 / 3 + skewness**2 * t**3 / 27 + skewness / 6


def _over_seeds(means: Means) -> Float[np.ndarray, " sounds"]:
    means = np.asarray(means, dtype=np.float64)
    return means.reshape(-1, means.shape[-1]).mean(axis=0)
