"""Tracks: what each trains and tests, and which data can answer it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bastzoo.cli.options import TRACK_NAMES
from bastzoo.conditions import (
    FAMILY_FOR_TRAINING,
    INDIVIDUALS_FOR_TRAINING,
    INGREDIENTS,
    MIXED_SNR,
    WILD,
    Condition,
    DataSource,
    wild_without,
)
from bastzoo.errors import CombinationError
from bastzoo.harness.tracks import (
    check_track,
    find_track,
    question_of,
    training_conditions,
    with_conditions,
)
from bastzoo.metrics.questions import QUESTIONS
from bastzoo.plugins import default_registry
from bastzoo.registry import Registry

RECORDED = DataSource(layout="bast", path="clips")
TRACKS = {name: find_track(name, default_registry()) for name in QUESTIONS}


def test_the_snr_track_is_0_to_40_db_in_steps_of_5_and_clean() -> None:
    track = TRACKS["snr"]
    labels = [case.label for case in track.cases]
    assert labels == [*(f"{snr} dB" for snr in range(0, 41, 5)), "clean"]
    assert {case.condition.noise for case in track.cases} == {"speech"}
    assert track.cases[-1].condition == Condition()
    assert track.conditions == (Condition(), Condition(snr_db=MIXED_SNR))


def test_the_heads_of_training_and_of_the_test_are_8_and_4_different_ones() -> None:
    seen, unseen = (set(case.condition.listeners) for case in TRACKS["unseen-head"].cases)
    assert (len(seen), len(unseen)) == (8, 4)
    assert not seen & unseen
    assert TRACKS["unseen-head"].conditions[0].listeners == tuple(sorted(seen))


def test_a_whole_clip_is_the_usual_condition_so_that_it_is_the_same_test() -> None:
    assert TRACKS["duration"].cases[-1].condition == Condition()
    durations = [case.condition.duration_ms for case in TRACKS["duration"].cases]
    assert durations == [100, 200, 300, 400, None]


def test_help_texts_name_all_tracks() -> None:
    assert TRACK_NAMES.split(", ") == [*TRACKS]


def test_no_listener_of_the_unseen_world_is_ever_trained_with() -> None:
    heard = {n for case in TRACKS["unseen-world"].cases for n in case.condition.listeners}
    assert not heard & {*WILD.listeners, *FAMILY_FOR_TRAINING, *INDIVIDUALS_FOR_TRAINING}


def test_a_track_is_found_without_case_and_every_environment_is_one() -> None:
    registry = default_registry()
    assert find_track("Unseen-HEAD", registry) == TRACKS["unseen-head"]
    assert find_track("ri02", registry).cases[0].environment == "RI02"
    with pytest.raises(CombinationError, match=r"no track named 'snrr'\. Did you mean 'snr'"):
        find_track("snrr", registry)


def test_a_track_that_is_not_what_its_record_says_is_refused() -> None:
    """Its results would be filed under another name, or ranked with those of another version."""
    record = default_registry().get("track", "snr")
    for changes in ({"name": "noise"}, {"name": "snr", "version": 2}):
        registry = Registry([replace(record, **changes)])
        with pytest.raises(
            CombinationError, match="calls itself 'snr', version 1; its record says"
        ):
            find_track(str(changes["name"]), registry)


def test_what_a_track_asks_is_known_without_its_plugin_where_it_is_built_in() -> None:
    assert [question_of(name, []) for name in TRACKS] == [t.question for t in TRACKS.values()]


def test_recorded_data_answers_for_rooms_and_for_nothing_else() -> None:
    check_track(TRACKS["cross-environment"], RECORDED)
    with pytest.raises(CombinationError, match=r"'snr' renders its clips .* RI_SNR_20"):
        check_track(TRACKS["snr"], RECORDED)
    with pytest.raises(CombinationError, match="which a CSV index does not tell apart"):
        check_track(TRACKS["cross-environment"], DataSource(layout="csv", path="index.csv"))


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        ((), [(None,)]),
        (("clean",), [(None,)]),
        (("MIX",), [MIXED_SNR]),
        (("20", "-5", "clean"), [(20.0,), (-5.0,), (None,)]),
    ],
)
def test_training_snrs_are_read_from_words(
    words: tuple[str, ...], levels: list[tuple[float | None, ...]]
) -> None:
    found = training_conditions(words, "speech", "own")
    assert [condition.snr_db for condition in found] == levels


@pytest.mark.parametrize("word", ["loud", "nan", "101", "inf", ""])
def test_what_is_no_snr_is_refused(word: str) -> None:
    with pytest.raises(CombinationError, match="is no signal-to-noise ratio"):
        training_conditions([word], "speech", "own")


def test_conditions_that_are_asked_for_take_the_place_of_the_tracks_own() -> None:
    given = training_conditions(["10"], "white", "family")
    track = with_conditions(TRACKS["duration"], given)
    assert track.conditions == (
        Condition(listeners=tuple(range(1, 9)), snr_db=(10.0,), noise="white"),
    )
    assert with_conditions(TRACKS["duration"], []) == TRACKS["duration"]


def test_every_ingredient_of_wild_can_be_left_out_and_is_named() -> None:
    each = training_conditions([], "speech", "own", left_out=["each"])
    assert each[0] == WILD
    assert [str(one) for one in each] == ["", *(f"without {name}" for name in INGREDIENTS)]
    assert wild_without([*INGREDIENTS]) == Condition(open_air=True)
    assert str(Condition(open_air=True)) == "in the open air"
    assert str(Condition()) == ""
    with pytest.raises(CombinationError, match="rooms alone are left"):
        wild_without([name for name in INGREDIENTS if name != "rooms"])
    with pytest.raises(CombinationError, match="has noise and listeners of its own"):
        training_conditions(["10"], "speech", "own", left_out=["noise"])
