"""The embedded corpus: everyday-like sounds, as many as wanted, the same on every machine.

Each sound is computed in double precision and then rounded to 16-bit steps, as a WAV file would be,
so that the last bits of a mathematics library do not reach the clips.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.draws import Draw
from bastzoo.acoustics.sounds import families as _families
from bastzoo.errors import DataError

CORPUS_VERSION = 1
"""Raised whenever any sound changes, so that results on different sounds are never compared."""

FAMILIES: tuple[str, ...] = tuple(_families.FAMILIES)
"""The classes of the corpus, in the order of `Corpus.families`."""

_FLOOR = 10 ** (-60 / 20)
STEPS = 2.0**15
"""16-bit steps of a full scale of 1."""
_FADE = SAMPLE_RATE // 40


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sounds with their identity and class.

    `ids` are unique names, `families` [S] int64 index `classes` (by default `FAMILIES`), `samples`
    [S, 8000] float32 are in -1..1 on 16-bit steps. `notes` are sentences on where they come from.
    """

    ids: tuple[str, ...]
    families: np.ndarray
    samples: np.ndarray
    classes: tuple[str, ...] = FAMILIES
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of ids, classes and samples, 16 hexadecimal digits: names sounds that were read."""
        names = "\0".join([*self.ids, "", *(self.classes[family] for family in self.families)])
        digest = hashlib.sha256(names.encode())
        digest.update(self.samples.astype("<f4").tobytes())
        return digest.hexdigest()[:16]


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
        samples[row] = _sound(index, seed) / STEPS
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
    return levelled(signal, draw)


def levelled(signal: np.ndarray, draw: Draw) -> np.ndarray:
    """`signal` of RMS 1 at a random level from -30 to -20 dB of full scale, in 16-bit steps.

    So loudness says nothing of a sound's class. A peak that would not fit sets the level instead.
    """
    level = 10 ** (draw.uniform(-30, -20) / 20)
    return np.rint(signal * min(level, 0.99 / np.abs(signal).max()) * STEPS)


def _faded(signal: np.ndarray, draw: Draw) -> np.ndarray:
    """`signal` with up to 25 ms of raised-cosine fade at either end, each in half of the sounds."""
    for end in (slice(None), slice(None, None, -1)):
        if draw.chance(0.5):
            length = draw.integer(_FADE // 10, _FADE)
            ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)
            signal[end][:length] *= ramp
    return signal
