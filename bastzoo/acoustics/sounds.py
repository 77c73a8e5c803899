"""The embedded corpus: everyday-like sounds, as many as wanted, the same on every machine.

Each sound is computed in double precision and then rounded to 16-bit steps, as a WAV file would be,
so that the last bits of a mathematics library do not reach the clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics import families as _families
from bastzoo.acoustics.draws import Draw
from bastzoo.errors import DataError

CORPUS_VERSION = 1
"""Raised whenever any sound changes, so that results on different sounds are never compared."""

FAMILIES: tuple[str, ...] = tuple(_families.FAMILIES)
"""The classes of the corpus, in the order of `Corpus.families`."""

_FLOOR = 10 ** (-60 / 20)
_STEPS = 2.0**15
_FADE = SAMPLE_RATE // 40


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sounds with their identity and class.

    `ids` are unique names, `families` [S] int64 index `FAMILIES`, `samples` [S, 8000] float32 are
    in -1..1 on 16-bit steps.
    """

    ids: tuple[str, ...]
    families: np.ndarray
    samples: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def make_corpus(indices: Sequence[int], seed: int) -> Corpus:
    """The sounds with these indices; each depends on `(seed, index)` alone.

    The family of a sound is `index % len(FAMILIES)`, so a run of indices is balanced over the
    classes. Raises DataError for a seed or an index below 0 or beyond 64 bits.
    """
    for name, number in [("seed", seed), *(("sound index", index) for index in indices)]:
        if not 0 <= number < 2**64:
            raise DataError(
                f"The {name} {number} is out of range: give a whole number from 0 to 2**64 - 1."
            )
    names = [FAMILIES[index % len(FAMILIES)] for index in indices]
    samples = np.empty((len(indices), CLIP_SAMPLES), np.float32)
    for row, index in enumerate(indices):
        samples[row] = _sound(index, seed) / _STEPS
    return Corpus(
        ids=tuple(f"{name}-{seed}-{index}" for name, index in zip(names, indices, strict=True)),
        families=np.array([index % len(FAMILIES) for index in indices], np.int64),
        samples=samples,
    )


def _sound(index: int, seed: int) -> np.ndarray:
    """One sound in 16-bit steps (float64 holding whole numbers)."""
    draw = Draw(seed, index)
    signal = _families.FAMILIES[FAMILIES[index % len(FAMILIES)]](draw)
    signal = _faded(signal - signal.mean(), draw)
    signal /= np.sqrt(np.mean(signal**2))
    # The floor keeps every spectrogram bin above rounding error, as a microphone's own noise would.
    signal += _FLOOR * draw.normal(CLIP_SAMPLES)
    level = 10 ** (draw.uniform(-30, -20) / 20)
    return np.rint(signal * min(level, 0.99 / np.abs(signal).max()) * _STEPS)


def _faded(signal: np.ndarray, draw: Draw) -> np.ndarray:
    """`signal` with up to 25 ms of raised-cosine fade at either end, each in half of the sounds."""
    for end in (slice(None), slice(None, None, -1)):
        if draw.chance(0.5):
            length = draw.integer(_FADE // 10, _FADE)
            ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)
            signal[end][:length] *= ramp
    return signal
