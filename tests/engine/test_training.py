"""Training: it learns, it is reproducible to the last bit, and it says when it cannot go on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from bastzoo.data.environments import ri01
from bastzoo.data.rendering.clips import RenderedClips, RenderedData
from bastzoo.engine.evaluation import localize
from bastzoo.engine.training import train
from bastzoo.errors import TrainingError
from bastzoo.metrics.localization import angular_distance
from bastzoo.presets import DataSize, Recipe

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


class Mixed(Levels):
    """The same, with one of everything that has weights: norm, convolution, position, scale."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3)
        self.convolution = nn.Conv1d(2, 3, 5)
        self.position = nn.Parameter(torch.ones(3, 1))
        self.frozen = nn.Linear(3, 3).requires_grad_(False)


def squared_error(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return (outputs["vector"] - targets["direction"][:, :2]).square().mean()


@pytest.fixture(scope="module")
def splits() -> tuple[RenderedClips, RenderedClips]:
    size = DataSize(train_sounds=6, validation_sounds=2, test_sounds=1, azimuth_step=30)
    data = RenderedData(environment=ri01(), size=size)
    return data.split("train"), data.split("validation")


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


def run(splits: tuple[RenderedClips, RenderedClips], accelerator: Accelerator, **changes):
    loss = changes.pop("loss", squared_error)
    seed = changes.pop("seed", 0)
    observer = changes.pop("observer", None)
    torch.manual_seed(seed)
    model = changes.pop("model", Levels)()
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
    calls = 0

    def unlearned(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        nonlocal calls
        calls += 1
        return squared_error(outputs, targets) * (1 if calls <= 20 else -1)

    model, result = run(splits, accelerator, loss=unlearned, patience=99)
    validations = [row["validation_ad"] for row in result.history]
    assert result.best_validation_ad == min(validations) < validations[-1] - 10
    assert result.best_step == 10 * (1 + validations.index(min(validations))) < result.steps
    answers = localize(model, splits[1], batch=RECIPE.batch, accelerator=accelerator)
    ad = angular_distance(answers.directions, answers.targets).mean()
    assert ad == pytest.approx(result.best_validation_ad, abs=1e-9)


class Speechless(Levels):
    """It has no direction for the first clip of a batch."""

    class _Head(Levels._Head):
        def decode(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
            found = super().decode(outputs)
            found["direction"][0] = torch.nan
            return found


def test_a_validation_clip_without_a_direction_counts_as_90_degrees(splits, accelerator) -> None:
    model = Speechless()
    recipe = RECIPE.model_copy(update={"steps": 10})
    chosen = {"recipe": recipe, "accelerator": accelerator, "seed": 0}
    result = train(model, squared_error, training=splits[0], validation=splits[1], **chosen)
    assert result.best_step == 10
    answers = localize(model, splits[1], batch=RECIPE.batch, accelerator=accelerator)
    ad = angular_distance(answers.directions, answers.targets)
    assert math.isnan(ad[0])
    ad[~torch.isfinite(torch.from_numpy(ad)).numpy()] = 90.0
    assert result.best_validation_ad == pytest.approx(ad.mean(), abs=1e-9)


@contextmanager
def gradient_norms() -> Iterator[list[float]]:
    """The norm of all gradients together, as every step of an optimizer finds it."""
    norms: list[float] = []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        grads = [p.grad.norm() for p in weights if p.grad is not None]
        norms.append(torch.stack(grads).norm().item())

    handle = register_optimizer_step_pre_hook(note)
    try:
        yield norms
    finally:
        handle.remove()


def test_gradients_are_clipped_to_the_norm_of_the_recipe(splits, accelerator) -> None:
    with gradient_norms() as norms:
        run(splits, accelerator, steps=5, clip_norm=1e-3)
    assert norms == pytest.approx([1e-3] * 5, rel=1e-2)


def test_a_gradient_below_the_norm_is_left_as_it_is(splits, accelerator) -> None:
    norms = []
    for clip_norm in (1e3, 1e6):
        with gradient_norms() as found:
            run(splits, accelerator, steps=5, clip_norm=clip_norm)
        norms.append(found)
    assert norms[0] == norms[1]
    assert max(norms[0]) < 1e3


def test_weight_decay_shrinks_the_matrices_and_nothing_else(splits, accelerator) -> None:
    made: list[Mixed] = []

    def model() -> Mixed:
        made.append(Mixed())
        return made[0]

    def indifferent(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        # Every gradient is zero, so that decay alone moves a weight.
        return 0 * sum(p.sum() for p in made[0].parameters())

    torch.manual_seed(0)
    before = Mixed().state_dict()
    rates = {"learning_rate": 0.1, "weight_decay": 0.5, "steps": 1, "warmup_steps": 1}
    after = run(splits, accelerator, model=model, loss=indifferent, **rates)[0].state_dict()
    decayed = {"net.0.weight", "net.3.weight", "convolution.weight"}
    assert decayed < set(before)
    for name, weight in before.items():
        shrunk = 1 - 0.1 * 0.5 if name in decayed else 1
        torch.testing.assert_close(after[name], shrunk * weight, rtol=1e-6, atol=0, msg=name)


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
    # Each is that of the step just done: a quarter of the warm-up, its end, the last of the decay.
    assert rates[0] == pytest.approx(RECIPE.learning_rate * 5 / 20)
    assert rates[3] == pytest.approx(RECIPE.learning_rate)
    last = (1 + math.cos(math.pi * 19 / 20)) / 2
    assert rates[-1] == pytest.approx(RECIPE.learning_rate * last)


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
