"""Rows of a CSV index: what a table of strangers says of each clip, with every fault told by its row.

The csv module and not pandas: pandas guesses types (a class `01` becomes 1, `NA` becomes NaN) and
knows no row numbers to tell faults by.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from bastzoo.conditions import ALL_ROOMS
from bastzoo.data.recorded.faults import Faults
from bastzoo.data.recorded.index import TEST, TRAIN, VALIDATION
from bastzoo.errors import DataError, tellable

FEATURE_COLUMNS = ("input_file", "class", "azimuth_deg", "elevation_deg")
"""What an index of spectrograms must have."""

MANIFEST_COLUMNS = ("path", "azimuth_deg")
"""What a manifest of recordings must have; of the others it may have any."""

FEATURE_SUFFIXES = (".npy", ".pt")
RECORDING_SUFFIXES = (".wav", ".flac")

_LONGEST_LINE = 2**20
_SPLIT_WORDS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}
_CLASS = "sound"
_TURN = 2 * math.pi
_FINEST = 0.1


@dataclass(slots=True)
class Row:
    """One usable row; `number` as a spreadsheet counts, the header being 1."""

    number: int
    file: str
    label: str
    azimuth: float
    elevation: float
    split: int | None
    group: str
    room: str
    others: list[Row] = field(default_factory=list)
    """Further rows of the same file: the other sources of the clip."""


def is_manifest(path: str | Path) -> bool:
    """Whether a CSV file lists recordings (a column `path`) and not spectrograms."""
    path = Path(path)
    if not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader([file.readline(_LONGEST_LINE)]), [])
    except (OSError, ValueError, csv.Error):
        return False
    names = [name.strip().lower() for name in header]
    return "path" in names and "input_file" not in names


def read_rows(path: Path, faults: Faults, *, manifest: bool) -> list[Row]:
    """The usable rows of a CSV file, each with all its sources, whose files exist.

    manifest: whether its files are recordings, in a column `path`, or spectrograms.

    Raises DataError when the file itself cannot be used.
    """
    if not path.is_file():  # a pipe would be waited for, for ever
        raise DataError(f"{str(path)!r} cannot be read: there is no such file.")
    try:
        # newline="" leaves line ends to the csv module; utf-8-sig takes a byte order mark away.
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(path, file, faults, manifest))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} is not in UTF-8 ({error.reason}); save it as UTF-8."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{str(path)!r} cannot be read: {reason}.") from error
    _check_degrees(path, rows)
    return _existing(path, _clips(path, rows, faults), faults)


def _check_degrees(path: Path, rows: list[Row]) -> None:
    """Refuse azimuths that are plainly radians: all within a turn of them, in steps of no grid."""
    azimuths = np.array([row.azimuth for row in rows])
    if len(azimuths) < 2 or np.abs(azimuths).max() > _TURN + 1e-6:
        return
    steps = azimuths / _FINEST
    if (np.abs(steps - np.rint(steps)) > 1e-6).any():
        raise DataError(
            f"{str(path)!r} has no azimuth beyond {np.abs(azimuths).max():.4g}, as if they were in radians: "
            "azimuth_deg needs degrees."
        )


def _rows(path: Path, file: IO[str], faults: Faults, manifest: bool) -> Iterator[Row]:
    lines = _Lines(path, file)
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        lines.row_is_read()
    except csv.Error as error:
        raise DataError(f"{str(path)!r}, row 1: is no CSV ({error}); save it again.") from error
    needed = MANIFEST_COLUMNS if manifest else FEATURE_COLUMNS
    missing = [name for name in needed if name not in header]
    if missing:
        found = tellable(", ".join(header)) or "none"
        raise DataError(
            f"{str(path)!r} has no column {', '.join(map(repr, missing))}; it has {found}."
            + (" Separate columns with commas." if ";" in found else "")
        )
    for name in (*needed, "split", "group", "sound", "environment"):
        if header.count(name) > 1:
            raise DataError(f"{str(path)!r} has two columns {name!r}; remove or rename one.")
    place = {name: number for number, name in enumerate(header)}
    roots = _roots(path)
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.add(f"{path.name}, row {number}", f"is no CSV ({error}); check its quotes")
            return  # where the next row begins nobody knows
        lines.row_is_read()
        if not any(cell.strip() for cell in cells):
            continue
        # Spreadsheets end rows with commas as long as the longest row that they ever had.
        while len(cells) > len(header) and not cells[-1].strip():
            del cells[-1]
        where = f"{path.name}, row {number}"
        if len(cells) != len(header):
            faults.add(
                where, f"has {len(cells)} cells, and the header {len(header)}; check its commas"
            )
            continue
        named = {name: cells[n].strip() for name, n in place.items()}
        row = _row(number, named, roots, where, faults, manifest)
        if row is not None:
            yield row


class _Lines:
    """Lines of a bounded length: what is no CSV at all may be gigabytes without a line end.

    A row of quoted cells can run over many lines, and is bounded all the same.
    """

    def __init__(self, path: Path, file: IO[str]) -> None:
        self._path = path
        self._file = file
        self._number = 0
        self._row_length = 0

    def row_is_read(self) -> None:
        """Count the length of a row anew."""
        self._row_length = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_LONGEST_LINE + 1):
            self._number += 1
            self._row_length += len(line)
            if self._row_length > _LONGEST_LINE:
                what = "line" if len(line) > _LONGEST_LINE else "row, which ends at line"
                raise DataError(
                    f"{str(self._path)!r}, {what} {self._number}: is longer than {_LONGEST_LINE:,} "
                    "characters; is it a CSV file?"
                )
            yield line


def _roots(path: Path) -> tuple[str, ...]:
    """How absolute paths to files beside the CSV begin."""
    folders = dict.fromkeys((os.path.abspath(path.parent), os.path.realpath(path.parent)))
    return tuple(f"{folder.rstrip(os.sep)}{os.sep}" for folder in folders)


def _below(roots: tuple[str, ...], file: str) -> str:
    """One spelling for each file, so that none counts twice, and a set can be moved with its CSV."""
    file = os.path.normpath(file) if file else file
    if os.path.isabs(file):
        for root in roots:
            if file.startswith(root):
                return file.removeprefix(root)
    return file


def _row(
    number: int,
    cells: dict[str, str],
    roots: tuple[str, ...],
    where: str,
    faults: Faults,
    manifest: bool,
) -> Row | None:
    wrong: list[str] = []
    column, suffixes = "input_file", FEATURE_SUFFIXES
    if manifest:
        column, suffixes = "path", RECORDING_SUFFIXES
        cells = {
            "class": _CLASS,
            "elevation_deg": "0",
            **{k: v for k, v in cells.items() if v or k == "split"},
        }
    named = cells.get(column, "")
    file = _below(roots, named)
    if not file or "\0" in file:
        wrong.append(f"names no {column}; add it or remove the row")
    elif os.path.splitext(file)[1].lower() not in suffixes:
        wrong.append(f"{named!r} is no {' or '.join(suffixes)} file; convert it")
    if not cells["class"]:
        wrong.append("names no class; add it or remove the row")
    azimuth = _angle("azimuth_deg", cells, -180, 360, wrong)
    elevation = _angle("elevation_deg", cells, -90, 90, wrong)
    word = cells.get("split", "")
    if word and word.lower() not in _SPLIT_WORDS:
        wrong.append(f"has the split {word!r}; write train, validation or test")
    elif "split" in cells and not word:
        wrong.append("names no split; write train, validation or test")
    if wrong:  # one fault a row, whatever is wrong with it: faults count the rows that are left out
        faults.add(where, "; and ".join(wrong))
        return None
    return Row(
        number=number,
        file=file,
        label=cells["class"],
        azimuth=azimuth,
        elevation=elevation,
        split=_SPLIT_WORDS[word.lower()] if word else None,
        group=cells.get("group") or cells.get("sound") or file,
        room=cells.get("environment") or cells.get("room") or ALL_ROOMS,
    )


def _angle(name: str, cells: dict[str, str], low: int, high: int, wrong: list[str]) -> float:
    try:
        # Python's own spelling of numbers: 1_0 would be ten.
        given = cells.get(name, "")
        angle = math.nan if "_" in given else float(given)
    except ValueError:
        angle = math.nan
    if not math.isfinite(angle):
        wrong.append(f"{name} is {given!r}; write a number of degrees")
    elif not low <= angle <= high:
        wrong.append(f"{name} is {angle:g}; write {low} to {high}")
    return angle


def _clips(path: Path, rows: list[Row], faults: Faults) -> list[Row]:
    """One row a file; further rows of the file are its further sources."""
    first: dict[str, Row] = {}
    for row in rows:
        clip = first.setdefault(row.file, row)
        if clip is row:
            continue
        where = f"{path.name}, row {row.number}"
        for other in (clip, *clip.others):
            same = (row.label, row.azimuth, row.elevation)
            if same == (other.label, other.azimuth, other.elevation):
                faults.add(where, f"says what row {other.number} says already; remove one")
                break
        else:
            if (row.split, row.group, row.room) != (clip.split, clip.group, clip.room):
                faults.add(
                    where,
                    f"is a source of {row.file!r}, as row {clip.number} is, with another split, group "
                    "or environment; a clip has one of each",
                )
                continue
            clip.others.append(row)
    return list(first.values())


def _existing(path: Path, rows: list[Row], faults: Faults) -> list[Row]:
    """The rows whose files exist; a folder is listed once, however many of its files are named."""
    held: dict[str, set[str]] = {}
    kept = []
    for row in rows:
        folder, name = os.path.split(os.path.normpath(path.parent / row.file))
        if folder not in held:
            try:
                with os.scandir(folder) as entries:
                    held[folder] = {entry.name for entry in entries}
            except (OSError, ValueError):
                held[folder] = set()
        # A file system may not tell `A.npy` from `a.npy`, as the listing does.
        if name in held[folder] or os.path.exists(os.path.join(folder, name)):
            kept.append(row)
        else:
            faults.add(
                f"{path.name}, row {row.number}",
                f"there is no file {row.file!r} beside the CSV; correct the path or remove the row",
            )
    return kept
