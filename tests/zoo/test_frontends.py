"""The spectrogram frontend: the figures of BAST and of scipy, and a defined answer to silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from bastzoo.errors import ComponentError
from bastzoo.zoo.frontends import RANGE_DB, Spectrogram

PARITY = np.load(Path(__file__).parents[1] / "parity" / "spectrogram.npz")
FINITE = np.isfinite(PARITY["spectrogram_db"])


def recordings(dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(PARITY["waveform"]).to(dtype)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_double_precision_agrees_with_bast():
    frontend = Spectrogram(full_scale=1.0)
    decibels = frontend.decibels(recordings(torch.float64)).numpy()
    np.testing.assert_allclose(
        decibels[FINITE], PARITY["spectrogram_db"][FINITE], rtol=0, atol=1e-4
    )
    normalised = frontend(recordings(torch.float64))[:, :, 0].numpy()
    np.testing.assert_allclose(normalised, PARITY["normalised"], rtol=0, atol=1e-5)


def test_single_precision_agrees_in_all_but_a_thousandth_of_the_bins():
    decibels = Spectrogram(full_scale=1.0).decibels(recordings(torch.float32)).numpy()
    off = np.abs(decibels - PARITY["spectrogram_db"])[FINITE] > 0.02
    assert off.mean() < 0.001


def test_digital_silence_is_0_db():
    decibels = Spectrogram(full_scale=1.0).decibels(recordings(torch.float32)).numpy()
    assert (~FINITE).any()
    assert (decibels[~FINITE] == 0).all()


@pytest.mark.parametrize("samples", [256, 383, 384, 1000, 8000])
@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_it_agrees_with_scipy_at_every_length(samples: int, sample_rate: int):
    clips = noise(2, 2, samples).double()
    frontend = Spectrogram(sample_rate=sample_rate, full_scale=1000.0)
    _, _, power = signal.spectrogram(
        1000 * clips.numpy(), fs=sample_rate, nperseg=256, noverlap=128
    )
    np.testing.assert_allclose(
        frontend.decibels(clips).numpy(), 20 * np.log10(power), rtol=0, atol=1e-6
    )
    assert frontend(clips).shape == (2, 2, *frontend.output_shape(samples))


def test_half_a_second_is_129_by_61():
    assert Spectrogram().output_shape(8000) == (1, 129, 61)


@given(
    value=st.floats(-1, 1, width=32),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=50, deadline=None)
def test_a_constant_clip_is_silent(value: float, dtype: torch.dtype):
    clips = torch.full((1, 2, 1000), value, dtype=dtype)
    assert (Spectrogram()(clips) == 0).all()


@given(
    exponent=st.integers(-40, 4),
    silent=st.sampled_from([(), (0,), (1,), (0, 1)]),
    gap=st.integers(0, 1024),
)
@settings(max_examples=50, deadline=None)
def test_no_clip_gives_nan(exponent: int, silent: tuple[int, ...], gap: int):
    clips = noise(1, 2, 1024) * 10.0**exponent
    clips[:, list(silent)] = 0
    clips[:, :, :gap] = 0
    assert Spectrogram()(clips).isfinite().all()


def test_both_ears_share_one_mean_and_one_spread():
    clips = noise(3, 2, 8000)
    clips[:, 1] /= 100
    features = Spectrogram()(clips)
    assert features.mean(dim=(1, 2, 3, 4)).abs().max() < 1e-5
    assert (features.var(dim=(1, 2, 3, 4), correction=0) - 1).abs().max() < 1e-4
    assert (
        features[:, 0].mean() - features[:, 1].mean()
    ) > 1  # the level difference is still there


def test_level_makes_no_difference():
    clips = noise(2, 2, 8000).double()
    frontend = Spectrogram()
    torch.testing.assert_close(frontend(clips), frontend(0.03 * clips))


def test_silence_is_the_quietest_part_of_a_clip():
    clips = noise(1, 2, 8000)
    clips[..., :4096] = 0
    features = Spectrogram()(clips)
    assert features[..., :31].max() < features[..., 32:].mean()


def test_the_rounding_error_of_a_renderer_counts_as_silence():
    clips = noise(1, 2, 8000)
    clips[..., :4096] = 0
    residue = clips.clone()
    residue[..., :4096] = 1e-8 * noise(1, 2, 4096, seed=1)
    frontend = Spectrogram()
    torch.testing.assert_close(frontend(residue), frontend(clips))


def test_a_pure_tone_spans_no_more_than_the_range():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(8000) / 16000).expand(1, 2, -1)
    decibels = Spectrogram().decibels(tone)
    assert (decibels.amax(2) - decibels.amin(2)).max() <= RANGE_DB + 0.01


def test_an_exchange_of_the_ears_exchanges_the_features_to_the_last_bit():
    clips = noise(4, 2, 8000)
    frontend = Spectrogram()
    assert torch.equal(frontend(clips.flip(1)), frontend(clips).flip(1))


def test_half_precision_clips_are_computed_in_single():
    features = Spectrogram()(noise(1, 2, 1000).half())
    assert features.dtype == torch.float32


def test_a_clip_shorter_than_the_window_is_a_sentence():
    with pytest.raises(ComponentError, match=r"255 samples is shorter than .* window of 256"):
        Spectrogram()(noise(1, 2, 255))


def test_gradients_flow_back_to_the_clips():
    clips = noise(1, 2, 384).double().requires_grad_()
    assert torch.autograd.gradcheck(Spectrogram(), clips, fast_mode=True)
