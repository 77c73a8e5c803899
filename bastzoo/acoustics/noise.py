"""Noise that depends on a seed, a clip's number and a place in the clip alone, on any device.

A 32-bit hash of a counter takes the place of a generator, as in counter-based generators (Salmon et
al., SC 2011), in integer operations that CPUs and GPUs do alike. Filtered, it becomes a diffuse
field: what a listener hears when independent noise comes from everywhere.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Complex, Float, Int32, Int64
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.listeners.listener import Listener

NoiseSpectrum = Literal["speech", "white"]

_WORD = 2**32
# 2**64 and 2**32 over the golden ratio, as signed numbers: steps that spread counters evenly.
_STREAM_STEP = -0x61C8864680B583EB
_COUNTER_STEP = -0x61C88647


# Spectrum level of speech at normal vocal effort, dB, at the centres of the critical bands, Hz
# (ANSI S3.5-1997, table 1).
# fmt: off
_SPEECH_HZ = (
    150, 250, 350, 450, 570, 700, 840, 1000, 1170, 1370, 1600, 1850, 2150, 2500, 2900, 3400, 4000,
    4800, 5800, 7000, 8500,
)
_SPEECH_DB = (
    31.44, 34.75, 34.14, 34.58, 33.17, 30.64, 27.59, 25.01, 23.52, 22.28, 20.15, 18.29, 16.37, 13.80,
    12.21, 11.09, 9.33, 5.84, 3.47, 1.78, -0.14,
)
# fmt: on
# Below its lowest band, speech-shaped noise falls this steeply.
_ROLL_OFF_DB_PER_OCTAVE = 12.0

_LATTICE = 4_000
_GRID_BITS = 24


def diffuse_filter(listener: Listener, spectrum: NoiseSpectrum) -> Complex[Tensor, "2 2 4001"]:
    """The filter that makes a diffuse field of white noise independent at the ears.

    At each of the 4001 frequencies of a clip, the Cholesky factor of the covariance between the ears
    that `listener` gives noise of equal power from all directions; so the noise has the spectrum and the
    interaural coherence of a diffuse field. A direction that was not measured counts with the nearest
    one that was. Mean power over both ears is 1.
    """
    weights = np.bincount(
        listener.nearest(_fibonacci_lattice(_LATTICE)), minlength=len(listener.directions)
    )
    weights = weights / weights.sum()
    left, right = np.fft.rfft(listener.responses, CLIP_SAMPLES).transpose(1, 0, 2)
    left_power, right_power = weights @ np.abs(left) ** 2, weights @ np.abs(right) ** 2
    cross = weights @ (right * left.conj())
    factor = np.zeros((2, 2, left_power.size), np.complex128)
    factor[0, 0] = np.sqrt(left_power)
    # Above a measurement's band there is no power to share out.
    factor[1, 0] = np.divide(cross, factor[0, 0], out=np.zeros_like(cross), where=left_power > 0)
    factor[1, 1] = np.sqrt(np.maximum(right_power - np.abs(factor[1, 0]) ** 2, 0.0))
    frequencies = np.fft.rfftfreq(CLIP_SAMPLES, 1 / SAMPLE_RATE)
    if spectrum == "speech":
        factor *= speech_amplitude(frequencies)
    power = 2 * (np.abs(factor) ** 2).sum(axis=(0, 1))[1:].sum() / CLIP_SAMPLES / 2
    factor /= np.sqrt(power)
    # The grid takes away the last bits, in which machines differ.
    step = 2.0 ** (np.ceil(np.log2(np.abs(factor).max())) - _GRID_BITS)
    exact = np.rint(factor.real / step) * step + 1j * (np.rint(factor.imag / step) * step)
    return torch.from_numpy(exact.astype(np.complex64))


def speech_amplitude(frequencies: np.ndarray) -> np.ndarray:
    """Amplitude density of speech at these frequencies (Hz), 1 at 1 kHz; 0 at 0 Hz."""
    octaves = np.log2(np.maximum(frequencies, 1e-9))
    level = np.interp(octaves, np.log2(_SPEECH_HZ), _SPEECH_DB) - _SPEECH_DB[7]
    below = np.log2(_SPEECH_HZ[0]) - octaves
    level -= _ROLL_OFF_DB_PER_OCTAVE * np.maximum(below, 0.0)
    return np.where(frequencies > 0, 10 ** (level / 20), 0.0)


def filtered(
    noise: Float[Tensor, "B 2 8000"],
    filters: Complex[Tensor, "H 2 2 4001"],
    index: Int64[Tensor, " B"],
) -> Float[Tensor, "B 2 8000"]:
    """The noise of each clip through the filter of its number; circular, since noise is stationary."""
    spectra = torch.fft.rfft(noise)
    chosen = filters[index].to(spectra.dtype)
    left = chosen[:, 0, 0] * spectra[:, 0]
    right = chosen[:, 1, 0] * spectra[:, 0] + chosen[:, 1, 1] * spectra[:, 1]
    return torch.fft.irfft(torch.stack([left, right], dim=1), CLIP_SAMPLES)


def _fibonacci_lattice(count: int) -> np.ndarray:
    """Unit vectors `[count, 3]`, evenly spread (Swinbank and Purser 2006)."""
    place = np.arange(count) + 0.5
    z = 1 - 2 * place / count
    angle = np.pi * (1 + 5**0.5) * place
    level = np.sqrt(1 - z**2)
    return np.stack([level * np.cos(angle), level * np.sin(angle), z], axis=-1)


def ear_noise(
    clip_index: Int64[Tensor, " B"], seed: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "B 2 8000"]:
    """Standard normal noise, independent between the ears, for the clips of these numbers.

    The whole numbers behind it are the same on every device; their logarithm and cosine agree to
    rounding.
    """
    words = _hash(_keys(clip_index, seed))
    # The upper 23 bits and half a step: exact in single precision, and never the logarithm of zero.
    unit = ((words >> 9).to(dtype) + (2.0**22 + 0.5)) * 2.0**-23
    radius = torch.sqrt(unit[:, 0].log_().mul_(-2.0))
    angle = unit[:, 1].mul_(2.0 * torch.pi)
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)


def _keys(clip_index: Int64[Tensor, " B"], seed: int) -> Int32[Tensor, "B 2"]:
    """Two 32-bit keys for each clip: splitmix64 (Steele et al., OOPSLA 2014) of seed and number."""
    start = torch.full_like(clip_index, _signed(seed * 0x9E3779B97F4A7C15 + 0x243F6A8885A308D3, 64))
    key = _splitmix(_splitmix(start) + clip_index * _STREAM_STEP)
    return torch.stack([(key & (_WORD - 1)) - 2**31, key >> 32], dim=-1).to(torch.int32)


def _splitmix(key: Int64[Tensor, " B"]) -> Int64[Tensor, " B"]:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key = (key ^ _shifted(key, shift, 64)) * _signed(factor, 64)
    return key ^ _shifted(key, 31, 64)


def _hash(keys: Int32[Tensor, "B 2"]) -> Int32[Tensor, "B 2 8000"]:
    """`lowbias32` (Wellons 2018) of a counter over both ears, with a second key between its rounds.

    With one key, two clips whose keys are close would share most of their noise, shifted in time.
    """
    counter = torch.arange(2 * CLIP_SAMPLES, dtype=torch.int32, device=keys.device) * _COUNTER_STEP
    words = counter + keys[:, :1]
    words ^= _shifted(words, 16, 32)
    words *= 0x7FEB352D
    words += keys[:, 1:]
    words ^= _shifted(words, 15, 32)
    words *= _signed(0x846CA68B, 32)
    words ^= _shifted(words, 16, 32)
    return words.view(-1, 2, CLIP_SAMPLES)


def _shifted(words: Tensor, places: int, bits: int) -> Tensor:
    """Logical shift to the right; torch's own keeps the sign."""
    return (words >> places) & (2 ** (bits - places) - 1)


def _signed(number: int, bits: int) -> int:
    """The low `bits` of a number read as two's complement: torch has no unsigned arithmetic."""
    number %= 2**bits
    return number - 2**bits if number >= 2 ** (bits - 1) else number
