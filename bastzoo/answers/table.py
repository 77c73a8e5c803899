"""Answers as a CSV file: read with every fault in a sentence, and written so that nothing is lost."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bastzoo.answers.questions import Question
from bastzoo.conditions import Track
from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of
from bastzoo.engine.evaluation import Answers
from bastzoo.errors import DataError, tellable
from bastzoo.limits.reading import MEBIBYTE, read_text
from bastzoo.limits.writing import put
from bastzoo.metrics.calibration import LEVELS
from bastzoo.metrics.localization import angular_distance

REQUIRED = ("clip", "azimuth_deg")
OPTIONAL = ("elevation_deg", "class", "confidence")
SPANS = {
    "azimuth_deg": (-180.0, 180.0),
    "elevation_deg": (-90.0, 90.0),
    "confidence": (0.0, 1.0),
}
"""What each column of numbers runs from and to."""

_VECTOR = ("x", "y", "z")
_RAW = ("raw_x", "raw_y", "raw_z")
_RADII = tuple(f"radius_{level}" for level in LEVELS)
_KNOWN = (*REQUIRED, *OPTIONAL, *_VECTOR, *_RAW, *_RADII)
# How far the direction of x, y, z may be from the angles beside it, degrees.
_SAME = 0.01

Rows = dict[str, dict[str, str]]

_LARGEST = 64 * MEBIBYTE


def read_answers(path: Path, questions: Sequence[Question], track: Track) -> list[Answers]:
    """The answers of a CSV file, for each case in the order of its clips.

    Columns: `clip, azimuth_deg` and, where a method has them, `elevation_deg, class, confidence` (0 to 1). An
    empty azimuth is no answer, and counts as 90 degrees off. What `bastzoo runs answers` writes has more, so
    that no digit is lost: the direction itself (`x, y, z`), the network's output (`raw_x, ...`) and the
    radii of caps (`radius_10, ...`).

    Raises DataError for a file that does not hold one answer to every clip, in degrees.
    """
    rows, columns = _rows(path)
    _check_clips(path, rows, questions, track)
    _check_angles(path, rows)
    return [_answers(path, rows, columns, question) for question in questions]


def write_answers(path: Path, questions: Sequence[Question], answers: Sequence[Answers]) -> None:
    """Write answers as `read_answers` reads them, to the last bit, sorted by the clips' names.

    Raises DataError for answers that are not one direction a clip.
    """
    lines: list[dict[str, object]] = []
    for question, given in zip(questions, answers, strict=True):
        if given.of_several_sources:
            raise DataError(
                "This run answers several sources a clip; a CSV of answers holds one direction each."
            )
        lines += _lines(question, given)
    lines.sort(key=lambda line: str(line["clip"]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    put(path, text.getvalue())


def _lines(question: Question, given: Answers) -> list[dict[str, object]]:
    azimuth, elevation = azimuth_of(given.directions), elevation_of(given.directions)
    found: list[dict[str, object]] = []
    classes = question.clips.classes
    for row, name in enumerate(question.names):
        known = bool(np.isfinite(elevation[row]))
        # Straight up or down has no azimuth of its own: any will do.
        side = float(azimuth[row]) if np.isfinite(azimuth[row]) else 0.0
        line: dict[str, object] = {
            "clip": name,
            "azimuth_deg": side if known else "",
            "elevation_deg": float(elevation[row]) if known else "",
        }
        if "class" in given.more:
            line["class"] = classes[int(given.more["class"][row])]
        vector = given.directions[row].tolist()
        line |= dict(zip(_VECTOR, vector if known else ("", "", ""), strict=True))
        if given.raw is not None:
            line |= dict(zip(_RAW, map(_cell, given.raw[row]), strict=False))
        if "radii" in given.more:
            line |= dict(zip(_RADII, map(_cell, given.more["radii"][row]), strict=True))
        if "confidence" in given.more:
            line["confidence"] = _cell(given.more["confidence"][row])
        found.append(line)
    return found


def _cell(value: np.floating) -> float | str:
    """A number to the last digit; nothing where there is none."""
    return float(value) if np.isfinite(value) else ""


def _rows(path: Path) -> tuple[Rows, list[str]]:
    """The cells of each clip, and the columns. Raises DataError for what is no such table."""
    what = f"The answers {str(path)!r}"
    try:
        reader = csv.reader(io.StringIO(read_text(path, _LARGEST), newline=""), strict=True)
        columns = [cell.strip() for cell in next(reader, [])]
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except OSError as error:
        raise DataError(f"{what} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{what} are no CSV file in UTF-8: {error}.") from error
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise DataError(
            f"{what} have no column {missing[0]!r}: the first line names the columns, with commas between, "
            f"{', '.join(REQUIRED)} and, if there are any, {', '.join(OPTIONAL)}."
        )
    strange = [name for name in columns if name not in _KNOWN]
    if strange or len(set(columns)) < len(columns):
        name = strange[0] if strange else next(c for c in columns if columns.count(c) > 1)
        raise DataError(
            f"{what} have a column {tellable(name)!r} that {'is not known' if strange else 'comes twice'}; "
            f"known are {', '.join((*REQUIRED, *OPTIONAL))}."
        )
    rows: Rows = {}
    for number, line in lines:
        if len(line) != len(columns):
            raise DataError(
                f"{what} have {len(line)} cells in row {number}, and {len(columns)} columns."
            )
        row = dict(zip(columns, (cell.strip() for cell in line), strict=True))
        if row["clip"] in rows:
            raise DataError(
                f"{what} answer the clip {tellable(row['clip'])!r} twice, the second time in row {number}; "
                "keep one."
            )
        rows[row["clip"]] = row
    return rows, columns


def _check_clips(path: Path, rows: Rows, questions: Sequence[Question], track: Track) -> None:
    """Refuse answers to other clips than those of the track, and to some of them only."""
    what = f"The answers {str(path)!r}"
    asked = {name for question in questions for name in question.names}
    strange = [name for name in rows if name not in asked]
    if strange:
        name = tellable(strange[0])
        prefix = questions[0].prefix
        stem = prefix.rpartition("-v")[0] + "-v"
        if strange[0].startswith(stem) and not strange[0].startswith(prefix):
            raise DataError(
                f"{what} are to version {name[len(stem) :].partition('-')[0]} of the track "
                f"{track.name!r}, and this bastzoo has version {track.version}: write its clips again with "
                "`bastzoo clips` and answer those."
            )
        same = "; they are of another --preset, --env or bastzoo" * strange[0].startswith(prefix)
        raise DataError(
            f"{what} name {len(strange)} clip{'s' * (len(strange) > 1)} that the track {track.name!r} "
            f"does not have, the first {name!r}{same}: `bastzoo clips` writes those that it has."
        )
    missing = sorted(asked - rows.keys())
    if missing:
        raise DataError(
            f"{what} have nothing for {len(missing)} of {len(asked)} clips, the first {missing[0]!r}; give "
            "every clip a row (with an empty azimuth_deg where the method gave no direction: it counts as "
            "90° off)."
        )


def _check_angles(path: Path, rows: Rows) -> None:
    """Refuse numbers that are not bastzoo's degrees: radians, 0 to 360, or none at all."""
    azimuths = [
        value
        for row in rows.values()
        if (value := _number(path, row, "azimuth_deg", None)) is not None
    ]
    check_form(f"The answers {str(path)!r}", azimuths)
    for row in rows.values():
        for column, span in SPANS.items():
            _number(path, row, column, span)


def check_form(what: str, azimuths: Sequence[float]) -> None:
    """Raise DataError for azimuths that are plainly no degrees of -180 to 180: radians, 0 to 360, or none."""
    if not azimuths:
        raise DataError(f"{what} have no azimuth at all.")
    low, high = min(azimuths), max(azimuths)
    whole = all(math.isfinite(value) and value == int(value) for value in azimuths)
    if -2 * math.pi <= low and high <= 2 * math.pi and not whole and low != high:
        raise DataError(
            f"{what} look like radians: all azimuths lie from {low:.2f} to {high:.2f}. azimuth_deg is in "
            "degrees."
        )
    if low >= 0 and 180 < high <= 360:
        raise DataError(
            f"{what} count azimuths from 0 to 360: the largest is {high:g}. azimuth_deg runs from -180 to "
            "180, 0 in front and +90 on the left; take 360 off what is above 180 (and turn the sign round, "
            "if yours count clockwise)."
        )


def _number(
    path: Path, row: Mapping[str, str], column: str, span: tuple[float, float] | None
) -> float | None:
    """The number in a cell; None where it is empty. Raises DataError for anything else."""
    cell = row.get(column, "")
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    where = f"The answers {str(path)!r} have {column} {tellable(cell)!r} for the clip {row['clip']}"
    if not math.isfinite(value):
        raise DataError(
            f"{where}, which is no finite number"
            + (
                "; leave azimuth_deg empty where the method gave no direction."
                if column == "azimuth_deg"
                else "."
            )
        )
    if span is not None and not span[0] <= value <= span[1]:
        raise DataError(f"{where}, which is not from {span[0]:g} to {span[1]:g}.")
    return value


def _answers(path: Path, rows: Rows, columns: Sequence[str], question: Question) -> Answers:
    mine = [rows[name] for name in question.names]

    def column(name: str) -> np.ndarray:
        found = (_number(path, row, name, None) for row in mine)
        return np.array([math.nan if value is None else value for value in found])

    azimuth = column("azimuth_deg")
    elevation = column("elevation_deg") if "elevation_deg" in columns else np.zeros(len(mine))
    elevation = np.where(np.isnan(elevation) & np.isfinite(azimuth), 0.0, elevation)
    directions = direction_from_angles(azimuth, elevation)
    if set(_VECTOR) <= set(columns):
        given = np.column_stack([column(name) for name in _VECTOR])
        apart = angular_distance(given, directions)
        wrong = ~(apart <= _SAME) & ~(np.isnan(given).all(axis=1) & np.isnan(azimuth))
        if wrong.any():
            name = question.names[int(np.argmax(wrong))]
            raise DataError(
                f"The answers {str(path)!r} have an x, y, z for the clip {name} that is not the direction "
                "of its angles; leave those columns away, or make them agree."
            )
        directions = given
    more = {}
    if set(_RADII) <= set(columns):
        more["radii"] = np.column_stack([column(name) for name in _RADII])
    if "confidence" in columns:
        more["confidence"] = column("confidence")
    raw = [name for name in _RAW if name in columns]
    return answered(
        f"The answers {str(path)!r}",
        question,
        directions,
        raw=np.column_stack([column(name) for name in raw]) if raw else None,
        classes=[row["class"] for row in mine] if "class" in columns else None,
        more=more,
    )


def answered(
    what: str,
    question: Question,
    directions: np.ndarray,
    *,
    raw: np.ndarray | None = None,
    classes: Sequence[str] | None = None,
    more: Mapping[str, np.ndarray],
) -> Answers:
    """Answers to the clips of a case, in their order, beside what is true of them.

    what: whose they are, in words. classes: by name. Raises DataError for a class that there is not.
    """
    truth, found = question.truth, dict(more)
    # No direction is the same answer however it was given: the file that is kept says no more of it.
    directions = np.where(np.isfinite(directions).all(axis=1, keepdims=True), directions, np.nan)
    if classes is not None:
        known = {name: number for number, name in enumerate(question.clips.classes)}
        for name, clip in zip(classes, question.names, strict=True):
            if name not in known:
                raise DataError(
                    f"{what} have the class {tellable(name)!r} for the clip {clip}; the classes are "
                    f"{', '.join(known)}."
                )
        found["class"] = np.array([known[name] for name in classes], dtype=np.int64)
        found["true_class"] = truth.classes
    return Answers(
        directions=directions,
        targets=truth.directions,
        raw=raw,
        sounds=truth.sounds,
        rooms=truth.rooms,
        more=found,
    )
