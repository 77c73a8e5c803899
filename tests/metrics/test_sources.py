"""Metrics of several sources, against figures computed by hand and by loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from bastzoo.directions import direction_from_angles
from bastzoo.metrics.localization import angular_distance
from bastzoo.metrics.sources import source_metrics


def clip(*sources: tuple[float, int], slots: int = 3) -> dict[str, np.ndarray]:
    """One clip with these azimuths and classes."""
    directions = np.full((1, slots, 3), np.nan)
    classes = np.full((1, slots), -1)
    present = np.zeros((1, slots), dtype=bool)
    for place, (azimuth, number) in enumerate(sources):
        directions[0, place] = direction_from_angles(np.array(azimuth), np.array(0.0))
        classes[0, place], present[0, place] = number, True
    return {"directions": directions, "classes": classes, "present": present}


def scored(predicted: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> dict[str, Any]:
    return source_metrics(**predicted, **{f"target_{name}": v for name, v in true.items()})


def test_a_perfect_answer_in_any_order() -> None:
    found = scored(clip((90, 1), (0, 0)), clip((0, 0), (90, 1)))
    assert found["sources"] == 2
    assert found["source_error"] == pytest.approx(0, abs=1e-5)
    for name in ("source_recall", "source_precision", "source_class_accuracy", "f20"):
        assert found[name] == 1.0
    assert found["er20"] == found["count_error"] == 0.0
    assert found["count_accuracy"] == 1.0


def test_one_missed_one_wrong_class_one_surplus() -> None:
    # Sources: 0° class 0, 90° class 1. Answers: 5° class 1, -90° class 0, 180° class 2.
    found = scored(clip((5, 1), (-90, 0), (180, 2)), clip((0, 0), (90, 1)))
    assert found["source_recall"] == 0.5  # 5° is near 0°, whatever its class
    assert found["source_precision"] == pytest.approx(1 / 3)
    assert found["source_class_accuracy"] == 0.0
    assert found["f20"] == 0.0
    assert found["er20"] == pytest.approx(3 / 2)  # two substitutions and one insertion, two sources
    assert found["count_error"] == 1.0


def test_nothing_predicted_and_nothing_there() -> None:
    found = scored(clip(), clip((0, 0)))
    assert (found["source_recall"], found["source_precision"], found["source_error"]) == (
        0.0,
        None,
        None,
    )
    assert found["er20"] == 1.0
    empty = scored(clip(), clip())
    assert empty["source_recall"] is None
    assert empty["f20"] is None
    assert empty["count_accuracy"] == 1.0


def test_an_answer_without_direction_is_ninety_degrees_off() -> None:
    predicted = clip((0, 0))
    predicted["directions"][:] = np.nan
    found = scored(predicted, clip((0, 0)))
    assert found["source_error"] == 90.0
    assert found["source_recall"] == 0.0


def test_more_sources_than_slots() -> None:
    found = scored(clip((0, 0), slots=1), clip((0, 0), (120, 1), (-120, 2)))
    assert found["source_recall"] == pytest.approx(1 / 3)
    assert found["count_error"] == 2.0


@given(seed=st.integers(0, 10_000), slots=st.integers(1, 4), sources=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_figures_are_those_of_a_loop_over_clips(seed: int, slots: int, sources: int) -> None:
    rng = np.random.default_rng(seed)

    def drawn(count: int) -> dict[str, np.ndarray]:
        return {
            "directions": direction_from_angles(
                rng.uniform(-40, 40, (6, count)), np.zeros((6, count))
            ),
            "classes": rng.integers(0, 2, (6, count)),
            "present": rng.random((6, count)) < 0.7,
        }

    predicted, true = drawn(slots), drawn(sources)
    distances, near, hits, wrong = [], 0, 0, 0
    for n in range(6):
        p, t = (np.flatnonzero(side["present"][n]) for side in (predicted, true))
        table = np.array(
            [
                [
                    angular_distance(true["directions"][n, i], predicted["directions"][n, j])
                    for j in p
                ]
                for i in t
            ]
        ).reshape(len(t), len(p))
        rows, columns = linear_sum_assignment(table * (1 + 1e-6 * table))
        distances += table[rows, columns].tolist()
        near += int((table[rows, columns] <= 20).sum())
        same = true["classes"][n, t][:, None] == predicted["classes"][n, p]
        good = (table <= 20) & same
        found = int(good[linear_sum_assignment(-good.astype(float))].sum())
        hits += found
        wrong += max(len(t) - found, len(p) - found)
    figures = scored(predicted, true)
    total = int(true["present"].sum())
    if distances:
        assert figures["source_error"] == pytest.approx(np.mean(distances))
    if total:
        assert figures["source_recall"] == pytest.approx(near / total)
        assert figures["er20"] == pytest.approx(wrong / total)
    if total + predicted["present"].sum():
        assert figures["f20"] == pytest.approx(2 * hits / (total + predicted["present"].sum()))
    # Slots, and sources, in another order.
    order = rng.permutation(slots)
    turned = {name: value[:, order] for name, value in predicted.items()}
    assert scored(turned, true) == pytest.approx(figures)
