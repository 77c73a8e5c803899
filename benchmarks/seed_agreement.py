"""Are two trainings of the same model called different? python benchmarks/seed_agreement.py [FOLDER ...].

Every pair of seeds of one design on a committed board, each seed as a row of its own that borrows how far
trainings lie apart from the whole table, compared as the board compares two rows (5 %, one comparison). At
most 5 % should be called different. Beside it the same without the variance of trainings, as protocol 1 had
it: by the sounds alone.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np

from bastzoo.boards.statistics import Pooled, paired_difference, pooled_trainings
from bastzoo.records.store import read_records, read_track_records

RECORDS = Path(__file__).parents[1] / "leaderboards" / "records"

Tables = dict[tuple[str, ...], dict[str, list[dict[str, list[float]]]]]


def tables(folder: Path) -> Tables:
    """Of each table, of each design: what a seed's test says of every sound."""
    found: Tables = defaultdict(lambda: defaultdict(list))
    records = [*read_records(folder)[0], *read_track_records(folder)[0]]
    for record in records:
        if (trained := record.experiment) is None:
            continue
        design = str(trained.model_copy(update={"seed": 0}))
        tests = getattr(record, "cases", None)
        if tests is None:
            found[(trained.data_digest,)][design].append(record.evaluation.by_sound)
        for case in tests or ():
            found[case.data_digest, case.label][design].append(case.evaluation.by_sound)
    return found


def agreement(folder: Path) -> tuple[int, int, int]:
    """Pairs of seeds of one model; how many are called different; and how many by the sounds alone."""
    pairs = called = alone = 0
    for designs in tables(folder).values():
        counts = np.array(next(iter(designs.values()))[0]["clips"])
        rows = [np.array([seed["ad_mean"] for seed in seeds]) for seeds in designs.values()]
        pooled = pooled_trainings(rows, counts)
        for row in rows:
            for one, other in combinations(row, 2):
                pairs += 1
                called += paired_difference(one, other, counts, pooled=pooled).p < 0.05
                nothing = Pooled(0.0, 1)
                alone += paired_difference(one, other, counts, pooled=nothing).p < 0.05
    return pairs, called, alone


def main(folders: list[Path]) -> None:
    print(
        "| board | pairs of seeds | called different | by the sounds alone |\n|:---|---:|---:|---:|"
    )
    for folder in folders:
        pairs, called, alone = agreement(folder)
        if pairs:
            print(
                f"| {folder.name} | {pairs} | {called} ({100 * called / pairs:.0f} %) "
                f"| {alone} ({100 * alone / pairs:.0f} %) |"
            )


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sorted(RECORDS.iterdir()))
