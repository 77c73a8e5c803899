"""timm's models as ear encoders: by name, of several designs, whatever the size of the features."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import timm
import torch
from bastzoo_timm.names import model_names

from bastzoo.errors import CombinationError, ComponentError, SetupError
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.testing import BackboneSuite
from bastzoo.testing.modules import SIZES

SHAPE = (1, 129, 61)


class TestConvolutional(BackboneSuite):
    component = "timm/test_resnet"


class TestTransformer(BackboneSuite):
    component = "timm/test_vit"


def build(name: str, shape: tuple[int, int, int] = SHAPE):
    return default_registry().get("backbone", name).build(**SIZES, input_shape=shape)


def test_the_names_are_those_of_timm() -> None:
    found = set(model_names())
    there = set(timm.list_models())
    assert len(there - found) <= 0.02 * len(there), sorted(there - found)[:9]
    assert {"convnext_tiny", "resnet18", "vit_tiny_patch16_224"} <= found


def test_listing_them_imports_no_torch() -> None:
    code = (
        "import sys; from bastzoo_timm.names import model_names; "
        "assert len(model_names()) > 900; print('torch' in sys.modules, 'timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    "name",
    [
        "test_convnext",
        "test_efficientnet",
        "test_mambaout",
        "test_nfnet",
        "test_vit2",
        "mobilenetv3_small_050",
        "swin_tiny_patch4_window7_224",
        "mixer_s32_224",
    ],
)
def test_models_of_many_designs_make_tokens(name: str) -> None:
    backbone = build(f"timm/{name}")
    tokens = backbone.ear_encoder().eval()(torch.randn(2, *SHAPE))
    assert tokens.ndim == 3
    assert tokens.shape[::2] == (2, SIZES["dim"])
    assert tokens.isfinite().all()


def test_an_unknown_model_gets_did_you_mean() -> None:
    with pytest.raises(ComponentError, match=r"no backbone named 'timm/resnet19'.*'timm/resnet1"):
        default_registry().get("backbone", "timm/resnet19")


def test_wildcards_find_members_and_a_star_the_family() -> None:
    registry = default_registry()
    assert "timm/resnet18" in {c.name for c in registry.match("backbone", "timm/resnet*")}
    assert "timm/*" in {c.name for c in registry.match("backbone", "*")}
    assert not any(name.startswith("timm") for name in registry.names("backbone"))


def test_pretrained_weights_that_cannot_be_had_are_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr(timm.models._builder, "load_pretrained", offline)
    preset = load_preset("quick").with_pretrained(
        [default_registry().get("backbone", "timm/test_resnet")]
    )
    component = default_registry().get("backbone", "timm/test_resnet")
    chosen = replace(component, parameters=preset.parameters_of(component))
    backbone = chosen.build(**SIZES, input_shape=SHAPE)
    with pytest.raises(SetupError, match=r"timm/test_resnet cannot be had here .no route"):
        backbone.ear_encoder()


def test_a_backbone_without_pretrained_weights_refuses_them() -> None:
    with pytest.raises(CombinationError, match="'mamba' has no pretrained weights"):
        load_preset("quick").with_pretrained([default_registry().get("backbone", "mamba")])
