"""Training: one loop, short enough to read in one sitting.

Clips are rendered (or read) batch by batch, in an order that depends on the seed alone;
so the same experiment on the same machine gives the same weights, bit for bit on a CPU, also when it
was stopped, or killed, in between.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd as _Convolution

from bastzoo.data.batches import ClipSet
from bastzoo.engine.ahead import made_in_time
from bastzoo.engine.checkpoint import (
    Checkpoints,
    Interrupted,
    random_state,
    set_random_state,
)
from bastzoo.engine.evaluation import localize
from bastzoo.engine.observer import Observer, Silent
from bastzoo.engine.processes import Shares
from bastzoo.errors import TrainingError
from bastzoo.limits.memory import keep_freed_memory
from bastzoo.metrics.localization import angular_distance, counted
from bastzoo.presets import Recipe

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
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train a model in place and leave it with the weights of the best validation.

    loss: a function, or a module, whose parameters (learned weights of tasks) are trained along.

    AdamW, a linear warm-up, then a cosine decay to zero; gradients clipped to `recipe.clip_norm`;
    stopped early after `recipe.patience` validations without a better angular distance.

    checkpoints: where to keep what is needed to go on after a kill; a checkpoint that is there is
        gone on from.

    Several processes share each batch; what is reported is the mean over all of it.

    Raises TrainingError when the loss is no longer finite, and Interrupted, after a checkpoint, when
    `checkpoints` asks for a stop.
    """
    keep_freed_memory()
    observer = observer or Silent()
    set_seed(seed)
    groups = _groups(model, recipe.weight_decay)
    if isinstance(loss, nn.Module) and any(True for _ in loss.parameters()):
        groups.append({"params": [*loss.parameters()], "weight_decay": 0.0})
        loss = accelerator.prepare(loss)  # several processes: one gradient for its parameters too
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warmup_then_cosine(recipe))
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    learned = accelerator.unwrap_model(loss) if isinstance(loss, nn.Module) else nn.Module()
    progress = _Progress(model, learned, optimizer, schedule, accelerator)
    if checkpoints is not None:
        progress.go_on(checkpoints)
    result = progress.result
    batch_size = min(recipe.batch, len(training))
    shares = Shares(batch_size, accelerator)
    batches = _batches(len(training), batch_size, seed, skip=result.steps)

    observer.training_started(recipe.steps)
    wanted = (shares.of(indices) for indices in islice(batches, recipe.steps - result.steps))
    made = made_in_time(
        training.take, wanted, device=accelerator.device, processes=accelerator.num_processes
    )
    with made as rendered:
        for step, batch in enumerate(rendered, result.steps + 1):
            wrapped.train()
            with accelerator.autocast():
                outputs = wrapped(batch.inputs)
                # A loss is made of small differences, which half precision has no digits for.
                outputs = {name: output.float() for name, output in outputs.items()}
                value = shares.weighted(loss(outputs, batch.targets))
            accelerator.backward(value)
            accelerator.clip_grad_norm_(wrapped.parameters(), recipe.clip_norm)
            rate = float(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            value = shares.common(value)
            progress.losses.append(value)
            result.steps = step
            _check_finite(value, step, recipe)
            observer.step(step, value.item())

            if step % recipe.validate_every == 0 or step == recipe.steps:
                ad = _validation_ad(wrapped, validation, recipe.batch, accelerator)
                improved = progress.validated(step, ad, rate)
                observer.validated(step, ad, improved)
                if not improved and _validations_since(result) >= recipe.patience:
                    result.stopped_early = True
                    break
            if checkpoints is not None:
                progress.keep(checkpoints, recipe)
    result.seconds = progress.seconds
    observer.training_ended("stopped early" if result.stopped_early else "done")
    model.load_state_dict(progress.best)
    accelerator.free_memory()
    return result


class _Progress:
    """How far training is: what a checkpoint holds.

    best: the weights of the best validation so far; losses: of the steps since the last validation.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: nn.Module,
        optimizer: Any,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        accelerator: Accelerator,
    ) -> None:
        self._model, self._optimizer, self._schedule = model, optimizer, schedule
        self._loss = loss
        self._accelerator = accelerator
        self.result = TrainingResult(0, 0, math.inf, 0.0, False)
        self.best: dict[str, Tensor] = {}
        self.losses: list[Tensor] = []
        self._before = 0.0
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds of training, those before a stop included."""
        return self._before + time.perf_counter() - self._started

    def validated(self, step: int, ad: float, rate: float) -> bool:
        """Note a validation and keep the weights if it is the best so far; say whether it is."""
        improved = ad < self.result.best_validation_ad
        self.result.history.append(
            {
                "step": step,
                "loss": torch.stack(self.losses).mean().item(),
                "learning_rate": rate,
                "validation_ad": ad,
                "seconds": self.seconds,
            }
        )
        self.losses.clear()
        if improved:
            self.result.best_step, self.result.best_validation_ad = step, ad
            state = self._model.state_dict()
            self.best = {name: tensor.detach().clone() for name, tensor in state.items()}
        return improved

    def keep(self, checkpoints: Checkpoints, recipe: Recipe) -> None:
        """Write a checkpoint when one is due, or when training is asked to stop."""
        stop, due = _agreed(checkpoints, self._accelerator)
        if not (stop or due):
            return
        self.result.seconds = self.seconds
        state = {
            "model": self._model.state_dict(),
            "loss": self._loss.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._scaler_state(),
            "best": self.best,
            "losses": [float(value) for value in self.losses],
            "result": asdict(self.result),
        }
        checkpoints.save(state, self._accelerator)
        if stop:
            raise Interrupted(
                stop,
                f"Stopped at step {self.result.steps} of {recipe.steps}; "
                "give the same command again to go on from there.",
            )

    def go_on(self, checkpoints: Checkpoints) -> None:
        """Put everything back to where a checkpoint left it, if there is one that fits.

        Of one that does not (it was cut, or is another model's) nothing stays, and a warning says so.
        """
        state = checkpoints.load(self._accelerator)
        if state is None:
            return
        parts = (self._model, self._loss, self._optimizer, self._schedule)
        before, drawn = [copy.deepcopy(part.state_dict()) for part in parts], random_state()
        try:
            self._put(state)
        except Exception:  # what a stranger's file holds can break in any way
            for part, own in zip(parts, before, strict=True):
                part.load_state_dict(own)
            set_random_state(drawn)
            self.best, self.losses, self._before = {}, [], 0.0
            self.result = TrainingResult(0, 0, math.inf, 0.0, False)
            checkpoints.refuse("it is not of this training, or was cut", self._accelerator)

    def _put(self, state: dict[str, Any]) -> None:
        """Put everything back to what a checkpoint holds; one that does not fit raises nearly anything."""
        self._model.load_state_dict(state["model"])
        self._loss.load_state_dict(state["loss"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if state["scaler"] is not None and self._accelerator.scaler is not None:
            self._accelerator.scaler.load_state_dict(state["scaler"])
        device = self._accelerator.device
        self.best = {name: value.to(device) for name, value in state["best"].items()}
        # Float32 values survive the way through Python's floats unchanged.
        self.losses = [torch.tensor(value, device=device) for value in state["losses"]]
        self.result = TrainingResult(**state["result"])
        self._before = self.result.seconds
        self._check()
        set_random_state(state["random"][self._accelerator.process_index])

    def _check(self) -> None:
        """Raise ValueError where what was put back cannot be of this training."""
        shapes = {name: value.shape for name, value in self._model.state_dict().items()}
        if self.best and {name: value.shape for name, value in self.best.items()} != shapes:
            raise ValueError("the best weights are of another model")
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                moments = self._optimizer.state.get(parameter, {})
                for name in ("exp_avg", "exp_avg_sq"):
                    if name in moments and moments[name].shape != parameter.shape:
                        raise ValueError("the optimizer is of another model")
        steps = self.result.steps
        if type(steps) is not int or steps < 0 or bool(self.best) != bool(self.result.history):
            raise ValueError("the steps do not go together with the weights")

    def _scaler_state(self) -> dict[str, Any] | None:
        scaler = self._accelerator.scaler
        return None if scaler is None else scaler.state_dict()


def _agreed(checkpoints: Checkpoints, accelerator: Accelerator) -> tuple[int, bool]:
    """Which signal asks for a stop, and whether a checkpoint is due: the same in all processes."""
    stop, due = checkpoints.stop(), checkpoints.due
    if accelerator.num_processes == 1:
        return stop, due
    said = torch.tensor([[stop, int(due)]], device=accelerator.device)
    stops, dues = accelerator.gather(said).amax(dim=0).tolist()
    return stops, bool(dues)


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


def _batches(clips: int, batch: int, seed: int, *, skip: int = 0) -> Iterator[Tensor]:
    """Yield batches of clip indices for ever, in a new order each epoch.

    Every process draws the same order and takes its own share, so the result depends on the seed and
    the number of processes, and on nothing else. `skip` leaves out the first batches.
    """
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(clips, generator=generator)
        for start in range(0, clips - batch + 1, batch):
            if skip > 0:
                skip -= 1
                continue
            yield order[start : start + batch]


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
    return float(counted(ad).mean())


def _validations_since(result: TrainingResult) -> int:
    return sum(row["step"] > result.best_step for row in result.history)
