"""Training: it learns, it is reproducible to the last bit, and it says when it cannot go on."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bastzoo.data.embedded import ClipSet, EmbeddedData
from bastzoo.data.environments import ri01
from bastzoo.engine.training import train
from bastzoo.errors import TrainingError
from bastzoo.experiment import DataSize, Recipe

RECIPE = Recipe(steps=40, batch=16, learning_rate=0.01, validate_every=10, patience=4)


class Levels(nn.Module):
    """A localizer that hears the level of each ear, and no more."""

    class _Head(nn.Module):
        def decode(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
            vector = nn.functional.normalize(outputs["vector"], dim=1)
            return {"direction": nn.functional.pad(vector, (0, 1))}

    def __init__(self) -> None:
        super().__init__()
        self.head = self._Head()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"vector": self.net(clips.square().mean(dim=2).log10())}


def squared_error(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return (outputs["vector"] - targets["direction"][:, :2]).square().mean()


@pytest.fixture(scope="module")
def splits() -> tuple[ClipSet, ClipSet]:
    size = DataSize(train_sounds=6, validation_sounds=2, test_sounds=1, azimuth_step=30)
    data = EmbeddedData(environment=ri01(), size=size)
    return data.split("train"), data.split("validation")


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


def run(splits: tuple[ClipSet, ClipSet], accelerator: Accelerator, **changes):
    loss = changes.pop("loss", squared_error)
    seed = changes.pop("seed", 0)
    observer = changes.pop("observer", None)
    torch.manual_seed(seed)
    model = Levels()
    result = train(
        model,
        loss,
        recipe=RECIPE.model_copy(update=changes),
        training=splits[0],
        validation=splits[1],
        accelerator=accelerator,
        seed=seed,
        observer=observer,
    )
    return model, result


def test_training_finds_the_lateral_position_from_levels(splits, accelerator) -> None:
    _, result = run(splits, accelerator, steps=120, validate_every=40)
    assert result.best_validation_ad < 55  # chance is 90, exact lateral position alone 45


def test_the_same_seed_gives_the_same_weights_to_the_last_bit(splits, accelerator) -> None:
    (one, first), (two, second) = run(splits, accelerator), run(splits, accelerator)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [r["loss"] for r in first.history] == [r["loss"] for r in second.history]


def test_another_seed_gives_other_weights(splits, accelerator) -> None:
    (one, _), (two, _) = run(splits, accelerator), run(splits, accelerator, seed=1)
    assert not torch.equal(next(one.parameters()), next(two.parameters()))


def test_the_weights_kept_are_those_of_the_best_validation(splits, accelerator) -> None:
    _, result = run(splits, accelerator)
    assert result.best_validation_ad == min(row["validation_ad"] for row in result.history)


def test_training_stops_when_validation_no_longer_improves(splits, accelerator) -> None:
    # A rate that moves nothing: the first validation stays the best.
    _, result = run(
        splits, accelerator, learning_rate=1e-30, steps=60, validate_every=10, patience=2
    )
    assert result.stopped_early
    assert result.steps == 30
    assert result.best_step == 10


def test_the_rate_warms_up_and_decays_to_nothing(splits, accelerator) -> None:
    _, result = run(splits, accelerator, warmup_steps=20, validate_every=5, patience=99)
    rates = [row["learning_rate"] for row in result.history]
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_a_loss_that_is_not_finite_ends_the_run_with_a_sentence(splits, accelerator) -> None:
    def broken(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        return outputs["vector"].sum() * float("nan")

    with pytest.raises(
        TrainingError, match=r"loss became nan at step 1 .* lower the learning rate"
    ):
        run(splits, accelerator, loss=broken)


def test_an_observer_hears_of_every_step_and_validation(splits, accelerator) -> None:
    heard: list[str] = []

    class Listener:
        def training_started(self, steps: int) -> None:
            heard.append(f"started {steps}")

        def step(self, step: int, loss: float) -> None:
            heard.append("step")

        def validated(self, step: int, ad: float, best: bool) -> None:
            heard.append(f"validated {step}")

        def training_ended(self, reason: str) -> None:
            heard.append(reason)

    run(splits, accelerator, steps=4, validate_every=2, observer=Listener())
    assert heard == [
        "started 4", "step", "step", "validated 2", "step", "step", "validated 4", "done",
    ]  # fmt: skip
