"""Explanations are of this network and of this sound: they follow what the answer depends on."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import bastzoo as bz
from bastzoo.cli import cli
from bastzoo.errors import BastzooError, DataError, SetupError
from bastzoo.explanation.focus import (
    METHODS,
    Focus,
    focus,
    focus_and_error,
    likeness,
    maps_of,
    randomised,
)
from bastzoo.explanation.gradients import coefficients, waveform
from bastzoo.model import BinauralLocalizer


@pytest.fixture(scope="module")
def trained() -> BinauralLocalizer:
    return bz.load("quick-vanilla").model


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 1, 8000, generator=generator)
    return torch.cat([noise, 0.5 * noise.roll(8, dims=-1)], dim=1) * 0.1


class OneBand(torch.nn.Module):
    """Answers by the level of one ear between 2 and 3 kHz, and by nothing else."""

    def __init__(self, ear: int) -> None:
        super().__init__()
        self.ear = ear
        self.weight = torch.nn.Parameter(torch.ones(1))

    @property
    def head(self) -> OneBand:
        return self

    def forward(self, clips: torch.Tensor) -> dict[str, torch.Tensor]:
        spectrum = torch.fft.rfft(clips[:, self.ear])
        hertz = torch.fft.rfftfreq(clips.shape[-1], 1 / 16_000)
        band = spectrum[:, (hertz > 2000) & (hertz < 3000)].abs().square().sum(-1).log()
        angle = self.weight * band
        return {"vector": torch.stack([angle.cos(), angle.sin()], dim=-1)}

    def decode(self, outputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"direction": torch.nn.functional.pad(outputs["vector"], (0, 1))}


def test_saliency_finds_the_band_and_the_ear_that_decide(clips: torch.Tensor) -> None:
    for ear in (0, 1):
        found = focus(maps_of(OneBand(ear), clips))  # type: ignore[arg-type]
        assert found.share(1850, 3150) > 0.97
        assert found.left_share == pytest.approx(1.0 - ear, abs=1e-6)
        step = np.diff(found.frequencies[:2])[0] / 1000
        assert found.both.sum() * step == pytest.approx(1.0)


def test_saliency_is_in_degrees_per_neper(clips: torch.Tensor) -> None:
    model = OneBand(0)
    maps = maps_of(model, clips[:1])  # type: ignore[arg-type]
    # The whole band by one neper is two radians, since its power is the square.
    spectrum = coefficients(clips[:1])
    gain = torch.zeros((), requires_grad=True)
    outputs = model(waveform(spectrum * torch.exp(gain), 8000))["vector"]
    angle = torch.atan2(outputs[0, 1], outputs[0, 0])
    (slope,) = torch.autograd.grad(angle, gain)
    assert maps.unit == "degrees per neper"
    assert float(torch.rad2deg(slope)) == pytest.approx(np.degrees(2.0), rel=1e-3)
    assert maps.values.sum() >= np.degrees(2.0) - 0.1  # moduli: they do not cancel


def test_the_sound_survives_being_taken_apart(clips: torch.Tensor) -> None:
    assert torch.allclose(waveform(coefficients(clips), 8000), clips, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_maps_change_when_weights_are_randomised(
    method: str, trained: BinauralLocalizer, clips: torch.Tensor
) -> None:
    """Adebayo et al., Sanity checks for saliency maps, arXiv:1810.03292."""
    maps = maps_of(trained, clips, method)
    assert (maps.values >= 0).all()
    assert np.isfinite(maps.values).all()
    assert likeness(maps, maps_of(trained, clips, method)) == pytest.approx(1.0)
    assert likeness(maps, maps_of(randomised(trained), clips, method)) < 0.75


@pytest.mark.parametrize(
    ("backbone", "sharing"),
    [("vanilla", "SP"), ("vanilla", "NSP"), ("swin", "SP"), ("mamba", "SP"), ("conv", "SP")],
)
def test_every_backbone_has_a_saliency(backbone: str, sharing: str, clips: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = bz.create_model(backbone, sharing=sharing)
    maps = maps_of(model, clips[:1])
    assert maps.values.shape == (1, 2, 129, 63)
    assert maps.values.sum() > 0


def test_explaining_leaves_the_model_as_it_was(
    trained: BinauralLocalizer, clips: torch.Tensor
) -> None:
    def fused() -> list[bool]:
        return [module.fused_attn for module in trained.modules() if hasattr(module, "fused_attn")]

    with torch.no_grad():
        before = trained(clips)["vector"]
    was = fused()
    for method in METHODS:
        maps_of(trained, clips[:1], method)
    with torch.no_grad():
        assert torch.equal(trained(clips)["vector"], before)
    assert fused() == was
    assert all(parameter.grad is None for parameter in trained.parameters())


def test_rollout_of_attention_to_itself_alone_stays_where_it_is(clips: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = bz.create_model("vanilla", integration="ADD")
    maps = maps_of(model, clips, "rollout")
    assert maps.values.sum(axis=(1, 2, 3)) == pytest.approx(1.0)
    with torch.no_grad():
        for encoder in (*model.ears, model.fusion):
            for block in encoder.blocks:  # type: ignore[union-attr]
                block.attn.qkv.weight.zero_()  # every token looks at all alike
    even = maps_of(model, clips, "rollout").values
    assert even.max() == pytest.approx(even.min(), rel=1e-4)


def test_rollout_is_refused_where_it_means_nothing(clips: torch.Tensor) -> None:
    for model in (bz.create_model("swin"), bz.create_model("vanilla", frontend="gcc")):
        with pytest.raises(DataError, match="The method gradient"):
            maps_of(model, clips, "rollout")
    with pytest.raises(SetupError, match="no method 'lime'"):
        maps_of(bz.create_model("swin"), clips, "lime")


def test_what_cannot_be_explained_is_said(trained: BinauralLocalizer, clips: torch.Tensor) -> None:
    for bad, sentence in [
        (torch.zeros(1, 2, 8000), "silent"),
        (clips * torch.nan, "not finite"),
        (torch.zeros(1, 2, 1, 129, 61), "no waveform"),
    ]:
        with pytest.raises(DataError, match=sentence):
            maps_of(trained, bad)


def test_focus_goes_with_the_error_across_models_where_it_does() -> None:
    hertz = np.array([0.0, 1000.0, 2000.0])
    curves = [Focus(hertz, np.array([0.1, n, 1 - n]), np.zeros(3)) for n in (0.1, 0.2, 0.3, 0.4)]
    found = focus_and_error(curves, [8.0, 6.0, 4.0, 1.0])
    assert np.isnan(found[0])
    assert list(found[1:]) == pytest.approx([-1.0, 1.0])
    with pytest.raises(SetupError, match="four of them"):
        focus_and_error(curves[:3], [1.0, 2.0, 3.0])


def _recording(path: Path, samples: np.ndarray) -> str:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples.T * 32767).astype("<i2").tobytes())
    return str(path)


def test_the_command_draws_a_recording_and_says_bands(tmp_path: Path, clips: torch.Tensor) -> None:
    sound = _recording(tmp_path / "a <b>.wav", clips[0].numpy())
    plot = tmp_path / "why.svg"
    done = CliRunner().invoke(
        cli, ["explain", "quick-vanilla", sound, "--plot", str(plot)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "gradient-rollout" in done.stdout
    assert "0-1.5 kHz" in done.stdout
    assert "right ear" in plot.read_text()
    assert "frequency (kHz)" in (tmp_path / "why-focus.svg").read_text()
    silent = _recording(tmp_path / "silent.wav", np.zeros((2, 8000)))
    for args, sentence in [
        (["quick-vanilla", silent], "is silent"),
        (["quick-swin", sound, "--method", "rollout"], "The method gradient works for all"),
        (["quick-swin", "--plot", "a.txt"], "is no picture"),
    ]:
        with pytest.raises(BastzooError, match=sentence):
            CliRunner().invoke(cli, ["explain", "--plot", str(plot), *args], catch_exceptions=False)


def test_clips_of_the_test_split_are_spread_over_it_the_one_asked_for_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from types import SimpleNamespace

    from bastzoo.cli.reports.explain import _test_clips
    from bastzoo.harness.workbench.heard import HeardData

    asked: list[list[int]] = []

    class Ten:
        sound_ids, rooms = ("rain-0-0",), ("anechoic",)

        def __len__(self) -> int:
            return 10

        def take(self, indices: torch.Tensor) -> SimpleNamespace:
            asked.append(indices.tolist())
            zeros = torch.zeros(len(indices), dtype=torch.int64)
            return SimpleNamespace(inputs=indices, sounds=zeros, rooms=zeros)

    data = SimpleNamespace(split=lambda name: {"test": Ten()}[name])
    monkeypatch.setattr(HeardData, "of", lambda self, experiment: data)
    localizer = bz.load("quick-vanilla")
    assert _test_clips(localizer, 7, 3)[2] == "clip 7: rain-0-0, anechoic"
    _test_clips(localizer, None, 3)
    _test_clips(localizer, None, 99)
    assert asked == [[7, 1, 5], [1, 5, 8], [*range(10)]]
    with pytest.raises(DataError, match="There is no clip 10: the test split has 10, from 0"):
        _test_clips(localizer, 10, 3)
