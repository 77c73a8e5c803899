"""A CSV manifest of one's own recordings, and folders with environments of one's own."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.data.info import describe_recorded
from bastzoo.data.recorded.audio import read_recording
from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.data.recorded.csv_index import read_csv_index
from bastzoo.data.recorded.csv_rows import is_manifest
from bastzoo.data.recorded.files import decode_wave, read_wave, read_waves
from bastzoo.data.recorded.index import TEST, TRAIN, VALIDATION
from bastzoo.errors import DataError
from tests.data.recorded.made import bast_folder, samples


def tone(rate: int, seconds: float = 0.5) -> np.ndarray:
    """Two channels of 440 Hz, the right one half as loud."""
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)
    return np.stack([wave, wave / 2], axis=-1)


def write(path: Path, rate: int = 44_100, subtype: str | None = None, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(rate, **how), rate, subtype)
    return path


def manifest(folder: Path, rows: list[str], header: str = "path,azimuth_deg,sound") -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "rate", "subtype"),
    [
        ("a.wav", 44_100, "PCM_24"),
        ("a.wav", 48_000, "FLOAT"),
        ("a.flac", 96_000, "PCM_16"),
        ("a.wav", 22_050, "PCM_U8"),
        ("a.wav", 16_000, "PCM_16"),
    ],
)
def test_any_rate_and_precision_is_the_same_clip(
    tmp_path: Path, name: str, rate: int, subtype: str
) -> None:
    clip = read_recording(write(tmp_path / name, rate, subtype))
    assert clip.shape == (CLIP_SAMPLES, 2)
    assert clip.dtype == np.int16
    expected = tone(16_000) * 2**15
    middle = slice(200, -200)  # the resampling filter rings at the ends
    np.testing.assert_allclose(
        clip[middle], expected[middle], atol=300 if subtype == "PCM_U8" else 40
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: soundfile.write(p, np.ones((99, 1)), 44_100), "1 channel; give two"),
        (lambda p: soundfile.write(p, np.ones((99, 64)), 44_100), "64 channels; give two"),
        (lambda p: soundfile.write(p, np.full((99, 2), np.nan), 44_100, "FLOAT"), "NaN"),
        (lambda p: soundfile.write(p, tone(44_100, 0.4), 44_100), "instead of 8000; --fit-length"),
        (lambda p: soundfile.write(p, np.zeros((0, 2)), 44_100), "no sample at all"),
        (lambda p: soundfile.write(p, tone(1_000), 1_000), "1000 Hz; give"),
        (lambda p: p.write_bytes(b"RIFF" + bytes(100)), "not readable as audio"),
        (lambda p: p.write_bytes(b""), "is empty"),
        (lambda p: os.mkfifo(p), "no regular file"),
        (lambda p: None, "no such file"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said(tmp_path: Path, change: Any, reason: str) -> None:
    change(tmp_path / "a.wav")
    with pytest.raises(DataError, match=reason):
        read_recording(tmp_path / "a.wav")


def test_a_short_recording_is_padded_when_asked(tmp_path: Path) -> None:
    clip = read_recording(write(tmp_path / "a.wav", seconds=0.4), fit=True)
    assert clip.shape == (CLIP_SAMPLES, 2)
    assert not clip[7_000:].any()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A manifest of twelve recordings in two rooms."""
    rows = []
    for number in range(12):
        room = "office" if number % 2 else "Kitchen"
        write(tmp_path / f"clips/{number}.{'flac' if number % 3 else 'wav'}")
        name = f"clips/{number}.{'flac' if number % 3 else 'wav'}"
        rows.append(f"{name},{30 * number - 170},5,{room},bell{number // 2},ring")
    return manifest(tmp_path, rows, "path,azimuth_deg,elevation_deg,environment,sound,class")


def test_a_manifest_says_all_that_is_known_of_each_recording(own: Path) -> None:
    assert is_manifest(own)
    index = read_csv_index(own)
    assert (index.kind, index.any_format, len(index)) == ("bast", True, 12)
    assert index.rooms == ("Kitchen", "office")
    assert index.classes == ("ring",)
    assert set(index.elevation) == {5.0}
    assert len(index.sound_ids) == 6
    for sound in range(6):  # one sound is in one split, whatever its rooms
        assert len(set(index.split[index.sound == sound])) == 1
    assert {TRAIN, VALIDATION, TEST} == set(index.split)
    office = read_csv_index(own, environment="OFFICE")
    assert office.rooms == ("office",)
    assert len(office) == 6
    with pytest.raises(DataError, match="environment 'attic'; it has Kitchen, office"):
        read_csv_index(own, environment="attic")
    told = describe_recorded(index)
    assert told["faults"] == 0
    assert told["shapes"] == {"8000×2": 12}


def test_path_and_azimuth_are_enough(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / f"{number}.wav")
    path = manifest(tmp_path, [f"{n}.wav,{40 * n}" for n in range(6)], "path,azimuth_deg")
    index = read_csv_index(path)
    assert index.classes == ("sound",)
    assert index.rooms == ("recorded",)
    assert len(index.sound_ids) == 6
    assert not index.elevation.any()


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        (["a.mp3,10,x"], "path,azimuth_deg,sound", r"'a.mp3' is no \.wav or \.flac file"),
        (["a.wav,x,x"], "path,azimuth_deg,sound", "azimuth_deg is 'x'"),
        (["a.wav,10,"], "path,azimuth_deg,split", "names no split"),
        (["a.wav,10"], "path,azimuth", "has no column 'azimuth_deg'"),
        (["a.wav,10,1,2"], "path,azimuth_deg,sound,sound", "two columns 'sound'"),
        (
            [f"{n}.wav,{np.radians(20 * n):.4f},s{n}" for n in range(9)],
            "path,azimuth_deg,sound",
            "as if they were in radians",
        ),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(
    tmp_path: Path, rows: list[str], header: str, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        read_csv_index(manifest(tmp_path, rows, header))


def test_small_whole_azimuths_are_degrees(tmp_path: Path) -> None:
    rows = []
    for number in range(7):
        write(tmp_path / f"{number}.wav")
        rows.append(f"{number}.wav,{number - 3},s{number}")
    assert np.abs(read_csv_index(manifest(tmp_path, rows)).azimuth).max() == 3


def test_a_manifest_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert not is_manifest(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="there is no such file"):
        read_csv_index(tmp_path / "pipe.csv")


# ---- folders -----------------------------------------------------------------------------------

OWN = [
    f"A{30 * a:03d}_{room}_s{s}.wav"
    for a in (0, 1)
    for room in ("office", "Attic")
    for s in "abcdef"
]


def folder(root: Path, train: list[str], test: list[str]) -> Path:
    for part, names in (("train", train), ("test", test)):
        (root / part).mkdir(parents=True)
        for name in names:
            (root / part / name).touch()
    return root


def test_a_folder_may_name_environments_of_its_own(tmp_path: Path) -> None:
    root = folder(tmp_path / "own", OWN, ["A030_office_the_test.wav"])
    for all_of_them in (None, "RI"):
        index = read_bast_folder(root, environment=all_of_them)
        assert index.rooms == ("Attic", "office")
        assert len(index) == len(OWN) + 1
        assert "the_test" in index.sound_ids
    assert read_bast_folder(root, environment="OFFICE").rooms == ("office",)
    with pytest.raises(DataError, match=r"'cellar'; it has Attic \(12\), office \(13\)"):
        read_bast_folder(root, environment="cellar")


def test_messages_never_speak_of_the_environment_none(tmp_path: Path) -> None:
    root = folder(tmp_path / "own", ["A005_office_x.wav"], [])
    with pytest.raises(DataError) as caught:
        read_bast_folder(root, environment=None)
    assert "None" not in str(caught.value)
    assert "no recording that can be used" in str(caught.value)


def test_a_preset_s_validation_sounds_do_not_eat_the_training(tmp_path: Path) -> None:
    """Ten training sounds and 20 for validation left one sound to train on."""
    names = [f"A000_RI01_s{number}.wav" for number in range(10)]
    index = read_bast_folder(
        folder(tmp_path / "set", names, ["A000_RI01_t.wav"]), validation_sounds=20
    )
    assert (index.split == VALIDATION).sum() == 2
    assert (index.split == TRAIN).sum() == 8
    (note,) = index.notes
    assert "10 sounds: 2 of them are held out for validation, not 20, and 8 are left" in note


# ---- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFFFDB, 0xFFFFFFFF, 0])
def test_a_wave_file_out_of_a_pipe_is_read(tmp_path: Path, size: int) -> None:
    """Sox and ffmpeg write such sizes where they cannot know how much will come."""
    body = samples(1).astype("<i2").tobytes()
    header = b"RIFF" + struct.pack("<I", min(size + 36, 0xFFFFFFFF)) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 2, 16_000, 64_000, 4, 16)
    data = header + b"data" + struct.pack("<I", size) + body
    np.testing.assert_array_equal(decode_wave(data), samples(1))
    (tmp_path / "a.wav").write_bytes(data)
    np.testing.assert_array_equal(read_wave(tmp_path / "a.wav"), samples(1))


def test_a_promise_of_more_than_there_is_remains_a_fault() -> None:
    body = samples(1).astype("<i2").tobytes()
    header = (
        b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 2, 16_000, 64_000, 4, 16)
    )
    with pytest.raises(DataError, match="is cut short"):
        decode_wave(header + b"data" + struct.pack("<I", len(body) + 4) + body)


def test_pipes_among_recordings_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(DataError, match="is no regular file"):
        read_wave(tmp_path / "pipe.wav")
    wrong = read_waves([str(tmp_path / "pipe.wav")], np.zeros((1, CLIP_SAMPLES, 2), np.int16))
    assert "is no regular file" in wrong[0]


def test_a_folder_in_which_every_file_is_bad_is_described(tmp_path: Path) -> None:
    root = bast_folder(tmp_path / "set")
    for path in root.rglob("*.wav"):
        path.write_bytes(b"")
    told = describe_recorded(read_bast_folder(root, azimuth_step=10))
    assert told["azimuths"] == {}
    assert told["faults"] == sum(1 for _ in root.rglob("*.wav"))
