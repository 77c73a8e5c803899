"""One sound as somebody hears it somewhere: of any length, in a made or a measured room."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
from jaxtyping import Float

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.listeners.interpolation import interpolated
from bastzoo.acoustics.listeners.listener import Listener
from bastzoo.acoustics.noise import NoiseSpectrum, diffuse_filter
from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.rooms.shoebox import Room, binaural_responses
from bastzoo.data.rendering.places import guessed
from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of
from bastzoo.errors import DataError

_CLOSE = 0.1
"""Degrees within which a direction is the one that was measured."""


def heard(
    sound: np.ndarray,
    *,
    room: Room | MeasuredRoom,
    listener: Listener,
    azimuth: float,
    elevation: float = 0.0,
    rate: int = SAMPLE_RATE,
    snr_db: float | None = None,
    noise: NoiseSpectrum = "speech",
    seed: int = 0,
) -> Float[np.ndarray, "2 n"]:
    """What reaches the ears, `[2, n]` float32 at 16 kHz, channel 0 the left one; as long as the sound.

    sound: mono `[n]`, at `rate` Hz. azimuth, elevation: degrees, +90 the left and up.
    room: a measured one has its own listener, and no direction that was not measured in it.
    snr_db: adds a diffuse field of noise, that many dB below the mean power over both ears.

    Raises DataError for a sound that is none, for a direction that cannot be heard there (none was measured
    within 5 degrees), and for noise that there is none of.
    """
    mono = _mono(sound, rate)
    _check_noise(snr_db, noise, seed)
    direction = _direction(azimuth, elevation)
    if isinstance(room, MeasuredRoom):
        response, ears = _measured(room, direction), room.ears
    else:
        ears = interpolated(listener, direction)
        for sentence in guessed([ears], direction):
            raise DataError(f"{sentence}: what is heard from there is not known.")
        response = binaural_responses(room, ears, direction)[0]
    from scipy.signal import oaconvolve

    out = oaconvolve(mono[None], response.astype(np.float64), axes=-1)[:, : len(mono)]
    if snr_db is not None:
        added = _diffuse(ears, noise, len(mono), seed)
        ratio = np.mean(out**2) / np.mean(added**2) * 10 ** (-snr_db / 10)
        out = out + np.sqrt(ratio) * added
    return np.asarray(out, dtype=np.float32)


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    """The unit vector `[1, 3]` of two angles. Raises DataError for what is no angle."""
    for what, value, most in (("azimuth", azimuth, math.inf), ("elevation", elevation, 90.0)):
        if not _is_number(value) or not abs(value) <= most or math.isinf(value):
            span = "a finite number of degrees" if most == math.inf else "from -90 to 90 degrees"
            raise DataError(f"The {what} of a sound is {span}, not {value!r}.")
    return direction_from_angles(np.array([azimuth]), np.array([elevation]))


def _check_noise(snr_db: float | None, noise: str, seed: int) -> None:
    if snr_db is not None and not (_is_number(snr_db) and math.isfinite(snr_db)):
        raise DataError(
            f"snr_db is a finite number of decibels, or None for no noise, not {snr_db!r}."
        )
    if noise not in get_args(NoiseSpectrum):
        raise DataError(
            f"There is no noise {noise!r}; it is {' or '.join(get_args(NoiseSpectrum))}."
        )
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise DataError(f"A seed is a whole number from 0 on, not {seed!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _mono(sound: np.ndarray, rate: int) -> np.ndarray:
    if np.iscomplexobj(sound):
        raise DataError("A sound to render is of real numbers, not of complex ones.")
    mono = np.asarray(sound, dtype=np.float64)
    if mono.ndim != 1 or not len(mono) or not np.all(np.isfinite(mono)):
        raise DataError(
            f"A sound to render is mono, finite numbers [n], not {list(mono.shape)}"
            f"{' with NaN or infinity' if mono.ndim == 1 and len(mono) else ''}."
        )
    if not _is_number(rate) or not math.isfinite(rate) or rate != int(rate) or rate <= 0:
        raise DataError(f"A sampling rate is a whole number of Hz, not {rate!r}.")
    if rate == SAMPLE_RATE:
        return mono
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(int(rate), SAMPLE_RATE)
    return np.asarray(resample_poly(mono, SAMPLE_RATE // common, int(rate) // common))


def _measured(room: MeasuredRoom, direction: np.ndarray) -> np.ndarray:
    nearness = room.directions @ direction[0]
    nearest = int(np.argmax(nearness))
    if np.degrees(np.arccos(np.clip(nearness[nearest], -1, 1))) > _CLOSE:
        raise DataError(
            f"The room {room.name} was not measured at {_in_words(direction[0])}; the nearest direction that "
            f"was is {_in_words(room.directions[nearest])}."
        )
    return room.responses[nearest]


def _in_words(direction: np.ndarray) -> str:
    azimuth, elevation = (float(of(direction)) for of in (azimuth_of, elevation_of))
    return f"azimuth {azimuth:.1f}" + (
        f", elevation {elevation:.1f}" if abs(elevation) > 0.05 else ""
    )


def _diffuse(listener: Listener, spectrum: NoiseSpectrum, length: int, seed: int) -> np.ndarray:
    """Noise `[2, length]` with the spectrum and the coherence between the ears of a diffuse field."""
    filters = np.fft.irfft(diffuse_filter(listener, spectrum).numpy(), CLIP_SAMPLES)
    filters = np.roll(filters, CLIP_SAMPLES // 2, axis=-1)
    white = np.random.default_rng(seed).standard_normal((2, length + CLIP_SAMPLES))
    from scipy.signal import oaconvolve

    both = oaconvolve(white[None], filters, axes=-1).sum(axis=1)
    return np.asarray(both[:, CLIP_SAMPLES : CLIP_SAMPLES + length])
