"""Reads a CSV index of spectrograms: one row a clip, with its file, class and direction.

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

from bastzoo.data.recorded.faults import Faults, tellable
from bastzoo.data.recorded.index import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    AzimuthDirection,
    RecordedIndex,
    counter_clockwise,
    hold_out,
    numbered,
    refuse,
)
from bastzoo.errors import DataError

COLUMNS = ("input_file", "class", "azimuth_deg", "elevation_deg")
_LONGEST_LINE = 2**20
_SPLIT_WORDS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}
_HELD_OUT = 0.1


@dataclass(slots=True)
class _Row:
    """One usable row; `number` as a spreadsheet counts, the header being 1."""

    number: int
    file: str
    label: str
    azimuth: float
    elevation: float
    split: int | None
    group: str
    room: str
    others: list[_Row] = field(default_factory=list)
    """Further rows of the same file: the other sources of the clip."""


def read_csv_index(
    path: str | Path, *, azimuth_direction: AzimuthDirection = "counter-clockwise"
) -> RecordedIndex:
    """The index of a CSV file with the columns `input_file`, `class`, `azimuth_deg`, `elevation_deg`.

    Files are relative to the CSV's folder, or absolute. Rows with one file are the sources of one clip.
    An optional column `split` says train, validation or test; without it 80, 10 and 10 % of the groups are
    drawn. Rows with one value in an optional column `group` stay in one split. An optional column
    `environment` (or `room`) names rooms.

    Rows that cannot be used are in the index's faults. Raises DataError when the file itself cannot be
    used, or no row can.
    """
    path = Path(path)
    faults = Faults()
    try:
        # newline="" leaves line ends to the csv module; utf-8-sig takes a byte order mark away.
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(path, file, faults))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} is not in UTF-8 ({error.reason}); save it as UTF-8."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{str(path)!r} cannot be read: {reason}.") from error
    rows = _existing(path, _clips(path, rows, faults), faults)
    if not rows:
        refuse(f"{str(path)!r} has no row that can be used.", faults)
    return _index(path, rows, azimuth_direction, faults)


def _rows(path: Path, file: IO[str], faults: Faults) -> Iterator[_Row]:
    lines = _Lines(path, file)
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        lines.row_is_read()
    except csv.Error as error:
        raise DataError(f"{str(path)!r}, row 1: is no CSV ({error}); save it again.") from error
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        found = tellable(", ".join(header)) or "none"
        raise DataError(
            f"{str(path)!r} has no column {', '.join(map(repr, missing))}; it has {found}."
            + (" Separate columns with commas." if ";" in found else "")
        )
    for name in (*COLUMNS, "split", "group"):
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
        row = _row(number, named, roots, where, faults)
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
    number: int, cells: dict[str, str], roots: tuple[str, ...], where: str, faults: Faults
) -> _Row | None:
    wrong: list[str] = []
    file = _below(roots, cells["input_file"])
    if not file or "\0" in file:
        wrong.append("names no input_file; add it or remove the row")
    elif os.path.splitext(file)[1].lower() not in (".npy", ".pt"):
        wrong.append(f"{cells['input_file']!r} is no .npy or .pt file; convert it")
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
    return _Row(
        number=number,
        file=file,
        label=cells["class"],
        azimuth=azimuth,
        elevation=elevation,
        split=_SPLIT_WORDS[word.lower()] if word else None,
        group=cells.get("group") or file,
        room=cells.get("environment") or cells.get("room") or "recorded",
    )


def _angle(name: str, cells: dict[str, str], low: int, high: int, wrong: list[str]) -> float:
    try:
        # Python's own spelling of numbers: 1_0 would be ten.
        angle = math.nan if "_" in cells[name] else float(cells[name])
    except ValueError:
        angle = math.nan
    if not math.isfinite(angle):
        wrong.append(f"{name} is {cells[name]!r}; write a number of degrees")
    elif not low <= angle <= high:
        wrong.append(f"{name} is {angle:g}; write {low} to {high}")
    return angle


def _clips(path: Path, rows: list[_Row], faults: Faults) -> list[_Row]:
    """One row a file; further rows of the file are its further sources."""
    first: dict[str, _Row] = {}
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


def _further_sources(rows: list[_Row], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Class, azimuth and elevation of the sources behind the first, `[n, M]`; -1 and NaN for none."""
    most = max(len(row.others) for row in rows)
    found = {
        "label": np.full((len(rows), most), -1, dtype=np.int64),
        "azimuth": np.full((len(rows), most), np.nan),
        "elevation": np.full((len(rows), most), np.nan),
    }
    place = {name: number for number, name in enumerate(classes)}
    for number, row in enumerate(rows):
        for source, other in enumerate(row.others):
            found["label"][number, source] = place[other.label]
            found["azimuth"][number, source] = other.azimuth
            found["elevation"][number, source] = other.elevation
    return found


def _existing(path: Path, rows: list[_Row], faults: Faults) -> list[_Row]:
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


def _index(
    path: Path, rows: list[_Row], azimuth_direction: AzimuthDirection, faults: Faults
) -> RecordedIndex:
    rows = sorted(rows, key=lambda row: row.file)
    sound_ids, sound = numbered([row.group for row in rows])
    rooms, room = numbered([row.room for row in rows])
    classes, every = _classes([source.label for row in rows for source in (row, *row.others)])
    first = np.cumsum([0, *(1 + len(row.others) for row in rows)])[:-1]
    label = every[first]
    if any(row.split is None for row in rows):
        split = _drawn(path, sound, sound_ids, label, faults)
        keep = np.ones(len(rows), dtype=bool)
    else:
        split = np.array([row.split for row in rows], dtype=np.int8)
        keep = _in_one_split(path, rows, sound, split, faults)
        _hold_out_validation(sound, sound_ids, label, split, keep)
    more = _further_sources(rows, classes)
    in_train = keep & (split == TRAIN)
    known = np.unique(np.concatenate([label[in_train], more["label"][in_train].ravel(), [-1]]))
    for place in np.flatnonzero(keep).tolist():
        for source, number in zip(
            (rows[place], *rows[place].others), (label[place], *more["label"][place]), strict=False
        ):
            if number not in known:
                keep[place] = False
                faults.add(
                    f"{path.name}, row {source.number}",
                    f"its class {source.label!r} is in no row of train; add some or remove the row",
                )
                break
    for number, name in enumerate(SPLITS):
        if not (keep & (split == number)).any():
            refuse(f"{str(path)!r} has no row for the split {name!r} that can be used.", faults)
    index = RecordedIndex(
        kind="csv",
        root=path.parent,
        files=tuple(row.file.replace(os.sep, "/") for row in rows),
        split=split,
        sound=sound,
        room=room,
        label=label,
        azimuth=counter_clockwise(np.array([row.azimuth for row in rows]), azimuth_direction),
        elevation=np.array([row.elevation for row in rows]) + 0.0,
        sound_ids=sound_ids,
        rooms=rooms,
        classes=classes,
        faults=faults,
        more_label=more["label"],
        more_azimuth=counter_clockwise(more["azimuth"], azimuth_direction),
        more_elevation=more["elevation"],
    )
    return index if keep.all() else index.select(keep)


def _classes(labels: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Classes in an order that is the same everywhere: whole numbers by value, words by code point."""
    names = set(labels)
    try:
        ordered = tuple(sorted(names, key=lambda name: (int(name), name)))
    except ValueError:
        return numbered(labels)
    place = {name: number for number, name in enumerate(ordered)}
    return ordered, np.array([place[name] for name in labels], dtype=np.int64)


def _drawn(
    path: Path, sound: np.ndarray, sound_ids: tuple[str, ...], label: np.ndarray, faults: Faults
) -> np.ndarray:
    """80, 10 and 10 % of the groups."""
    if len(sound_ids) < 3:
        refuse(
            f"{str(path)!r} has {len(sound_ids)} group(s) to split into train, validation and test; "
            "give at least three, or a column 'split'.",
            faults,
        )
    split = np.full(len(sound), TRAIN, dtype=np.int8)
    split[hold_out(sound, sound_ids, _HELD_OUT, "test", label=label)] = TEST
    rest = np.flatnonzero(split == TRAIN)
    amount = max(1, round(_HELD_OUT * len(sound_ids)))
    held = hold_out(sound[rest], sound_ids, amount, "validation", label=label[rest])
    split[rest[held]] = VALIDATION
    return split


def _in_one_split(
    path: Path, rows: list[_Row], sound: np.ndarray, split: np.ndarray, faults: Faults
) -> np.ndarray:
    """Mask of the rows whose group is in no other split."""
    pairs = np.unique(np.stack([sound, split.astype(np.int64)], axis=-1), axis=0)
    groups, counts = np.unique(pairs[:, 0], return_counts=True)
    torn = np.isin(sound, groups[counts > 1])
    for place in np.flatnonzero(torn).tolist():
        faults.add(
            f"{path.name}, row {rows[place].number}",
            f"its group {rows[place].group!r} is in two splits; leave it in one",
        )
    return ~torn


def _hold_out_validation(
    sound: np.ndarray,
    sound_ids: tuple[str, ...],
    label: np.ndarray,
    split: np.ndarray,
    keep: np.ndarray,
) -> None:
    """Where the CSV has no row for validation, a tenth of the groups of train."""
    if (keep & (split == VALIDATION)).any():
        return
    training = np.flatnonzero(keep & (split == TRAIN))
    if len(np.unique(sound[training])) > 1:
        held = hold_out(sound[training], sound_ids, _HELD_OUT, "validation", label=label[training])
        split[training[held]] = VALIDATION
