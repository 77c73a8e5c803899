"""Torch files of strangers: how much they unpack to is known before anything is unpacked."""

from __future__ import annotations

import contextlib
import io
import pickletools
import sys
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from bastzoo.errors import DataError
from bastzoo.limits.reading import ZIP_FAULTS, opened

_MOST_PICKLE = 64 * 2**20
_MOST_OBJECTS = 500_000
"""Dictionaries, lists, tuples, sets and calls of a pickle; numbers take little more than their bytes."""
_OBJECTS = frozenset(
    [
        "EMPTY_DICT",
        "DICT",
        "EMPTY_LIST",
        "LIST",
        "EMPTY_SET",
        "FROZENSET",
        "REDUCE",
        "NEWOBJ",
        "NEWOBJ_EX",
        "BUILD",
        "OBJ",
        "INST",
        "BYTEARRAY8",
        "MARK",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
    ]
)
_SLACK = 2**20
_GREEDY = ("bytearray",)
"""What safe loading allows, and what makes gigabytes of a number."""


def check_torch_file(source: Path | bytes, *, largest: int) -> None:
    """Refuse a torch file that takes far more memory than it is long.

    largest: bytes that a file may have at most.

    torch.save compresses nothing, so an archive unpacks to what it is long; its pickle names tensors and
    settings, and is short. Raises DataError, a phrase with what is wrong and what to do.
    """
    try:
        with _of(source) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            if size > largest:
                raise DataError(f"{size / 2**20:,.0f} MiB are too large; it holds something else")
            if file.read(2) == b"PK":
                _check_archive(file, size, largest)
            else:
                file.seek(0)
                _check_pickle(file, whole=False)
    except DataError:
        raise
    except ZIP_FAULTS as error:
        raise DataError(
            "is no torch file that can be read; save it again with torch.save"
        ) from error


def _of(source: Path | bytes) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, bytes):
        return contextlib.nullcontext(io.BytesIO(source))
    return opened(source, sys.maxsize)


def _check_archive(file: Any, size: int, largest: int) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > min(largest, size + _SLACK):
            raise DataError(
                f"unpacks to {unpacked / 2**20:,.0f} MiB out of {size / 2**20:,.1f}, which torch.save never "
                "does; save it again with torch.save"
            )
        for member in members:
            if member.filename.endswith("data.pkl"):
                if member.file_size > _MOST_PICKLE:
                    raise DataError("holds more than weights and settings; save those alone")
                _check_pickle(io.BytesIO(archive.read(member)), whole=True)


def _check_pickle(file: Any, *, whole: bool) -> None:
    """Refuse pickles of endless small objects, and of what makes large ones.

    whole: whether the file is one pickle; the older form has several in a row, and tensors behind them.
    """
    count = 0
    try:
        for _ in range(1 if whole else 5):
            for opcode, argument, _ in pickletools.genops(file):
                count += opcode.name in _OBJECTS
                if count > _MOST_OBJECTS:
                    raise DataError("holds more than weights and settings; save those alone")
                words = (
                    str(argument).split()
                    if opcode.name in ("GLOBAL", "STACK_GLOBAL")
                    else [argument]
                )
                if any(word in _GREEDY for word in words):
                    raise DataError("makes memory out of nothing, which torch.save never does")
    except ValueError:
        if whole:
            raise
