"""Recordings are streams of two ears: any rate, any length, bounded memory, sentences for the rest."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from bastzoo.errors import DataError
from bastzoo.models.listening.audio import SoundFile, ears_of, raw_blocks, resampled
from bastzoo.models.listening.windows import Ears, at_reference, levels, windows

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.aiff"])
def test_every_format_gives_its_samples_at_its_rate(name: str, tmp_path: Path) -> None:
    sound = 0.3 * np.sin(2 * np.pi * 440 / 44_100 * np.arange(100_000))[:, None] * [1.0, 0.5]
    soundfile.write(tmp_path / name, sound, 44_100)
    with SoundFile(tmp_path / name) as file:
        assert file.rate == 44_100
        assert file.seconds == pytest.approx(100_000 / 44_100, abs=0.01)
        found = np.concatenate(list(file.blocks()))
    tolerance = 0.02 if name.endswith("ogg") else 1e-4
    np.testing.assert_allclose(found[:90_000], sound[:90_000], atol=tolerance)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 44_101, 48_000, 96_000])
def test_a_tone_stays_where_it_is_at_any_rate(rate: int) -> None:
    time = np.arange(rate) / rate
    tone = np.stack([np.sin(2 * np.pi * 1_000 * time), np.cos(2 * np.pi * 1_000 * time)], axis=1)
    blocks = np.array_split(tone.astype(np.float32), 7)
    found = np.concatenate(list(resampled(blocks, rate)))
    assert abs(len(found) - 16_000) <= 1
    time = np.arange(len(found)) / 16_000
    expected = np.stack([np.sin(2 * np.pi * 1_000 * time), np.cos(2 * np.pi * 1_000 * time)], 1)
    middle = slice(1_000, 15_000)
    np.testing.assert_allclose(found[middle], expected[middle], atol=2e-3)


def write(path: Path, sound: np.ndarray, rate: int = 16_000) -> Path:
    soundfile.write(path, sound, rate, subtype="FLOAT")
    return path


def test_what_is_no_recording_of_two_ears_is_a_sentence(tmp_path: Path) -> None:
    noise = RNG.normal(size=(4_000, 8)).astype(np.float32) * 0.1
    mono = write(tmp_path / "mono.wav", noise[:, 0])
    eight = write(tmp_path / "eight.wav", noise)
    empty = write(tmp_path / "empty.wav", noise[:0, :2])
    broken = noise[:, :2].copy()
    broken[1_600, 1] = np.nan
    odd = write(tmp_path / "nan.wav", broken)
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    cut = tmp_path / "cut.flac"
    soundfile.write(cut, noise[:, :2], 16_000)
    cut.write_bytes(cut.read_bytes()[:40])
    for path, sentence in [
        (mono, "is mono"),
        (eight, r"8 channels; say which two are the ears"),
        (empty, "holds no sound: it has 0 samples"),
        (odd, r"nan\.wav' at 0\.100 s is NaN or infinite"),
        (text, "is no sound that can be read"),
        (tmp_path / "none.wav", "No such file"),
        (tmp_path, "is no regular file"),
        (cut, "cut.flac"),
    ]:
        with pytest.raises(DataError, match=sentence), SoundFile(path) as file:
            list(file.blocks())
    with SoundFile(eight, ears=(3, 1)) as file:
        np.testing.assert_array_equal(np.concatenate(list(file.blocks())), noise[:, [2, 0]])
    with pytest.raises(DataError, match="has 8 channels; name two of them"):
        SoundFile(eight, ears=(1, 9))


def test_a_rate_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "slow.wav", RNG.normal(size=(100, 2)), rate=4)
    with pytest.raises(DataError, match="is 4 Hz; give one from 1,000"):
        SoundFile(path)


@pytest.mark.parametrize(("kind", "dtype"), [("s16le", "<i2"), ("s32le", "<i4"), ("f32le", "<f4")])
def test_raw_samples_come_whole_whatever_the_pieces(kind: str, dtype: str) -> None:
    sound = RNG.uniform(-0.5, 0.5, size=(1_001, 2))
    scale = 1.0 if dtype == "<f4" else 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
    data = (sound * scale).astype(dtype).tobytes()

    class Pieces(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return self.read(min(7, size or 7))

    found = np.concatenate(list(raw_blocks(Pieces(data), kind=kind, channels=2, ears=None)))
    np.testing.assert_allclose(found, sound, atol=2e-4)
    assert ears_of(6, (2, 5), "it") == [1, 4]


@given(
    st.integers(1, 400),
    st.integers(1, 120),
    st.integers(1, 90),
    st.lists(st.integers(0, 399), max_size=6),
)
def test_windows_are_the_recordings_own_samples_and_reach_its_end(
    length: int, samples: int, hop: int, cuts: list[int]
) -> None:
    sound = np.arange(1, 2 * length + 1, dtype=np.float32).reshape(length, 2)
    blocks = np.split(sound, sorted(cut for cut in cuts if cut < length))
    found = list(windows(iter(blocks), samples=samples, hop=hop))
    starts = [start for start, _ in found]
    if length < samples:
        assert starts == [0]
        np.testing.assert_array_equal(found[0][1][:, :length], sound.T)
        assert not found[0][1][:, length:].any()
        return
    regular = [*range(0, length - samples + 1, hop)]
    assert starts == sorted({*regular, length - samples})
    for start, window in found:
        np.testing.assert_array_equal(window, sound[start : start + samples].T)


def test_no_sound_has_no_windows() -> None:
    assert list(windows(iter([]), samples=10, hop=5)) == []


def test_levels_are_decibels_and_every_window_is_brought_to_one() -> None:
    tone = np.sin(2 * np.pi * np.arange(800) / 16) * np.array([1.0, 0.1])[:, None]
    clips = np.stack([tone, 0 * tone])
    level = levels(clips)
    np.testing.assert_allclose(level[0], [-3.01, -23.01], atol=0.01)
    assert np.isneginf(level[1]).all()
    brought = at_reference(clips, level.max(axis=1))
    np.testing.assert_allclose(levels(brought)[0], [-22.0, -42.0], atol=0.01)
    assert not brought[1].any()


def test_channels_that_are_no_ears_are_noticed() -> None:
    noise = RNG.normal(size=8_000)

    def notes(left: np.ndarray, right: np.ndarray, count: int = 10) -> str:
        ears = Ears()
        for _ in range(count):
            ears.hear(np.stack([left, right]))
        return "; ".join(ears.notes())

    later = np.roll(noise, 8)
    assert notes(noise, 0.5 * later) == ""
    assert notes(0.5 * later, noise) == ""
    assert "are the same (mono): the answers say nothing" in notes(noise, noise)
    assert "the right channel is silent" in notes(noise, 0 * noise)
    assert "the left channel is silent" in notes(1e-5 * noise, RNG.normal(size=8_000))
    assert "times or levels are exchanged" in notes(0.5 * noise, later)
    assert Ears().notes() == ["nothing was heard: the recording is silent"]
