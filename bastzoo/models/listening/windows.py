"""A recording cut into windows of the length that a model hears, and what is told of each besides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from bastzoo.acoustics import SAMPLE_RATE

REFERENCE_DB = -22.0
"""Decibels re full scale of the louder ear that every window is brought to before it is heard: so the level
of a recording, which is arbitrary, decides nothing."""

SILENCE_DB = -75.0
"""Decibels re full scale of the louder ear below which a window holds nothing to localize."""

_POWER = 1e-12


def windows(
    blocks: Iterable[np.ndarray], *, samples: int, hop: int, to_the_end: bool = True
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first sample of each window, and the window, as soon as its last sample is there.

    One begins every `hop` samples; the last one ends where the recording does (`to_the_end`), so that all
    of it is heard. A recording that is shorter than a window is one window, with silence behind it.
    """
    kept = np.zeros((0, 2), np.float32)
    first, start = 0, 0  # sample at the front of `kept`, and of the next window
    end = 0
    for block in blocks:
        end += len(block)
        kept = np.concatenate([kept, block]) if len(kept) else block
        while start + samples <= end:
            yield start, kept[start - first : start - first + samples].T
            start += hop
        # Only a last window still needs what lies before the next one.
        keep = max(0, min(start, end - samples) - first)
        kept, first = kept[keep:], first + keep
    if not end or not to_the_end:
        return
    if end < samples:
        yield 0, np.pad(kept, ((0, samples - end), (0, 0))).T
    elif start - hop + samples < end:
        yield end - samples, kept[end - samples - first :].T


def levels(windows: Float[np.ndarray, "n 2 samples"]) -> Float[np.ndarray, "n 2"]:
    """The level of each ear in each window: decibels re full scale (root mean square), -inf for silence."""
    power = np.mean(np.square(windows, dtype=np.float64), axis=-1)
    with np.errstate(divide="ignore"):
        found: np.ndarray = 10 * np.log10(power)
    return found


def at_reference(
    windows: Float[np.ndarray, "n 2 samples"], level: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 2 samples"]:
    """The windows with their louder ear at `REFERENCE_DB`; silent ones as they are."""
    gain = np.where(np.isfinite(level), 10 ** ((REFERENCE_DB - level) / 20), 1.0)
    return (windows * gain[:, None, None]).astype(np.float32)


@dataclass(slots=True)
class Ears:
    """What two channels say of themselves over a whole recording: are they two ears at all?

    Feed it windows that are not silent (`hear`), then ask for `notes`.
    """

    heard: int = 0
    same: int = 0
    alone: list[int] = field(default_factory=lambda: [0, 0])
    opposed: int = 0
    agreed: int = 0
    _lags: int = int(1e-3 * SAMPLE_RATE)

    def hear(self, window: Float[np.ndarray, "2 samples"]) -> None:
        """Take one window into account."""
        self.heard += 1
        left, right = window.astype(np.float64)
        power = np.array([left @ left, right @ right])
        if np.sum((left - right) ** 2) <= _POWER * power.sum():
            self.same += 1
            return
        if power.min() <= 1e-6 * power.max():  # 60 dB below: a plug that is not in
            self.alone[int(power.argmax())] += 1
            return
        difference = 10 * math.log10(power[0] / power[1])
        lag = self._lag(left, right)
        if abs(difference) > 3.0 and abs(lag) > 0.25e-3:
            # Positive: left is louder; left is first.
            if (difference > 0) == (lag > 0):
                self.agreed += 1
            else:
                self.opposed += 1

    def notes(self) -> list[str]:
        """What is odd about the ears, in sentences; none for a usual recording."""
        if not self.heard:
            return ["nothing was heard: the recording is silent"]
        found = []
        if self.same == self.heard:
            found.append("both channels are the same (mono): the answers say nothing")
        elif self.same > self.heard / 2:
            found.append("both channels are the same (mono) in most windows")
        for alone, silent in zip(self.alone, ("right", "left"), strict=True):
            if alone > self.heard / 2:
                found.append(f"the {silent} channel is silent: the answers say nothing")
        if self.opposed >= 8 and self.opposed > 4 * self.agreed:
            found.append(
                "the ear that hears first is the softer one: the channels' times or levels are exchanged"
            )
        return found

    def _lag(self, left: np.ndarray, right: np.ndarray) -> float:
        """Seconds by which the left channel is ahead: the peak of the correlation with phase transform."""
        size = 2 * len(left)
        cross = np.fft.rfft(left, size) * np.fft.rfft(right, size).conj()
        correlation = np.fft.irfft(cross / np.maximum(np.abs(cross), 1e-20), size)
        near = np.r_[correlation[-self._lags :], correlation[: self._lags + 1]]
        return (self._lags - int(near.argmax())) / SAMPLE_RATE
