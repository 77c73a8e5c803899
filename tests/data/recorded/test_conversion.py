"""Conversion: what it refuses, and how it goes on after kills, races and files that were away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from bastzoo.data.recorded import convert as conversion
from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.data.recorded.cache import FEATURES_FILE, FeatureCache
from bastzoo.data.recorded.convert import ConversionState, convert
from bastzoo.data.recorded.csv_index import read_csv_index
from bastzoo.errors import DataError, SetupError
from bastzoo.registry import Component
from bastzoo.zoo.frontends import Spectrogram
from tests.cli.command import ROOT
from tests.data.recorded.made import FRONTEND, csv_index, samples, write_wave


class Broken(Spectrogram):
    """A frontend that makes no numbers of some clips."""

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        features = super().forward(clips)
        return torch.where(clips[:, :1, :1, None, None] > 0, features, torch.nan)


def test_a_damaged_chunk_of_a_killed_conversion_is_done_again(
    tmp_path: Path, clips: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> FeatureCache:
        raise KeyboardInterrupt

    index = read_bast_folder(clips)
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            convert(index, FRONTEND, cache=tmp_path)
    chunks = sorted(tmp_path.glob("partial/*/chunk-*.npz"))
    os.truncate(chunks[1], 300)
    chunks[2].write_bytes(b"")
    told: list[ConversionState] = []
    convert(index, FRONTEND, cache=tmp_path, progress=told.append).verify()
    assert told[0].done == len(index) - 8
    assert not list(tmp_path.glob("partial/*/*"))


def test_a_file_that_could_not_be_read_once_is_read_again(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network drive that was away must not leave a cache that says so for ever."""
    from bastzoo.data.recorded import conversion

    def failing(paths: list[str], out: np.ndarray, *, fit: bool = False) -> dict[int, str]:
        out[:] = 0
        return dict.fromkeys(range(len(paths)), "cannot be read")

    index = read_bast_folder(clips)
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "read_waves", failing)
        with pytest.raises(DataError):
            convert(index, FRONTEND, cache=tmp_path)
    assert not convert(index, FRONTEND, cache=tmp_path).bad.any()


def test_what_a_frontend_cannot_make_numbers_of_is_a_fault(tmp_path: Path, clips: Path) -> None:
    broken = Component(
        kind="frontend", name="broken", target=f"{__name__}:Broken", summary="makes NaN"
    )
    index = read_bast_folder(clips)
    with pytest.raises(DataError, match="'broken' makes values of it that float16 cannot hold"):
        convert(index, broken, cache=tmp_path)
    found = convert(index, broken, cache=tmp_path, skip_bad=True)
    assert 0 < found.bad.sum() < len(index)
    assert np.isfinite(found.array).all()


def test_conversions_that_were_given_up_are_cleared_away(tmp_path: Path, clips: Path) -> None:
    for name in ("old", "recent"):
        (tmp_path / "partial" / name).mkdir(parents=True)
    os.utime(tmp_path / "partial" / "old", ns=(0, 0))
    convert(read_bast_folder(clips), FRONTEND, cache=tmp_path)
    assert [path.name for path in (tmp_path / "partial").iterdir() if path.is_dir()] == ["recent"]


KILLED = """
import sys, time
from pathlib import Path
from bastzoo.data.recorded import cache, convert as conversion
from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.plugins import default_registry

cache.PART = conversion.PART = conversion.CHUNK = 8
part = conversion._convert_part

def slowly(*args):
    time.sleep(0.2)
    while len(sys.argv) > 3 and not Path(sys.argv[3]).exists():
        time.sleep(0.05)
    return part(*args)

conversion._convert_part = slowly
frontend = default_registry().get("frontend", "spectrogram")
index = read_bast_folder(Path(sys.argv[1]))
print("ready", flush=True)
conversion.convert(
    index, frontend, cache=Path(sys.argv[2]), workers=1,
    progress=lambda p: print(p.done, p.message, flush=True),
)
print("done", flush=True)
"""


def start(folder: Path, cache: Path, *gate: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, *map(str, (folder, cache, *gate))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_killed_conversion_goes_on_from_its_last_whole_chunk(
    tmp_path: Path, clips: Path, small_chunks: None
) -> None:
    with start(clips, tmp_path / "cache") as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if line.startswith("24 "):
                killed.send_signal(signal.SIGKILL)
                break
    (partial,) = (p for p in (tmp_path / "cache" / "partial").iterdir() if p.is_dir())
    kept = len(list(partial.glob("chunk-*.npz")))
    assert kept >= 3
    # A chunk that is there and is not whole is done again.
    with (partial / FEATURES_FILE).open("r+b") as file:
        file.write(b"\0" * 100)
    told: list[ConversionState] = []
    index = read_bast_folder(clips)
    found = convert(index, FRONTEND, cache=tmp_path / "cache", progress=told.append)
    assert told[0].done == 8 * kept  # one of them again
    fresh = convert(index, FRONTEND, cache=tmp_path / "fresh")
    assert (found.folder / FEATURES_FILE).read_bytes() == (
        fresh.folder / FEATURES_FILE
    ).read_bytes()
    assert found.folder.name == fresh.folder.name


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX locks")
def test_two_processes_convert_once(tmp_path: Path, clips: Path, small_chunks: None) -> None:
    cache, gate = tmp_path / "cache", tmp_path / "gate"
    with start(clips, cache, gate) as first:
        while not list(cache.glob("partial/*/features.bin")):  # it has the lock then
            time.sleep(0.05)
        with start(clips, cache) as second:
            assert second.stdout is not None
            waited = next(line for line in second.stdout if "waiting for it" in line)
            gate.touch()
            outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert "Another process converts this data" in waited
    assert all(output.rstrip().endswith("done") for output in outputs)
    assert len(list((cache / "features").iterdir())) == 1
    FeatureCache(next((cache / "features").iterdir())).verify()


def _with_bad(clips: Path, copy: Path) -> Path:
    shutil.copytree(clips, copy)
    write_wave(copy / "train" / "A010_RI01_mono.wav", samples(0, channels=1))
    write_wave(copy / "train" / "A020_RI01_fast.wav", samples(0), rate=44_100)
    (copy / "test" / "A030_RI02_cut.wav").write_bytes(
        (copy / "test" / "A000_RI01_s5.wav").read_bytes()[:999]
    )
    write_wave(copy / "train" / "no-azimuth_RI01.wav", samples(0))
    return copy


def test_all_faults_of_names_and_of_contents_are_told_together(tmp_path: Path, clips: Path) -> None:
    folder = _with_bad(clips, tmp_path / "copy")
    with pytest.raises(DataError) as refused:
        convert(read_bast_folder(folder), FRONTEND, cache=tmp_path / "cache")
    sentence = str(refused.value)
    for part in (
        "train/no-azimuth_RI01.wav: characters 2 to 4",
        "test/A030_RI02_cut.wav: is cut short",
        "train/A010_RI01_mono.wav: 1 channel",
        "train/A020_RI01_fast.wav: 44100 Hz",
        "4 faults in all; --skip-bad goes on without them.",
    ):
        assert part in sentence


def test_bad_files_are_skipped_on_request_and_marked(tmp_path: Path, clips: Path) -> None:
    folder = _with_bad(clips, tmp_path / "copy")
    index = read_bast_folder(folder)
    found = convert(index, FRONTEND, cache=tmp_path / "cache", skip_bad=True)
    bad = [index.files[row] for row in np.flatnonzero(found.bad)]
    assert bad == [
        "test/A030_RI02_cut.wav",
        "train/A010_RI01_mono.wav",
        "train/A020_RI01_fast.wav",
    ]
    assert not found.array[found.bad].any()


def test_the_first_twenty_faults_are_told_and_their_number(tmp_path: Path, clips: Path) -> None:
    shutil.copytree(clips, tmp_path / "copy")
    for number in range(30):
        write_wave(tmp_path / "copy" / "train" / f"A000_RI01_m{number}.wav", samples(0, channels=1))
    with pytest.raises(DataError, match="and 10 more\n30 faults in all"):
        convert(read_bast_folder(tmp_path / "copy"), FRONTEND, cache=tmp_path / "cache")


def test_other_lengths_are_fitted_on_request(tmp_path: Path, clips: Path) -> None:
    shutil.copytree(clips, tmp_path / "copy")
    write_wave(tmp_path / "copy" / "train" / "A000_RI01_short.wav", samples(0, count=5_000))
    index = read_bast_folder(tmp_path / "copy")
    with pytest.raises(DataError, match="5000 samples instead of 8000"):
        convert(index, FRONTEND, cache=tmp_path / "cache")
    assert not convert(index, FRONTEND, cache=tmp_path / "cache", fit=True).bad.any()


def test_arrays_of_two_shapes_are_refused(tmp_path: Path) -> None:
    path = csv_index(tmp_path / "set")
    np.save(path.parent / "clip7.npy", np.zeros((2, 6, 4), np.float32))
    with pytest.raises(DataError, match=r"clip7\.npy: has the shape 2×6×4, .* have 2×6×5"):
        convert(read_csv_index(path), FRONTEND, cache=tmp_path / "cache")


def test_what_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = csv_index(tmp_path / "set")
    np.save(path.parent / "clip7.npy", np.full((2, 6, 5), 1e5, np.float32))
    with pytest.raises(DataError, match=r"clip7\.npy: holds 100000, .* --cache-dtype float32"):
        convert(read_csv_index(path), FRONTEND, cache=tmp_path / "cache")
    np.save(path.parent / "clip8.npy", np.full((2, 6, 5), 1e-9, np.float32))
    with pytest.raises(DataError, match=r"clip8\.npy: holds 1e-09, too small"):
        convert(read_csv_index(path), FRONTEND, cache=tmp_path / "cache")
    found = convert(read_csv_index(path), FRONTEND, dtype="float32", cache=tmp_path / "cache")
    assert found.array.max() == 1e5


def test_a_disk_without_room_is_named_before_anything_is_read(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        conversion.shutil, "disk_usage", lambda path: type("Disk", (), {"free": 10})
    )
    with pytest.raises(
        SetupError, match=r"about \d.* there are 10 bytes left.* folder with --cache"
    ):
        convert(read_bast_folder(clips), FRONTEND, cache=tmp_path)


def test_progress_counts_to_the_end(tmp_path: Path, clips: Path, small_chunks: None) -> None:
    told: list[ConversionState] = []
    started = time.perf_counter()
    convert(read_bast_folder(clips), FRONTEND, cache=tmp_path, progress=told.append)
    assert [progress.done for progress in told] == [8, 16, 24, 32, 40, 48]
    assert {progress.total for progress in told} == {48}
    assert told[-1].seconds_left == 0
    assert told[-1].clips_per_second >= 48 / (time.perf_counter() - started) / 2
