"""Heads with several answers and their losses: shapes, meaning, weights, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from bastzoo.errors import ComponentError
from bastzoo.plugins import default_registry
from bastzoo.zoo.heads import Azimuth, Class, Direction, Elevation, Several
from bastzoo.zoo.losses import MSE, Mix
from bastzoo.zoo.task_losses import class_loss, elevation_loss

CLASSES = ("noise", "tone", "click")
BATCH = 5
ALL = ("direction", "class", "elevation")


def head(name: str) -> Several:
    built: Several = default_registry().get("head", name).build(width=16, classes=CLASSES)
    return built


def several(*parts: str) -> Several:
    return Several(width=16, parts=parts, classes=CLASSES)


@pytest.mark.parametrize("name", ["azimuth+class", "azimuth+elevation+class", "direction+class"])
def test_a_head_gives_what_it_says_and_decodes_it(name: str) -> None:
    outputs = head(name)(torch.randn(BATCH, 16))
    assert set(outputs) == set(default_registry().get("head", name).gives)
    decoded = head(name).decode(outputs)
    assert decoded["class"].shape == (BATCH,)
    torch.testing.assert_close(decoded["direction"].norm(dim=-1), torch.ones(BATCH))


def test_a_head_of_several_parts_answers_what_its_parts_alone_would() -> None:
    whole = head("azimuth+elevation+class")
    pooled = torch.randn(BATCH, 16)
    outputs = whole(pooled)
    for name, part in {
        "azimuth": Azimuth(width=16),
        "elevation": Elevation(width=16),
        "class": Class(width=16, classes=CLASSES),
    }.items():
        part.load_state_dict(whole.parts[f"answer_{name}"].state_dict())
        for key, value in part(pooled).items():
            torch.testing.assert_close(outputs[key], value)


@given(
    azimuth=st.floats(-math.pi, math.pi),
    elevation=st.floats(-89.0, 89.0),
    length=st.floats(0.1, 10),
)
def test_azimuth_and_elevation_make_the_direction_together(
    azimuth: float, elevation: float, length: float
) -> None:
    outputs = {
        "vector": length * torch.tensor([[math.cos(azimuth), math.sin(azimuth)]]),
        "elevation": torch.tensor([elevation]),
        "class_logits": torch.zeros(1, 3),
    }
    (x, y, z) = head("azimuth+elevation+class").decode(outputs)["direction"][0].double().tolist()
    assert math.degrees(math.asin(max(-1.0, min(1.0, z)))) == pytest.approx(elevation, abs=0.02)
    assert math.atan2(y, x) == pytest.approx(azimuth, abs=1e-3) or abs(azimuth) > 3.14


def test_an_elevation_that_is_not_finite_is_no_direction() -> None:
    outputs = {
        "vector": torch.tensor([[1.0, 0.0]]),
        "elevation": torch.tensor([torch.nan]),
        "class_logits": torch.zeros(1, 3),
    }
    assert head("azimuth+elevation+class").decode(outputs)["direction"].isnan().all()


def test_the_state_of_the_old_heads_has_the_old_names() -> None:
    for built in (Azimuth(width=8), Direction(width=8)):
        assert set(built.state_dict()) == {
            "norm.weight",
            "norm.bias",
            "linear.weight",
            "linear.bias",
        }


def test_a_head_without_classes_is_refused() -> None:
    with pytest.raises(ComponentError, match="the data gives none"):
        default_registry().get("head", "azimuth+class").build(width=8)


def batch() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    outputs = {
        "vector": torch.randn(BATCH, 3, generator=generator, requires_grad=True),
        "class_logits": torch.randn(BATCH, 3, generator=generator, requires_grad=True),
        "elevation": torch.randn(BATCH, generator=generator, requires_grad=True),
    }
    direction = functional.normalize(torch.randn(BATCH, 3, generator=generator), dim=-1)
    return outputs, {"direction": direction, "class": torch.tensor([0, 1, 2, 0, 1])}


def test_the_loss_is_the_weighted_sum_of_its_parts() -> None:
    outputs, targets = batch()
    loss = several(*ALL).loss(Mix(), cls_weight=2.0, elev_weight=0.1)
    expected = (
        Mix()(outputs, targets)
        + 2.0 * functional.cross_entropy(outputs["class_logits"], targets["class"])
        + 0.1 * elevation_loss(outputs["elevation"], targets["direction"])
    )
    torch.testing.assert_close(loss(outputs, targets), expected)
    assert not list(loss.parameters())


def test_only_what_the_head_gives_is_scored() -> None:
    outputs, targets = batch()
    loss = several("direction", "class").loss(MSE())
    expected = MSE()(outputs, targets) + class_loss(outputs["class_logits"], targets["class"])
    torch.testing.assert_close(loss(outputs, targets), expected)


def test_a_weight_of_zero_takes_a_task_away() -> None:
    outputs, targets = batch()
    loss = several(*ALL).loss(MSE(), cls_weight=0.0, elev_weight=0.0)
    torch.testing.assert_close(loss(outputs, targets), MSE()(outputs, targets))


def test_elevation_is_scored_in_degrees() -> None:
    direction = torch.tensor([[math.cos(0.5), 0.0, math.sin(0.5)]])
    off = torch.tensor([math.degrees(0.5) + 3.0])
    assert elevation_loss(off, direction).item() == pytest.approx(9.0, rel=1e-4)


def test_one_class_is_scored_against_its_presence() -> None:
    logits = torch.tensor([[0.0], [2.0]])
    expected = -torch.log(torch.sigmoid(logits)).mean()
    torch.testing.assert_close(class_loss(logits, torch.zeros(2, dtype=torch.long)), expected)


def test_learned_weights_settle_where_each_task_weighs_as_its_noise_says() -> None:
    """Kendall et al.: at the best log variance of a continuous task its variance is its error."""
    outputs, targets = batch()
    outputs = {name: value.detach() for name, value in outputs.items()}
    loss = several(*ALL).loss(MSE(), elev_weight=1.0, weighting="learned")
    optimizer = torch.optim.LBFGS(loss.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value: torch.Tensor = loss(outputs, targets)
        value.backward()
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    assert loss.log_variance is not None
    variance = loss.log_variance.exp().tolist()
    assert variance[0] == pytest.approx(MSE()(outputs, targets).item(), rel=1e-2)
    cross_entropy = class_loss(outputs["class_logits"], targets["class"]).item()
    assert variance[1] == pytest.approx(2 * cross_entropy, rel=1e-2)
    elevation = elevation_loss(outputs["elevation"], targets["direction"]).item()
    assert variance[2] == pytest.approx(elevation, rel=1e-2)
