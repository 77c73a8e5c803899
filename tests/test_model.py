"""The model: how its parts are joined, what it provably cannot hear, and that it learns."""

from __future__ import annotations

import pytest
import torch

from bastzoo import zoo
from bastzoo.errors import CombinationError, ComponentError, DataError
from bastzoo.model import (
    BinauralLocalizer,
    Frontend,
    Head,
    Integration,
    build_localizer,
    parameter_count,
)
from bastzoo.registry import Component
from bastzoo.zoo.losses import Mix

SIZE = {
    "dim": 16,
    "depth": 2,
    "heads": 2,
    "dim_head": 8,
    "mlp_dim": 16,
    "patch": (16, 16),
    "stride": (16, 16),
    "dropout": 0.1,
    "embed_dropout": 0.1,
}
BACKBONES = ["vanilla", "swin", "mamba"]


def components(backbone: str, integration: str) -> dict[str, Component]:
    frontend, head = zoo.bastzoo_frontends()[0], zoo.bastzoo_heads()[0]
    return {
        "frontend": frontend,
        "backbone": next(c for c in zoo.bastzoo_backbones() if c.name == backbone),
        "integration": next(c for c in zoo.bastzoo_integrations() if c.name == integration),
        "head": head,
    }


def build(
    backbone: str = "vanilla", integration: str = "SUB", sharing: str = "SP", **size
) -> BinauralLocalizer:
    torch.manual_seed(1)
    return build_localizer(
        components(backbone, integration), sharing=sharing, size={**SIZE, **size}
    ).eval()


def clips(batch: int, *, samples: int = 8000) -> torch.Tensor:
    return 0.1 * torch.randn(batch, 2, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("integration", ["ADD", "SUB", "CONCAT"])
@pytest.mark.parametrize("sharing", ["SP", "NSP"])
def test_every_combination_answers_a_direction_for_every_clip(backbone, integration, sharing):
    model = build(backbone, integration, sharing)
    outputs = model(clips(3))
    assert outputs["vector"].shape == (3, 2)
    direction = model.head.decode(outputs)["direction"]
    torch.testing.assert_close(direction.norm(dim=1), torch.ones(3))


def test_the_parts_keep_their_contracts():
    model = build()
    assert isinstance(model.frontend, Frontend)
    assert isinstance(model.integration, Integration)
    assert isinstance(model.head, Head)


def test_ready_features_give_the_same_answer():
    model = build()
    features = model.features(clips(2))
    assert features.shape == (2, 2, 1, 129, 61)
    assert torch.equal(model.localize(features)["vector"], model(clips(2))["vector"])


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_clips_answer_does_not_depend_on_its_batch(backbone):
    model = build(backbone)
    torch.testing.assert_close(model(clips(5))["vector"][2:3], model(clips(5)[2:3])["vector"])


def test_separate_ears_have_an_encoder_each_and_shared_ears_one():
    assert len(build(sharing="SP").ears) == 1
    assert len(build(sharing="NSP").ears) == 2
    ear = parameter_count(build(sharing="SP").ears)
    assert parameter_count(build(sharing="NSP")) - parameter_count(build(sharing="SP")) == ear


def test_the_left_ear_is_channel_0():
    model = build(sharing="NSP")
    with torch.no_grad():
        for parameter in model.ears[1].parameters():
            parameter.zero_()  # blocks without weights pass the right ear's tokens through
    tokens = model.backbone.embed(model.features(clips(1))[0])
    heard: list[torch.Tensor] = []
    model.integration.register_forward_pre_hook(lambda _, ears: heard.extend(ears))
    model(clips(1))
    left, right = heard
    torch.testing.assert_close(right, tokens[1:])
    assert not torch.allclose(left, tokens[:1])


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("batch", [1, 7])
def test_add_with_shared_ears_cannot_tell_left_from_right(backbone, batch):
    model = build(backbone, "ADD", "SP")
    answer = model(clips(batch))["vector"]
    assert torch.equal(model(clips(batch).flip(1))["vector"], answer)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_sub_with_shared_ears_answers_the_same_for_every_clip_without_difference(backbone):
    model = build(backbone, "SUB", "SP")
    same = clips(6)[:, :1].expand(-1, 2, -1)
    answers = model(same)["vector"]
    assert torch.equal(answers, answers[:1].expand(6, -1))


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("integration", "sharing"), [("CONCAT", "SP"), ("ADD", "NSP")])
def test_other_combinations_are_not_blind(backbone, integration, sharing):
    model = build(backbone, integration, sharing)
    answer = model(clips(2))["vector"]
    assert not torch.allclose(model(clips(2).flip(1))["vector"], answer, atol=1e-4)


def test_the_built_in_backbones_declare_their_blindness():
    for component in zoo.bastzoo_backbones():
        assert set(component.blindness) == {"ADD+SP", "SUB+SP"}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_few_steps_fit_a_few_clips(backbone):
    model = build(backbone, "CONCAT", "SP", dropout=0.0, embed_dropout=0.0).train()
    heard = clips(8)
    angle = torch.arange(8) * torch.pi / 4
    targets = {"direction": torch.stack([angle.cos(), angle.sin(), torch.zeros(8)], dim=1)}
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss = Mix()
    history = []
    for _ in range(25):
        value = loss(model(heard), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        history.append(value.item())
    assert history[-1] < 0.5 * history[0]


def test_other_clip_lengths_make_other_grids():
    model = build_localizer(components("mamba", "SUB"), sharing="SP", size=SIZE, samples=4000)
    assert model.backbone.grid == (9, 2)
    assert model(clips(1, samples=4000))["vector"].shape == (1, 2)


def test_the_fusion_encoder_and_the_head_have_the_width_of_the_integration():
    assert build(integration="SUB").head.linear.in_features == 16
    assert build(integration="CONCAT").head.linear.in_features == 32


def test_parameters_are_counted_whether_they_are_trained_or_frozen():
    model = build()
    total = parameter_count(model)
    assert parameter_count(model.head) == 16 * 2 + 2 * 16 + 2
    model.head.requires_grad_(False)
    assert parameter_count(model) == total


class EarsOfTheirOwn(torch.nn.Module):
    """A backbone whose ears make the tokens."""

    def __init__(self, *, input_shape, dim):
        super().__init__()
        self.bands, self.dim = input_shape[1], dim

    def embed(self, x):
        return x

    def ear_encoder(self):
        return torch.nn.Sequential(torch.nn.Flatten(2, 3), torch.nn.LazyLinear(self.dim))

    def encoder(self, width):
        return torch.nn.Linear(width, width)


@pytest.mark.parametrize(("sharing", "ears"), [("SP", 1), ("NSP", 2)])
def test_a_backbone_may_have_ear_encoders_that_make_the_tokens(sharing, ears):
    made = Component("backbone", "own", f"{__name__}:EarsOfTheirOwn", "for this test")
    chosen = {**components("vanilla", "CONCAT"), "backbone": made}
    model = build_localizer(chosen, sharing=sharing, size={"dim": 6})
    assert model(clips(2))["vector"].shape == (2, 2)
    assert len(model.ears) == ears
    assert model.fusion.in_features == 12


def test_an_unknown_sharing_is_a_sentence():
    with pytest.raises(CombinationError, match="'both' is unknown; use SP or NSP"):
        build(sharing="both")


def test_a_clip_too_short_for_the_frontend_is_a_sentence():
    with pytest.raises(ComponentError, match="100 samples is shorter"):
        build_localizer(components("swin", "ADD"), sharing="SP", size=SIZE, samples=100)


def test_the_window_of_a_backbone_is_not_that_of_the_spectrogram():
    model = build("mamba", window=2)
    assert model.frontend.window_length == 256
    assert model.fusion.window == (2, 2)


@pytest.mark.parametrize("shape", [(2, 8000), (1, 1, 8000), (1, 3, 8000), (1, 2, 3, 4)])
def test_inputs_of_another_shape_are_told_in_a_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"takes clips \[B, 2, N\].*the inputs are"):
        build()(torch.zeros(shape))
