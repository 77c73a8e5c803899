"""Diffuse noise: its spectrum, its coherence between the ears, and the ratio it is mixed at."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from bastzoo.acoustics.listeners.listener import default_listener, virtual_listener
from bastzoo.acoustics.noise import diffuse_filter, ear_noise, filtered, speech_amplitude
from bastzoo.acoustics.rendering import Renderer
from bastzoo.acoustics.sounds.corpus import make_corpus

CLIPS = 400
FREQUENCIES = np.fft.rfftfreq(8_000, 1 / 16_000)


def spectra_of(spectrum: str, clips: int = CLIPS) -> np.ndarray:
    noise_filter = diffuse_filter(default_listener(), spectrum)[None]  # type: ignore[arg-type]
    noise = ear_noise(torch.arange(clips), seed=0)
    found = filtered(noise, noise_filter, torch.zeros(clips, dtype=torch.long))
    return np.fft.rfft(found.double().numpy())


def bands(values: np.ndarray, centres: list[float]) -> np.ndarray:
    """Means of `values` [..., F] over third octaves."""
    inside = [
        (c * 2 ** (-1 / 6) <= FREQUENCIES) & (c * 2 ** (1 / 6) > FREQUENCIES) for c in centres
    ]
    return np.stack([values[..., i].mean(axis=-1) for i in inside], axis=-1)


CENTRES = [160.0, 250.0, 400.0, 630.0, 1000.0, 1600.0, 2500.0, 4000.0, 6300.0]


@pytest.mark.parametrize("spectrum", ["white", "speech"])
def test_it_has_the_spectrum_that_a_diffuse_field_has_at_this_head(spectrum: str) -> None:
    power = (np.abs(spectra_of(spectrum)) ** 2).mean(axis=0)
    responses = np.fft.rfft(default_listener().responses, 8_000)
    field = (np.abs(responses) ** 2).mean(axis=0)  # the measured grid, not quite even
    if spectrum == "speech":
        field = field * speech_amplitude(FREQUENCIES) ** 2
    levels = 10 * np.log10(bands(power, CENTRES) / bands(field, CENTRES))
    assert np.ptp(levels) < 1.5


def test_speech_has_the_slope_of_the_standard() -> None:
    level = 20 * np.log10(speech_amplitude(np.array([75.0, 150.0, 250.0, 1000.0, 4000.0])))
    # ANSI S3.5-1997, normal effort: 31.44, 34.75, 25.01 and 9.33 dB; 12 dB an octave below.
    np.testing.assert_allclose(level, [-5.57, 6.43, 9.74, 0.0, -15.68], atol=0.01)
    assert speech_amplitude(np.zeros(1))[0] == 0


def test_the_ears_hear_one_field_at_low_frequencies_and_two_at_high_ones() -> None:
    left, right = spectra_of("white").transpose(1, 0, 2)
    cross = (left * right.conj()).mean(axis=0)
    powers = (np.abs(left) ** 2).mean(axis=0) * (np.abs(right) ** 2).mean(axis=0)
    coherence = bands(np.abs(cross) ** 2 / powers, [125.0, 250.0, 2000.0, 4000.0])
    assert coherence[0] > 0.75
    assert 0.3 < coherence[1] < 0.8
    assert (coherence[2:] < 0.05).all()


def test_independent_noise_has_no_coherence_so_the_test_above_can_fail() -> None:
    left, right = np.fft.rfft(ear_noise(torch.arange(CLIPS), 0).double().numpy()).transpose(1, 0, 2)
    cross = np.abs((left * right.conj()).mean(axis=0)) ** 2
    powers = (np.abs(left) ** 2).mean(axis=0) * (np.abs(right) ** 2).mean(axis=0)
    assert bands(cross / powers, [125.0])[0] < 0.05


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    responses = torch.from_numpy(default_listener().responses[:4].astype(np.float32))
    return Renderer(torch.from_numpy(make_corpus(range(6), 0).samples), responses)


def noisy(renderer: Renderer, **how: object) -> torch.Tensor:
    filters = torch.stack(
        [diffuse_filter(h, "speech") for h in (default_listener(), virtual_listener(3))]
    )
    sounds, responses = torch.arange(6), torch.arange(6) % 4
    return renderer.render(sounds, responses, noise_filter=filters, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("duration_ms", [None, 100.0])
def test_the_ratio_is_exact_for_each_clip_over_what_is_heard(
    renderer: Renderer, duration_ms: float | None
) -> None:
    ratios = torch.tensor([0.0, 5.0, 20.0, 40.0, -10.0, 60.0], dtype=torch.float64)
    clean = noisy(renderer, duration_ms=duration_ms).double()
    mixed = noisy(renderer, duration_ms=duration_ms, snr_db=ratios).double()
    heard = clean.shape[-1] if duration_ms is None else 1_600
    power, noise = (x[..., :heard].square().mean(dim=(1, 2)) for x in (clean, mixed - clean))
    found = 10 * torch.log10(power / noise)
    torch.testing.assert_close(found, ratios, atol=0.05, rtol=0)
    assert not mixed[..., heard:].any()


def test_an_infinite_ratio_is_the_clean_clip_to_the_last_bit(renderer: Renderer) -> None:
    ratios = torch.tensor([torch.inf, 5.0] * 3, dtype=torch.float64)
    clean, mixed = noisy(renderer), noisy(renderer, snr_db=ratios)
    assert torch.equal(clean[::2], mixed[::2])
    assert not torch.equal(clean[1::2], mixed[1::2])


def test_each_clip_takes_the_filter_of_its_head(renderer: Renderer) -> None:
    listeners = torch.tensor([0, 1, 0, 1, 0, 1])
    both = noisy(renderer, snr_db=0.0, noise_filter_index=listeners)
    first = noisy(renderer, snr_db=0.0)
    # Transforms of another batch may round the last bit differently.
    torch.testing.assert_close(both[::2], first[::2], atol=1e-6, rtol=0)
    assert (both[1::2] - first[1::2]).abs().amax() > 0.01


def test_the_noise_is_the_same_on_every_machine(renderer: Renderer) -> None:
    noise_filter = diffuse_filter(default_listener(), "speech")
    digest = hashlib.sha256(noise_filter.numpy().tobytes()).hexdigest()[:16]
    assert digest == "79bb873205cca52e"
