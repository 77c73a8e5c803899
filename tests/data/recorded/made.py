"""Small recorded data sets, made for tests."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from bastzoo.plugins import default_registry

RATE, SAMPLES = 16_000, 8_000
FRONTEND = default_registry().get("frontend", "spectrogram")


def samples(seed: int, count: int = SAMPLES, channels: int = 2) -> np.ndarray:
    """Noise [count, channels] int16 from a seed."""
    noise = np.random.default_rng(seed).normal(size=(count, channels))
    return (3_000 * noise).astype(np.int16)


def write_wave(path: Path, content: np.ndarray, rate: int = RATE, kind: str = "PCM_16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, content, rate, subtype=kind, format="WAV")
    return path


def bast_folder(
    root: Path,
    *,
    train: int = 4,
    test: int = 2,
    azimuths: Iterable[int] = (0, 90, 180, 270),
    rooms: Sequence[str] = ("RI01", "RI02"),
) -> Path:
    """A folder in BAST's layout: sounds `s0`, `s1`, ... in every room from every azimuth."""
    (root / "test").mkdir(parents=True)
    seed = 0
    for sound in range(train + test):
        part = "train" if sound < train else "test"
        for room in rooms:
            for azimuth in azimuths:
                seed += 1
                name = f"A{azimuth:03d}_{room}_s{sound}.wav"
                write_wave(root / part / name, samples(seed))
    return root


def csv_index(
    root: Path, rows: Iterable[Mapping[str, object]] | None = None, *, name: str = "index.csv"
) -> Path:
    """A CSV index; arrays of rows that name none are written beside it."""
    root.mkdir(parents=True, exist_ok=True)
    listed = [dict(row) for row in (default_rows() if rows is None else rows)]
    for number, row in enumerate(listed):
        file = f"clip{number}.npy"
        row.setdefault("input_file", file)
        path = root / str(row["input_file"])
        if path.name == file and not path.exists():
            np.save(path, array(number))
    columns = list(dict.fromkeys(column for row in listed for column in row))
    path = root / name
    with path.open("w", newline="", encoding="utf-8") as file_:
        writer = csv.DictWriter(file_, columns)
        writer.writeheader()
        writer.writerows(listed)
    return path


def default_rows(groups: int = 12) -> list[dict[str, object]]:
    return [
        {
            "class": "bell" if group % 2 else "drum",
            "azimuth_deg": azimuth,
            "elevation_deg": 0,
            "group": f"g{group}",
        }
        for group in range(groups)
        for azimuth in (0, 90, -90)
    ]


def array(seed: int, shape: tuple[int, ...] = (2, 6, 5)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
