"""Evaluation: what a model answers on a split, every metric of the protocol, and what it costs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.data.batches import Batch, ClipSet
from bastzoo.errors import ComponentError, RecordError
from bastzoo.limits.memory import keep_freed_memory
from bastzoo.metrics.catalogue import BUILT_IN
from bastzoo.metrics.localization import ad_by_sound, angular_distance, azimuth_curve
from bastzoo.metrics.metric import Metric, definitions, figures
from bastzoo.model import parameter_count
from bastzoo.records.store import read_predictions

_PLAIN = ("directions", "targets", "raw", "sounds", "rooms")

# Rows of the matrix whose square is the piece of work that is always the same; and how much slower than its
# best twentieth half of it may be, on a machine that does nothing else.
_SQUARE, _BUSY = 384, 1.3

# What predictions of earlier versions call them.
_NOW_CALLED = {"classes": "class", "labels": "true_class"}


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's (or a baseline's) answers on every clip of a split, in the order of the indices.

    directions, targets: `[n, 3]` unit vectors; a row of NaN for no direction.
    raw: `[n, k]`, the vector as the network gave it, or None for a method that has none.
    sounds, rooms: `[n]`, positions within the split.
    more: what else the head answered, by name, and what it should have, `true_` before the name: `class`
        and `true_class`, `radii`. Arrays with rows of their own share a prefix, and have an array
        `PREFIX_rooms`: those of a model of several sources, whose every source is a row above, are `slots_`.
    """

    directions: np.ndarray
    targets: np.ndarray
    raw: np.ndarray | None
    sounds: np.ndarray
    rooms: np.ndarray
    more: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def of_several_sources(self) -> bool:
        """Whether each clip has several answers."""
        return any(name.startswith("slots_") for name in self.more)

    @property
    def clips(self) -> int:
        """How many clips there are; arrays with rows of their own have one a clip."""
        own = [value for name, value in self.more.items() if name.endswith("_rooms")]
        return len(own[0]) if own else len(self.directions)

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as named arrays, for a file and for metrics."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return {**{name: value for name, value in plain.items() if value is not None}, **self.more}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Answers:
        """What `arrays` gave. Raises TypeError when something is missing."""
        plain: dict[str, Any] = {n: v for n, v in arrays.items() if n in _PLAIN}
        more = {_NOW_CALLED.get(n, n): v for n, v in arrays.items() if n not in _PLAIN}
        return cls(**{"raw": None, **plain}, more=more)

    def in_room(self, room: int) -> dict[str, np.ndarray]:
        """The arrays of one room."""
        found = self.arrays()
        prefixes = {
            n.removesuffix("rooms"): v for n, v in self.more.items() if n.endswith("_rooms")
        }

        def rooms_of(name: str) -> np.ndarray:
            return next((v for p, v in prefixes.items() if name.startswith(p)), self.rooms)

        return {name: value[rooms_of(name) == room] for name, value in found.items()}


def kept_answers(path: Path, clips: int) -> Answers:
    """The predictions in a file of a run of so many clips. Raises RecordError for what is none."""
    arrays = read_predictions(path, clips)
    try:
        return Answers.of_arrays(arrays)
    except (ValueError, TypeError, KeyError) as error:
        raise RecordError(f"The predictions {str(path)!r} cannot be read ({error}).") from error


@torch.inference_mode()
def localize(model: nn.Module, clips: ClipSet, *, batch: int, accelerator: Accelerator) -> Answers:
    """Ask a model for the direction of every clip of a split, and for all else that its head answers.

    Several processes of one training share the clips, and each gets the answers to all of them.
    """
    keep_freed_memory()
    model = accelerator.unwrap_model(model).eval()
    head: Any = model.head
    rows: dict[str, list[torch.Tensor]] = defaultdict(list)
    parts, mine = _share(clips, batch, accelerator)
    for part in parts:
        with accelerator.autocast():
            outputs = model(part.inputs)
        outputs = {name: value.float() for name, value in outputs.items()}
        for name, value in collected(head, outputs, part).items():
            rows[name].append(value)
    found: dict[str, Any] = {
        name: _gathered(torch.cat(each)[mine].cpu().numpy(), accelerator)
        for name, each in rows.items()
    }
    return Answers.of_arrays(found)


def collected(
    head: Any, outputs: Mapping[str, torch.Tensor], part: Batch
) -> dict[str, torch.Tensor]:
    """The rows of a batch: as the head collects them, or else all that it decodes, beside what was true."""
    decoded = head.decode(outputs)
    rows = {
        "directions": decoded["direction"],
        "targets": part.targets["direction"],
        "sounds": part.sounds,
        "rooms": part.rooms,
    }
    if "vector" in outputs:
        rows["raw"] = outputs["vector"]
    if hasattr(head, "collect"):
        own = head.collect(rows, outputs=outputs, decoded=decoded, targets=part.targets)
        return {**rows, **own}
    for name, value in decoded.items():
        if name in rows:
            raise ComponentError(
                f"The head decodes to {name!r}, which is the name of an array that every answer has; "
                "call it otherwise."
            )
        if name != "direction":
            rows[name] = value
            if name in part.targets:
                rows[f"true_{name}"] = part.targets[name]
    return rows


def _share(clips: ClipSet, batch: int, accelerator: Accelerator) -> tuple[Iterator[Batch], slice]:
    """Batches of this process's share of the clips, and which of their rows count.

    The share is the whole, or a range of the indices. Where there are fewer clips than processes, a
    process without any hears the first and counts nothing: what it gathers must have the same parts.
    """
    everything = slice(None)
    if accelerator.num_processes == 1:
        return clips.in_order(batch), everything
    rank, processes = accelerator.process_index, accelerator.num_processes
    first, last = (len(clips) * i // processes for i in (rank, rank + 1))
    if first == last:
        return iter([clips.take(torch.arange(1))]), slice(0)
    starts = range(first, last, batch)
    taken = (clips.take(torch.arange(start, min(start + batch, last))) for start in starts)
    return taken, everything


def _gathered(mine: np.ndarray, accelerator: Accelerator) -> np.ndarray:
    """The shares of all processes, in the order of the clips."""
    if accelerator.num_processes == 1:
        return mine
    return np.concatenate(gather_object([mine]))


@torch.inference_mode()
def localize_baseline(baseline: Any, clips: ClipSet, *, batch: int) -> Answers:
    """Ask a fitted baseline for the direction of every clip of a split."""
    rows = [
        (baseline.predict(b.inputs), b.targets["direction"], b.sounds, b.rooms)
        for b in clips.in_order(batch)
    ]
    directions, targets, sounds, rooms = (
        torch.cat(c).cpu().numpy() for c in zip(*rows, strict=True)
    )
    return Answers(directions, targets, None, sounds, rooms)


@runtime_checkable
class Names(Protocol):
    """What scoring asks of a split: how its rooms, its sounds and its classes are called."""

    rooms: tuple[str, ...]
    sound_ids: tuple[str, ...]
    classes: tuple[str, ...]


def score(answers: Answers, clips: Names, metrics: Sequence[Metric] = BUILT_IN) -> dict[str, Any]:
    """Every metric that these answers allow.

    Returns `metrics` over all clips, `by_room` (the same for each room), `by_azimuth` (the curve) and
    `by_sound` (ids, mean AD and clips of each sound: what intervals follow from), `definitions` of
    figures that records of the first versions did not have, and the tables of the metrics.
    """
    ad = angular_distance(answers.directions, answers.targets)
    sounds, means, counts = ad_by_sound(ad, answers.sounds)
    arrays = answers.arrays()
    fitting = [metric for metric in metrics if metric.fits(arrays)]
    found: dict[str, Any] = {
        "metrics": figures(fitting, arrays),
        "by_room": {
            name: figures(fitting, answers.in_room(room)) for room, name in enumerate(clips.rooms)
        },
        "by_azimuth": azimuth_curve(answers.directions, answers.targets),
        "by_sound": {
            "sounds": [clips.sound_ids[i] for i in sounds],
            "ad_mean": [float(m) for m in means],
            "clips": [int(c) for c in counts],
        },
    }
    for metric in fitting:
        if metric.tables is not None:
            found |= metric.tables(arrays, clips.classes)
    if told := definitions(fitting, arrays):
        found["definitions"] = told
    return found


@torch.inference_mode()
def cost(
    model: nn.Module,
    *,
    shape: tuple[int, ...],
    accelerator: Accelerator,
    repeats: int = 100,
) -> dict[str, Any]:
    """What one clip costs: parameters, MACs, and latency at batch 1, frontend included.

    shape: of one input: (2, N) for a clip, (2, C, F, T) for features that come ready.

    MACs are half of the floating-point operations that torch's counter sees: matrix products,
    convolutions, attention and the selective scan; norms, activations and FFTs are not counted. Clips take
    turns with a piece of work that is always the same: where that is not, the machine was `busy`.
    """
    from torch.utils.flop_counter import FlopCounterMode  # imports triton, where that is installed

    model.eval()
    device = accelerator.device
    clip = torch.randn(1, *shape, device=device, generator=torch.Generator(device).manual_seed(0))
    # torch's counter does not know the fused attention of a CPU; written out it counts every product.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(clip)
    square = torch.ones(_SQUARE, _SQUARE, device=device)

    def timed(work: Callable[[], Any]) -> float:
        synchronise(device)
        started = time.perf_counter()
        work()
        synchronise(device)
        return time.perf_counter() - started

    seconds, same = [], []
    with accelerator.autocast():
        for _ in range(10):
            model(clip)
        for _ in range(repeats):
            seconds.append(timed(lambda: model(clip)))
            same.append(timed(lambda: square @ square))
    p50, p95 = np.percentile(seconds, [50, 95])
    return {
        "parameters": parameter_count(model),
        "macs": counter.get_total_flops() // 2,
        "latency_p50_ms": 1e3 * float(p50),
        "latency_p95_ms": 1e3 * float(p95),
        "real_time_factor": float(p50) / (CLIP_SAMPLES / SAMPLE_RATE),
        "busy": bool(np.median(same) > _BUSY * np.percentile(same, 5)),
    }


def synchronise(device: torch.device) -> None:
    """Wait for what a GPU still computes, before a clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
