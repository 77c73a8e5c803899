import pytest
import torch

from bastzoo.acoustics.noise import ear_noise


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    return ear_noise(torch.arange(500), seed=5)


def test_noise_is_standard_normal(noise: torch.Tensor) -> None:
    assert noise.shape == (500, 2, 8_000)
    moments = [float((noise.double() ** k).mean()) for k in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.01)
    assert 4.5 < float(noise.abs().max()) < 6


def test_noise_is_white(noise: torch.Tensor) -> None:
    power = torch.fft.rfft(noise).abs().square().mean((0, 1))[1:-1] / 8_000
    assert float((power - 1).abs().max()) < 6 / 1_000**0.5


def test_ears_clips_and_seeds_are_independent_at_every_lag(noise: torch.Tensor) -> None:
    spectra = torch.fft.rfft(noise)
    other_seed = torch.fft.rfft(ear_noise(torch.arange(500), seed=6)[:, 0])
    for other in (spectra[:, 1], spectra[:, 0].roll(1, 0), spectra[:, 0].roll(7, 0), other_seed):
        correlation = torch.fft.irfft(spectra[:, 0] * other.conj()) / 8_000
        assert float(correlation.abs().max()) < 6.5 / 8_000**0.5


def test_noise_depends_on_seed_and_clip_alone(noise: torch.Tensor) -> None:
    chosen = torch.tensor([400, 3, 3, 77])
    assert torch.equal(ear_noise(chosen, seed=5), noise[chosen])


@pytest.mark.parametrize("number", [0, -1, 2**62, -(2**63)])
@pytest.mark.parametrize("seed", [0, -3, 2**80])
def test_any_number_and_seed_will_do(number: int, seed: int) -> None:
    noise = ear_noise(torch.tensor([number]), seed)
    assert bool(noise.isfinite().all())
    assert float(noise.std()) == pytest.approx(1, abs=0.05)


def test_single_precision_agrees_with_double(noise: torch.Tensor) -> None:
    double = ear_noise(torch.arange(500), seed=5, dtype=torch.float64)
    assert float((double - noise).abs().max()) < 5e-6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_makes_the_same_noise(noise: torch.Tensor) -> None:
    on_gpu = ear_noise(torch.arange(500, device="cuda"), seed=5).cpu()
    assert float((on_gpu - noise).abs().max()) < 5e-6
