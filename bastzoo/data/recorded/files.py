"""Reads one recorded clip: 16-bit stereo WAV, or an array of features in .npy or .pt.

Everything that is wrong with a file is a DataError whose message is a phrase, what is wrong and what to
do; who reads many files puts the name before it.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import stat
import struct
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int16

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.data.archives import check_torch_file
from bastzoo.errors import DataError

LARGEST_ARRAY = 64 * 2**20
"""Bytes of a file that are read at most: half a second has some 60,000 as a spectrogram."""

_PCM, _EXTENSIBLE = 1, 0xFFFE
_FORMATS = {2: "ADPCM", 3: "floating-point", 6: "A-law", 7: "mu-law", 0x11: "ADPCM", 0x55: "MP3"}
_FRAME = 4
_UNKNOWN_SIZE = 0x7FF00000
"""From here on a size was not known when the header was written: sox says 0x7ffff000, ffmpeg 0xffffffff."""
# The header of nearly every file: one format chunk of 16 bytes, then the data.
_USUAL = struct.Struct("<4s4x4s4sIHHI4xHH4sI")
# The same of a whole clip, behind the size of the file.
_USUAL_HEADER = struct.pack(
    "<4s4sIHHIIHH4sI",
    *(b"WAVE", b"fmt ", 16, _PCM, 2, SAMPLE_RATE, _FRAME * SAMPLE_RATE, _FRAME, 16),
    *(b"data", _FRAME * CLIP_SAMPLES),
)
_USUAL_SIZE = _USUAL.size + _FRAME * CLIP_SAMPLES
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_CAN_SCATTER = hasattr(os, "readv") and sys.byteorder == "little"


def decode_wave(
    data: bytes | memoryview, name: str = "", *, fit: bool = False
) -> Int16[np.ndarray, "n 2"]:
    """Samples `[n, 2]` of the bytes of a WAV file, left ear first; n is 8000.

    fit: pad a clip of another length with zeros at its end, or cut it there.

    Raises DataError for anything but 16-bit stereo PCM at 16 kHz.
    """
    if len(data) >= _USUAL.size:
        riff, wave, fmt, size, *kind, tag, length = _USUAL.unpack_from(data)
        if (riff, wave, fmt, size, tag) == (b"RIFF", b"WAVE", b"fmt ", 16, b"data"):
            _check_format(*kind)
            return _samples(data, _USUAL.size, length, fit)
    return _samples(data, *_find_data(data), fit)


def read_wave(path: str | Path, *, fit: bool = False) -> Int16[np.ndarray, "n 2"]:
    """Samples `[8000, 2]` of a WAV file; see `decode_wave`."""
    return decode_wave(read_bytes(path, LARGEST_ARRAY), fit=fit)


def read_waves(
    paths: Sequence[str], out: Int16[np.ndarray, "n 8000 2"], *, fit: bool = False
) -> dict[int, str]:
    """Read files into the rows of `out`; return what is wrong, by row, with those that are not read.

    A file as nearly all are is read straight to its place; any other one goes through `decode_wave`.
    """
    wrong = {}
    header = bytearray(_USUAL.size)
    for row, path in enumerate(paths):
        if _CAN_SCATTER:
            with contextlib.suppress(OSError, ValueError):
                descriptor = os.open(path, _READ)
                try:
                    count = os.readv(descriptor, (header, out[row].data))
                finally:
                    os.close(descriptor)
                if count == _USUAL_SIZE and header[8:] == _USUAL_HEADER:
                    continue
        try:
            out[row] = read_wave(path, fit=fit)
        except DataError as error:
            out[row] = 0
            wrong[row] = str(error)
    return wrong


def read_bytes(path: str | Path, at_most: int | None = None) -> bytes:
    """The bytes of a file. Raises DataError when it cannot be read, or is larger than `at_most`."""
    try:
        # Without waiting: a pipe that nobody writes to would be waited for, for ever.
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DataError("is no regular file; give a file, or remove it")
            size = status.st_size
            if at_most is not None and size > at_most:
                raise DataError(
                    f"{size / 2**20:,.0f} MiB are too large for one clip; give one clip a file"
                )
            return os.read(descriptor, size)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise DataError("there is no such file; correct the path or remove the row") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be read ({reason}); check the file") from error


def read_array(path: str | Path) -> Float[np.ndarray, "2 F T"]:
    """Features `[2, F, T]` of a .npy or a .pt file, float32, the left ear first.

    Nothing in a file is executed. Raises DataError for anything but one finite array of that shape.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".npy", ".pt"):
        raise DataError(f"is no .npy or .pt file ({suffix or 'no ending'}); convert it")
    data = read_bytes(path, LARGEST_ARRAY)
    array = _decode_npy(data) if suffix == ".npy" else _decode_pt(data)
    if array.ndim != 3 or array.shape[0] != 2:
        raise DataError(f"has the shape {list(array.shape)}; give [2, F, T], the left ear first")
    if array.size == 0:
        raise DataError(f"has the shape {list(array.shape)}, which holds nothing; make it again")
    if array.dtype.kind not in "fiu":
        raise DataError(f"holds {array.dtype} values; give real numbers")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused below
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise DataError("holds NaN or infinite values; make it again")
    return array


def _check_format(kind: int, channels: int, rate: int, frame: int, bits: int) -> None:
    """Refuse every WAV format but 16-bit stereo PCM at 16 kHz."""
    if kind != _PCM:
        raise DataError(f"{_FORMATS.get(kind, f'format {kind}')} samples; save it as 16-bit PCM")
    if channels != 2:
        plural = "" if channels == 1 else "s"
        raise DataError(f"{channels} channel{plural}; give two, left ear first")
    if bits != 16 or frame != _FRAME:
        raise DataError(f"{bits}-bit samples; save it with 16 bits")
    if rate != SAMPLE_RATE:
        raise DataError(f"{rate} Hz; resample it to {SAMPLE_RATE}")


def _find_data(data: bytes | memoryview) -> tuple[int, int]:
    """Where the samples of a WAV file begin, and their bytes as its header has them."""
    if len(data) == 0:
        raise DataError("is empty; copy it again")
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"WAVE":
        raise DataError("is no WAV file; save it as 16-bit PCM WAV")
    place, is_known = 12, False
    while place + 8 <= len(data):
        tag, size = struct.unpack_from("<4sI", data, place)
        place += 8
        if tag == b"data":
            if not is_known:
                break
            return place, size
        if tag == b"fmt ":
            if size < 16 or place + size > len(data):
                break
            kind, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", data, place)
            if kind == _EXTENSIBLE and size >= 40:
                kind = struct.unpack_from("<H", data, place + 24)[0]
            _check_format(kind, channels, rate, frame, bits)
            is_known = True
        place += size + size % 2
    raise DataError("its header is cut short or damaged; copy it again")


def _samples(
    data: bytes | memoryview, start: int, length: int, fit: bool
) -> Int16[np.ndarray, "n 2"]:
    held = len(data) - start
    if (length == 0 or (length >= _UNKNOWN_SIZE and length > held)) and held > 0:
        # A writer into a pipe, who did not know how much would come.
        length = held
    if length > held:
        raise DataError(
            f"is cut short: its header promises {length // _FRAME} samples, and it has "
            f"{held // _FRAME}; copy it again"
        )
    count = length // _FRAME
    if count == 0:
        raise DataError("has no sample at all; record it again")
    return fitted(np.frombuffer(data, "<i2", 2 * count, start).reshape(-1, 2), fit)


def fitted(samples: Int16[np.ndarray, "n 2"], fit: bool) -> Int16[np.ndarray, "8000 2"]:
    """A clip of 8000 samples: as it is, or padded or cut at its end. Raises DataError without `fit`."""
    count = len(samples)
    if count != CLIP_SAMPLES and not fit:
        raise DataError(
            f"{count} samples instead of {CLIP_SAMPLES}; --fit-length pads or cuts, at the end"
        )
    if count < CLIP_SAMPLES:
        return np.pad(samples, ((0, CLIP_SAMPLES - count), (0, 0)))
    return samples[:CLIP_SAMPLES]


def _decode_npy(data: bytes) -> np.ndarray:
    file = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if dtype.hasobject:
                raise DataError("holds Python objects; save a plain array")
            # A header can promise more than any memory holds.
            promised = dtype.itemsize
            for size in shape:
                promised *= size
            if promised > len(data):
                raise DataError(
                    f"is cut short: its header promises {promised:,} bytes; make it again"
                )
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except DataError:
        raise
    except Exception as error:  # a stranger's bytes: numpy evaluates a header as a Python literal
        raise DataError(
            "is no .npy file that can be read; save it again with numpy.save"
        ) from error


def _decode_pt(data: bytes) -> np.ndarray:
    import torch

    check_torch_file(data, largest=LARGEST_ARRAY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            "holds more than a tensor, which is not read for safety; save the tensor alone, with "
            "torch.save(tensor, file)"
        ) from error
    except Exception as error:  # a stranger's bytes make torch raise nearly anything
        raise DataError("is no .pt file that can be read; save it again with torch.save") from error
    if not isinstance(found, torch.Tensor):
        raise DataError(f"holds a {type(found).__name__}; save the tensor alone")
    if found.is_sparse or found.layout != torch.strided or found.is_quantized:
        raise DataError("holds a sparse or quantized tensor; save a dense one")
    if found.device.type != "cpu":  # map_location leaves the device meta as it is
        raise DataError("holds a tensor without values; save it with them")
    if found.numel() * found.element_size() > LARGEST_ARRAY:  # a view can be larger than its file
        raise DataError(f"has the shape {list(found.shape)}, too large for one clip")
    found = found.detach()
    if found.dtype == torch.bfloat16:
        found = found.float()
    try:
        return found.numpy()
    except (RuntimeError, TypeError) as error:
        raise DataError(f"holds {found.dtype} values; give real numbers") from error
