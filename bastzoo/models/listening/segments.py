"""From windows to segments: from when to when a sound was where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bastzoo.directions import azimuth_of
from bastzoo.models.localizer import Prediction

UNSURE = 0.5
"""A confidence below which a window is left out of segments and drawn grey."""

FARTHEST = 20.0
"""Degrees that windows of one segment may lie from its mean at most."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of sound from one direction.

    start, end: seconds. azimuth: degrees, of the mean direction. confidence: mean, or None.
    """

    start: float
    end: float
    azimuth: float
    confidence: float | None
    windows: int

    def rttm(self, recording: str) -> str:
        """One line in the form of NIST's Rich Transcription (RTTM): type, file, channel, onset, duration,
        two fields of transcripts, the direction as the name, confidence, look-ahead.
        """
        sure = "<NA>" if self.confidence is None else f"{self.confidence:.2f}"
        name = f"az{self.azimuth:+04.0f}"
        duration = self.end - self.start
        return f"SPEAKER {recording} 1 {self.start:.3f} {duration:.3f} <NA> <NA> {name} {sure} <NA>"


def trusted(prediction: Prediction) -> np.ndarray:
    """`[n]`: windows that are neither silent nor unsure."""
    if prediction.confidence is None:
        return prediction.heard
    with np.errstate(invalid="ignore"):
        found: np.ndarray = prediction.heard & (prediction.confidence >= UNSURE)
    return found


def segments(prediction: Prediction) -> list[Segment]:
    """The stretches of neighbouring trusted windows whose directions stay together.

    A window counts for the time around its middle that is nearer to it than to its neighbours.
    """
    if not len(prediction):
        return []
    times = prediction.times
    half = prediction.window_seconds / 2
    between = (times[1:] + times[:-1]) / 2
    end = times[-1] + half
    if prediction.seconds is not None:  # the last window of a short recording reaches beyond it
        end = min(end, prediction.seconds)
    edges = np.concatenate([[times[0] - half], between, [end]])
    return [_segment(prediction, rows, edges) for rows in _runs(prediction)]


def _runs(prediction: Prediction) -> Iterator[list[int]]:
    """Positions of windows that belong together."""
    run: list[int] = []
    for index in np.flatnonzero(trusted(prediction)):
        here = prediction.direction[index]
        if run:
            mean = prediction.direction[run].sum(axis=0)
            mean /= max(float(np.linalg.norm(mean)), 1e-9)
            near = np.degrees(np.arccos(np.clip(mean @ here, -1, 1))) <= FARTHEST
            if index != run[-1] + 1 or not near:
                yield run
                run = []
        run.append(int(index))
    if run:
        yield run


def _segment(prediction: Prediction, rows: list[int], edges: np.ndarray) -> Segment:
    mean = prediction.direction[rows].sum(axis=0)
    sure = prediction.confidence
    return Segment(
        start=float(edges[rows[0]]),
        end=float(edges[rows[-1] + 1]),
        azimuth=float(azimuth_of(mean)),
        confidence=None if sure is None else float(np.mean(sure[rows])),
        windows=len(rows),
    )


def in_words(azimuth: float) -> str:
    """An azimuth as people say it: `60° left`, `behind, 20° right`.

    >>> in_words(60.0), in_words(-160.0), in_words(0.2), in_words(180.0)
    ('60° left', 'behind, 20° right', 'in front', 'behind')
    """
    if not np.isfinite(azimuth):
        return "silent"
    off = abs(azimuth)
    side = "left" if azimuth > 0 else "right"
    if off > 90:
        return "behind" if round(180 - off) == 0 else f"behind, {180 - off:.0f}° {side}"
    return "in front" if round(off) == 0 else f"{off:.0f}° {side}"
