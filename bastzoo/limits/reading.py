"""How a file that somebody else may have written is read: regular ones only, and none larger than it may be.

Folders of runs are shared, so what lies in them is input. A pipe in the place of a record would be waited for
for ever, a device never ends, and an archive of kilobytes can unpack to gigabytes. Whoever reads records,
claims, presets, predictions or weights goes through here, and gets OSError or ValueError for what is no such
file.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import numpy as np

MEBIBYTE = 2**20

_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe that nobody writes to is opened at once, and refused
)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_MOST_MEMBERS = 1_000
_LONGEST_HEADER = 10_000


@contextmanager
def opened(path: Path | str, at_most: int, *, follow: bool = True) -> Iterator[BinaryIO]:
    """A regular file, for reading bytes.

    at_most: bytes that it may have; follow: whether it may be a symbolic link.

    Raises OSError for anything else.
    """
    try:
        descriptor = os.open(path, _OPEN | (0 if follow else _NO_FOLLOW))
    except ValueError as error:  # a zero byte in its name
        raise OSError(errno.EINVAL, "that is no name of a file", os.fspath(path)) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
        if status.st_size > at_most:
            size = f"{status.st_size / MEBIBYTE:,.0f} MiB, of {at_most / MEBIBYTE:,.0f} at most"
            raise OSError(errno.EFBIG, f"it is too large ({size})", os.fspath(path))
        yield file


def read_bytes(path: Path | str, at_most: int, *, follow: bool = True) -> bytes:
    """The bytes of a regular file; see `opened`."""
    with opened(path, at_most, follow=follow) as file:
        # Python makes room for as much as is asked for, and the limits are far beyond most files.
        found = file.read(os.fstat(file.fileno()).st_size + 1)
        found += file.read(at_most + 1 - len(found))  # it may grow while it is read
    if len(found) > at_most:
        raise OSError(errno.EFBIG, "it grows while it is read", os.fspath(path))
    return found


def read_text(path: Path | str, at_most: int, *, follow: bool = True) -> str:
    """The text of a regular file in UTF-8, with or without a byte-order mark; see `opened`.

    Raises OSError for another encoding too.
    """
    try:
        return read_bytes(path, at_most, follow=follow).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"it is not in UTF-8 ({error.reason})"
        raise OSError(errno.EILSEQ, why, os.fspath(path)) from error


def parsed_json(text: str | bytes) -> Any:
    """A value from JSON. Raises ValueError for anything else, nested without end included."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def array_shapes(path: Path | str, at_most: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of an `.npz` file, from their headers: nothing is unpacked.

    at_most: bytes of all arrays together, and of the file.

    Raises OSError, or ValueError for what is no such file, or promises more.
    """
    with opened(path, at_most) as file, _archive(file) as archive:
        shapes, total = {}, 0
        for member in archive.infolist():
            shape, size = _header(archive, member)
            if size > member.file_size:
                raise ValueError(f"its array {member.filename!r} was cut short")
            total += max(size, member.file_size)
            if total > at_most:
                raise ValueError(
                    f"it unpacks to more than {at_most / MEBIBYTE:,.0f} MiB, which it has no reason to"
                )
            shapes[member.filename.removesuffix(".npy")] = shape
        return shapes


def read_arrays(path: Path | str, at_most: int) -> Mapping[str, np.ndarray]:
    """The arrays of an `.npz` file, no objects among them; see `array_shapes`."""
    import numpy as np

    array_shapes(path, at_most)
    with opened(path, at_most) as file, _unpacking(), np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], int]:
    """Shape of a member, and its bytes."""
    from numpy.lib import format as npy

    with _unpacking(), archive.open(member) as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file, max_header_size=_LONGEST_HEADER)
    if dtype.hasobject:
        raise ValueError(f"its array {member.filename!r} holds Python objects")
    size = int(dtype.itemsize)
    for length in shape:
        size *= length
    return shape, size


ZIP_FAULTS: tuple[type[Exception], ...] = (
    *(OSError, ValueError, RuntimeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What `zipfile` raises at a damaged archive, or at one made by a hostile hand."""


@contextmanager
def _archive(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    with _unpacking(), zipfile.ZipFile(file) as archive:
        if len(archive.infolist()) > _MOST_MEMBERS:
            raise ValueError(f"it holds more than {_MOST_MEMBERS:,} arrays")
        yield archive


@contextmanager
def _unpacking() -> Iterator[None]:
    """Turn whatever a stranger's archive makes the libraries raise into a ValueError."""
    try:
        yield
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"it is no archive of arrays ({type(error).__name__})") from error
