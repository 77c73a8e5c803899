import hashlib
from dataclasses import replace

import numpy as np
import pytest

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.acoustics.listeners.listener import LEAD, Listener, default_listener, kemar
from bastzoo.acoustics.rooms.shoebox import (
    ANECHOIC,
    LECTURE_HALL,
    SPEED_OF_SOUND,
    Room,
    _images,
    _source,
    binaural_responses,
    wall_reflection,
)
from bastzoo.errors import DataError
from tests.acoustics.conftest import horizontal

GRID = np.arange(-170, 181, 10)
OFFICE = Room(
    "office", (6.0, 8.0, 2.7), 0.4, listener=(2.0, 3.0, 1.2), facing=0.0, source_distance=1.0
)


@pytest.fixture(scope="module")
def hall() -> np.ndarray:
    """The lecture hall's responses, in double precision, at every azimuth of the grid."""
    return binaural_responses(LECTURE_HALL, default_listener(), horizontal(*GRID)).astype(
        np.float64
    )


def reverberation_time(response: np.ndarray) -> float:
    """T30 (s) of a response [2, N] over both ears; what was cut off is taken to decay on."""
    energy = np.square(response).sum(0)
    early, late = energy[-2_400:-1_200].sum(), energy[-1_200:].sum()
    tail = late**2 / (early - late)
    decay = 10 * np.log10((np.cumsum(energy[::-1])[::-1] + tail) / (energy.sum() + tail))
    fitted = np.flatnonzero((decay <= -5) & (decay >= -35))
    return -60 / np.polyfit(fitted / SAMPLE_RATE, decay[fitted], 1)[0]


def test_an_anechoic_response_is_the_listener_s_own() -> None:
    listener = default_listener()
    responses = binaural_responses(ANECHOIC, listener, horizontal(0, 90))
    expected = listener.responses[listener.nearest(horizontal(0, 90))]
    np.testing.assert_array_equal(responses, expected.astype(np.float32))


def test_the_direct_sound_in_a_room_is_the_anechoic_response(hall: np.ndarray) -> None:
    """It comes first: the floor, 1.3 m below the ears, answers 72 samples later."""
    anechoic = binaural_responses(ANECHOIC, default_listener(), horizontal(*GRID))
    np.testing.assert_array_equal(hall[:, :, : LEAD + 30], anechoic[:, :, : LEAD + 30])
    assert hall.shape == (36, 2, 8_000)


def test_the_hall_reverberates_for_0_8_s_from_every_direction(hall: np.ndarray) -> None:
    times = [reverberation_time(response) for response in hall]
    assert min(times) > 0.8 * 0.85
    assert max(times) < 0.8 * 1.15


@pytest.mark.parametrize(("size", "rt60"), [((5.0, 4.0, 2.7), 0.3), ((20.0, 30.0, 8.0), 1.2)])
def test_any_room_reverberates_as_long_as_it_says(size: tuple, rt60: float) -> None:
    room = Room("other", size, rt60, listener=(2.2, 1.7, 1.3), facing=30.0, source_distance=1.0)
    response = binaural_responses(room, default_listener(), horizontal(40))[0].astype(np.float64)
    heard = int(min(0.5, 1.2 * rt60) * SAMPLE_RATE)
    assert reverberation_time(response[:, :heard]) == pytest.approx(rt60, rel=0.15)


def test_early_reflections_arrive_when_and_whence_geometry_says() -> None:
    """A listener of six directions, each known by the strength of its impulse in the left ear."""
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    responses = np.zeros((6, 2, 8))
    responses[:, 0, 0], responses[:, 1, 0] = np.arange(1, 7), 1.0
    left, right = binaural_responses(OFFICE, Listener("axes", axes, responses), axes[:1])[0]
    reflection = wall_reflection(OFFICE)
    paths = {  # the source stands at (3, 3, 1.2), the listener at (2, 3, 1.2) and faces +x
        "direct": ((1, 0, 0), 0, 1),
        "floor": ((1, 0, -2.4), 1, 6),
        "ceiling": ((1, 0, 3.0), 1, 3),
        "wall behind": ((-5, 0, 0), 1, 4),
        "right wall": ((1, -6, 0), 1, 5),
        "wall in front": ((7, 0, 0), 1, 1),
    }
    for name, (offset, order, strength) in paths.items():
        distance = float(np.linalg.norm(offset))
        arrival = (distance - 1.0) / SPEED_OF_SOUND * SAMPLE_RATE
        around = np.arange(max(0, round(arrival) - 8), round(arrival) + 9)
        peak = around[np.abs(right[around]).argmax()]
        assert abs(peak - arrival) <= 0.51, name
        # At 2 kHz, turned back by its delay, the reflection is a real number: its level.
        level = right[around] @ np.exp(2j * np.pi * 2_000 / SAMPLE_RATE * (around - arrival))
        assert abs(level / (reflection**order / distance) - 1) < 0.05, name
        assert left[peak] / right[peak] == pytest.approx(strength, rel=0.05), name


def test_images_agree_with_pyroomacoustics_one_by_one() -> None:
    import pyroomacoustics

    source = _source(OFFICE, horizontal(37)[0])
    offsets, orders = _images(OFFICE, source)
    theirs = pyroomacoustics.ShoeBox(
        OFFICE.size, materials=pyroomacoustics.Material(0.2), max_order=12, air_absorption=False
    )
    theirs.add_source(source)
    theirs.add_microphone(OFFICE.listener)
    theirs.image_source_model()
    images = theirs.sources[0].images.T - np.array(OFFICE.listener)

    near = np.linalg.norm(offsets, axis=-1) < 25
    close = np.linalg.norm(images, axis=-1) < 25
    assert near.sum() == close.sum() > 300

    def in_order(points: np.ndarray) -> np.ndarray:
        return np.lexsort(np.rint(points * 1e3).T)

    ours_first, theirs_first = in_order(offsets[near]), in_order(images[close])
    np.testing.assert_allclose(offsets[near][ours_first], images[close][theirs_first], atol=2e-5)
    np.testing.assert_array_equal(
        orders[near][ours_first], theirs.sources[0].orders[close][theirs_first]
    )


def test_turning_room_and_listener_together_changes_nothing() -> None:
    turned = replace(OFFICE, size=(8.0, 6.0, 2.7), listener=(5.0, 2.0, 1.2), facing=90.0)
    directions = horizontal(0, 50)
    np.testing.assert_allclose(
        binaural_responses(turned, kemar(), directions),
        binaural_responses(OFFICE, kemar(), directions),
        atol=1e-6,
    )


def test_a_mirrored_room_exchanges_the_ears_of_a_symmetric_head() -> None:
    """Up to few late images: the mirror images of KEMAR's directions lie up to 0.1 degrees off."""
    mirrored = replace(OFFICE, listener=(2.0, 5.0, 1.2))
    here = binaural_responses(OFFICE, kemar(), horizontal(50))
    there = binaural_responses(mirrored, kemar(), horizontal(-50))[:, ::-1]
    assert np.square(here - there).sum() < 1e-6 * np.square(here).sum()


def test_the_hall_is_not_symmetric_about_its_listener() -> None:
    left, right = binaural_responses(LECTURE_HALL, kemar(), horizontal(50, -50))
    difference = np.square(left - right[::-1]).sum()
    assert difference > 0.2 * np.square(left).sum()


def test_a_response_does_not_depend_on_its_neighbours(hall: np.ndarray) -> None:
    alone = binaural_responses(LECTURE_HALL, default_listener(), horizontal(30))
    np.testing.assert_array_equal(alone[0], hall[list(GRID).index(30)])


def test_the_hall_is_the_same_on_every_machine(hall: np.ndarray) -> None:
    """When this fails because rooms were changed on purpose, raise RENDERING_VERSION (data) too."""
    steps = np.rint(hall[::9] * 2**20).astype("<i4")
    assert (
        hashlib.sha256(steps.tobytes()).hexdigest()
        == "f824dd9d4e5b96f5f397019b7929af9ad647b380dfac806c83e1d892c32b0e14"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"listener": (7.0, 3.0, 1.2)}, "not inside"),
        ({"size": (6.0, float("nan"), 3.0)}, "not inside"),
        ({"rt60": 0.0}, "RT60 of 0.0 s"),
        ({"source_distance": -1.0}, "distance of 0 to 100 m"),
        ({"facing": float("inf")}, "distance of 0 to 100 m"),
        ({"size": (1.0, 1.0, 1.0), "rt60": 2.0, "listener": (0.2, 0.2, 0.2)}, "or shorten"),
    ],
)
def test_a_room_that_cannot_be_is_refused_in_a_sentence(change: dict, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        replace(OFFICE, **change)


def test_a_source_behind_a_wall_is_refused_in_a_sentence() -> None:
    with pytest.raises(DataError, match="outside the room office"):
        binaural_responses(replace(OFFICE, source_distance=2.5), kemar(), horizontal(180))


def test_a_reverberation_time_out_of_reach_is_refused_in_a_sentence() -> None:
    with pytest.raises(DataError, match="too long or too short"):
        wall_reflection(
            replace(OFFICE, size=(90.0, 90.0, 90.0), listener=(40.0, 40.0, 40.0), rt60=0.02)
        )
