"""Reads a CSV index: of spectrograms, one row a clip, or a manifest of recordings in WAV or FLAC."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bastzoo.conditions import ALL_ROOMS
from bastzoo.data.recorded.csv_rows import Row, is_manifest, read_rows
from bastzoo.data.recorded.faults import Faults
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

_HELD_OUT = 0.1


def read_csv_index(
    path: str | Path,
    *,
    azimuth_direction: AzimuthDirection = "counter-clockwise",
    environment: str | None = None,
) -> RecordedIndex:
    """The index of a CSV file of spectrograms or, with a column `path`, of recordings.

    Spectrograms have the columns `input_file`, `class`, `azimuth_deg`, `elevation_deg`; recordings `path`
    and `azimuth_deg`, and of `elevation_deg`, `class`, `sound`, `split` and `environment` any. Files are
    relative to the CSV's folder, or absolute. Rows with one file are the sources of one clip. `split` says
    train, validation or test; without it 80, 10 and 10 % of the groups are drawn. Rows with one value in
    `group` (or `sound`) stay in one split. `environment` (or `room`) names rooms.

    environment: of a manifest, which rooms' rows are wanted; None, `RI` and `recorded` for all.

    Rows that cannot be used are in the index's faults. Raises DataError when the file itself cannot be
    used, or no row can.
    """
    path = Path(path)
    faults = Faults()
    manifest = is_manifest(path)
    rows = read_rows(path, faults, manifest=manifest)
    if not rows:
        refuse(f"{str(path)!r} has no row that can be used.", faults)
    if (
        manifest
        and environment is not None
        and environment.upper() not in ("RI", ALL_ROOMS.upper())
    ):
        rows = _in_environment(path, rows, environment, faults)
    return _index(path, rows, azimuth_direction, faults, manifest)


def _in_environment(path: Path, rows: list[Row], environment: str, faults: Faults) -> list[Row]:
    chosen = [row for row in rows if row.room.lower() == environment.lower()]
    if not chosen:
        known = ", ".join(sorted({row.room for row in rows}))
        refuse(
            f"{str(path)!r} has no row in the environment {environment!r}; it has {known}.", faults
        )
    return chosen


def _further_sources(rows: list[Row], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
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


def _index(
    path: Path,
    rows: list[Row],
    azimuth_direction: AzimuthDirection,
    faults: Faults,
    manifest: bool,
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
        kind="bast" if manifest else "csv",
        any_format=manifest,
        root=path.parent,
        file=path,
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
    path: Path, rows: list[Row], sound: np.ndarray, split: np.ndarray, faults: Faults
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
