"""Files that were damaged at random, for every reader: only our own errors, quickly, in little memory.

`pytest tests/soak/test_fuzz.py -m soak` gives each 10,000 files (`BASTZOO_FUZZ=N`: N); the suite 25.
"""

from __future__ import annotations

import importlib
import inspect
import io
import os
import pkgutil
import random
import re
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import bastzoo
from bastzoo.acoustics.listeners.listener import read_sofa
from bastzoo.acoustics.rooms.measured import read_room
from bastzoo.answers.submitted.bundle import opened, sealed
from bastzoo.data.recorded.audio import read_recording
from bastzoo.data.recorded.csv_index import read_csv_index
from bastzoo.data.recorded.files import read_array, read_wave
from bastzoo.data.sets.index import read_index
from bastzoo.errors import BastzooError
from bastzoo.models.bast.checkpoint import read_bast_checkpoint
from bastzoo.models.sharing.package import read_package
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.records.store import read_predictions, read_record, read_track_record
from tests.acoustics.conftest import toy_sofa

ROOT = Path(__file__).parents[2]
SECONDS, MEBIBYTES = 10.0, 2048
FEW, MANY = 25, int(os.environ.get("BASTZOO_FUZZ", "10000"))


@dataclass(frozen=True)
class Fuzzed:
    """A reader, and a sound file for it. name: of the file. beside: what lies beside it."""

    name: str
    whole: Callable[[], bytes]
    read: Callable[[Path], object]
    beside: Callable[[Path], None] = lambda folder: None


def _wave() -> bytes:
    import soundfile

    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(size=(8_000, 2)) / 10
    soundfile.write(file, noise, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _saved(write: Callable[[io.BytesIO], object]) -> Callable[[], bytes]:
    def made() -> bytes:
        file = io.BytesIO()
        write(file)
        return file.getvalue()

    return made


def _committed(folder: str, begins: str) -> Callable[[], bytes]:
    paths = sorted((ROOT / "leaderboards" / "records" / folder).glob(f"{begins}*.json"))
    return lambda: paths[0].read_bytes()


FEATURES = np.zeros((2, 9, 7), np.float32)
MANIFEST = b"path,azimuth_deg,environment,sound,split\n" + b"".join(
    b"%s.wav,%d,office,%s,%s\n" % (name, 30 * number, name, split)
    for number, (name, split) in enumerate(
        [(b"a", b"train"), (b"b", b"validation"), (b"c", b"test")]
    )
)
INDEX = b"input_file,class,azimuth_deg,elevation_deg\n" + b"".join(
    b"%s.npy,dog,%d,0\n" % (name, 30 * number) for number, name in enumerate([b"a", b"b", b"c"])
)
PACKAGE = ROOT / "bastzoo" / "assets" / "models" / "quick-vanilla"
PARITY = ROOT / "tests" / "parity" / "BAST_SUB_MIX_XY_SP_vanilla_best.pkl"
FILES = b'[{"path": "a.sofa", "url": "https://x.org/a", "size": 3, "sha256": "%s"}]' % (b"0" * 64)


def _package(folder: Path) -> None:
    for path in PACKAGE.iterdir():
        shutil.copy(path, folder)


def _of_package(path: Path) -> object:
    return read_package(path.parent, default_registry())


READERS = {
    "read_wave": Fuzzed("a.wav", _wave, read_wave),
    "read_recording": Fuzzed("a.wav", _wave, read_recording),
    "read_array, npy": Fuzzed("x.npy", _saved(lambda f: np.save(f, FEATURES)), read_array),
    "read_array, pt": Fuzzed(
        "x.pt", _saved(lambda f: torch.save(torch.from_numpy(FEATURES), f)), read_array
    ),
    "read_csv_index, manifest": Fuzzed(
        "m.csv",
        lambda: MANIFEST,
        read_csv_index,
        lambda folder: [(folder / f"{n}.wav").write_bytes(_wave()) for n in "abc"] and None,
    ),
    "read_csv_index, index": Fuzzed(
        "m.csv",
        lambda: INDEX,
        read_csv_index,
        lambda folder: [np.save(folder / f"{n}.npy", FEATURES) for n in "abc"] and None,
    ),
    "read_index": Fuzzed("files.json", lambda: FILES, read_index),
    "load_preset": Fuzzed(
        "mine.toml",
        lambda: (ROOT / "bastzoo" / "assets" / "presets" / "quick.toml").read_bytes(),
        lambda path: load_preset(str(path)),
    ),
    "read_record": Fuzzed("record.json", _committed("quick", "mamba"), read_record),
    "read_track_record": Fuzzed(
        "track-x.json", _committed("measured-rooms", "track"), read_track_record
    ),
    "read_predictions": Fuzzed(
        "predictions.npz",
        _saved(lambda f: np.savez_compressed(f, directions=np.ones((50, 3)), sounds=np.arange(50))),
        lambda path: read_predictions(path, 50),
    ),
    "opened": Fuzzed(
        "x.zip", lambda: sealed("x", {"record.json": b"{}", "history.csv": b"step\n1\n"}), opened
    ),
    "read_bast_checkpoint": Fuzzed("best.pkl", PARITY.read_bytes, read_bast_checkpoint),
    "read_package, model.json": Fuzzed(
        "model.json", (PACKAGE / "model.json").read_bytes, _of_package, _package
    ),
    "read_package, weights": Fuzzed(
        "model.safetensors", (PACKAGE / "model.safetensors").read_bytes, _of_package, _package
    ),
}

# Public functions that read a path by way of those above, or of a whole folder of their files.
ELSEWHERE = {
    *("opened", "read_bytes", "read_text", "read_arrays"),  # limits.reading: what all others use
    *("read_answers", "read_results", "read_run", "read_records", "read_track_records"),
    *("read_any_record", "load_run", "load_runs", "load_localizer", "load", "load_weights"),
    *("parse_bast_checkpoint", "read_bast", "import_bast", "read_model_record", "read_weights"),
    *("load_into", "read_recordings", "read_waves", "read_rows", "read_bast_folder"),
    *("decode_wave", "open_recorded", "read_sound_folder", "read_measurement"),
    *("read_sofa", "read_room"),  # below, with a file that is made by the fixture
}


def damaged(whole: bytes, draw: random.Random) -> bytes:
    """The file with bytes changed, cut away, doubled, moved or put in."""
    data = bytearray(whole)
    for _ in range(draw.randint(1, 4)):
        # Headers say the most: half of what happens happens there.
        end = len(data) if draw.random() < 0.5 else min(len(data), 300)
        at = draw.randrange(max(end, 1))
        length = draw.choice([1, 1, 2, 4, 8, 100])
        kind = draw.randrange(6)
        if kind == 0:
            data[at : at + length] = draw.randbytes(length)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = draw.choice([b"\x00", b"\xff", b"\x7f", b"9", b"-", b'"', b"["]) * length
        elif kind == 4:
            data[at:at] = data[at : at + length]
        else:
            data[at : at + length] = bytes(length)
    return bytes(data)


def run(fuzzed: Fuzzed, folder: Path, count: int, whole: bytes) -> list[str]:
    """What went wrong, in words: another error, too long, too much memory."""
    fuzzed.beside(folder)
    path, wrong = folder / fuzzed.name, []
    path.write_bytes(whole)
    fuzzed.read(path)  # the sound file is one
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(count):
        path.write_bytes(damaged(whole, random.Random(seed)))
        started = time.perf_counter()
        try:
            fuzzed.read(path)
        except BastzooError:
            pass
        except Exception as error:
            wrong.append(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}")
        if time.perf_counter() - started > SECONDS:
            wrong.append(f"seed {seed}: took {time.perf_counter() - started:.0f} s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return [*wrong, *([f"{grown:.0f} MiB"] if grown > MEBIBYTES else [])]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", READERS)
@pytest.mark.timeout(3600)
def test_a_damaged_file_ends_in_a_sentence(name: str, count: int, tmp_path: Path) -> None:
    fuzzed = READERS[name]
    assert not run(fuzzed, tmp_path, count, fuzzed.whole())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
@pytest.mark.parametrize("read", [read_sofa, read_room])
@pytest.mark.timeout(3600)
def test_a_damaged_sofa_file_ends_in_a_sentence(
    read: Callable[[Path], object], count: int, tmp_path: Path
) -> None:
    whole = toy_sofa(tmp_path / "x.sofa").read_bytes()
    assert not run(Fuzzed("x.sofa", bytes, read), tmp_path, count, whole)


def test_every_public_reader_is_on_the_list() -> None:
    """A new function that takes a path and reads it is fuzzed, or named with where it is."""
    found = set()
    for module in pkgutil.walk_packages(bastzoo.__path__, "bastzoo."):
        if module.name.startswith(("bastzoo.cli", "bastzoo.ops", "bastzoo.__main__")):
            continue
        if "cuda" in module.name or "triton" in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if not inspect.isfunction(value) or value.__module__ != module.name:
                continue
            if not re.match(r"(read|load|parse|open|opened|decode|import)(_|$)", name):
                continue
            takes = str(inspect.signature(value))
            if re.search(r"Path|path: |file: bytes|folder: ", takes):
                found.add(name)
    listed = {name.partition(",")[0] for name in READERS} | ELSEWHERE
    assert found - listed == set()
