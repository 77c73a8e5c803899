"""Does one track predict another? python benchmarks/track_correlation.py [TRACK TRACK ...].

Spearman's rank correlation of the designs' mean AD (over a track's cases and a design's seeds), from the
records of the committed boards, with a 95 % interval (percentiles of 10,000 resamplings of the designs).
A design is what a row of a board is: components, preset, and what it was trained on. Without names:
`unseen-world` against `measured-rooms` and `measured-heads`.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from bastzoo.records.store import read_track_records

RECORDS = Path(__file__).parents[1] / "leaderboards" / "records"


def designs(track: str) -> dict[str, float]:
    """Mean AD in degrees of every design with a record on a track, over its cases and seeds."""
    found: dict[str, list[float]] = {}
    for record in read_track_records(RECORDS / track)[0]:
        if (trained := record.experiment) is None:
            continue
        asked = (trained.environment, str(trained.condition), trained.preset.name)
        name = f"{trained.combination} on {', '.join(filter(None, asked))}"
        name += "".join(f", {listener}" for listener in trained.source.own_listeners)
        errors = [case.evaluation.metrics["ad_mean"] for case in record.cases]
        found.setdefault(name, []).append(float(np.mean(errors)))
    return {name: float(np.mean(values)) for name, values in sorted(found.items())}


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation over the last axis of `[..., designs]`; NaN where one has no variety."""
    centred = [
        ranks - ranks.mean(-1, keepdims=True) for ranks in (rankdata(x, axis=-1) for x in (a, b))
    ]
    together = (centred[0] * centred[1]).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return together / np.sqrt((centred[0] ** 2).sum(-1) * (centred[1] ** 2).sum(-1))


def interval(a: np.ndarray, b: np.ndarray, times: int = 10_000) -> tuple[float, float]:
    """95 % interval of the correlation, by resampling designs."""
    chosen = np.random.default_rng(0).integers(len(a), size=(times, len(a)))
    low, high = np.nanquantile(spearman(a[chosen], b[chosen]), [0.025, 0.975])
    return float(low), float(high)


def main(tracks: list[str]) -> None:
    """Print the correlation of every pair of tracks, and the figures that it is made of."""
    figures = {track: designs(track) for track in tracks}
    print("| tracks | designs | Spearman | 95 % |\n|:---|---:|---:|---:|")
    for one, other in combinations(tracks, 2):
        both = sorted(figures[one].keys() & figures[other].keys())
        a, b = (np.array([figures[track][name] for name in both]) for track in (one, other))
        low, high = interval(a, b)
        print(f"| {one}, {other} | {len(both)} | {spearman(a, b):.2f} | {low:.2f} to {high:.2f} |")
    everywhere = sorted(set.intersection(*map(set, figures.values())), key=figures[tracks[0]].get)
    print("\n| design | " + " | ".join(tracks) + " |\n|:---|" + "---:|" * len(tracks))
    for name in everywhere:
        print(f"| {name} | " + " | ".join(f"{figures[t][name]:.2f}°" for t in tracks) + " |")


if __name__ == "__main__":
    main(sys.argv[1:] or ["unseen-world", "measured-rooms", "measured-heads"])
