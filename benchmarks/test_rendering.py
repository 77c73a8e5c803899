"""How fast are clips made, next to a plain FFT convolution in turns; what does set-up cost?

What they take of a training step is in test_training.py.
"""

from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from reporting import beside_a_product, seconds_of
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.acoustics.listeners.listener import default_listener
from bastzoo.acoustics.noise import diffuse_filter
from bastzoo.acoustics.rendering import Renderer
from bastzoo.acoustics.rooms.shoebox import ANECHOIC, LECTURE_HALL, Room, binaural_responses
from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.zoo.frontends import Spectrogram

BATCH = 64
ROOMS = {"RI01": (ANECHOIC,), "RI02": (LECTURE_HALL,), "RI": (ANECHOIC, LECTURE_HALL)}
AZIMUTHS = np.radians(np.arange(-170, 181, 10))
DIRECTIONS = np.stack([np.cos(AZIMUTHS), np.sin(AZIMUTHS), 0 * AZIMUTHS], axis=-1)
SOUNDS = 240

Batch = tuple[Tensor, Tensor]


def responses_of(*rooms: Room) -> Tensor:
    each = [binaural_responses(room, default_listener(), DIRECTIONS) for room in rooms]
    taps = max(part.shape[-1] for part in each)
    padded = [np.pad(part, ((0, 0), (0, 0), (0, taps - part.shape[-1]))) for part in each]
    return torch.from_numpy(np.concatenate(padded))


@pytest.fixture(scope="module")
def sounds() -> Tensor:
    return torch.from_numpy(make_corpus(range(SOUNDS), seed=0).samples)


@pytest.fixture(scope="module", params=ROOMS)
def scene(request: pytest.FixtureRequest, sounds: Tensor) -> tuple[str, Renderer, Tensor, Batch]:
    """An environment's name, its renderer, its responses, and a batch of random clips."""
    responses = responses_of(*ROOMS[request.param])
    chosen = torch.Generator().manual_seed(0)
    batch = (
        torch.randint(SOUNDS, (BATCH,), generator=chosen),
        torch.randint(len(responses), (BATCH,), generator=chosen),
    )
    return request.param, Renderer(sounds, responses), responses, batch


@pytest.fixture
def measure(
    benchmark: BenchmarkFixture, ratio: Callable[[float, str], None], scene: tuple, sounds: Tensor
) -> Callable[[Callable[[], Tensor]], None]:
    """Time a batch in turns with the yardstick: both spectra anew for a clip, at the next power of two."""
    name, _, responses, (sound, response) = scene
    length = 2 ** int(np.ceil(np.log2(CLIP_SAMPLES + responses.shape[-1] - 1)))

    def naive() -> Tensor:
        spectra = torch.fft.rfft(sounds[sound], length).unsqueeze(1)
        spectra = spectra * torch.fft.rfft(responses[response], length)
        return torch.fft.irfft(spectra, length)[..., :CLIP_SAMPLES]

    def timed(work: Callable[[], Tensor]) -> None:
        others: list[float] = []
        benchmark.group = f"{name}: batch of {BATCH}"
        benchmark.pedantic(
            work,
            setup=lambda: others.append(seconds_of(naive, 1)),
            rounds=40,
            warmup_rounds=5,
        )
        ratio(median(others) / benchmark.stats.stats.median, "plain convolution")

    return timed


def test_rendering(measure: Callable, scene: tuple) -> None:
    _, renderer, _, batch = scene
    measure(lambda: renderer.render(*batch))


def test_rendering_with_noise(measure: Callable, scene: tuple) -> None:
    _, renderer, _, batch = scene
    measure(lambda: renderer.render(*batch, snr_db=10.0))


def test_rendering_with_diffuse_noise(measure: Callable, scene: tuple) -> None:
    _, renderer, _, batch = scene
    noise = diffuse_filter(default_listener(), "speech")[None]
    measure(lambda: renderer.render(*batch, snr_db=10.0, noise_filter=noise))


def test_rendering_and_frontend(measure: Callable, scene: tuple) -> None:
    _, renderer, _, batch = scene
    frontend = Spectrogram()
    measure(lambda: frontend(renderer.render(*batch)))


SETUPS = {
    "1500 sounds": lambda: make_corpus(range(1_500), seed=0),
    "lecture hall, 36 azimuths": lambda: responses_of(LECTURE_HALL),
}


@pytest.mark.parametrize("what", SETUPS)
def test_set_up(benchmark: BenchmarkFixture, ratio: Callable, what: str) -> None:
    benchmark.group = "set-up"
    default_listener()
    beside_a_product(benchmark, ratio, SETUPS[what], rounds=3)


def test_set_up_of_a_renderer(
    benchmark: BenchmarkFixture, ratio: Callable, scene: tuple, sounds: Tensor
) -> None:
    benchmark.group = "set-up"
    beside_a_product(benchmark, ratio, lambda: Renderer(sounds, scene[2]), rounds=3)
