"""Conditions: what makes two of them one, and how they read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bastzoo.conditions import MIXED_SNR, Condition


def test_two_conditions_without_noise_are_one_whatever_noise_they_do_not_have() -> None:
    assert Condition(noise="white") == Condition(noise="speech") == Condition()
    assert Condition(snr_db=(10.0,), noise="white") != Condition(snr_db=(10.0,), noise="speech")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition(), ""),
        (Condition(listeners=(3,)), "listener 3"),
        (Condition(listeners=tuple(range(1, 9))), "listeners 1-8"),
        (Condition(listeners=(1, 4)), "listeners 1, 4"),
        (Condition(snr_db=(20.0,)), "20 dB speech noise"),
        (Condition(snr_db=MIXED_SNR, noise="white"), "mixed white noise"),
        (Condition(snr_db=(None, 5.0)), "no, 5 dB speech noise"),
        (Condition(duration_ms=100, directions="between"), "first 100 ms, off the grid"),
        (Condition(directions="sphere"), "full sphere"),
    ],
)
def test_a_condition_reads_as_a_few_words(condition: Condition, words: str) -> None:
    assert str(condition) == words


@pytest.mark.parametrize(
    "values",
    [
        {"heads": ()},
        {"snr_db": ()},
        {"duration_ms": 0.0},
        {"duration_ms": 501.0},
        {"directions": "up"},
        {"colour": "red"},
    ],
)
def test_a_condition_that_cannot_be_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(values)


def test_a_condition_survives_json() -> None:
    condition = Condition(listeners=(1, 2), snr_db=(None, 5.0), duration_ms=200.0)
    assert Condition.model_validate_json(condition.model_dump_json()) == condition
