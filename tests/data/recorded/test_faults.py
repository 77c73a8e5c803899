"""Faults: all of them told together, however many there are and whatever their words hold."""

from __future__ import annotations

import pytest

from bastzoo.data.recorded.faults import LISTED, Faults
from bastzoo.errors import DataError


def faults(count: int, what: str = "is empty; copy it again") -> Faults:
    found = Faults()
    for number in range(count):
        found.add(f"index.csv, row {number + 2}", what)
    return found


def told(found: Faults, **how: bool) -> list[str]:
    with pytest.raises(DataError) as caught:
        found.raise_for("'index.csv' has rows that cannot be used:", **how)
    return str(caught.value).split("\n")


def test_no_fault_raises_nothing() -> None:
    Faults().raise_for("never told")


def test_all_faults_are_told_together_with_their_place_and_the_way_on() -> None:
    assert told(faults(2)) == [
        "'index.csv' has rows that cannot be used:",
        "  - index.csv, row 2: is empty; copy it again",
        "  - index.csv, row 3: is empty; copy it again",
        "2 faults in all; --skip-bad goes on without them.",
    ]


def test_of_many_faults_the_first_twenty_are_told_and_all_are_counted() -> None:
    found = faults(331_200)
    lines = told(found)
    assert len(found) == 331_200
    assert len(list(found)) == LISTED == 20
    assert lines[20] == "  - index.csv, row 21: is empty; copy it again"
    assert lines[21:] == [
        "  - and 331,180 more",
        "331,200 faults in all; --skip-bad goes on without them.",
    ]


def test_skipping_is_not_offered_where_it_does_not_help() -> None:
    assert told(faults(1), skippable=False)[-1] == "1 fault in all."


def test_faults_of_another_part_come_behind() -> None:
    found, more = faults(15), faults(30, "is no WAV file; save it as 16-bit PCM WAV")
    found.extend(more)
    assert len(found) == 45
    sentences = list(found)
    assert len(sentences) == LISTED
    assert [sentence.split(": ")[1][:8] for sentence in sentences[13:17]] == [
        "is empty",
        "is empty",
        "is no WA",
        "is no WA",
    ]


@pytest.mark.parametrize("word", ["a\nb", "\x1b[31mred", "\udcff", "long" * 100_000])
def test_a_strangers_words_cannot_disturb_a_terminal(word: str) -> None:
    found = Faults()
    found.add(word, word)
    (sentence,) = found
    assert sentence.isprintable()
    assert len(sentence) < 1_000
    sentence.encode("utf-8")
