import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.acoustics.listeners.listener import (
    DEFAULT_DIGEST,
    TAPS,
    Listener,
    default_listener,
    frequency_scales,
    kemar,
    virtual_listener,
)
from bastzoo.errors import DataError
from tests.acoustics.conftest import horizontal


def interaural_delay(pair: np.ndarray) -> float:
    """Microseconds by which the left ear leads, from the cross-correlation at 16 times the rate."""
    spectra = np.fft.rfft(pair, 512)
    correlation = np.fft.irfft(spectra[1] * spectra[0].conj(), 512 * 16)
    lag = int(correlation.argmax())
    return (lag if lag < 4_096 else lag - 8_192) / (16 * 16_000) * 1e6


def mirrored(listener: Listener) -> np.ndarray:
    """For each direction of `listener` the index of its mirror image in the median plane."""
    return listener.nearest(listener.directions * [1, -1, 1])


def test_kemar_is_mirror_symmetric_to_the_last_bit() -> None:
    listener = kemar()
    np.testing.assert_array_equal(
        listener.responses[mirrored(listener)], listener.responses[:, ::-1]
    )
    assert listener.responses.shape == (710, 2, TAPS)


def test_the_default_listener_tells_front_from_back_by_its_ears_alone() -> None:
    """A symmetric listener gives both ears the same at 0 and 180 degrees; this one must not."""
    listener = default_listener()
    assert listener.id == virtual_listener(0).id
    assert not np.array_equal(listener.responses[mirrored(listener)], listener.responses[:, ::-1])
    spectra = np.abs(np.fft.rfft(listener.responses[listener.nearest(horizontal(0, 180))], 256))
    level_difference = 20 * np.log10(spectra[:, 0] / spectra[:, 1])[:, 4:120]
    assert np.abs(level_difference).mean(-1).min() > 1.0
    assert np.abs(level_difference[0] - level_difference[1]).mean() > 1.0


@pytest.mark.parametrize("index", range(13))
def test_virtual_listeners_have_a_human_interaural_delay_and_the_left_on_the_left(
    index: int,
) -> None:
    listener = virtual_listener(index)
    left, right = listener.responses[listener.nearest(horizontal(90, -90))]
    low, high = (600, 800) if index == 0 else (550, 850)
    assert low < interaural_delay(left) < high
    assert -high < interaural_delay(right) < -low
    energy = np.square([left, right]).sum(-1)
    assert energy[0, 0] > 3 * energy[0, 1]
    assert energy[1, 1] > 3 * energy[1, 0]


def test_scaling_moves_a_spectrum_along_frequency() -> None:
    """H'(f) = H(f / scale): the magnitude at 1.05 f is what KEMAR's left ear has at f."""
    plain, scaled = kemar(), default_listener()
    bins = np.arange(20, 300)
    before = np.abs(np.fft.rfft(plain.responses[:, 0], 1_000))[:, bins]
    after = np.abs(np.fft.rfft(scaled.responses[:, 0], 1_000))
    at_scaled = np.stack([np.interp(bins * 1.05, np.arange(501), row) for row in after])
    error = 20 * np.log10(at_scaled / before)
    assert np.median(np.abs(error)) < 0.3
    wrong = 20 * np.log10(after[:, bins] / before)
    assert np.median(np.abs(wrong)) > 3 * np.median(np.abs(error))


def test_the_family_spans_sizes_and_asymmetries_and_repeats_none() -> None:
    scales = np.array([frequency_scales(index) for index in range(200)])
    size, ratio = np.sqrt(scales[:, 0] * scales[:, 1]), scales[:, 0] / scales[:, 1]
    assert size.min() < 0.87
    assert size.max() > 1.16
    assert (np.abs(np.log(ratio)) > 0.019).all()
    assert (np.abs(np.log(ratio)) < 0.11).all()
    assert (ratio > 1).mean() == pytest.approx(0.5, abs=0.05)
    assert len({virtual_listener(index).digest for index in range(13)} | {kemar().digest}) == 14


@settings(max_examples=50, deadline=None)
@given(st.floats(-np.pi, np.pi), st.floats(-1.5, 1.5), st.floats(1e-3, 1e3))
def test_nearest_is_the_direction_at_the_smallest_angle(
    azimuth: float, elevation: float, length: float
) -> None:
    level = np.cos(elevation)
    direction = np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])
    found = kemar().nearest(length * direction)
    cosines = kemar().directions @ direction
    assert cosines[found] == pytest.approx(cosines.max(), abs=1e-12)


def test_nearest_keeps_the_shape_it_is_asked_for() -> None:
    directions = horizontal(0, 90, 180, -90).reshape(2, 2, 3)
    assert kemar().nearest(directions).shape == (2, 2)
    np.testing.assert_allclose(
        kemar().directions[kemar().nearest(directions)], directions, atol=1e-9
    )


def test_the_default_listener_is_the_same_on_every_machine() -> None:
    """When this fails because listeners were changed on purpose, raise RENDERING_VERSION (data) too."""
    golden = "8efb000b0a353e8d919dd96323535e7658ffa5040e581e65a973a6dfcc5f078b"
    assert default_listener().digest == golden == DEFAULT_DIGEST


def test_the_digest_depends_on_directions_and_responses() -> None:
    directions, responses = horizontal(0, 90), np.ones((2, 2, 4))
    digests = {
        Listener("a", directions, responses).digest,
        Listener("a", directions[::-1], responses).digest,
        Listener("a", directions, 2 * responses).digest,
    }
    assert len(digests) == 3
    assert Listener("b", directions, responses).digest in digests
    assert all(len(digest) == hashlib.sha256().digest_size * 2 for digest in digests)


def test_a_listener_cannot_be_changed_after_it_was_made() -> None:
    responses = np.ones((2, 2, 4))
    listener = Listener("a", horizontal(0, 90), responses)
    responses[:] = 0
    assert listener.responses.min() == 1
    with pytest.raises(ValueError, match="read-only"):
        listener.responses[0] = 0


@pytest.mark.parametrize(
    ("directions", "responses"), [((2, 3), (3, 2, 4)), ((2, 2), (2, 2, 4)), ((2, 3), (2, 2))]
)
def test_shapes_that_do_not_fit_are_refused(directions: tuple, responses: tuple) -> None:
    with pytest.raises(DataError, match="must be"):
        Listener("odd", np.ones(directions), np.ones(responses))


def test_there_is_no_listener_before_the_first() -> None:
    with pytest.raises(DataError, match="starts at 0"):
        virtual_listener(-1)
