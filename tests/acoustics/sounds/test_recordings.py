"""A folder of sounds: pieces of 500 ms, split by file, in classes, at levels that say nothing."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bastzoo.acoustics.sounds.corpus import STEPS, Corpus
from bastzoo.acoustics.sounds.recordings import read_sound_folder
from bastzoo.errors import DataError

COUNTS = {"train": 40, "validation": 4, "test": 6}


def write(
    path: Path, seconds: float = 2.0, rate: int = 16_000, channels: int = 1, seed: int = 0
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (round(seconds * rate), channels)
    soundfile.write(path, 0.1 * np.random.default_rng(seed).normal(size=shape), rate)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for number in range(12):
        kind = ("wav", "flac", "ogg")[number % 3]
        rate = (16_000, 44_100, 48_000)[number % 3]
        name = f"{'bell' if number % 2 else 'rain'}/deep/{number}.{kind}"
        write(root / name, rate=rate, channels=1 + number % 2, seed=number)
    return root


@pytest.fixture(scope="module")
def corpora(folder: Path) -> dict[str, Corpus]:
    return read_sound_folder(folder, COUNTS)


def test_all_pieces_of_a_file_are_in_one_split(corpora: dict[str, Corpus]) -> None:
    files = [{name.partition("#")[0] for name in corpora[split].ids} for split in COUNTS]
    assert all(files)
    assert not files[0] & files[1]
    assert not files[0] & files[2]
    assert not files[1] & files[2]
    assert all(len(corpora[split]) <= count for split, count in COUNTS.items())


def test_sounds_are_levelled_pieces_of_16_bits_with_the_folders_classes(
    corpora: dict[str, Corpus],
) -> None:
    train = corpora["train"]
    assert train.classes == ("bell", "rain")
    assert train.samples.shape[1] == 8_000
    assert train.samples.dtype == np.float32
    np.testing.assert_array_equal(train.samples * STEPS, np.rint(train.samples * STEPS))
    levels = 10 * np.log10(np.square(train.samples.astype(np.float64)).mean(axis=1))
    assert ((levels > -30.1) & (levels < -19.9)).all()
    for name, label in zip(train.ids, train.families, strict=True):
        assert name.startswith(train.classes[label])


def test_a_folder_elsewhere_gives_the_same_and_another_file_moves_none(
    folder: Path, corpora: dict[str, Corpus], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for path in folder.rglob("*.*"):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    again = read_sound_folder(copy, COUNTS)
    assert {s: c.digest for s, c in again.items()} == {s: c.digest for s, c in corpora.items()}
    write(copy / "bell" / "new.wav", seed=99)
    more = read_sound_folder(copy, dict.fromkeys(COUNTS, 1000))
    whole = read_sound_folder(folder, dict.fromkeys(COUNTS, 1000))
    for split in COUNTS:
        assert set(whole[split].ids) <= set(more[split].ids)


def test_a_tone_keeps_its_frequency_through_mixing_and_resampling(tmp_path: Path) -> None:
    for number in range(3):
        time = np.arange(44_100) / 44_100
        tone = 0.3 * np.sin(2 * np.pi * 1_000 * time)
        soundfile.write(tmp_path / f"{number}.wav", np.stack([tone, 0.5 * tone], axis=1), 44_100)
    train = read_sound_folder(tmp_path, COUNTS)["train"]
    for sound in train.samples:
        assert np.abs(np.fft.rfft(sound)).argmax() == 500  # bins of 2 Hz
    assert train.classes == ("sound",)


def test_quiet_pieces_are_left_out(tmp_path: Path) -> None:
    for number in range(3):
        loud = 0.1 * np.random.default_rng(number).normal(size=16_000)
        soundfile.write(
            tmp_path / f"{number}.wav", np.concatenate([loud, 1e-4 * loud, 0 * loud]), 16_000
        )
    found = read_sound_folder(tmp_path, dict.fromkeys(COUNTS, 100))
    numbers = {name.rpartition("#")[2] for corpus in found.values() for name in corpus.ids}
    assert len(numbers) == 2  # the two loud halves of a second


def test_all_unreadable_files_are_told_at_once(folder: Path, tmp_path: Path) -> None:
    for path in list(folder.rglob("*.wav"))[:3]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.flac").touch()
    with pytest.raises(DataError) as refused:
        read_sound_folder(tmp_path, COUNTS)
    assert "text.wav" in str(refused.value)
    assert "empty.flac" in str(refused.value)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda root: None, "is not a folder"),
        (lambda root: root.mkdir(), "holds no sound file"),
        (lambda root: write(root / "one.wav"), r"holds only 1 sound file\(s\)"),
        (
            lambda root: [write(root / f"{n}.wav", seconds=0.3) for n in range(4)],
            "shorter than 500 ms",
        ),
        (
            lambda root: [
                soundfile.write(write(root / f"{n}.wav"), np.zeros(16_000), 16_000)
                for n in range(4)
            ],
            "silent",
        ),
    ],
)
def test_a_folder_of_no_use_is_a_sentence(tmp_path: Path, make: object, sentence: str) -> None:
    make(tmp_path / "set")  # type: ignore[operator]
    with pytest.raises(DataError, match=sentence):
        read_sound_folder(tmp_path / "set", COUNTS)


def piped(path: Path, samples: np.ndarray) -> None:
    """A WAV file as sox writes it into a pipe: it does not know how long it will be."""
    body = np.rint(samples * 2**15).astype("<i2").tobytes()
    head = b"RIFF" + struct.pack("<I", 0x7FFFF024) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    path.write_bytes(head + b"data" + struct.pack("<I", 0x7FFFF000) + body)


def test_what_was_left_out_is_told_and_where_there_is_too_little(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path / f"{number}.wav", seconds=1.0, seed=number)
    write(tmp_path / "short.wav", seconds=0.4)
    noise = np.random.default_rng(0).integers(-1, 2, 16_000) / 2**15
    soundfile.write(tmp_path / "converter.wav", noise, 16_000)
    found = read_sound_folder(tmp_path, {"train": 500, "validation": 1, "test": 1})
    (note,) = found["train"].notes
    assert "22 files were read; 1 shorter than 500 ms and 1 silent left out" in note
    assert f"{len(found['train'])} of 500 train sounds" in note
    few = read_sound_folder(tmp_path, {"train": 5, "validation": 1, "test": 1})
    assert "there are" not in few["train"].notes[0]
    # What is said is no part of what the sounds are.
    assert found["test"].digest == few["test"].digest


@pytest.mark.parametrize("channels", [3, 64, 1_024])
def test_more_than_two_channels_are_refused(tmp_path: Path, channels: int) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.wav", seconds=0.6, seed=number)
    write(tmp_path / "array.wav", seconds=0.6, channels=channels)
    with pytest.raises(DataError, match=rf"array\.wav: has {channels} channels"):
        read_sound_folder(tmp_path, COUNTS)


def test_a_pipe_among_the_sounds_is_not_waited_for(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.wav", seed=number)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(DataError, match=r"pipe\.wav: is no regular file"):
        read_sound_folder(tmp_path, COUNTS)


def test_sounds_that_came_out_of_a_pipe_are_read(tmp_path: Path) -> None:
    for number in range(4):
        sound = 0.1 * np.random.default_rng(number).normal(size=16_000).clip(-3, 3)
        piped(tmp_path / f"{number}.wav", sound)
    found = read_sound_folder(tmp_path, COUNTS)
    assert sum(map(len, found.values())) == 8


def test_names_of_any_script_stay_apart(tmp_path: Path) -> None:
    for number, name in enumerate(["雨", "風", "مطر", "!!!", "???"]):
        write(tmp_path / f"{name}.wav", seed=number)
    found = read_sound_folder(tmp_path, COUNTS)
    ids = [name for corpus in found.values() for name in corpus.ids]
    assert len(set(ids)) == len(ids) == 20
