"""How fast are clips made, next to a plain FFT convolution in one run; what does set-up cost?

`extra_info` holds clips a second; ratios between the columns of a group compare machines better.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.acoustics.listeners.listener import default_listener
from bastzoo.acoustics.noise import diffuse_filter
from bastzoo.acoustics.rendering import Renderer
from bastzoo.acoustics.rooms.shoebox import ANECHOIC, LECTURE_HALL, Room, binaural_responses
from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.data.environments import ri
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.experiment import Combination
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
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


def measure(benchmark: BenchmarkFixture, group: str, work: Callable[[], Tensor]) -> None:
    benchmark.group = group
    benchmark.pedantic(work, rounds=40, warmup_rounds=5)
    benchmark.extra_info["clips_per_second"] = round(BATCH / benchmark.stats.stats.median)


def test_naive_convolution(benchmark: BenchmarkFixture, scene: tuple, sounds: Tensor) -> None:
    """The yardstick: both spectra anew for every clip, at the next power of two."""
    name, _, responses, (sound, response) = scene
    length = 2 ** int(np.ceil(np.log2(CLIP_SAMPLES + responses.shape[-1] - 1)))

    def naive() -> Tensor:
        spectra = torch.fft.rfft(sounds[sound], length).unsqueeze(1)
        spectra = spectra * torch.fft.rfft(responses[response], length)
        return torch.fft.irfft(spectra, length)[..., :CLIP_SAMPLES]

    measure(benchmark, f"{name}: batch of {BATCH}", naive)


def test_rendering(benchmark: BenchmarkFixture, scene: tuple) -> None:
    name, renderer, _, batch = scene
    measure(benchmark, f"{name}: batch of {BATCH}", lambda: renderer.render(*batch))


def test_rendering_with_noise(benchmark: BenchmarkFixture, scene: tuple) -> None:
    name, renderer, _, batch = scene
    measure(benchmark, f"{name}: batch of {BATCH}", lambda: renderer.render(*batch, snr_db=10.0))


def test_rendering_with_diffuse_noise(benchmark: BenchmarkFixture, scene: tuple) -> None:
    name, renderer, _, batch = scene
    noise = diffuse_filter(default_listener(), "speech")[None]
    measure(
        benchmark,
        f"{name}: batch of {BATCH}",
        lambda: renderer.render(*batch, snr_db=10.0, noise_filter=noise),
    )


def test_rendering_and_frontend(benchmark: BenchmarkFixture, scene: tuple) -> None:
    name, renderer, _, batch = scene
    frontend = Spectrogram()
    group = f"{name}: batch of {BATCH}, with the spectrogram"
    measure(benchmark, group, lambda: frontend(renderer.render(*batch)))


SETUPS = {
    "1500 sounds": lambda: make_corpus(range(1_500), seed=0),
    "lecture hall, 36 azimuths": lambda: responses_of(LECTURE_HALL),
}


@pytest.mark.parametrize("what", SETUPS)
def test_set_up(benchmark: BenchmarkFixture, what: str) -> None:
    benchmark.group = "set-up"
    default_listener()
    benchmark.pedantic(SETUPS[what], rounds=3)


def test_set_up_of_a_renderer(benchmark: BenchmarkFixture, scene: tuple, sounds: Tensor) -> None:
    benchmark.group = "set-up"
    benchmark.pedantic(lambda: Renderer(sounds, scene[2]), rounds=3)


@pytest.mark.parametrize("preset", ["quick", "standard", "paper"])
@pytest.mark.parametrize("what", ["rendering and frontend", "step"])
def test_share_of_a_training_step(benchmark: BenchmarkFixture, preset: str, what: str) -> None:
    """What rendering takes of a step of `mamba/SUB/MIX/SP` on RI: divide the two of a preset.

    At `paper` on a CPU a step of 48 clips takes half a minute; 4 clips are rendered and stepped there.
    """
    values = load_preset(preset)
    size = values.data.model_copy(update={"train_sounds": 100})
    batch = 4 if preset == "paper" else values.recipe.batch
    workbench = Workbench(default_registry(), device="cpu")
    model = workbench.session.build(
        workbench.resolver.experiment(
            Combination(backbone="mamba", integration="SUB", loss="MIX", sharing="SP"),
            preset=values,
            environment="RI",
            seed=0,
        )
    ).train()
    clips = RenderedData(environment=ri(), size=size).split("train")
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    loss = default_registry().get("loss", "MIX").build()
    indices = torch.randint(len(clips), (batch,), generator=torch.Generator().manual_seed(0))

    def rendered() -> Tensor:
        return model.features(clips.take(indices).inputs)

    def step() -> None:
        part = clips.take(indices)
        loss(model(part.inputs), part.targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    benchmark.group = f"a step at {preset}, {batch} clips"
    work = step if what == "step" else rendered
    benchmark.pedantic(work, rounds=3 if preset == "paper" else 20, warmup_rounds=2)
