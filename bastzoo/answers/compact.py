"""Predictions small enough to travel beside a record: angles in whole steps, compressed, at most 20 kB.

An angle takes two bytes, as half precision would; even steps of 0.0055 degrees are finer than that
everywhere beyond 8 degrees, and the same all round. Where a run has so many clips that they would not fit,
steps are twice as wide, and so on; the file says how wide.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bastzoo.answers.questions import Question
from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of
from bastzoo.engine.evaluation import Answers
from bastzoo.errors import RecordError
from bastzoo.limits.reading import MEBIBYTE, opened, read_arrays

LARGEST = 20_000
"""Bytes of a file."""

_FINEST = 180.0 / 32767
_NOTHING = -32768
_KINDS = {"azimuth": np.int16, "elevation": np.int16, "class": np.uint8}


@dataclass(frozen=True)
class Small:
    """Answers as they travelled: one a case, and how far rounding may have moved each, degrees."""

    answers: list[Answers]
    moved: float


def packed(answers: Sequence[Answers]) -> bytes:
    """All answers of a run, case after case, in at most `LARGEST` bytes.

    Raises RecordError for answers of several sources, or when not even steps of one degree fit.
    """
    if any(given.of_several_sources for given in answers):
        raise RecordError("Answers of several sources a clip have no small form.")
    directions = np.concatenate([given.directions for given in answers])
    elevation = np.asarray(elevation_of(directions))
    known = np.isfinite(elevation)
    azimuth = np.nan_to_num(np.asarray(azimuth_of(directions)))
    classes = [given.more["class"] for given in answers if "class" in given.more]
    step = _FINEST
    while step <= 1.0:
        arrays = {"step": np.float64(step), "azimuth": _steps(azimuth, known, step)}
        if np.any(elevation[known]):
            arrays["elevation"] = _steps(elevation, known, step)
        if classes:
            arrays["class"] = np.concatenate(classes).astype(np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        if len(file.getvalue()) <= LARGEST:
            return file.getvalue()
        step *= 2
    raise RecordError(
        f"{len(directions):,} answers do not fit into {LARGEST // 1000} kB, in steps of one degree either."
    )


def unpacked(path: Path, questions: Sequence[Question]) -> Small:
    """The answers of a file, beside what is true of the clips. Raises RecordError for what is none."""
    count = sum(len(question.clips) for question in questions)
    try:
        with opened(path, LARGEST):  # refused by its size before anything is unpacked
            arrays = read_arrays(path, MEBIBYTE + 16 * count)
        step = float(arrays["step"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = getattr(error, "strerror", None) or error
        raise RecordError(f"{path.name} holds no predictions ({why}).") from error
    angles = {name: arrays[name] for name in _KINDS if name in arrays}
    if any(values.shape != (count,) for values in angles.values()) or "azimuth" not in angles:
        raise RecordError(f"The predictions are not those of {count:,} clips.")
    if any(values.dtype != _KINDS[name] for name, values in angles.items()):
        raise RecordError(
            "The predictions are not of the types that `bastzoo runs answers` writes."
        )
    if "class" in angles and angles["class"].max() >= len(questions[0].clips.classes):
        raise RecordError("The predictions name a class that there is not.")
    if not _FINEST * 0.99 <= step <= 2.0:
        raise RecordError(f"The predictions are in steps of {step:g} degrees, which cannot be.")
    azimuth = np.where(angles["azimuth"] == _NOTHING, np.nan, angles["azimuth"] * step)
    elevation = angles.get("elevation", np.zeros(count)) * step
    directions = direction_from_angles(azimuth, np.where(np.isnan(azimuth), 0.0, elevation))
    found, start = [], 0
    for question in questions:
        mine = slice(start, start + len(question.clips))
        truth = question.truth
        more = {}
        if "class" in angles:
            more = {"class": angles["class"][mine].astype(np.int64), "true_class": truth.classes}
        found.append(
            Answers(directions[mine], truth.directions, None, truth.sounds, truth.rooms, more)
        )
        start = mine.stop
    return Small(found, step / 2 * (2**0.5 if "elevation" in angles else 1.0) + 1e-5)


def _steps(angles: np.ndarray, known: np.ndarray, step: float) -> np.ndarray:
    whole = np.rint(np.where(known, angles, 0.0) / step)
    return np.where(known, np.clip(whole, -32767, 32767), _NOTHING).astype(np.int16)
