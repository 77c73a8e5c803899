"""What is each ingredient of `wild` worth? python benchmarks/ingredients.py

From the records of the committed boards `measured-rooms` and `measured-heads`: a training with all
ingredients, and one without each, else alike (`bastzoo train ... --env wild --without NAME`). Means over a
track's cases; the interval is that of the paired difference over sounds, one training on either side.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bastzoo.boards.comparison import compare_on_track
from bastzoo.conditions import INGREDIENTS, left_out
from bastzoo.records.record import TrackRecord
from bastzoo.records.store import read_track_records

RECORDS = Path(__file__).parents[1] / "leaderboards" / "records"
TRACKS = ("measured-rooms", "measured-heads")
PRESET = "quick+steps=500+batch=32+learning_rate=0.001"


def trainings(track: str) -> dict[str, TrackRecord]:
    """The record of each training, by what it did without; all of it under an empty name."""
    found = {}
    for record in read_track_records(RECORDS / track)[0]:
        trained = record.experiment
        if trained is None or trained.preset.name != PRESET or trained.environment != "wild":
            continue
        lacking = left_out(trained.condition)
        if lacking is not None and len(lacking) < 2:
            found["".join(lacking)] = record
    return found


def mean(record: TrackRecord, metric: str) -> float:
    """A metric's mean over the cases of a track."""
    return float(np.mean([case.evaluation.metrics[metric] for case in record.cases]))


def line(name: str, found: dict[str, dict[str, TrackRecord]]) -> list[str]:
    """One training in both tracks: AD, median, front-back rate, and AD beside that of all ingredients."""
    cells = [f"without `{name}`" if name else "all"]
    for track in TRACKS:
        record = found[track][name]
        cells += [f"{mean(record, 'ad_mean'):.2f}°", f"{mean(record, 'ad_median'):.1f}°"]
        cells += [f"{100 * mean(record, 'front_back_rate'):.1f} %"]
        apart = ""
        if name:
            cases = compare_on_track([record], [found[track][""]])
            more = sum(case.difference > 0 and case.are_told_apart for case in cases)
            less = sum(case.difference < 0 and case.are_told_apart for case in cases)
            apart = f"{more} worse, {less} better of {len(cases)}"
        cells.append(apart)
    return cells


def main() -> None:
    """Print the table."""
    found = {track: trainings(track) for track in TRACKS}
    heads = ["trained"]
    for words in ("rooms", "people"):
        heads += [f"{words}, AD", "median", "front-back", "cases told apart"]
    rows = [heads, [":---", *["---:"] * (len(heads) - 1)]]
    rows += [line(name, found) for name in ("", *INGREDIENTS) if name in found[TRACKS[0]]]
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


if __name__ == "__main__":
    main()
