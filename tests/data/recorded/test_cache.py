"""The cache: what is read is what was converted, after damage, moves and resets too."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bastzoo.data.recorded import convert as conversion
from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.data.recorded.cache import FEATURES_FILE, MANIFEST_FILE, FeatureCache, default_cache
from bastzoo.data.recorded.convert import ConversionState, convert
from bastzoo.data.recorded.csv_index import read_csv_index
from bastzoo.data.recorded.files import read_wave
from bastzoo.errors import SetupError
from bastzoo.ops.fingerprint import fingerprint
from bastzoo.registry import Component
from bastzoo.zoo.frontends import Spectrogram
from tests.data.recorded.made import FRONTEND, csv_index, samples, write_wave

OTHER = Component(
    kind="frontend",
    name="wide",
    target="bastzoo.zoo.frontends:Spectrogram",
    summary="another window",
    parameters={"window_length": 512},
)


def exact(folder: Path, cache: FeatureCache, frontend: Spectrogram) -> np.ndarray:
    index = read_bast_folder(folder)
    waves = np.stack([read_wave(index.path(row)).T for row in range(len(index))])
    with torch.inference_mode():
        return frontend(torch.from_numpy(waves).double() / 2**15).numpy()


@pytest.mark.parametrize("frontend", [FRONTEND, OTHER], ids=["fused", "through torch"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_features_are_the_frontends_to_the_precision_that_is_kept(
    tmp_path: Path, clips: Path, frontend: Component, dtype: conversion.Dtype
) -> None:
    found = convert(read_bast_folder(clips), frontend, dtype=dtype, cache=tmp_path)
    expected = exact(clips, found, frontend.build())
    assert found.array.shape == expected.shape
    assert found.array.dtype == dtype
    error = np.abs(found.array - expected)
    # A unit of the z-score is some 30 dB; half precision has steps of 1/1024 between 1 and 2.
    assert np.quantile(error, 0.999) < (2e-3 if dtype == "float16" else 1e-4)


def test_a_second_time_nothing_is_read(tmp_path: Path, clips: Path) -> None:
    index = read_bast_folder(clips)
    first = convert(index, FRONTEND, cache=tmp_path)
    told: list[ConversionState] = []
    second = convert(index, FRONTEND, cache=tmp_path, progress=told.append)
    assert second.folder == first.folder
    assert not told


def test_another_frontend_or_precision_is_another_folder(tmp_path: Path, clips: Path) -> None:
    index = read_bast_folder(clips)
    folders = {
        convert(index, frontend, cache=tmp_path, dtype=dtype).folder
        for frontend, dtype in ((FRONTEND, "float16"), (OTHER, "float16"), (FRONTEND, "float32"))
    }
    assert len(folders) == 3


def test_a_copy_and_a_touched_folder_are_recognised_by_their_contents(
    tmp_path: Path, clips: Path
) -> None:
    first = convert(read_bast_folder(clips), FRONTEND, cache=tmp_path / "cache")
    shutil.copytree(clips, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.wav"):
        os.utime(path, (1, 1))
    second = convert(read_bast_folder(tmp_path / "copy"), FRONTEND, cache=tmp_path / "cache")
    assert second.folder == first.folder
    assert len(list((tmp_path / "cache" / "features").iterdir())) == 1
    assert not [path for path in (tmp_path / "cache" / "partial").iterdir() if path.is_dir()]


def test_a_changed_sample_makes_another_cache(tmp_path: Path, clips: Path) -> None:
    shutil.copytree(clips, tmp_path / "copy")
    before = convert(read_bast_folder(tmp_path / "copy"), FRONTEND, cache=tmp_path / "cache")
    changed = next((tmp_path / "copy" / "train").iterdir())
    content = read_wave(changed).copy()
    content[4_000, 1] += 1
    write_wave(changed, content)
    after = convert(read_bast_folder(tmp_path / "copy"), FRONTEND, cache=tmp_path / "cache")
    assert after.folder != before.folder
    assert (after.contents != before.contents).any(axis=1).sum() == 1


def _flip(folder: Path) -> None:
    with (folder / FEATURES_FILE).open("r+b") as file:
        file.seek(12_345)
        byte = file.read(1)
        file.seek(12_345)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(folder / FEATURES_FILE, ns=(1, 1))


def _zero(folder: Path) -> None:
    size = (folder / FEATURES_FILE).stat().st_size
    (folder / FEATURES_FILE).write_bytes(bytes(size))


DAMAGES = {
    "a flipped bit": _flip,
    "zeros": _zero,
    "cut short": lambda folder: os.truncate(folder / FEATURES_FILE, 1_000),
    "no features": lambda folder: (folder / FEATURES_FILE).unlink(),
    "no manifest": lambda folder: (folder / MANIFEST_FILE).unlink(),
    "a broken manifest": lambda folder: (folder / MANIFEST_FILE).write_text("{"),
    "another schema": lambda folder: (folder / MANIFEST_FILE).write_text('{"schema": 99}'),
    "clips cut short": lambda folder: os.truncate(folder / "clips.npz", 300),
    "no clips": lambda folder: (folder / "clips.npz").write_bytes(b"PK"),
    "gone": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_the_data_converted_anew(
    tmp_path: Path, clips: Path, damage: str
) -> None:
    index = read_bast_folder(clips)
    first = convert(index, FRONTEND, cache=tmp_path)
    expected = np.array(first.array)
    DAMAGES[damage](first.folder)
    told: list[ConversionState] = []
    again = convert(index, FRONTEND, cache=tmp_path, progress=told.append)
    np.testing.assert_array_equal(again.array, expected)
    assert any("Converting anew" in progress.message for progress in told)
    again.verify()


@pytest.mark.parametrize("place", ["the same place", "another place"])
def test_other_contents_under_the_same_names_sizes_and_times_are_noticed(
    tmp_path: Path, clips: Path, place: str
) -> None:
    """Archives unpack with the times of their making, and all clips have one size."""
    copy = tmp_path / "copy"
    shutil.copytree(clips, copy)
    for path in copy.rglob("*.wav"):
        os.utime(path, ns=(0, 0))
    before = convert(read_bast_folder(copy), FRONTEND, cache=tmp_path / "cache")
    if place == "another place":
        copy = copy.rename(tmp_path / "moved")
    changed = sorted(copy.rglob("*.wav"))[0]
    write_wave(changed, samples(99))
    os.utime(changed, ns=(0, 0))
    after = convert(read_bast_folder(copy), FRONTEND, cache=tmp_path / "cache")
    assert after.folder != before.folder


def test_stuck_bits_do_not_cancel_in_a_fingerprint() -> None:
    words = np.random.default_rng(0).integers(0, 2**64, 512, dtype=np.uint64)
    stuck = words.copy()
    stuck[[3, 77]] ^= np.uint64(1 << 63)
    assert not np.array_equal(fingerprint(words), fingerprint(stuck))


def test_a_lookup_that_was_cut_short_removes_no_other_cache(tmp_path: Path, clips: Path) -> None:
    index = read_bast_folder(clips)
    other = convert(index, OTHER, cache=tmp_path)
    convert(index, FRONTEND, cache=tmp_path)
    for lookup in (tmp_path / "lookup").iterdir():
        lookup.write_text("")
    convert(index, FRONTEND, cache=tmp_path)
    FeatureCache(other.folder).verify()


def test_a_touched_cache_is_verified_once_and_kept(tmp_path: Path, clips: Path) -> None:
    index = read_bast_folder(clips)
    first = convert(index, FRONTEND, cache=tmp_path)
    os.utime(first.folder / FEATURES_FILE, ns=(5, 5))
    told: list[ConversionState] = []
    again = convert(index, FRONTEND, cache=tmp_path, progress=told.append)
    assert not told
    assert FeatureCache(again.folder).manifest.stamp == 5


def test_after_a_reset_of_the_machine_every_byte_is_verified(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not on the disk when the power went reads as zeros, under the right size and time."""
    index = read_bast_folder(clips)
    first = convert(index, FRONTEND, cache=tmp_path)
    expected, stamp = np.array(first.array), first.manifest.stamp
    with (first.folder / FEATURES_FILE).open("r+b") as file:
        file.write(bytes(10_000))
    os.utime(first.folder / FEATURES_FILE, ns=(stamp, stamp))
    monkeypatch.setattr("bastzoo.data.recorded.cache.boot_id", lambda: "another boot")
    told: list[ConversionState] = []
    again = convert(index, FRONTEND, cache=tmp_path, progress=told.append)
    assert any("Converting anew" in progress.message for progress in told)
    np.testing.assert_array_equal(again.array, expected)
    FeatureCache(again.folder)
    monkeypatch.setattr("bastzoo.data.recorded.cache.boot_id", lambda: "a third")
    FeatureCache(again.folder)
    assert FeatureCache(again.folder).manifest.boot == ""


def test_a_csv_index_is_kept_as_it_is(tmp_path: Path) -> None:
    path = csv_index(tmp_path / "set")
    index = read_csv_index(path)
    found = convert(index, FRONTEND, dtype="float32", cache=tmp_path / "cache")
    assert found.array.shape == (36, 2, 1, 6, 5)
    for row in range(36):
        np.testing.assert_array_equal(found.array[row, :, 0], np.load(index.path(row)))


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_cache_is_a_sentence(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o500)
    with pytest.raises(SetupError, match="name another folder with --cache"):
        convert(read_bast_folder(clips), FRONTEND, cache=tmp_path / "cache")


def test_a_cache_that_is_a_file_is_a_sentence(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(SetupError, match="name another folder with --cache"):
        convert(read_bast_folder(clips), FRONTEND, cache=tmp_path / "cache")


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASTZOO_CACHE", "/somewhere")
    assert default_cache() == Path("/somewhere")
    monkeypatch.delenv("BASTZOO_CACHE")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
        assert default_cache() == Path("/elsewhere/bastzoo")
