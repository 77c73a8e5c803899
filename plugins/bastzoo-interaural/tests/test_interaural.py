"""Frontends with phase: they keep their kind's promises, and say by how much an ear leads."""

from __future__ import annotations

import math

import pytest
import torch
from bastzoo_interaural.frontends import Btff, Gcc, Ipd
from torch import Tensor

from bastzoo.model import BinauralLocalizer
from bastzoo.plugins import default_registry
from bastzoo.testing import FrontendSuite
from bastzoo.testing.suites.backbones import SHAPES
from bastzoo.zoo.frontends import Spectrogram
from bastzoo.zoo.heads import Azimuth
from bastzoo.zoo.integrations import Add

FRONTENDS = {"ipd": Ipd, "gcc": Gcc, "btff": Btff}


class TestIpd(FrontendSuite):
    component = "ipd"


class TestGcc(FrontendSuite):
    component = "gcc"


class TestBtff(FrontendSuite):
    component = "btff"


def delayed(samples: int, *, gain: float = 1.0) -> Tensor:
    """Noise that the left ear hears so many samples before the right one (after it, if negative)."""
    noise = 0.1 * torch.randn(8100, generator=torch.Generator().manual_seed(3))
    return torch.stack([gain * noise[50:8050], noise[50 - samples : 8050 - samples]])[None]


@pytest.mark.parametrize("lead", [-12, -3, 0, 5, 16])
def test_the_correlograms_peak_at_the_delay(lead: int) -> None:
    features = Gcc()(delayed(lead))
    lags = torch.linspace(-1e3, 1e3, 129)  # microseconds
    together = features[0, 0, 1:].mean(dim=(0, 2))
    assert abs(lags[together.argmax()] - lead / 16e3 * 1e6) < 16


@pytest.mark.parametrize("lead", [-8, 0, 8])
def test_btff_says_the_delay_below_1500_hz_only(lead: int) -> None:
    frontend = Btff()
    delay = frontend(delayed(lead))[0, 0, 3]
    low = frontend._centres() < 1500
    assert torch.allclose(delay[low].median(), torch.tensor(lead / 16), atol=0.02)
    assert not delay[~low].any()


def test_btff_says_the_level_above_5_khz_only() -> None:
    frontend = Btff()
    level = frontend(delayed(0, gain=2.0))[0, 0, 4]
    high = frontend._centres() >= 5000
    assert torch.allclose(level[high], torch.tensor(math.log10(2.0)))
    assert not level[~high].any()


def test_the_phase_between_the_ears_is_that_of_a_delay() -> None:
    cosine, sine = Ipd()(delayed(4))[0, 0, 3:].mean(dim=-1)
    bins = torch.arange(129) * 62.5
    expected = 2 * torch.pi * bins * 4 / 16e3
    middle = slice(8, 120)  # the ends hold hardly any power under a window
    assert torch.allclose(cosine[middle], expected.cos()[middle], atol=0.2)
    assert torch.allclose(sine[middle], expected.sin()[middle], atol=0.2)


@pytest.mark.parametrize("name", ["ipd", "gcc"])
def test_the_first_channel_is_basts_spectrogram(name: str) -> None:
    clips = delayed(3)
    assert torch.equal(FRONTENDS[name]()(clips)[:, :, :1], Spectrogram()(clips))


@pytest.mark.parametrize("name", FRONTENDS)
def test_a_delay_alone_changes_what_is_seen(name: str) -> None:
    early, late = (FRONTENDS[name]()(delayed(lead)) for lead in (2, 10))
    magnitude = (Spectrogram()(delayed(2)) - Spectrogram()(delayed(10))).abs().mean()
    assert (early - late)[:, :, 1:].abs().mean() > 0.01
    assert magnitude < 1.0  # a magnitude spectrogram sees another piece of the noise, no more


@pytest.mark.parametrize("name", FRONTENDS)
def test_add_with_shared_encoders_can_tell_left_from_right(name: str) -> None:
    frontend = FRONTENDS[name]()
    registry = default_registry()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BinauralLocalizer(
            frontend=frontend,
            backbone=registry.get("backbone", "vanilla").build(
                input_shape=frontend.output_shape(8000),
                dim=16,
                depth=1,
                heads=2,
                dim_head=8,
                mlp_dim=16,
                dropout=0.0,
                embed_dropout=0.0,
            ),
            integration=Add(),
            head=lambda width: Azimuth(width=width),
            sharing="SP",
        ).eval()
    clips = delayed(6)
    there, back = model(clips)["vector"], model(clips.flip(1))["vector"]
    assert not torch.allclose(there, back, atol=1e-4)


def test_all_fit_the_grid_of_a_spectrogram() -> None:
    shapes = {f().output_shape(8000)[1:] for f in FRONTENDS.values()}
    assert shapes <= {shape[1:] for shape in SHAPES}


@pytest.mark.parametrize(
    "name", ["gcc", *(pytest.param(name, marks=pytest.mark.soak) for name in ("ipd", "btff"))]
)
def test_onnxruntime_hears_the_same(name: str, tmp_path) -> None:
    """Once failed: complex numbers, which ONNX does not have."""
    ort = pytest.importorskip("onnxruntime")
    from bastzoo.models.exporting.export import export_onnx
    from tests.models.made import made

    localizer = made(frontend=name)
    names = export_onnx(localizer, tmp_path / "model.onnx")
    clips = 0.1 * torch.randn(5, 2, 8_000, generator=torch.Generator().manual_seed(0))
    session = ort.InferenceSession(tmp_path / "model.onnx")
    found = dict(zip(names, session.run(None, {"clips": clips.numpy()}), strict=True))
    with torch.no_grad():
        expected = localizer.model(clips)["vector"]
    torch.testing.assert_close(torch.from_numpy(found["vector"]), expected, atol=1e-4, rtol=1e-4)
