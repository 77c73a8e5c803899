"""Rendered clips on disk, so that other programs can train on them: as a BAST folder or a CSV index.

A folder that is being written is named `.writing-...` until it is whole.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.sounds import SPLITS, Split
from bastzoo.conditions import Condition
from bastzoo.data.batches import Batch, ClipSet, Counted
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.directions import azimuth_of, elevation_of
from bastzoo.errors import DataError, SetupError
from bastzoo.limits.writing import check_space, new_folder
from bastzoo.zoo.slots import sources_of

ABOUT_FILE = "about.json"
GAINS_FILE = "gains.csv"
_FULL_SCALE = 2.0**15 - 1
_BYTES_PER_CLIP = {"bast": 44 + 4 * CLIP_SAMPLES, "csv": 40_000}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: clips, samples that were too loud for 16 bits, bytes."""

    folder: Path
    clips: int
    clipped_samples: int


def write_bast_folder(
    data: RenderedData,
    folder: Path,
    *,
    room_names: dict[str, str],
    gain_db: float | None = None,
    about: dict[str, object] | None = None,
    progress: Counted = lambda done, total: None,
) -> Written:
    """Write `train/` (with the validation sounds) and `test/` of 16-bit stereo WAV files.

    A file is called `A030_RI01_SOUND.wav`: azimuth clockwise as BAST's are, then the environment
    (with its noise, `RI01_SNR_20`), then the sound's id. room_names: a room's name as BAST calls it.

    gain_db: for all files. None: a power of two for each sound, the largest at which its loudest clip
        fits, so that 16 bits also hold what lies far below the loudest parts; `gains.csv` has them. The
        clips of a sound keep their levels relative to each other either way.

    Raises DataError for a condition that such names cannot tell, SetupError for a folder that exists
    or cannot be written.
    """
    import soundfile

    suffix = _check_nameable(data.condition)
    unnamed = sorted({room.name for room in data.environment.rooms} - set(room_names))
    if unnamed:
        raise DataError(
            f"A BAST folder has no name for the room {unnamed[0]!r}; it knows "
            f"{', '.join(sorted(room_names))}. Write it with --layout csv."
        )
    fixed = None if gain_db is None else 10 ** (gain_db / 20)
    gains: dict[str, float] = {}
    clipped = 0

    def write(split: Split, batch: Batch, clips: ClipSet, target: Path) -> None:
        nonlocal clipped
        values = batch.inputs.cpu().double().numpy()
        gain = _largest_gain(values) if fixed is None else fixed
        gains[clips.sound_ids[int(batch.sounds[0])]] = gain
        exact = np.rint(values * gain * 2.0**15)
        clipped += int(np.count_nonzero((exact < -(2**15)) | (exact > 2**15 - 1)))
        samples = np.clip(exact, -(2**15), 2**15 - 1).astype(np.int16).transpose(0, 2, 1)
        azimuths = np.rint(-azimuth_of(_directions(batch))).astype(int) % 360
        part = "test" if split == "test" else "train"
        for row, azimuth in enumerate(azimuths):
            room = room_names[clips.rooms[int(batch.rooms[row])]]
            sound = file_name(clips.sound_ids[int(batch.sounds[row])])
            name = f"A{azimuth:03d}_{room}{suffix}_{sound}.wav"
            soundfile.write(target / part / name, samples[row], SAMPLE_RATE, subtype="PCM_16")

    with _folder(folder, data, "bast") as aside:
        for part in ("train", "test"):
            (aside / part).mkdir()
        count = _write_all(data, write, aside, progress)
        with (aside / GAINS_FILE).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("sound", "gain"), *sorted(gains.items())])
        _write_about(aside, {**(about or {}), "gain_db": gain_db, "clipped_samples": clipped})
    return Written(folder, count, clipped)


def write_csv_index(
    data: RenderedData,
    folder: Path,
    *,
    frontend: Callable[[Tensor], Tensor],
    about: dict[str, object] | None = None,
    progress: Counted = lambda done, total: None,
) -> Written:
    """Write `dataset_index.csv` and the frontend's features as `[2, F, T]` arrays, half precision.

    Columns: input_file, class, azimuth_deg (counter-clockwise), elevation_deg, split, group (the
    sound) and environment (the room). A clip of several sources has a row for each.

    Raises DataError for a frontend with several channels, SetupError as `write_bast_folder` does.
    """
    rows: list[tuple[object, ...]] = []

    def write(split: Split, batch: Batch, clips: ClipSet, target: Path) -> None:
        features = frontend(batch.inputs)
        if features.shape[2] != 1:
            raise DataError(
                f"A CSV index holds [2, F, T] arrays, and the frontend gives {features.shape[2]} "
                "channels an ear; choose another frontend."
            )
        arrays = features[:, :, 0].cpu().numpy().astype(np.float16)
        targets = {name: value.cpu().numpy() for name, value in sources_of(batch.targets).items()}
        classes, present = targets["classes"], targets["present"]
        azimuths = np.round(azimuth_of(targets["directions"].astype(np.float64)), 3) + 0.0
        elevations = np.round(elevation_of(targets["directions"].astype(np.float64)), 3) + 0.0
        for row, array in enumerate(arrays):
            sound = clips.sound_ids[int(batch.sounds[row])]
            name = f"{split}/{len(rows):07d}_{file_name(sound)}.npy"
            np.save(target / name, array)
            room = clips.rooms[int(batch.rooms[row])]
            for source in np.flatnonzero(present[row]).tolist():
                label = clips.classes[int(classes[row, source])]
                angles = (f"{azimuths[row, source]:g}", f"{elevations[row, source]:g}")
                rows.append((name, label, *angles, split, sound, room))

    with _folder(folder, data, "csv") as aside:
        for split in SPLITS:
            (aside / split).mkdir()
        count = _write_all(data, write, aside, progress)
        with (aside / "dataset_index.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            columns = ["input_file", "class", "azimuth_deg", "elevation_deg"]
            writer.writerow([*columns, "split", "group", "environment"])
            writer.writerows(rows)
        _write_about(aside, about or {})
    return Written(folder, count, 0)


_SEPARATORS = frozenset(" -_./#")


def _largest_gain(values: np.ndarray) -> float:
    """The largest power of two at which these samples fit into 16 bits."""
    peak = float(np.abs(values).max()) * 2.0**15
    return 2.0 ** np.floor(np.log2(_FULL_SCALE / peak)) if peak > 0 else 1.0


def file_name(sound: str) -> str:
    """A sound's id as a part of a file name: letters, digits, `.` and `-`, all else as `-`.

    Where more than separators is lost, a hash of the id says what: names in Japanese or Arabic, or of
    punctuation only, stay apart.
    """
    plain = "".join(c if (c.isalnum() and c.isascii()) or c == "." else "-" for c in sound)
    if all(c in _SEPARATORS or (c.isalnum() and c.isascii()) for c in sound) and plain.strip("-."):
        return plain
    raw = sound.encode("utf-8", "surrogatepass")
    return f"{plain}-{blake2b(raw, digest_size=4).hexdigest()}"


def _check_nameable(condition: Condition) -> str:
    """The noise as a part of BAST's names, `_SNR_20`; DataError for what they have no word for."""
    plain = (
        condition.listeners == (0,) and condition.directions == "grid" and condition.sources == (1,)
    )
    if not plain or len(condition.snr_db) > 1:
        raise DataError(
            f"A BAST folder's file names cannot tell {condition}; render one SNR with the data's own "
            "listener on the grid, or write it with --layout csv."
        )
    snr = condition.snr_db[0]
    if snr is not None and snr != int(snr):
        raise DataError(f"A BAST folder names whole decibels, not {snr:g} dB; round the SNR.")
    return "" if snr is None else f"_SNR_{int(snr)}"


def _write_all(
    data: RenderedData,
    write: Callable[[Split, Batch, ClipSet, Path], None],
    target: Path,
    progress: Counted,
) -> int:
    sets: Sequence[tuple[Split, ClipSet]] = [(split, data.split(split)) for split in SPLITS]
    total, done = sum(len(clips) for _, clips in sets), 0
    for split, clips in sets:
        _check_file_names(clips)
        with torch.inference_mode():
            # One sound at a time: rendered clips lie sound by sound.
            for batch in clips.in_order(len(clips) // len(clips.sound_ids)):
                write(split, batch, clips, target)
                done += len(batch.inputs)
                progress(done, total)
    return total


def _check_file_names(clips: ClipSet) -> None:
    """Two sounds must not fall on one file name."""
    names: dict[str, str] = {}
    for sound in clips.sound_ids:
        other = names.setdefault(file_name(sound).lower(), sound)
        if other != sound:
            raise DataError(
                f"The sounds {other!r} and {sound!r} would have one file name; rename one of them."
            )


def _directions(batch: Batch) -> np.ndarray:
    return batch.targets["direction"].cpu().double().numpy()


def _write_about(folder: Path, about: dict[str, object]) -> None:
    text = json.dumps(about, indent=1, ensure_ascii=False, default=str) + "\n"
    (folder / ABOUT_FILE).write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _folder(folder: Path, data: RenderedData, layout: str) -> Iterator[Path]:
    """A new folder that appears under its name when it is whole, and not at all after an error."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupError(f"{str(folder)!r} exists already; remove it, or name another with --to.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = new_folder(folder.parent, folder.name)
    except OSError as error:
        raise SetupError(
            f"{str(folder)!r} cannot be written: {error.strerror or error}. Name another folder "
            "with --to."
        ) from error
    try:
        needed = sum(len(data.split(split)) for split in SPLITS) * _BYTES_PER_CLIP[layout]
        check_space(
            repr(str(folder)),
            needed,
            folder.parent,
            otherwise="render fewer sounds with another --preset",
        )
        yield aside
        os.replace(aside, folder)
    except OSError as error:
        raise SetupError(
            f"{str(folder)!r} cannot be written: {error.strerror or error}. Nothing is left of it; "
            "make room, or name another folder with --to."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
