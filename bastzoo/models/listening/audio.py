"""Recordings as a stream: any length, any rate, in bounded memory, two ears out."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.errors import DataError, tellable

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
"""Hz: what is no sampling rate of sound is a broken header."""

MOST_CHANNELS = 1_024

PCM = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4"}
"""Formats of raw samples, by the names that arecord and ffmpeg use."""

_BLOCK = 65_536

Blocks = Iterator[np.ndarray]
"""Pieces of a recording, float32 `[n, channels]` of full scale 1, in their order."""


class SoundFile:
    """A recording of two ears in a WAV, FLAC, OGG or AIFF file, read block by block.

    ears: which channels are the left and the right ear, counted from 1. None: the only two there are.

    A context manager. Raises DataError for a file that cannot be read, holds no sound, or has another
    number of channels than two while `ears` does not say which to take.
    """

    def __init__(self, path: str | Path, *, ears: tuple[int, int] | None = None) -> None:
        self.path = Path(path)
        self._file = _opened(self.path)
        self.rate = int(self._file.samplerate)
        try:
            check_rate(self.rate, repr(str(path)))
            self._ears = ears_of(self._file.channels, ears, repr(str(path)))
            if self._file.frames == 0:
                raise DataError(f"The file {str(path)!r} holds no sound: it has 0 samples.")
        except DataError:
            self._file.close()
            raise

    @property
    def seconds(self) -> float:
        """How long the recording is by its header."""
        return float(self._file.frames / self.rate)

    def blocks(self) -> Blocks:
        """Yield the ears `[n, 2]`, float32 of full scale 1, from the beginning.

        Raises DataError, naming the place, for samples that are not finite or cannot be decoded.
        """
        import soundfile

        self._file.seek(0)
        done = 0
        while True:
            try:
                block = self._file.read(_BLOCK, dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, RuntimeError) as error:
                raise DataError(
                    f"The file {str(self.path)!r} is damaged at {done / self.rate:.1f} s: {error}."
                ) from error
            if not len(block):
                if not done:
                    raise DataError(f"The file {str(self.path)!r} holds no sound that can be read.")
                return
            ears = block[:, self._ears]
            check_finite(ears, done / self.rate, self.rate, repr(str(self.path)))
            done += len(block)
            yield ears

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> SoundFile:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def raw_blocks(
    file: io.BufferedIOBase,
    *,
    kind: str,
    channels: int,
    ears: tuple[int, int] | None,
    most: int = 2_048,
) -> Blocks:
    """Yield the ears `[n, 2]` of raw samples, as soon as they are there.

    kind: one of `PCM`. most: samples of a block; fewer come when fewer are there (a microphone).
    Raises DataError for channels that are no ears and for samples that are not finite.
    """
    chosen = ears_of(channels, ears, "the standard input")
    dtype = np.dtype(PCM[kind])
    width = dtype.itemsize * channels
    scale = 1.0 if dtype.kind == "f" else 1.0 / float(2 ** (8 * dtype.itemsize - 1))
    rest = b""
    read = getattr(file, "read1", file.read)
    while data := read(most * width):
        data = rest + data
        whole = len(data) - len(data) % width
        rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype).reshape(-1, channels)[:, chosen]
        found = samples.astype(np.float32) * np.float32(scale)
        check_finite(found, None, None, "the standard input")
        if len(found):
            yield found


def resampled(blocks: Iterable[np.ndarray], rate: int) -> Blocks:
    """Yield the same sound at 16 kHz, block by block (soxr, high quality)."""
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    import soxr

    stream: Any = None
    for block in blocks:
        if stream is None:
            stream = soxr.ResampleStream(rate, SAMPLE_RATE, block.shape[1], dtype="float32")
        found = stream.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
        if len(found):
            yield found
    if stream is not None:
        last = stream.resample_chunk(np.zeros((0, block.shape[1]), np.float32), last=True)
        if len(last):
            yield last


def ears_of(channels: int, ears: tuple[int, int] | None, what: str) -> list[int]:
    """The positions of the left and the right ear among the channels.

    Raises DataError when that cannot be: a mono file, more than two channels and no word which.
    """
    if ears is not None:
        if not all(1 <= ear <= channels for ear in ears) or ears[0] == ears[1]:
            raise DataError(
                f"The ears {ears[0]} and {ears[1]} are asked for, and {what} has {channels} channels; "
                "name two of them, counted from 1."
            )
        return [ears[0] - 1, ears[1] - 1]
    if channels == 1:
        raise DataError(
            f"{what[0].upper()}{what[1:]} is mono: with one ear nothing says where a sound is. "
            "Give a recording of two ears."
        )
    if channels != 2:
        raise DataError(
            f"{what[0].upper()}{what[1:]} has {channels} channels; say which two are the ears, left first "
            "(`bastzoo predict --ears 1,2`, or localizer(file, ears=(1, 2)))."
        )
    return [0, 1]


def check_rate(rate: float, what: str) -> None:
    """Raise DataError for what is no sampling rate of sound."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise DataError(
            f"The rate of {what} is {rate:g} Hz; give one from {LOWEST_RATE:,} to {HIGHEST_RATE:,} Hz."
        )


def check_finite(block: np.ndarray, start: float | None, rate: int | None, what: str) -> None:
    """Raise DataError for samples that are no numbers."""
    if np.isfinite(block).all():
        return
    first = int(np.argmin(np.isfinite(block).all(axis=-1)))
    where = f" at {start + first / rate:.3f} s" if start is not None and rate else ""
    raise DataError(f"A sample of {what}{where} is NaN or infinite; clean the recording first.")


def _opened(path: Path) -> Any:
    import soundfile

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for, for ever
            raise DataError(f"{str(path)!r} is no regular file; use - to read standard input.")
        file = soundfile.SoundFile(os.fspath(path))
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"The file {str(path)!r} cannot be read: {reason}.") from error
    except soundfile.SoundFileError as error:
        raise DataError(
            f"The file {str(path)!r} is no sound that can be read (WAV, FLAC, OGG, AIFF): "
            f"{tellable(str(error).strip().rstrip('.'))}."
        ) from error
    if not 1 <= file.channels <= MOST_CHANNELS:
        file.close()
        raise DataError(f"The file {str(path)!r} says it has {file.channels} channels.")
    return file
