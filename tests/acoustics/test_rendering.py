import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bastzoo.acoustics.listeners.listener import default_listener
from bastzoo.acoustics.rendering import Renderer
from bastzoo.acoustics.rooms.shoebox import ANECHOIC, LECTURE_HALL, binaural_responses
from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.errors import DataError
from tests.acoustics.conftest import horizontal

SOUNDS = torch.from_numpy(make_corpus(range(24), seed=1).samples)
INDICES = torch.arange(24), torch.arange(24) % 8


def both_rooms() -> Tensor:
    """Responses of four azimuths, anechoic ones (padded) before those of the hall."""
    directions = horizontal(0, 40, 130, -100)
    short = binaural_responses(ANECHOIC, default_listener(), directions)
    long = binaural_responses(LECTURE_HALL, default_listener(), directions)
    padded = np.zeros_like(long)
    padded[..., : short.shape[-1]] = short
    return torch.from_numpy(np.concatenate([padded, long]))


RESPONSES = both_rooms()


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(SOUNDS, RESPONSES)


@pytest.fixture(scope="module")
def exact() -> Renderer:
    return Renderer(SOUNDS, RESPONSES, dtype=torch.float64)


def relative_error(clips: Tensor, expected: Tensor) -> float:
    """The largest error of any sample, as a share of its clip's peak."""
    peaks = expected.double().abs().amax((1, 2), keepdim=True)
    return float(((clips.double() - expected.double()) / peaks).abs().max())


def test_a_clip_is_the_sound_convolved_with_both_ears(exact: Renderer) -> None:
    clips = exact.render(*INDICES).numpy()
    for clip, sound, response in zip(clips[::5], *(part[::5] for part in INDICES), strict=True):
        for ear in (0, 1):
            direct = np.convolve(
                SOUNDS[sound].double().numpy(), RESPONSES[response, ear].double().numpy()
            )
            np.testing.assert_allclose(clip[ear], direct[:8_000], atol=1e-12)


def test_clips_are_the_same_on_every_machine(exact: Renderer) -> None:
    """When this fails on purpose, raise RENDERING_VERSION (data) too."""
    clips = exact.render(*INDICES, snr_db=20.0, clip_index=INDICES[0], seed=3)
    steps = np.rint(clips.numpy() * 2**15).astype("<i2")
    assert (
        hashlib.sha256(steps.tobytes()).hexdigest()
        == "3777632e58c7ead9aedda14cce3f7c994fd8e3f62795c838deddbb26c5cb2513"
    )


@pytest.mark.parametrize("options", [{}, {"snr_db": 0.0}], ids=["clean", "noisy"])
def test_single_precision_agrees_with_double(
    renderer: Renderer, exact: Renderer, options: dict[str, Any]
) -> None:
    clips = renderer.render(*INDICES, **options)
    assert clips.dtype == torch.float32
    assert relative_error(clips, exact.render(*INDICES, **options)) < 1e-5


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 23), min_size=1, max_size=24),
    st.sampled_from([None, -5.0, 20.0]),
    st.sampled_from([None, 1.0, 120.0]),
)
def test_a_clip_does_not_depend_on_its_batch(
    renderer: Renderer, chosen: list[int], snr_db: float | None, duration_ms: float | None
) -> None:
    """Bit for bit with MKL and pocketfft; GPUs may choose kernels by batch size."""
    options = {"snr_db": snr_db, "duration_ms": duration_ms, "seed": 9}
    together = renderer.render(*INDICES, clip_index=100 + INDICES[0], **options)
    rows = torch.tensor(chosen)
    some = renderer.render(INDICES[0][rows], INDICES[1][rows], clip_index=100 + rows, **options)
    assert torch.equal(some, together[rows])


def test_spectra_made_on_the_fly_give_the_same_clips(renderer: Renderer) -> None:
    frugal = Renderer(SOUNDS, RESPONSES, max_bytes=0)
    assert torch.equal(frugal.render(*INDICES), renderer.render(*INDICES))


def test_a_set_of_one_room_renders_as_in_a_mixed_set(renderer: Renderer) -> None:
    sounds, responses = INDICES[0][:4], torch.arange(4)
    mixed = renderer.render(sounds, responses)
    assert torch.equal(Renderer(SOUNDS, RESPONSES[:4, :, :160]).render(sounds, responses), mixed)
    hall = Renderer(SOUNDS, RESPONSES[4:]).render(sounds, responses)
    assert torch.equal(hall, renderer.render(sounds, responses + 4))


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 30.0])
def test_noise_lies_at_its_signal_to_noise_ratio(renderer: Renderer, snr_db: float) -> None:
    clean = renderer.render(*INDICES)
    noise = renderer.render(*INDICES, snr_db=snr_db) - clean
    ratio = clean.square().mean((1, 2)) / noise.square().mean((1, 2))
    assert float((10 * ratio.log10() - snr_db).abs().max()) < 0.2
    ears = noise / noise.square().mean((1, 2), keepdim=True).sqrt()
    assert float((ears[:, 0] * ears[:, 1]).mean(-1).abs().max()) < 5 / 8_000**0.5


def test_each_clip_can_have_its_own_ratio_and_infinite_means_clean(renderer: Renderer) -> None:
    ratios = torch.full((24,), 10.0)
    ratios[::2] = torch.inf
    mixed = renderer.render(*INDICES, snr_db=ratios)
    assert torch.equal(mixed[::2], renderer.render(*INDICES)[::2])
    assert torch.equal(mixed[1::2], renderer.render(*INDICES, snr_db=10.0)[1::2])


def test_seed_and_number_choose_the_noise(renderer: Renderer) -> None:
    def render(**options: Any) -> Tensor:
        return renderer.render(*INDICES, snr_db=0.0, **options)

    assert not torch.equal(render(), render(seed=1))
    assert not torch.equal(render(clip_index=INDICES[0]), render(clip_index=INDICES[0] + 1))
    pair = INDICES[0] * len(RESPONSES) + INDICES[1]
    assert torch.equal(render(), render(clip_index=pair))


def test_level_scales_clip_and_noise_alike(renderer: Renderer) -> None:
    plain = renderer.render(*INDICES, snr_db=5.0)
    half = renderer.render(*INDICES, snr_db=5.0, level_db=-20.0)
    torch.testing.assert_close(half, plain / 10, rtol=1e-5, atol=1e-9)
    levels = torch.linspace(-20, 20, 24)
    each = renderer.render(*INDICES, level_db=levels)
    expected = renderer.render(*INDICES) * 10 ** (levels[:, None, None] / 20)
    torch.testing.assert_close(each, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("duration_ms", [1.0, 100.0, 499.9, 500.0, 900.0])
def test_a_duration_ends_in_digital_silence(renderer: Renderer, duration_ms: float) -> None:
    end = min(8_000, round(16 * duration_ms))
    clips = renderer.render(*INDICES, snr_db=0.0, duration_ms=duration_ms)
    assert bool((clips[..., end:] == 0).all())
    noise = clips - renderer.render(*INDICES, duration_ms=duration_ms)
    assert bool((noise[..., :end] != 0).any(-1).all())
    clean = renderer.render(*INDICES)[..., :end]
    assert torch.equal(renderer.render(*INDICES, duration_ms=duration_ms)[..., :end], clean)
    if end > 1_000:  # the ratio holds over what is heard
        ratio = clean.square().mean((1, 2)) / noise[..., :end].square().mean((1, 2))
        assert float((10 * ratio.log10()).abs().max()) < 0.5


def test_what_makes_no_clip_is_refused_in_a_sentence(renderer: Renderer) -> None:
    with pytest.raises(DataError, match="leaves no sample"):
        renderer.render(*INDICES, duration_ms=0.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_renders_the_same_clips(exact: Renderer) -> None:
    on_gpu = Renderer(SOUNDS, RESPONSES, device="cuda")
    clips = on_gpu.render(*INDICES, snr_db=10.0).cpu()
    assert relative_error(clips, exact.render(*INDICES, snr_db=10.0)) < 1e-5
