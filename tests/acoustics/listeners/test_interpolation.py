"""Between measured directions: closer to the truth than the nearest one, and unchanged where measured."""

from __future__ import annotations

import numpy as np
import pytest

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.acoustics.listeners.interpolation import interpolated
from bastzoo.acoustics.listeners.listener import Listener, kemar
from bastzoo.acoustics.listeners.sofa import Measurement
from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of


def rows(listener: Listener, kept: np.ndarray) -> Listener:
    return Listener("part", listener.directions[kept], listener.responses[kept])


def itd(responses: np.ndarray) -> np.ndarray:
    places = np.zeros((len(responses), 3))
    onsets = Measurement(places, responses, np.zeros((len(responses), 2)), SAMPLE_RATE).onsets
    return 1e6 * (onsets[:, 0] - onsets[:, 1])


def spectral_error(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square of the level difference, dB, from 200 Hz to 7 kHz."""
    frequencies = np.fft.rfftfreq(256, 1 / SAMPLE_RATE)
    band = (frequencies > 200) & (frequencies < 7_000)
    levels = [20 * np.log10(np.abs(np.fft.rfft(x, 256))[..., band] + 1e-6) for x in (a, b)]
    return float(np.sqrt(np.mean((levels[0] - levels[1]) ** 2)))


@pytest.fixture(scope="module")
def ring() -> tuple[Listener, np.ndarray]:
    """KEMAR's horizontal directions, and the azimuth of each."""
    level = np.abs(elevation_of(kemar().directions)) < 0.1
    listener = rows(kemar(), level)
    return listener, np.rint(azimuth_of(listener.directions))


@pytest.mark.parametrize("whole", [True, False], ids=["all elevations", "one elevation"])
def test_every_second_azimuth_is_interpolated_back_better_than_the_nearest_is(
    ring: tuple[Listener, np.ndarray], whole: bool
) -> None:
    listener, azimuths = ring
    left_out = azimuths % 10 != 0
    coarse = rows(listener, ~left_out)
    if whole:
        others = np.abs(elevation_of(kemar().directions)) >= 0.1
        coarse = Listener(
            "part",
            np.concatenate([coarse.directions, kemar().directions[others]]),
            np.concatenate([coarse.responses, kemar().responses[others]]),
        )
    wanted, truth = listener.directions[left_out], listener.responses[left_out]
    fine = interpolated(coarse, wanted)
    found = fine.responses[fine.nearest(wanted)]
    nearest = coarse.responses[coarse.nearest(wanted)]
    assert spectral_error(found, truth) < 0.8 * spectral_error(nearest, truth)
    # KEMAR's own onsets jump by some 5 us from one azimuth to the next.
    errors = [np.median(np.abs(itd(x) - itd(truth))) for x in (found, nearest)]
    assert errors[0] < 12
    assert errors[0] < 0.5 * errors[1]


def test_measured_directions_and_those_outside_stay_as_they_are() -> None:
    listener = kemar()
    assert interpolated(listener, listener.directions[::7]) is listener
    below = direction_from_angles(np.arange(0, 360, 30), -80.0)
    assert interpolated(listener, below) is listener


def test_a_ring_says_nothing_of_other_elevations(ring: tuple[Listener, np.ndarray]) -> None:
    listener, _ = ring
    assert interpolated(listener, direction_from_angles(np.array([2.0, 3.0]), 30.0)) is listener


def test_an_interpolated_listener_is_another_head() -> None:
    wanted = direction_from_angles(np.array([2.5, 7.5]))
    fine = interpolated(kemar(), wanted)
    assert len(fine.directions) == len(kemar().directions) + 2
    assert fine.digest != kemar().digest
    assert fine.id != interpolated(kemar(), wanted[:1]).id
    np.testing.assert_allclose(fine.directions[fine.nearest(wanted)], wanted, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_what_has_no_inside_is_left_alone(count: int) -> None:
    frontal = direction_from_angles(90.0, np.linspace(-40, 60, count))
    listener = rows(kemar(), kemar().nearest(frontal))
    assert interpolated(listener, direction_from_angles(np.array([80.0, 5.0]), 10.0)) is listener


def test_a_gap_is_to_the_nearest_measured_direction_unless_close_ones_surround_it() -> None:
    plane = direction_from_angles(np.arange(0.0, 360.0, 5.0))
    assert kemar().gap(plane).max() < 1e-6
    fine = interpolated(kemar(), direction_from_angles(np.arange(2.5, 360.0, 5.0)))
    assert fine.gap(direction_from_angles(np.array([92.5, 0.0]))).max() < 1e-6
    sparse = rows(kemar(), kemar().nearest(direction_from_angles(np.arange(0.0, 360.0, 40.0))))
    between = direction_from_angles(np.array([20.0, 60.0]))
    np.testing.assert_allclose(sparse.gap(between), 20.0, atol=1.0)
    # Interpolated over 40 degrees is better than the nearest, and still a guess.
    assert len(interpolated(sparse, between).directions) == len(sparse.directions) + 2
    np.testing.assert_allclose(interpolated(sparse, between).gap(between), 20.0, atol=1.0)
    front = rows(kemar(), kemar().directions[:, 0] > 0)
    behind = direction_from_angles(np.array([180.0]))
    assert interpolated(front, behind).gap(behind)[0] > 80
