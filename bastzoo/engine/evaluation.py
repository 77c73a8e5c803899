"""Evaluation: what a model answers on a split, every metric of the protocol, and what it costs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
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
from bastzoo.metrics.calibration import calibration_metrics
from bastzoo.metrics.classes import by_class, confusion, task_metrics
from bastzoo.metrics.localization import (
    ad_by_sound,
    angular_distance,
    azimuth_curve,
    localization_metrics,
)
from bastzoo.metrics.sources import source_metrics
from bastzoo.model import parameter_count
from bastzoo.zoo.slots import match, sources_of


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's (or a baseline's) answers on every clip of a split, in the order of the indices.

    directions, targets: `[n, 3]` unit vectors; a row of NaN for no direction.
    raw: `[n, k]`, the vector as the network gave it, or None for a method that has none.
    sounds, rooms: `[n]`, positions within the split.
    classes, labels: `[n]`, positions of the class that was answered and of the true one; None for a
        model that says nothing of classes.
    radii: `[n, 9]`, degrees, of a model that says how sure it is (`engine.calibration`).
    slots: of a model that answers several sources, what it answered of each clip and what was there
        (the arguments of `source_metrics`). Then every source is a row of the arrays above, with the
        answer of the slot that fits it best.
    """

    directions: np.ndarray
    targets: np.ndarray
    raw: np.ndarray | None
    sounds: np.ndarray
    rooms: np.ndarray
    classes: np.ndarray | None = None
    labels: np.ndarray | None = None
    radii: np.ndarray | None = None
    slots: dict[str, np.ndarray] | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as named arrays, for a file."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "slots"}
        found = {name: value for name, value in plain.items() if value is not None}
        return {**found, **{f"slots_{n}": value for n, value in (self.slots or {}).items()}}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Answers:
        """What `arrays` gave. Raises TypeError when something is missing or unknown."""
        slots = {n.removeprefix("slots_"): v for n, v in arrays.items() if n.startswith("slots_")}
        plain = {n: v for n, v in arrays.items() if not n.startswith("slots_")}
        given: dict[str, Any] = {"raw": None, "slots": slots or None, **plain}
        return cls(**given)


@torch.inference_mode()
def localize(model: nn.Module, clips: ClipSet, *, batch: int, accelerator: Accelerator) -> Answers:
    """Ask a model for the direction of every clip of a split.

    Several processes of one training share the clips, and each gets the answers to all of them.
    """
    model = accelerator.unwrap_model(model).eval()
    head: Any = model.head
    rows: dict[str, list[torch.Tensor]] = defaultdict(list)
    for part in _share(clips, batch, accelerator):
        with accelerator.autocast():
            outputs = model(part.inputs)
        outputs = {name: value.float() for name, value in outputs.items()}
        decoded = head.decode(outputs)
        if "directions" in decoded:
            _add_sources(rows, outputs, decoded, part)
            continue
        rows["directions"].append(decoded["direction"])
        rows["targets"].append(part.targets["direction"])
        rows["sounds"].append(part.sounds)
        rows["rooms"].append(part.rooms)
        if "vector" in outputs:
            rows["raw"].append(outputs["vector"])
        if "radii" in decoded:
            rows["radii"].append(decoded["radii"])
        if "class" in decoded:
            rows["classes"].append(decoded["class"])
            rows["labels"].append(part.targets["class"])
    found: dict[str, Any] = {
        name: _gathered(torch.cat(parts).cpu().numpy(), accelerator) for name, parts in rows.items()
    }
    return Answers.of_arrays(found)


def _add_sources(
    rows: dict[str, list[torch.Tensor]],
    outputs: Mapping[str, torch.Tensor],
    decoded: Mapping[str, torch.Tensor],
    part: Batch,
) -> None:
    """Add a row for each source, answered by the slot that is matched to it."""
    targets = sources_of(part.targets)
    clips, sources = targets["present"].nonzero(as_tuple=True)
    slots = match(outputs, targets)[clips, sources]
    rows["directions"].append(decoded["directions"][clips, slots])
    rows["targets"].append(targets["directions"][clips, sources])
    rows["classes"].append(decoded["classes"][clips, slots])
    rows["labels"].append(targets["classes"][clips, sources])
    rows["sounds"].append(part.sounds[clips])
    rows["rooms"].append(part.rooms[clips])
    rows["raw"].append(outputs["slot_vector"][clips, slots])
    for name in ("directions", "classes", "present"):
        rows[f"slots_{name}"].append(decoded[name])
        rows[f"slots_target_{name}"].append(targets[name])
    rows["slots_rooms"].append(part.rooms)


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
    `by_sound` (ids, mean AD and clips of each sound: what the bootstrap resamples). Of answers with
    classes also `by_class` (a table) and `confusion` (rows: true classes, columns: answered ones).
    """
    ad = angular_distance(answers.directions, answers.targets)
    sounds, means, counts = ad_by_sound(ad, answers.sounds)
    return {
        "metrics": _metrics(answers, None),
        "by_room": {name: _metrics(answers, room) for room, name in enumerate(clips.rooms)},
        "by_azimuth": azimuth_curve(answers.directions, answers.targets),
        "by_sound": {
            "sounds": [clips.sound_ids[i] for i in sounds],
            "ad_mean": [float(m) for m in means],
            "clips": [int(c) for c in counts],
        },
        **_class_tables(answers, clips),
    }


def _class_tables(answers: Answers, clips: ClipSet) -> dict[str, Any]:
    if answers.classes is None or answers.labels is None:
        return {}
    what = {"classes": answers.classes, "labels": answers.labels}
    return {
        "by_class": by_class(answers.directions, answers.targets, names=clips.classes, **what),
        "confusion": confusion(**what, count=len(clips.classes)).tolist(),
    }


def _metrics(answers: Answers, room: int | None) -> dict[str, Any]:
    """Figures over all clips, or those of one room."""
    which: Any = slice(None) if room is None else answers.rooms == room
    where = answers.directions[which], answers.targets[which]
    found = localization_metrics(
        *where,
        raw=None if answers.raw is None else answers.raw[which],
        sounds=answers.sounds[which],
    )
    if answers.classes is not None and answers.labels is not None:
        found |= task_metrics(*where, classes=answers.classes[which], labels=answers.labels[which])
    if answers.radii is not None:
        found |= calibration_metrics(*where, answers.radii[which])
    if answers.slots is not None:
        slots = dict(answers.slots)
        rooms = slots.pop("rooms")
        clips: Any = slice(None) if room is None else rooms == room
        found |= source_metrics(**{name: value[clips] for name, value in slots.items()})
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
