"""The mel frontend: the figures of librosa, and a defined answer to silence."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.errors import ComponentError
from bastzoo.zoo.mel import Mel, filter_bank


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tones() -> torch.Tensor:
    time = torch.arange(8000, dtype=torch.float64) / 16000
    left = torch.sin(2 * torch.pi * 440 * time) + 0.1 * torch.sin(2 * torch.pi * 3000 * time)
    right = torch.sin(2 * torch.pi * (300 + 2000 * time) * time)
    return 0.2 * torch.stack([left, right])[None]


@pytest.mark.parametrize(("window", "bands"), [(1024, 128), (2048, 128), (512, 40)])
def test_the_filter_bank_is_librosas(window: int, bands: int) -> None:
    theirs = librosa.filters.mel(sr=16000, n_fft=window, n_mels=bands, dtype=np.float64)
    mine = filter_bank(16000, 0.0, 8000.0, window, bands)
    np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-12)


def test_no_band_is_empty_and_a_shorter_window_would_leave_some() -> None:
    frontend = Mel()
    bank = filter_bank(16000, 0.0, 8000.0, frontend.window_length, frontend.bands)
    assert (bank.sum(axis=1) > 0).all()
    shorter = filter_bank(16000, 0.0, 8000.0, frontend.window_length // 2, frontend.bands)
    assert not (shorter.sum(axis=1) > 0).all()


@pytest.mark.parametrize("clips", [noise(1, 2, 8000).double(), tones()], ids=["noise", "tones"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 0.01)], ids=["double", "single"]
)
def test_decibels_are_librosas(clips: torch.Tensor, dtype: torch.dtype, tolerance: float) -> None:
    power = librosa.feature.melspectrogram(
        y=clips[0].numpy(), sr=16000, n_fft=512, hop_length=128, center=False, n_mels=128
    )
    theirs = librosa.power_to_db(power, amin=1e-10, top_db=80)
    mine = Mel().decibels(clips.to(dtype))[0].double().numpy()
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance)


@given(samples=st.integers(512, 9000))
@settings(max_examples=20, deadline=None)
def test_the_shape_is_known_beforehand(samples: int) -> None:
    features = Mel()(noise(1, 2, samples))
    assert tuple(features.shape[2:]) == Mel().output_shape(samples)


def test_a_clip_of_8000_samples_is_128_by_59() -> None:
    assert Mel().output_shape(8000) == (1, 128, 59)


def test_a_clip_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ComponentError, match="shorter than the mel frontend's window"):
        Mel().output_shape(511)


def test_features_have_mean_0_and_variance_1_over_both_ears() -> None:
    features = Mel()(noise(3, 2, 8000).double())
    np.testing.assert_allclose(features.mean(dim=(1, 2, 3, 4)), 0, atol=1e-12)
    np.testing.assert_allclose(features.var(dim=(1, 2, 3, 4), correction=0), 1, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_silence_and_constants_are_finite(value: float) -> None:
    clips = torch.full((1, 2, 8000), value)
    features = Mel()(clips)
    assert features.isfinite().all()
    if value == 0.0:
        assert (features == 0).all()


def test_exchanging_the_ears_exchanges_the_features_to_the_bit() -> None:
    clips = noise(2, 2, 8000)
    assert torch.equal(Mel()(clips.flip(1)), Mel()(clips).flip(1))


def test_a_clip_alone_has_the_features_that_it_has_in_a_batch() -> None:
    clips = noise(4, 2, 8000)
    torch.testing.assert_close(Mel()(clips)[2:3], Mel()(clips[2:3]), rtol=0, atol=1e-5)


def test_gradients_are_finite() -> None:
    clips = noise(1, 2, 8000).requires_grad_()
    Mel()(clips).square().sum().backward()
    assert clips.grad is not None
    assert clips.grad.isfinite().all()


def test_nothing_is_learned_and_nothing_is_saved() -> None:
    assert not Mel().state_dict()
