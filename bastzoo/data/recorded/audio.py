"""Reads a recorded clip of any rate and precision: stereo WAV or FLAC, resampled to 16 kHz."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.data.recorded.files import LARGEST_ARRAY, decode_wave, fitted, read_bytes
from bastzoo.errors import DataError, SetupError

_RATES = (4_000, 400_000)
_FULL_SCALE = 2**15
_LONGEST_SECONDS = 600


def read_recording(path: str | Path, *, fit: bool = False) -> Int16[np.ndarray, "8000 2"]:
    """Samples `[8000, 2]` of a WAV or FLAC file of two channels, left ear first.

    fit: pad a clip of another length than 500 ms with zeros at its end, or cut it there.

    16-bit WAV at 16 kHz is read as it is. Raises DataError for what cannot be used; SetupError without
    soundfile.
    """
    if str(path).lower().endswith(".wav"):
        data = read_bytes(path, LARGEST_ARRAY)
        try:
            return decode_wave(data, fit=fit)
        except DataError as error:
            if not _may_be_read_otherwise(data):
                raise error
    samples = _resampled(*_decoded(path))
    return fitted(samples, fit)


def read_recordings(
    paths: Sequence[str], out: Int16[np.ndarray, "n 8000 2"], *, fit: bool = False
) -> dict[int, str]:
    """Read files into the rows of `out`; return what is wrong, by row, with those that are not read."""
    wrong = {}
    for row, path in enumerate(paths):
        try:
            out[row] = read_recording(path, fit=fit)
        except DataError as error:
            out[row] = 0
            wrong[row] = str(error)
    return wrong


def _may_be_read_otherwise(data: bytes) -> bool:
    """Whether a WAV file is of another kind than that which is read without soundfile."""
    if data[:4] not in (b"RIFF", b"RF64", b"RIFX"):
        return False
    kind, channels, low, high, *_, bits = np.frombuffer(
        data[20:36].ljust(16, b"\0"), "<u2"
    ).tolist()
    return (kind, channels, low | high << 16, bits) != (1, 2, SAMPLE_RATE, 16)


def _decoded(path: str | Path) -> tuple[np.ndarray, int]:
    """Samples [n, 2] and their rate."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: its library is missing
        raise SetupError(
            "Reading recordings takes the package soundfile: pip install soundfile."
        ) from error
    if not os.path.isfile(path):
        raise DataError("there is no such file; correct the path or remove the row")
    try:
        with soundfile.SoundFile(os.fspath(path)) as file:
            _check_header(file)
            samples = file.read(dtype="float64", always_2d=True)
            rate = int(file.samplerate)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise DataError(f"is not readable as audio ({reason}); save it again") from error
    if len(samples) == 0:
        raise DataError("has no sample at all; record it again")
    if not np.isfinite(samples).all():
        raise DataError("holds NaN or infinite samples; make it again")
    return samples, rate


def _check_header(file: Any) -> None:
    if file.channels != 2:
        plural = "" if file.channels == 1 else "s"
        raise DataError(f"{file.channels} channel{plural}; give two, left ear first")
    if not _RATES[0] <= file.samplerate <= _RATES[1]:
        raise DataError(f"{file.samplerate} Hz; give {_RATES[0]:,} to {_RATES[1]:,}")
    if file.frames > _LONGEST_SECONDS * file.samplerate:
        raise DataError(f"is longer than {_LONGEST_SECONDS} s; cut one clip into a file")


def _resampled(samples: np.ndarray, rate: int) -> Int16[np.ndarray, "n 2"]:
    """At 16 kHz and in 16 bits; what is louder than full scale is clipped."""
    if rate != SAMPLE_RATE:
        from scipy.signal import resample_poly

        common = gcd(rate, SAMPLE_RATE)
        samples = resample_poly(samples, SAMPLE_RATE // common, rate // common, axis=0)
    scaled = np.rint(samples * _FULL_SCALE)
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
