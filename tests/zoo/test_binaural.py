"""The frontend `binaural`: its figures, from the definitions, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import get_window

from bastzoo.zoo.binaural import Binaural, band_weights
from bastzoo.zoo.frontends import Spectrogram, tukey

NOISE = np.random.default_rng(3).normal(size=8_000 + 64)


def ears(lead: int, gain: float) -> torch.Tensor:
    """A noise that the left ear hears `lead` samples earlier, `gain` times louder; noise of their own."""
    left, right = NOISE[32:8_032], NOISE[32 - lead : 8_032 - lead] / gain
    own = 0.01 * np.random.default_rng(4).normal(size=(2, 8_000))
    return torch.from_numpy(np.stack([left, right]) + own)[None]


def reference(clip: np.ndarray, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Level differences `[129, 61]` and correlations `[bands, 129, 61]`, straight from the docstring."""
    window = get_window(("tukey", 0.25), 256)
    starts = np.arange(61) * 128
    frames = np.stack([clip[:, s : s + 256] for s in starts], axis=1)
    spectra = np.fft.rfft((frames - frames.mean(-1, keepdims=True)) * window).swapaxes(1, 2)
    power = np.abs(spectra) ** 2
    floor = 1e-8 * power.max()
    level = 10 * np.log10((power[0] + floor) / (power[1] + floor)) / 20
    cross = spectra[0] * spectra[1].conj()
    phase = np.where((power > floor).all(axis=0), cross / np.abs(cross), 0)
    hertz = np.arange(129) * 16_000 / 256
    lags = np.linspace(-1e-3, 1e-3, 129)
    turns = np.exp(-2j * np.pi * lags[:, None] * hertz)
    found = [np.real((share * turns) @ phase) for share in band_weights(hertz, bands)]
    return level, np.stack(found)


@pytest.mark.parametrize("bands", [8, 3])
def test_figures_are_those_of_the_definition(bands: int) -> None:
    clip = ears(lead=7, gain=2.0)
    found = Binaural(bands=bands)(clip)[0]
    level, correlation = reference(clip[0].numpy(), bands)
    assert found.shape == (2, *Binaural(bands=bands).output_shape(8_000))
    for ear in (0, 1):
        np.testing.assert_allclose(found[ear, 1], level, atol=1e-6)
        np.testing.assert_allclose(found[ear, 2:], correlation, atol=1e-6)
    torch.testing.assert_close(found[:, :1], Spectrogram()(clip)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("lead", [-9, 0, 5])
def test_the_peak_lies_at_the_lead_of_the_left_ear(lead: int) -> None:
    found = Binaural()(ears(lead, gain=1.0))[0, 0, 2:].mean(dim=(0, 2))
    milliseconds = np.linspace(-1, 1, 129)[int(found.argmax())]
    assert milliseconds == pytest.approx(lead / 16, abs=0.02)


def test_what_one_ear_alone_hears_has_a_level_and_no_phase() -> None:
    clip = ears(0, 1.0)
    clip[:, 1] = 0
    found = Binaural()(clip)[0, 0]
    assert not found[2:].any()
    assert found[1].min() > 0.5
    assert found[1].mean() > 2.0
    assert not Binaural()(0 * clip).any()


@pytest.mark.parametrize("width", [64, 255, 256, 512])
def test_the_window_is_scipys(width: int) -> None:
    np.testing.assert_array_equal(tukey(width), get_window(("tukey", 0.25), width))
