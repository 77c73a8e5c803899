"""Evaluation: what a model answers on a split, every metric of the protocol, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.data.batches import Batch, ClipSet
from bastzoo.engine.metrics import (
    ad_by_sound,
    angular_distance,
    azimuth_curve,
    localization_metrics,
)
from bastzoo.model import parameter_count


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's (or a baseline's) answers on every clip of a split, in the order of the indices.

    directions, targets: `[n, 3]` unit vectors; a row of NaN for no direction.
    raw: `[n, k]`, the vector as the network gave it, or None for a method that has none.
    sounds, rooms: `[n]`, positions within the split.
    """

    directions: np.ndarray
    targets: np.ndarray
    raw: np.ndarray | None
    sounds: np.ndarray
    rooms: np.ndarray


@torch.inference_mode()
def localize(model: nn.Module, clips: ClipSet, *, batch: int, accelerator: Accelerator) -> Answers:
    """Ask a model for the direction of every clip of a split.

    Several processes of one training share the clips, and each gets the answers to all of them.
    """
    model = accelerator.unwrap_model(model).eval()
    head: Any = model.head
    rows: list[tuple[torch.Tensor, ...]] = []
    vectors: list[torch.Tensor] = []
    for part in _share(clips, batch, accelerator):
        with accelerator.autocast():
            outputs = model(part.inputs)
        outputs = {name: value.float() for name, value in outputs.items()}
        rows.append(
            (
                head.decode(outputs)["direction"],
                part.targets["direction"],
                part.sounds,
                part.rooms,
            )
        )
        if "vector" in outputs:
            vectors.append(outputs["vector"])
    directions, targets, sounds, rooms = (
        _gathered(torch.cat(c).cpu().numpy(), accelerator) for c in zip(*rows, strict=True)
    )
    raw = _gathered(torch.cat(vectors).cpu().numpy(), accelerator) if vectors else None
    return Answers(directions, targets, raw, sounds, rooms)


def _share(clips: ClipSet, batch: int, accelerator: Accelerator) -> Iterator[Batch]:
    """Batches of this process's share of the clips: the whole, or a range of the indices."""
    if accelerator.num_processes == 1:
        return clips.in_order(batch)
    rank, processes = accelerator.process_index, accelerator.num_processes
    first, last = (len(clips) * i // processes for i in (rank, rank + 1))
    starts = range(first, last, batch)
    return (clips.take(torch.arange(start, min(start + batch, last))) for start in starts)


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


def score(answers: Answers, clips: ClipSet) -> dict[str, Any]:
    """Every metric of the protocol that these answers allow.

    Returns `metrics` over all clips, `by_room` (the same for each room), `by_azimuth` (the curve) and
    `by_sound` (ids, mean AD and clips of each sound: what the bootstrap resamples).
    """
    ad = angular_distance(answers.directions, answers.targets)
    sounds, means, counts = ad_by_sound(ad, answers.sounds)
    return {
        "metrics": _metrics(answers, slice(None)),
        "by_room": {
            name: _metrics(answers, answers.rooms == room) for room, name in enumerate(clips.rooms)
        },
        "by_azimuth": azimuth_curve(answers.directions, answers.targets),
        "by_sound": {
            "sounds": [clips.sound_ids[i] for i in sounds],
            "ad_mean": [float(m) for m in means],
            "clips": [int(c) for c in counts],
        },
    }


def _metrics(answers: Answers, which: Any) -> dict[str, Any]:
    return localization_metrics(
        answers.directions[which],
        answers.targets[which],
        raw=None if answers.raw is None else answers.raw[which],
        sounds=answers.sounds[which],
    )


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
    convolutions, attention and the selective scan; norms, activations and FFTs are not counted.
    """
    model.eval()
    device = accelerator.device
    clip = torch.randn(1, *shape, device=device, generator=torch.Generator(device).manual_seed(0))
    # torch's counter does not know the fused attention of a CPU; written out it counts every product.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(clip)
    seconds = []
    with accelerator.autocast():
        for _ in range(10):
            model(clip)
        for _ in range(repeats):
            _synchronise(device)
            started = time.perf_counter()
            model(clip)
            _synchronise(device)
            seconds.append(time.perf_counter() - started)
    p50, p95 = np.percentile(seconds, [50, 95])
    return {
        "parameters": parameter_count(model),
        "macs": counter.get_total_flops() // 2,
        "latency_p50_ms": 1e3 * float(p50),
        "latency_p95_ms": 1e3 * float(p95),
        "real_time_factor": float(p50) / (CLIP_SAMPLES / SAMPLE_RATE),
    }


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
