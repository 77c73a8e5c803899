"""Promises of the baselines: the cues are the true ones, and each method finds what its cue can tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.directions import azimuth_of, direction_from_angles
from bastzoo.errors import DataError
from bastzoo.metrics.localization import localization_metrics
from bastzoo.registry import Registry
from bastzoo.zoo import baselines, bastzoo_baselines
from bastzoo.zoo.baselines.cues import (
    gcc_phat,
    interaural_level_differences,
    interaural_time_differences,
)

RATE, SAMPLES = 16_000, 8_000
GRID = np.arange(-160, 181, 20)
LISTENING = ["ItdTemplate", "IldTemplate", "ItdIldTemplate", "GccPhatRidge"]


def noise(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, SAMPLES, generator=torch.Generator().manual_seed(seed))


def heard(sounds: torch.Tensor, itd_us: torch.Tensor, ild_db: torch.Tensor) -> torch.Tensor:
    """Clips `[B, 2, 8000]` whose left ear leads by `itd_us` `[B]` and is louder by `ild_db` `[B, F]`."""
    spectra = torch.fft.rfft(sounds.double(), 2 * SAMPLES)
    frequencies = torch.fft.rfftfreq(2 * SAMPLES, 1 / RATE).double()
    lead = torch.exp(1j * torch.pi * frequencies * itd_us[:, None].double() * 1e-6)
    louder = 10 ** (ild_db.double() / 40)
    ears = torch.stack([spectra * lead * louder, spectra / lead / louder], dim=1)
    return torch.fft.irfft(ears)[..., :SAMPLES].float()


def spherical_head(azimuth: np.ndarray, sounds: torch.Tensor) -> torch.Tensor:
    """A head whose time difference cannot tell front from back and whose level differences can."""
    degrees = torch.as_tensor(azimuth, dtype=torch.float64)
    frequencies = torch.fft.rfftfreq(2 * SAMPLES, 1 / RATE).double()
    side, front = torch.sin(degrees.deg2rad()), torch.cos(degrees.deg2rad())
    shadow = 12 * side[:, None] * (frequencies / 8_000).sqrt()
    pinna = 6 * front[:, None] * torch.sin(frequencies / 900)
    return heard(sounds, 650 * side, shadow + pinna)


def clips_from_everywhere(sounds: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    azimuth = np.tile(GRID, sounds)
    clips = spherical_head(azimuth, noise(sounds, seed).repeat_interleave(len(GRID), dim=0))
    return clips, torch.as_tensor(direction_from_angles(azimuth), dtype=torch.float32)


@pytest.fixture(scope="module")
def training():
    return clips_from_everywhere(sounds=12, seed=1)


@pytest.fixture(scope="module")
def test():
    return clips_from_everywhere(sounds=4, seed=2)


def scores(name, training, test):
    baseline = getattr(baselines, name)()
    baseline.fit(*training)
    answers = baseline.predict(test[0])
    assert answers.dtype == torch.float32
    np.testing.assert_allclose(answers.norm(dim=1), 1, rtol=1e-5)
    sounds = np.zeros(len(answers), dtype=np.int64)
    return localization_metrics(answers.numpy(), test[1].numpy(), sounds=sounds)


@given(itd=st.floats(-900, 900), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_time_differences_are_measured_to_two_microseconds_between_samples(itd, seed):
    # Faded: a delay moves the ends of a sound in and out of the clip.
    sound = noise(1, seed) * torch.hann_window(SAMPLES)
    clips = heard(sound, torch.tensor([itd]), torch.zeros(1, 1))
    np.testing.assert_allclose(interaural_time_differences(clips)[0], itd, atol=2)


@given(ild=st.floats(-40, 40), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_level_differences_are_measured_to_a_tenth_of_a_decibel(ild, seed):
    clips = heard(noise(1, seed), torch.zeros(1), torch.full((1, 1), ild))
    np.testing.assert_allclose(interaural_level_differences(clips)[0], ild, atol=0.1)


def test_exchanged_ears_turn_every_difference_round():
    clips = spherical_head(np.array([50.0, -20.0, 140.0]), noise(3, 3))
    for cue in (interaural_time_differences, interaural_level_differences):
        torch.testing.assert_close(cue(clips.flip(1)), -cue(clips), atol=0.1, rtol=1e-3)
    lags = gcc_phat(clips).reshape(3, -1, 33)
    torch.testing.assert_close(
        gcc_phat(clips.flip(1)).reshape(lags.shape), lags.flip(2), atol=1e-4, rtol=0
    )


def test_gcc_phat_peaks_where_the_left_ear_leads_whatever_the_spectrum():
    coloured = torch.cumsum(noise(1, 4), dim=1)
    clips = torch.stack([coloured.roll(-5, 1), coloured], dim=1)
    lags = gcc_phat(clips).reshape(-1, 33)
    assert (lags.argmax(1) == 16 + 5).all()
    assert lags.max() <= 1 + 1e-4


def test_cues_do_not_depend_on_level_or_on_the_clips_beside_them():
    clips = spherical_head(np.linspace(-90, 90, 300), noise(300, 5))
    for cue in (interaural_time_differences, interaural_level_differences, gcc_phat):
        whole = cue(clips)
        torch.testing.assert_close(whole[290:], cue(1e-3 * clips[290:]), atol=0.05, rtol=1e-3)


def test_bands_that_are_not_heard_have_no_cue():
    time = torch.arange(SAMPLES) / RATE
    tone = torch.sin(2 * torch.pi * 1000 * time) * torch.hann_window(SAMPLES)
    clips = tone.expand(1, 2, -1)
    for cue in (interaural_time_differences, interaural_level_differences):
        measured = cue(clips)[0]
        assert measured.isnan().any()
        np.testing.assert_allclose(measured[measured.isfinite()], 0, atol=0.1)


def test_time_differences_alone_confuse_front_and_back_but_not_sides(training, test):
    metrics = scores("ItdTemplate", training, test)
    assert metrics["lateral_error"] < 2
    assert 0.2 < metrics["front_back_rate"] < 0.8


@pytest.mark.parametrize("name", ["IldTemplate", "ItdIldTemplate"])
def test_level_differences_tell_every_direction_of_a_head_with_pinnae(name, training, test):
    assert scores(name, training, test)["ad_mean"] < 1


def test_the_ridge_regression_finds_the_side(training, test):
    metrics = scores("GccPhatRidge", training, test)
    assert metrics["lateral_error"] < 2
    assert metrics["left_right_rate"] == 0


def test_one_band_that_is_far_off_does_not_mislead_a_template(training, test):
    # A note of 2 kHz at the right ear alone, ten times as strong as all else.
    clips, directions = test
    time = torch.arange(SAMPLES) / RATE
    disturbed = clips.clone()
    disturbed[:, 1] += 3 * torch.sin(2 * torch.pi * 2000 * time)
    assert scores("ItdIldTemplate", training, (disturbed, directions))["ad_mean"] < 5


def test_a_direction_that_lacks_a_band_in_training_is_not_favoured_for_it(training, test):
    # Low-passed clips from the front only: their templates say nothing of high frequencies.
    clips, directions = training[0].clone(), training[1]
    ahead = directions[:, 0] > 0.999
    spectra = torch.fft.rfft(clips[ahead])
    spectra[..., 1000:] = 0
    clips[ahead] = torch.fft.irfft(spectra, SAMPLES)
    assert scores("IldTemplate", (clips, directions), test)["ad_mean"] < 1


@pytest.mark.parametrize("name", LISTENING)
def test_answers_do_not_depend_on_batches(name, training, test):
    baseline = getattr(baselines, name)()
    baseline.fit(*training)
    parts = [baseline.predict(part) for part in test[0].split(7)]
    torch.testing.assert_close(torch.cat(parts), baseline.predict(test[0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", LISTENING)
def test_silence_and_nan_have_no_direction_and_harm_no_other_clip(name, training, test):
    clips, directions = (torch.cat([x, x[:2]]) for x in training)
    clips[-2] = 0
    clips[-1, 1, 100] = torch.nan
    baseline = getattr(baselines, name)()
    baseline.fit(clips, directions)
    answers = baseline.predict(torch.cat([test[0][:5], clips[-2:]]))
    assert answers[:5].isfinite().all()
    assert answers[5:].isnan().all()


@pytest.mark.parametrize("name", LISTENING)
@pytest.mark.parametrize(("count", "what"), [(0, "no clips"), (2, "none of the training clips")])
def test_training_on_nothing_is_refused_in_a_sentence(name, count, what):
    with pytest.raises(DataError, match=what):
        getattr(baselines, name)().fit(torch.zeros(count, 2, SAMPLES), torch.ones(count, 3))


@pytest.mark.parametrize("name", LISTENING)
def test_a_baseline_that_was_not_fitted_says_so(name):
    with pytest.raises(RuntimeError, match="before fit"):
        getattr(baselines, name)().predict(torch.zeros(1, 2, SAMPLES))


def test_templates_answer_with_a_training_direction(training):
    baseline = baselines.ItdIldTemplate()
    baseline.fit(*training)
    between = spherical_head(np.linspace(-175, 175, 40), noise(40, 6))
    azimuth = azimuth_of(baseline.predict(between).double().numpy())
    assert set(np.round(azimuth, 2)) <= set(GRID.astype(float))


def test_chance_is_uniform_reproducible_and_independent_of_batches():
    clips = torch.zeros(4000, 2, 1)
    chance = baselines.Chance(seed=3)
    chance.fit(clips, torch.zeros(4000, 3))
    whole = chance.predict(clips)
    chance.fit(clips, torch.zeros(4000, 3))
    torch.testing.assert_close(torch.cat([chance.predict(c) for c in clips.split(17)]), whole)
    assert not torch.equal(baselines.Chance(seed=4).predict(clips), whole)
    target = direction_from_angles(np.tile(GRID, 223))[:4000]
    metrics = localization_metrics(whole.numpy(), target, sounds=np.zeros(4000, dtype=np.int64))
    assert metrics["ad_mean"] == pytest.approx(90, abs=3)
    assert metrics["front_back_rate"] == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("name", [c.name for c in bastzoo_baselines()])
def test_every_registered_baseline_can_be_built_fitted_and_asked(name, training):
    baseline = Registry(bastzoo_baselines()).get("baseline", name).build(seed=0)
    baseline.fit(*(x[:90] for x in training))
    assert baseline.predict(training[0][:3]).shape == (3, 3)


def test_real_clips_are_localized_far_better_than_by_chance():
    heads = pytest.importorskip("bastzoo.acoustics.listeners.listener")
    rooms = pytest.importorskip("bastzoo.acoustics.rooms.shoebox")
    sounds = pytest.importorskip("bastzoo.acoustics.sounds.corpus")
    directions = direction_from_angles(GRID)
    responses = rooms.binaural_responses(rooms.ANECHOIC, heads.default_listener(), directions)
    spectra = torch.fft.rfft(torch.from_numpy(responses), 8192)

    def render(numbers):
        samples = torch.from_numpy(sounds.make_corpus(numbers, 0).samples)
        clips = torch.fft.irfft(torch.fft.rfft(samples, 8192)[:, None, None] * spectra)
        targets = torch.as_tensor(directions, dtype=torch.float32).repeat(len(samples), 1)
        return clips[..., :SAMPLES].flatten(0, 1), targets

    metrics = scores("ItdIldTemplate", render(range(24)), render(range(24, 36)))
    assert metrics["ad_mean"] < 5
