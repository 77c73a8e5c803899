"""The fused spectrogram: the figures of the frontend, also where they are awkward."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.ops.spectrogram import spectrograms
from bastzoo.zoo.frontends import Spectrogram


def fused(clips: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    frames = (clips.shape[1] - 256) // 128 + 1
    out = np.empty((len(clips), 2, 129, frames), dtype)
    spectrograms(clips, out)
    return out


def exact(clips: np.ndarray) -> np.ndarray:
    return Spectrogram()(doubles(clips))[:, :, 0].numpy()


def doubles(clips: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(clips).transpose(1, 2).double() / 2**15


def within(power_db: float, clips: np.ndarray) -> np.ndarray:
    """Which bins lie less than so many decibels of power below the loudest of their frame."""
    doubled = Spectrogram().decibels(doubles(clips)).numpy()  # 20·log10 of a power
    return doubled.max(axis=2, keepdims=True) - doubled <= 2 * power_db


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    """Recordings as `bastzoo data render` writes them: sounds at two ears, 8 dB apart, with a delay."""
    sounds = make_corpus(range(36), seed=0).samples.astype(np.float64)
    right = 0.4 * np.roll(sounds, 5, axis=1)
    return np.rint(np.stack([sounds, right], axis=2) * 0.9 * 2**15).astype(np.int16)


def test_it_gives_the_frontends_figures(clips: np.ndarray) -> None:
    """Where a bin lies far below the loudest of its frame, single precision has few digits left."""
    error = np.abs(fused(clips) - exact(clips))
    spread_db = 40.0  # of a clip's decibels, about: what one unit of the z-score stands for
    assert np.mean(error * spread_db > 0.02) < 1e-3
    assert np.quantile(error, 0.99) < 2e-5
    near = within(100, clips)
    assert near.mean() > 0.999
    assert error[near].max() < 2e-3


def test_half_precision_is_the_single_one_rounded_to_even(clips: np.ndarray) -> None:
    expected = fused(clips).astype(np.float16)
    np.testing.assert_array_equal(
        fused(clips, np.float16).view(np.uint16), expected.view(np.uint16)
    )


def test_an_exchange_of_the_ears_changes_no_bit(clips: np.ndarray) -> None:
    exchanged = fused(np.ascontiguousarray(clips[:, :, ::-1]))
    np.testing.assert_array_equal(exchanged, fused(clips)[:, ::-1])


def test_read_only_clips_are_taken(clips: np.ndarray) -> None:
    kept = np.frombuffer(clips[:2].tobytes(), np.int16).reshape(2, 8000, 2)
    np.testing.assert_array_equal(fused(kept), fused(clips[:2]))


def test_a_clip_does_not_depend_on_those_beside_it(clips: np.ndarray) -> None:
    whole = fused(clips)
    for row in (0, 17, 35):
        np.testing.assert_array_equal(fused(clips[row : row + 1])[0], whole[row])


AWKWARD = {
    "silence": np.zeros((8000, 2)),
    "one silent ear": np.stack([np.sin(np.arange(8000)) * 1000, np.zeros(8000)], axis=1),
    "constant": np.full((8000, 2), -12345),
    "one constant ear": np.stack([np.sin(np.arange(8000)) * 9000, np.full(8000, 77)], axis=1),
    "full-scale square": np.where(np.arange(8000)[:, None] // 20 % 2, -32768, 32767) * [[1, 1]],
    "an impulse": np.eye(8000, 2) * 32767,
    "silence, then sound": np.where(
        np.arange(8000)[:, None] < 4000, 0, np.sin(np.arange(8000))[:, None] * [[500, 90]]
    ),
    "one step": np.arange(8000)[:, None] % 2 * [[1, 0]],
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_clips_are_as_the_frontend_has_them(name: str) -> None:
    clip = AWKWARD[name].astype(np.int16)[None]
    found, expected = fused(clip), exact(clip)
    assert np.isfinite(found).all()
    # An impulse or a square leaves whole frames far below the loudest one, where digits are few.
    assert np.mean(np.abs(found - expected) > 1e-3) < 0.02


@pytest.mark.parametrize("samples", [256, 383, 384, 2304, 2432, 4000, 8001])
def test_every_length_has_as_many_frames_as_fit(samples: int) -> None:
    noise = np.random.default_rng(samples).normal(size=(2, samples, 2)) * 3000
    clips = noise.astype(np.int16)
    assert np.abs(fused(clips) - exact(clips)).max() < 0.02


@settings(max_examples=30, deadline=None, derandomize=True)
@given(arrays(np.int16, (1, 640, 2), elements=st.integers(-32768, 32767)))
def test_any_samples_give_finite_figures_close_to_the_frontends(clips: np.ndarray) -> None:
    found, expected = fused(clips), exact(clips)
    assert np.isfinite(found).all()
    # At worst the rounding errors of a single-precision transform add up to N ε = 1.5e-5 of the loudest
    # bin. Two clicks in a frame cancel in some bin; what is 40 dB down is right to 0.15 % even then.
    near = within(40, clips)
    # Bins that cancel exactly hold nothing but rounding, which moves mean and spread of the whole clip.
    terms = np.stack([expected[near], np.ones(near.sum())], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(terms, found[near], rcond=None)
    assert np.abs(terms @ [scale, shift] - found[near]).max() < 2e-4
    assert np.abs(found - expected)[near].max() < 0.05


@pytest.mark.parametrize(
    ("shape", "dtype", "out"),
    [
        ((1, 8000, 2), np.int32, (1, 2, 129, 61)),
        ((1, 8000, 1), np.int16, (1, 2, 129, 61)),
        ((1, 255, 2), np.int16, (1, 2, 129, 0)),
        ((1, 8000, 2), np.int16, (1, 2, 129, 62)),
        ((2, 8000, 2), np.int16, (1, 2, 129, 61)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    shape: tuple[int, ...], dtype: type, out: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        spectrograms(np.zeros(shape, dtype), np.empty(out, np.float32))


def test_nothing_is_written_behind_the_last_row(clips: np.ndarray) -> None:
    for dtype in (np.float16, np.float32):
        buffer = np.full(3 * 2 * 129 * 61 + 64, 7.0, dtype)
        out = buffer[:-64].reshape(3, 2, 129, 61)
        spectrograms(clips[:3], out)
        assert (buffer[-64:] == 7).all()
        np.testing.assert_array_equal(out, fused(clips[:3], dtype))


def test_the_module_imports_no_torch() -> None:
    code = "import sys, bastzoo.ops.spectrogram; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
