"""What the intervals of a leaderboard cover, simulated: python benchmarks/interval_coverage.py [simulations].

Each simulated row has sounds that are hard or easy (normal, or gamma with a skewness of 1.4; standard
deviation 2 degrees), trainings that come out apart (`sd`, degrees), and a rest of 1 degree. A cell is the
share of simulations whose nominal 95 % interval holds the truth; the second table has rows of 3 seeds of 40
sounds among 20 whose trainings lie 0.3 to 3 times as far apart. The last is about pairs of two seeds of the
same model, each a row of one seed in a table whose other rows have two: how many are called different.
"""

from __future__ import annotations

import sys

import numpy as np

from bastzoo.boards.statistics import mean_interval, paired_difference, pooled_trainings

DEVIATIONS = (0.0, 0.1, 0.3, 0.6, 0.9)


def table(
    generator: np.random.Generator, seeds: int, sounds: int, deviation: float, skewed: bool
) -> np.ndarray:
    """Mean errors `[seeds, sounds]` of one simulated row, whose true mean is 0."""
    hard = generator.normal(0, 2, sounds)
    if skewed:
        hard = (generator.gamma(2, 1, sounds) - 2) * 2**0.5
    trainings = generator.normal(0, deviation, (seeds, 1))
    return hard + trainings + generator.normal(0, 1, (seeds, sounds))


def coverage(simulations: int) -> None:
    """Print the share of intervals that hold the truth."""
    generator = np.random.default_rng(0)
    heads = "".join(f" sd {deviation:>4} |" for deviation in DEVIATIONS)
    print(f"| sounds | seeds | errors |{heads}\n|---|---|---|" + "---|" * len(DEVIATIONS))
    for skewed in (False, True):
        for sounds in (10, 20, 40):
            for seeds in (3, 5):
                cells = []
                for deviation in DEVIATIONS:
                    held = 0
                    for _ in range(simulations):
                        row = table(generator, seeds, sounds, deviation, skewed)
                        low, high = mean_interval(row, np.full(sounds, 72))
                        held += low <= 0 <= high
                    cells.append(f" {100 * held / simulations:.1f} % |")
                print(
                    f"| {sounds} | {seeds} | {'gamma' if skewed else 'normal'} |" + "".join(cells)
                )


def among_others(simulations: int) -> None:
    """Print the coverage of rows of 3 seeds whose table has other designs, which lie apart otherwise."""
    generator, counts = np.random.default_rng(2), np.full(40, 72)
    cells = []
    for deviation in DEVIATIONS:
        held = 0
        for _ in range(simulations):
            spread = deviation * np.exp(generator.uniform(np.log(0.3), np.log(3), 20))
            rows = [5 + table(generator, 3, 40, float(sd), skewed=True) for sd in spread]
            low, high = mean_interval(rows[0], counts, pooled=pooled_trainings(rows, counts))
            held += low <= 5 <= high
        cells.append(f" {100 * held / simulations:.1f} % |")
    print("\n| one of 20 designs, 3 seeds |" + "".join(cells))


def same_model(simulations: int) -> None:
    """Print how often two seeds of one model are called different."""
    generator = np.random.default_rng(1)
    cells = []
    for deviation in DEVIATIONS:
        called = 0
        for _ in range(simulations):
            others = [table(generator, 2, 40, deviation, skewed=True) for _ in range(20)]
            pooled = pooled_trainings([5 + other for other in others], np.full(40, 72))
            one, two = 5 + table(generator, 2, 40, deviation, skewed=True)
            called += paired_difference(one, two, np.full(40, 72), pooled=pooled).p < 0.05
        cells.append(f" {100 * called / simulations:.1f} % |")
    print("\n| two seeds of one model |" + "".join(cells))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    coverage(count)
    among_others(count)
    same_model(count // 4)
