"""Evaluation: every clip asked once, metrics in all and by room, and what a clip costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bastzoo.data.environments import ri
from bastzoo.data.rendering.clips import RenderedClips, RenderedData
from bastzoo.engine.evaluation import Answers, cost, localize, localize_baseline, score
from bastzoo.presets import DataSize


@pytest.fixture(scope="module")
def clips() -> RenderedClips:
    size = DataSize(train_sounds=1, validation_sounds=1, test_sounds=3, azimuth_step=45)
    return RenderedData(environment=ri(), size=size).split("test")


class Forward(nn.Module):
    """Answers "in front" to everything, through one linear layer whose cost is known."""

    class _Head(nn.Module):
        def decode(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"direction": nn.functional.pad(outputs["vector"], (0, 1))}

    def __init__(self) -> None:
        super().__init__()
        self.head = self._Head()
        self.layer = nn.Linear(16_000, 2)
        nn.init.zeros_(self.layer.weight)
        self.layer.bias.data = torch.tensor([1.0, 0.0])

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"vector": self.layer(clips.flatten(1))}


class Sectors(Forward):
    """Answers with one logit for each of four sectors, and with no vector."""

    class _Head(nn.Module):
        def decode(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
            centres = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])
            return {"direction": centres[outputs["logits"].argmax(dim=1)]}

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"logits": nn.functional.pad(super().forward(clips)["vector"], (0, 2))}


class Oracle:
    """A baseline that is told the truth, clip by clip in the order of the indices."""

    def __init__(self, clips: RenderedClips) -> None:
        self.truth = [b.targets["direction"] for b in clips.in_order(7)]

    def predict(self, clips: Tensor) -> Tensor:
        return self.truth.pop(0)


def test_a_model_that_always_answers_front_is_at_90_degrees(clips: RenderedClips) -> None:
    answers = localize(Forward(), clips, batch=5, accelerator=Accelerator(cpu=True))
    found = score(answers, clips)
    assert len(answers.directions) == len(clips)
    assert found["metrics"]["ad_mean"] == pytest.approx(90, abs=1e-3)
    assert found["metrics"]["mse"] == pytest.approx(1, abs=1e-6)  # 1 - cos(AD), on average
    assert set(found["by_room"]) == {"anechoic", "lecture-hall"}
    assert [point["azimuth"] for point in found["by_azimuth"]] == list(range(-135, 181, 45))


def test_a_head_that_gives_no_vector_has_every_metric_but_the_mse(clips: RenderedClips) -> None:
    answers = localize(Sectors(), clips, batch=5, accelerator=Accelerator(cpu=True))
    assert answers.raw is None
    found = score(answers, clips)
    assert found["metrics"]["mse"] is None
    assert found["metrics"]["ad_mean"] == pytest.approx(90, abs=1e-3)


def test_a_perfect_baseline_has_no_error_in_any_room_or_sound(clips: RenderedClips) -> None:
    found = score(localize_baseline(Oracle(clips), clips, batch=7), clips)
    assert found["metrics"]["ad_mean"] == pytest.approx(0, abs=1e-4)
    assert found["metrics"]["mse"] is None
    assert found["by_sound"]["clips"] == [16, 16, 16]
    assert found["by_sound"]["sounds"] == list(clips.sound_ids)


def test_an_answer_without_a_direction_counts_as_90_and_is_counted(clips: RenderedClips) -> None:
    truth = torch.cat([b.targets["direction"] for b in clips.in_order(64)]).numpy()
    batch = clips.take(torch.arange(len(clips)))
    broken = truth.copy()
    broken[: len(truth) // 2] = np.nan
    answers = Answers(broken, truth, None, batch.sounds.numpy(), batch.rooms.numpy())
    found = score(answers, clips)
    assert found["metrics"]["invalid"] == len(truth) // 2
    assert found["metrics"]["ad_mean"] == pytest.approx(45, abs=1e-3)


def test_the_cost_counts_the_multiplications_of_a_linear_layer() -> None:
    spent = cost(Forward(), shape=(2, 8000), accelerator=Accelerator(cpu=True), repeats=3)
    assert spent["macs"] == 32_000
    assert spent["parameters"] == 32_002
    assert 0 < spent["latency_p50_ms"] <= spent["latency_p95_ms"]
    assert spent["busy"] in (True, False)
    assert spent["real_time_factor"] == pytest.approx(spent["latency_p50_ms"] / 500)
