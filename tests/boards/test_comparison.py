"""`compare`: the difference of two rows, and who may be compared with whom."""

from __future__ import annotations

import numpy as np
import pytest

from bastzoo.boards.comparison import all_seeds, compare
from bastzoo.errors import RecordError
from bastzoo.records.record import RunRecord
from tests.records.made import baseline_record, model_record


def shifted(record: RunRecord, by: float) -> RunRecord:
    """The record of a model that is worse by so many degrees on every sound."""
    assert record.evaluation is not None
    sounds = record.evaluation.by_sound
    means = (np.array(sounds["ad_mean"]) + by).tolist()
    evaluation = record.evaluation.model_copy(update={"by_sound": {**sounds, "ad_mean": means}})
    other = model_record(8.0, backbone="swin")
    return other.model_copy(update={"evaluation": evaluation})


def test_a_constant_difference_is_found_exactly_and_told_apart() -> None:
    a = model_record(8.0)
    found = compare([a], [shifted(a, 0.5)])
    assert found.difference == pytest.approx(-0.5)
    # What makes a sound hard is the same for both, so the paired interval has no width at all.
    assert found.interval == pytest.approx((-0.5, -0.5))
    assert found.a.interval.high - found.a.interval.low > 0.1
    assert found.verdict.startswith("mamba/SUB/MIX/SP is better by 0.50°")


def test_two_equals_cannot_be_told_apart() -> None:
    a = model_record(8.0)
    found = compare([a], [shifted(a, 0.0)])
    assert not found.are_told_apart
    assert "includes zero" in found.verdict


def test_all_seeds_of_an_experiment_take_part_and_nothing_else() -> None:
    runs = [model_record(8.0 + seed, seed=seed) for seed in (2, 0, 1)]
    others = [
        model_record(9.0, loss="AD"),
        model_record(9.0, seed=5, failed=True),
        model_record(9.0, seed=6, versions={"backbone": 99}),
        baseline_record(),
    ]
    found = all_seeds(runs[0], [*others, *runs])
    assert [record.experiment.seed for record in found if record.experiment] == [0, 1, 2]


def test_a_model_is_compared_with_a_baseline() -> None:
    found = compare([model_record(8.0)], [baseline_record("ITD", 30.0)])
    assert found.b.name == "ITD"
    assert found.b.seeds == ()
    assert found.difference < -20


def test_other_clips_are_refused() -> None:
    with pytest.raises(RecordError, match="other data"):
        compare([model_record(8.0)], [model_record(8.0, environment="RI01")])


def test_a_failed_run_has_nothing_to_compare() -> None:
    with pytest.raises(RecordError, match="has failed"):
        compare([model_record(8.0)], [model_record(failed=True)])
