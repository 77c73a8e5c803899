"""Training: one loop, short enough to read in one sitting.

Clips are rendered (or read) batch by batch, in an order that depends on the seed alone;
so the same experiment on the same machine gives the same weights, bit for bit on a CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd as _Convolution

from bastzoo.data.batches import ClipSet
from bastzoo.engine.evaluation import localize
from bastzoo.engine.metrics import angular_distance
from bastzoo.engine.observer import Observer, Silent
from bastzoo.errors import TrainingError
from bastzoo.experiment import Recipe

Loss = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]


@dataclass(slots=True)
class TrainingResult:
    """What training leaves behind, beside the model, which holds the best validation's weights.

    history: one row a validation: step, loss (mean since the last row), learning_rate,
        validation_ad (degrees), seconds (since the start).
    """

    steps: int
    best_step: int
    best_validation_ad: float
    seconds: float
    stopped_early: bool
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    model: nn.Module,
    loss: Loss,
    *,
    recipe: Recipe,
    training: ClipSet,
    validation: ClipSet,
    accelerator: Accelerator,
    seed: int,
    observer: Observer | None = None,
) -> TrainingResult:
    """Train a model in place and leave it with the weights of the best validation.

    AdamW, a linear warm-up, then a cosine decay to zero; gradients clipped to `recipe.clip_norm`;
    stopped early after `recipe.patience` validations without a better angular distance.

    Raises TrainingError when the loss is no longer finite.
    """
    observer = observer or Silent()
    set_seed(seed)
    optimizer = torch.optim.AdamW(
        _groups(model, recipe.weight_decay), lr=recipe.learning_rate, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warmup_then_cosine(recipe))
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    batches = _batches(len(training), recipe.batch, seed, accelerator)

    result = TrainingResult(0, 0, math.inf, 0.0, False)
    best: dict[str, Tensor] = {}
    losses: list[Tensor] = []
    started = time.perf_counter()
    observer.training_started(recipe.steps)
    for step in range(1, recipe.steps + 1):
        wrapped.train()
        batch = training.take(next(batches))
        with accelerator.autocast():
            value = loss(wrapped(batch.inputs), batch.targets)
        accelerator.backward(value)
        accelerator.clip_grad_norm_(wrapped.parameters(), recipe.clip_norm)
        rate = float(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(value.detach())
        result.steps = step
        _check_finite(value, step, recipe)
        observer.step(step, value.item())

        if step % recipe.validate_every and step != recipe.steps:
            continue
        ad = _validation_ad(wrapped, validation, recipe.batch, accelerator)
        improved = ad < result.best_validation_ad
        result.history.append(
            {
                "step": step,
                "loss": torch.stack(losses).mean().item(),
                "learning_rate": rate,
                "validation_ad": ad,
                "seconds": time.perf_counter() - started,
            }
        )
        losses.clear()
        observer.validated(step, ad, improved)
        if improved:
            result.best_step, result.best_validation_ad = step, ad
            state = accelerator.unwrap_model(wrapped).state_dict()
            best = {name: tensor.detach().clone() for name, tensor in state.items()}
        elif _validations_since(result) >= recipe.patience:
            result.stopped_early = True
            break
    result.seconds = time.perf_counter() - started
    observer.training_ended("stopped early" if result.stopped_early else "done")
    accelerator.unwrap_model(wrapped).load_state_dict(best)
    accelerator.free_memory()
    return result


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay the matrices of linear layers and convolutions, and nothing else.

    Decay pulls towards zero, which means nothing for norms, biases, positions and a scan's time scales.
    """
    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, _Convolution))]
    decayed = {id(layer.weight) for layer in layers}
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if id(p) in decayed], "weight_decay": weight_decay},
        {"params": [p for p in trained if id(p) not in decayed], "weight_decay": 0.0},
    ]


def _warmup_then_cosine(recipe: Recipe) -> Callable[[int], float]:
    def factor(step: int) -> float:
        if step < recipe.warmup_steps:
            return (step + 1) / recipe.warmup_steps
        span = max(1, recipe.steps - recipe.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - recipe.warmup_steps) / span)))

    return factor


def _batches(clips: int, batch: int, seed: int, accelerator: Accelerator) -> Iterator[Tensor]:
    """Yield batches of clip indices for ever, in a new order each epoch.

    Every process draws the same order and takes its own slice, so the result depends on the seed and
    the number of processes, and on nothing else.
    """
    generator = torch.Generator().manual_seed(seed)
    batch = min(batch, clips)
    while True:
        order = torch.randperm(clips, generator=generator)
        for start in range(0, clips - batch + 1, batch):
            indices = order[start : start + batch]
            yield indices[accelerator.process_index :: accelerator.num_processes]


def _check_finite(value: Tensor, step: int, recipe: Recipe) -> None:
    if not torch.isfinite(value):
        raise TrainingError(
            f"The loss became {value.item()} at step {step} of {recipe.steps}; "
            f"lower the learning rate (now {recipe.learning_rate:g}) or clip gradients harder "
            f"(now {recipe.clip_norm:g})."
        )


def _validation_ad(
    model: nn.Module, validation: ClipSet, batch: int, accelerator: Accelerator
) -> float:
    answers = localize(model, validation, batch=batch, accelerator=accelerator)
    ad = angular_distance(answers.directions, answers.targets)
    return float(ad.mean())


def _validations_since(result: TrainingResult) -> int:
    return sum(row["step"] > result.best_step for row in result.history)
