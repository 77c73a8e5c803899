"""What is in a data set: counts, sample rates, clipping, silence, duplicates across splits, the listener."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.acoustics.sounds import SPLITS
from bastzoo.data.batches import Counted
from bastzoo.data.recorded.audio import read_recording
from bastzoo.data.recorded.faults import Faults
from bastzoo.data.recorded.files import read_array, read_wave
from bastzoo.data.recorded.index import RecordedIndex
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.directions import azimuth_of, elevation_of
from bastzoo.errors import DataError
from bastzoo.limits.cores import available_cores

_FULL_SCALE = 2**15 - 1
_TOLD = 20
_AHEAD = 4_096


def describe_rendered(data: RenderedData) -> dict[str, Any]:
    """Say what rendering on demand would give; every split is counted, no clip is rendered."""
    splits = {name: data.split(name) for name in SPLITS}
    any_split = splits["test"]
    directions = any_split.place_directions
    clips = {name: len(split) for name, split in splits.items()}
    total = sum(clips.values())
    classes: Counter[str] = Counter()
    for split in splits.values():
        for number in split.class_of_sound:
            classes[split.classes[number]] += len(split) // len(split.sound_ids)
    return {
        "layout": "rendered",
        "environment": data.environment.name,
        "condition": str(data.condition) or "clean, on the grid",
        "clips": clips,
        "sounds": {name: len(split.sound_ids) for name, split in splits.items()},
        "rooms": {
            room: count * sum(len(split.sound_ids) for split in splits.values())
            for room, count in any_split.places_by_room().items()
        },
        "classes": dict(sorted(classes.items())),
        "azimuths": _count_angles(azimuth_of(directions), total // len(directions)),
        "elevations": _count_angles(elevation_of(directions), total // len(directions)),
        "sample_rates": {str(SAMPLE_RATE): total},
        "head": {"id": data.listener.id, "sha256": data.listener.digest},
        "duplicates_across_splits": _shared_sounds(split.sound_ids for split in splits.values()),
        "digest": data.digest,
    }


def describe_recorded(
    index: RecordedIndex, *, fit_length: bool = False, progress: Counted = lambda done, total: None
) -> dict[str, Any]:
    """Read every file of a recorded data set once, and say what is in it and what is wrong.

    Faults are listed, not raised.
    """
    faults = Faults()
    faults.extend(index.faults)
    found: list[_Clip | None] = []
    rates: Counter[str] = Counter()
    with ThreadPoolExecutor(min(4, available_cores())) as pool:
        rows = iter(range(len(index)))
        # A bounded look-ahead: results of a large set must not pile up before they are looked at.
        while chunk := list(islice(rows, _AHEAD)):
            for row, clip in zip(
                chunk, pool.map(lambda row: _look_at(index, row, fit_length), chunk), strict=True
            ):
                if isinstance(clip, DataError):
                    faults.add(index.files[row], str(clip))
                    rates.update([_rate_of(index.path(row))] if index.kind == "bast" else [])
                    found.append(None)
                else:
                    found.append(clip)
                    rates.update([str(SAMPLE_RATE)] if index.kind == "bast" else [])
            progress(chunk[-1] + 1, len(index))
    good = np.array([clip is not None for clip in found], dtype=bool)
    kept = index.select(good)
    clips = [clip for clip in found if clip is not None]
    return {
        "layout": index.kind,
        "path": index.given,
        "clips": {name: int((kept.split == n).sum()) for n, name in enumerate(SPLITS)},
        "sounds": {
            name: len(np.unique(kept.sound[kept.split == n])) for n, name in enumerate(SPLITS)
        },
        "rooms": _count(kept.rooms, kept.room),
        "classes": _count(kept.classes, kept.label),
        "azimuths": _count_angles(kept.azimuth, 1),
        "elevations": _count_angles(kept.elevation, 1),
        "shapes": dict(Counter("×".join(map(str, clip.shape)) for clip in clips)),
        "sample_rates": dict(sorted(rates.items())),
        "clipped_clips": sum(clip.is_clipped for clip in clips),
        "silent_clips": sum(clip.is_silent for clip in clips),
        "duplicates_across_splits": _duplicates(kept, [clip.content for clip in clips]),
        "faults": len(faults),
        "first_faults": list(faults),
        "digest": kept.digest(),
    }


@dataclass(frozen=True, slots=True)
class _Clip:
    """What is told of one file."""

    shape: tuple[int, ...]
    content: bytes
    is_clipped: bool
    is_silent: bool


def _look_at(index: RecordedIndex, row: int, fit_length: bool) -> _Clip | DataError:
    path = index.path(row)
    try:
        if index.kind == "bast":
            read = read_recording if index.any_format else read_wave
            samples = read(path, fit=fit_length)
            low, high = int(samples.min()), int(samples.max())
            is_clipped = high >= _FULL_SCALE or low <= -_FULL_SCALE - 1
            is_silent = low == high
            values = samples
        else:
            values = read_array(path)
            is_clipped, is_silent = False, bool(np.ptp(values) == 0)
    except DataError as error:
        return error
    content = blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).digest()
    return _Clip(values.shape, content, is_clipped, is_silent)


def _rate_of(path: Path) -> str:
    """The sample rate of a file that was refused, perhaps because of it."""
    import soundfile

    try:
        return str(soundfile.info(path).samplerate)
    except (OSError, RuntimeError):
        return "unknown"


def _count(names: Sequence[str], numbers: np.ndarray) -> dict[str, int]:
    counts = np.bincount(numbers, minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True) if count}


def _count_angles(degrees: np.ndarray, each: int) -> dict[str, int]:
    values, counts = np.unique(np.round(degrees, 1) + 0.0, return_counts=True)
    return {f"{value:g}": int(count) * each for value, count in zip(values, counts, strict=True)}


def _shared_sounds(splits: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    counts = Counter(sound for split in splits for sound in set(split))
    shared = sorted(sound for sound, count in counts.items() if count > 1)
    return {"count": len(shared), "first": shared[:_TOLD]}


def _duplicates(index: RecordedIndex, contents: list[bytes]) -> dict[str, Any]:
    """Clips whose contents are in two splits: what is learned from one is no test of the other."""
    splits: dict[bytes, set[int]] = {}
    rows: dict[bytes, list[int]] = {}
    for row, content in enumerate(contents):
        splits.setdefault(content, set()).add(int(index.split[row]))
        rows.setdefault(content, []).append(row)
    shared = [rows[content] for content, where in splits.items() if len(where) > 1]
    return {
        "count": sum(map(len, shared)),
        "first": [[index.files[row] for row in group[:2]] for group in shared[:_TOLD]],
    }
