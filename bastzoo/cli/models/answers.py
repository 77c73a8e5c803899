"""How answers on recordings are printed: tables, CSV, JSON, lines of live sound."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from bastzoo.cli.terminal.output import table
from bastzoo.models.listening.segments import UNSURE, Segment, in_words, segments, trusted
from bastzoo.models.localizer import Prediction


def answer_table(prediction: Prediction, *, every_window: bool) -> Iterator[str]:
    """Lines for people: from when to when a sound was where, or one line a window."""
    rows = _window_rows(prediction) if every_window else _segment_rows(prediction)
    yield from table(rows)
    silent = int((~prediction.heard).sum())
    unsure = int(prediction.heard.sum() - trusted(prediction).sum())
    left_out = [f"{silent} silent"] if silent else []
    left_out += [f"{unsure} unsure (confidence below {UNSURE:.0%})"] if unsure else []
    if left_out and not every_window:
        yield f"  left out: {' and '.join(left_out)} of {len(prediction)} windows"


def csv_text(named: Sequence[tuple[str, Prediction]]) -> str:
    """All windows of all files as CSV, with a header."""
    rows = [{"file": name, **row} for name, prediction in named for row in prediction.rows()]
    file = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def as_data(name: str, prediction: Prediction) -> dict[str, Any]:
    """What `--json` says of one file."""
    return {
        "file": name,
        "window_s": prediction.window_seconds,
        "windows": prediction.rows(),
        "segments": [
            {
                "start_s": round(found.start, 4),
                "end_s": round(found.end, 4),
                "azimuth_deg": round(found.azimuth, 2),
                "confidence": None if found.confidence is None else round(found.confidence, 4),
            }
            for found in segments(prediction)
        ],
        "notes": list(prediction.notes),
    }


def live_line(prediction: Prediction, index: int = 0) -> str:
    """One window of live sound, in columns that stay where they are."""
    time = prediction.times[index] + prediction.window_seconds / 2
    azimuth = float(prediction.azimuth[index])
    number = f"{azimuth:+7.1f}°" if prediction.heard[index] else "       -"
    sure = prediction.confidence
    words = in_words(azimuth)
    if sure is not None and prediction.heard[index]:
        words += "" if sure[index] >= UNSURE else " (unsure)"
        number += f"  {sure[index]:4.0%}"
    else:
        number += "     -" if sure is not None else ""
    return f"{time:9.2f} s  {number}  {words}"


def _segment_rows(prediction: Prediction) -> list[list[str]]:
    found = segments(prediction)
    if not found:
        return [["no window with a sound that the model is sure of"]]
    with_confidence = prediction.confidence is not None
    rows = [["from", "to", "azimuth", "where"] + ["confidence"] * with_confidence]
    return rows + [_segment_row(segment) for segment in found]


def _segment_row(segment: Segment) -> list[str]:
    row = [f"{segment.start:.2f} s", f"{segment.end:.2f} s", f"{segment.azimuth:+.0f}°"]
    row += [in_words(segment.azimuth)]
    return row + ([] if segment.confidence is None else [f"{segment.confidence:.0%}"])


def _window_rows(prediction: Prediction) -> list[list[str]]:
    columns = ["time", "azimuth", "where"]
    elevation = prediction.elevation
    columns += ["elevation"] if elevation is not None else []
    columns += ["confidence"] if prediction.confidence is not None else []
    columns += ["class"] if prediction.classes is not None else []
    rows = [[*columns, "level"]]
    for index in range(len(prediction)):
        heard = bool(prediction.heard[index])
        azimuth = float(prediction.azimuth[index])
        row = [f"{prediction.times[index]:.2f} s", f"{azimuth:+.1f}°" if heard else "-"]
        row += [in_words(azimuth)]
        if elevation is not None:
            row.append(f"{elevation[index]:+.1f}°" if heard else "-")
        if prediction.confidence is not None:
            row.append(f"{prediction.confidence[index]:.0%}" if heard else "-")
        if prediction.classes is not None:
            row.append(str(prediction.classes[index]) or "-")
        loudest = float(prediction.level[index].max())
        rows.append([*row, f"{loudest:.0f} dB" if loudest > -200 else "-"])
    return rows
