"""Metrics of class and direction together, against figures computed by hand and by scikit-style loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastzoo.directions import direction_from_angles
from bastzoo.metrics.classes import by_class, confusion, task_metrics


def directions(*azimuths: float, elevation: float = 0.0) -> np.ndarray:
    return direction_from_angles(np.array(azimuths), np.full(len(azimuths), elevation))


def test_figures_of_four_clips() -> None:
    target = directions(0, 90, 180, -90)
    predicted = directions(10, 90, -150, -90)
    found = task_metrics(
        predicted, target, classes=np.array([0, 1, 0, 1]), labels=np.array([0, 1, 1, 0])
    )
    assert found["class_accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx(0.5)
    assert found["azimuth_error"] == pytest.approx((10 + 0 + 30 + 0) / 4)
    assert found["azimuth_error_right_class"] == pytest.approx(5.0)
    # Clips 0 and 1 have the right class within 20 degrees; 2 is off in both, 3 in its class.
    assert found["f20"] == 0.5
    assert found["er20"] == 0.5


def test_twenty_degrees_are_within_twenty_degrees() -> None:
    one = np.array([0])
    assert task_metrics(directions(20), directions(0), classes=one, labels=one)["f20"] == 1.0
    assert task_metrics(directions(20.1), directions(0), classes=one, labels=one)["f20"] == 0.0


def test_an_azimuth_right_above_is_not_scored() -> None:
    above = directions(0, elevation=80.0)
    one = np.array([0])
    found = task_metrics(directions(120, elevation=80.0), above, classes=one, labels=one)
    assert found["azimuth_error"] is None
    assert found["azimuth_error_right_class"] is None


def test_no_direction_counts_as_ninety_degrees() -> None:
    one = np.array([0])
    found = task_metrics(np.full((1, 3), np.nan), directions(0), classes=one, labels=one)
    assert found["azimuth_error"] == 90.0
    assert found["f20"] == 0.0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_macro_f1_and_the_table_agree_with_counting(pairs: list[tuple[int, int]], random) -> None:  # type: ignore[no-untyped-def]
    classes, labels = (np.array(side) for side in zip(*pairs, strict=True))
    predicted = directions(*(random.uniform(-180, 180) for _ in pairs))
    target = directions(*(random.uniform(-180, 180) for _ in pairs))
    what = {"classes": classes, "labels": labels}
    names = ("a", "b", "c", "d")
    table = by_class(predicted, target, names=names, **what)
    scores = []
    for number in sorted(set(labels.tolist())):
        hits = sum(p == t == number for p, t in pairs)
        answered = sum(p == number for p, _ in pairs)
        true = sum(t == number for _, t in pairs)
        f1 = 2 * hits / (answered + true)
        scores.append(f1)
        row = table[names[number]]
        assert row["clips"] == true
        assert row["recall"] == pytest.approx(hits / true)
        assert row["precision"] == (pytest.approx(hits / answered) if answered else None)
        assert row["f1"] == pytest.approx(f1)
    assert task_metrics(predicted, target, **what)["macro_f1"] == pytest.approx(np.mean(scores))
    counted = confusion(classes, labels, 4)
    assert counted.sum() == len(pairs)
    for p, t in pairs:
        assert counted[t, p] >= 1
