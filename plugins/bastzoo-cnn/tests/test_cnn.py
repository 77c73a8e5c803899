"""Convolutional backbones keep their promises; the filter bank is one of gammatones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bastzoo_cnn.spectral import Cnn
from bastzoo_cnn.waveform import Waveform, WaveLoc, gammatones

from bastzoo.errors import CombinationError, ComponentError
from bastzoo.experiment import Combination
from bastzoo.plugins import default_registry
from bastzoo.testing import BackboneSuite, FrontendSuite


class TestCnn(BackboneSuite):
    component = "cnn"


class TestWaveLoc(BackboneSuite):
    component = "waveloc"


class TestWaveform(FrontendSuite):
    component = "waveform"


def test_the_filters_are_tuned_from_low_to_high() -> None:
    spectra = np.abs(np.fft.rfft(gammatones(32, 512).numpy(), 4096))
    peaks = spectra.argmax(axis=1) * 16_000 / 4096
    assert (np.diff(peaks) > 0).all()
    assert peaks[0] == pytest.approx(70, abs=40)
    assert peaks[-1] == pytest.approx(7000, rel=0.05)
    assert np.allclose((gammatones(32, 64) ** 2).sum(dim=1), 1, atol=1e-5)


def test_the_level_of_a_clip_is_taken_away_and_that_between_the_ears_is_not() -> None:
    clips = torch.randn(2, 2, 8000) * torch.tensor([[1.0], [0.25]])
    features = Waveform()(clips)[:, :, 0, 0]
    assert torch.allclose(features.square().mean(dim=(1, 2)), torch.ones(2), atol=1e-4)
    ratio = features.square().mean(dim=2)
    assert torch.allclose(ratio[:, 0] / ratio[:, 1], torch.tensor(16.0), rtol=0.1)


def test_waveloc_with_a_spectrogram_is_refused_before_anything_runs() -> None:
    chosen = Combination(backbone="waveloc", integration="SUB", loss="MIX", sharing="SP")
    with pytest.raises(
        CombinationError, match=r"'waveloc' needs the output 'waveform'.*'spectrogram'"
    ):
        chosen.components(default_registry())


def test_sizes_that_do_not_fit_are_sentences() -> None:
    with pytest.raises(ComponentError, match="even width, not 31"):
        Cnn(input_shape=(1, 129, 61), dim=31, depth=1)
    with pytest.raises(ComponentError, match="--frontend waveform"):
        WaveLoc(input_shape=(1, 129, 61), dim=32, depth=1)
