"""From a folder of WAV files to cached spectrograms: how fast, in how much memory, and how fast read again?

The yardstick is the loop that a script would have: read a file, run scipy's spectrogram for each ear in
double precision, z-score, stack everything in memory. It runs on fewer files; compare clips a second
(`extra_info`), and the ratio of the time of a file, taken in turns.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from reporting import beside_a_product, seconds_of, yardstick

from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.data.recorded.convert import convert
from bastzoo.data.recorded.dataset import RecordedData
from bastzoo.plugins import default_registry

FILES = 9_000
YARDSTICK_FILES = 1_000
FRONTEND = default_registry().get("frontend", "spectrogram")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """36,000 recordings: noise, 32 kB each."""
    import soundfile

    root = tmp_path_factory.mktemp("conversion") / "clips"
    for part in ("train", "test"):
        (root / part).mkdir(parents=True)
    noise = (3_000 * np.random.default_rng(0).normal(size=(32_000, 2))).astype(np.int16)
    for number in range(FILES):
        sound, azimuth = divmod(number, 36)
        part = "test" if sound % 10 == 0 else "train"
        start = number * 37 % 24_000
        name = f"A{10 * azimuth:03d}_RI01_s{sound}.wav"
        soundfile.write(root / part / name, noise[start : start + 8_000], 16_000, subtype="PCM_16")
    yield root
    shutil.rmtree(root.parent)


def loop(paths: list[Path]) -> np.ndarray:
    """The yardstick."""
    import soundfile
    from scipy.signal import spectrogram

    clips = []
    for path in paths:
        samples, rate = soundfile.read(path)
        ears = [
            20 * np.log10(spectrogram(ear, rate, nperseg=256, noverlap=128)[2]) for ear in samples.T
        ]
        both = np.stack(ears)
        clips.append((both - both.mean()) / both.std())
    return np.stack(clips)


@pytest.mark.parametrize("workers", [1, 2])
def test_conversion(
    benchmark: BenchmarkFixture, ratio: Callable, folder: Path, workers: int
) -> None:
    cache = folder.parent / "cache"
    index = read_bast_folder(folder)
    convert(index.select(np.arange(64)), FRONTEND, cache=cache)  # compiles
    some = sorted(folder.rglob("*.wav"))[:YARDSTICK_FILES]
    others: list[float] = []

    def fresh() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        others.append(seconds_of(lambda: loop(some), 1) / YARDSTICK_FILES)

    benchmark.group = "WAV to spectrograms"
    benchmark.pedantic(
        lambda: convert(index, FRONTEND, cache=cache, workers=workers), setup=fresh, rounds=5
    )
    ratio(median(others) / (benchmark.stats.stats.median / FILES), "a loop over files")
    benchmark.extra_info["clips_per_second"] = round(FILES / benchmark.stats.stats.median)


MEASURED = """
import json, re, sys
from pathlib import Path
from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.data.recorded.convert import convert
from bastzoo.plugins import default_registry

def peak():  # not getrusage's, which starts from that of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

before = peak()
index = read_bast_folder(Path(sys.argv[1]))
convert(index, default_registry().get("frontend", "spectrogram"), cache=Path(sys.argv[2]))
print(json.dumps({"imported_mib": before, "peak_mib": peak()}))
"""


@pytest.mark.thorough
def test_memory_of_a_conversion(benchmark: BenchmarkFixture, folder: Path) -> None:
    """Peak memory of a process of its own, all that it imports included."""
    cache = folder.parent / "cache-of-another"

    def converted() -> dict[str, int]:
        shutil.rmtree(cache, ignore_errors=True)
        command = [sys.executable, "-c", MEASURED, str(folder), str(cache)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    benchmark.group = "memory"
    benchmark.extra_info |= benchmark.pedantic(converted, rounds=1)


def test_a_converted_folder_is_recognised(
    benchmark: BenchmarkFixture, ratio: Callable, folder: Path
) -> None:
    cache = folder.parent / "cache"
    index = read_bast_folder(folder)
    convert(index, FRONTEND, cache=cache)
    benchmark.group = "again"
    beside_a_product(benchmark, ratio, lambda: convert(index, FRONTEND, cache=cache), rounds=5)


def test_reading_a_batch_of_64(benchmark: BenchmarkFixture, ratio: Callable, folder: Path) -> None:
    """Random rows, warm, as training takes them: gathered, widened to single precision."""
    cache = folder.parent / "cache"
    index = read_bast_folder(folder)
    train = RecordedData(index, convert(index, FRONTEND, cache=cache)).split("train")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    for part in order.split(64):
        train.take(part)
    batches = iter([*order.split(64)[:-1]] * 3)
    benchmark.group = "again"
    benchmark.pedantic(
        lambda rows: train.take(rows), setup=lambda: ((next(batches),), {}), rounds=200
    )
    ratio(yardstick() / benchmark.stats.stats.median, "a product of matrices")
