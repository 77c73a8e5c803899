"""Virtual listeners that differ from KEMAR as people do: notches, levels and delays, by direction.

A listener of the first family is KEMAR stretched along frequency. One of this family differs from a stretched
KEMAR, too, by a random field over directions and frequency: cepstral coefficients (the cosines of a level in
dB over linear frequency) that are sums of spherical harmonics, and a field of interaural delays. How large
each part is was measured on 18 listeners of CIPIC (Algazi et al. 2001, IEEE WASPAA), by
`benchmarks/listener_statistics.py`; no response of theirs is in here, and those that the track
`measured-heads` tests with are not among them.
"""

from __future__ import annotations

import numpy as np
from scipy.special import factorial, lpmv

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.acoustics.draws import Draw

DEGREE = 6
"""The highest degree of the spherical harmonics: structures of 30 degrees."""

ORDERS = 16
"""How many cepstral coefficients: structures of 500 Hz and more."""

_SEED = 20_011
_LENGTH = 1024

# What is left of 18 listeners of CIPIC when the KEMAR stretched to fit each best is taken off
# (`benchmarks/listener_statistics.py`), dB by order of the cepstrum: root mean squares of coefficients,
# rows by degree, the first of them about its mean; and this mean.
# fmt: off
LEVELS_DB = np.array((
    (0.16, 0.78, 0.86, 0.86, 0.82, 0.47, 0.58, 0.39, 0.28, 0.29, 0.35, 0.18, 0.21, 0.29, 0.21, 0.26),
    (0.79, 0.77, 0.38, 0.24, 0.20, 0.20, 0.18, 0.16, 0.13, 0.11, 0.14, 0.15, 0.13, 0.10, 0.11, 0.10),
    (0.42, 0.37, 0.26, 0.20, 0.16, 0.15, 0.12, 0.13, 0.10, 0.09, 0.10, 0.08, 0.08, 0.06, 0.06, 0.07),
    (0.17, 0.15, 0.15, 0.11, 0.11, 0.10, 0.10, 0.09, 0.07, 0.07, 0.06, 0.06, 0.06, 0.05, 0.04, 0.04),
    (0.19, 0.21, 0.10, 0.11, 0.08, 0.08, 0.07, 0.07, 0.06, 0.06, 0.06, 0.05, 0.05, 0.04, 0.04, 0.04),
    (0.09, 0.11, 0.08, 0.08, 0.08, 0.07, 0.07, 0.06, 0.06, 0.05, 0.05, 0.04, 0.04, 0.04, 0.03, 0.03),
    (0.06, 0.08, 0.06, 0.06, 0.05, 0.05, 0.05, 0.04, 0.04, 0.04, 0.03, 0.03, 0.03, 0.03, 0.02, 0.02),
))
CANAL_DB = np.array((
    -0.56, 0.06, 0.43, 5.55, 3.16, 0.68, -0.73, -1.06, -0.21, -0.16, 0.36, 0.32, 0.39, -0.01, -0.08, -0.16,
))
# fmt: on
"""What people's ears have and KEMAR's have not, in all directions: their canals were closed, its were not."""

EARS_ALIKE = 0.8
"""Correlation of the fields of one person's two ears."""

SIZES = (0.95, 0.065)
"""Mean and standard deviation of the factor along frequency that fits KEMAR best to a listener."""

DELAYS = (1.07, 0.035)
"""Mean and standard deviation of the factor of KEMAR's interaural delays."""

DELAY_FIELD_US = np.array((15.2, 12.3, 8.1, 3.7, 2.3, 1.8, 1.0))
"""Root mean square, by degree, of the coefficients of what is left of the delays then, microseconds."""


def harmonics(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Real spherical harmonics `[n, 49]` of unit vectors `[n, 3]`, of mean square 1 over the sphere.

    With them the degree `[49]` of each, and 1 or -1 `[49]`: whether it changes sign from left to right.
    """
    azimuths = np.arctan2(directions[:, 1], directions[:, 0])
    height = np.clip(directions[:, 2], -1.0, 1.0)
    columns, degrees, mirror = [], [], []
    for degree in range(DEGREE + 1):
        for order in range(-degree, degree + 1):
            size = abs(order)
            ratio = factorial(degree - size) / factorial(degree + size)
            scale = np.sqrt((2 * degree + 1) * ratio * (2 if order else 1))
            wave = np.cos(size * azimuths) if order >= 0 else np.sin(size * azimuths)
            columns.append(scale * lpmv(size, degree, height) * wave)
            degrees.append(degree)
            mirror.append(-1 if order < 0 else 1)
    return np.stack(columns, axis=1), np.array(degrees), np.array(mirror)


def cepstra(responses: np.ndarray) -> np.ndarray:
    """The first `ORDERS` cepstral coefficients (dB) of responses `[..., K]`: levels as cosines of frequency.

    Nulls deeper than 30 dB below a response's mean level count as that deep.
    """
    power = np.square(np.abs(np.fft.rfft(responses, _LENGTH)))
    levels = 10 * np.log10(np.maximum(power, 1e-3 * power.mean(axis=-1, keepdims=True)))
    coefficients = np.fft.irfft(levels, _LENGTH)[..., :ORDERS]
    coefficients[..., 1:] *= 2
    return coefficients


def minimum_phase(coefficients: np.ndarray) -> np.ndarray:
    """Spectra `[..., 513]` of the minimum-phase filters with these cepstral coefficients (dB)."""
    full = np.zeros((*coefficients.shape[:-1], _LENGTH))
    # All of the cosines' energy after time 0 (Oppenheim & Schafer, Discrete-Time Signal Processing, 2010).
    full[..., : coefficients.shape[-1]] = coefficients * (np.log(10) / 20)
    return np.exp(np.fft.rfft(full))


class Individual:
    """What is drawn for listener `index`: its size, its delays, and the fields of both ears.

    scales: factor along frequency of the left ear and of the right. width: that of the interaural delays.
    """

    def __init__(self, index: int) -> None:
        draw = Draw(_SEED, index)
        size, asymmetry, width, _ = draw.normal(4)
        middle = SIZES[0] + SIZES[1] * float(np.clip(size, -2, 2))
        ratio = 1 + 0.03 * float(np.clip(asymmetry, -2, 2))
        self.scales = (middle * ratio**0.5, middle / ratio**0.5)
        self.width = DELAYS[0] + DELAYS[1] * float(np.clip(width, -2, 2))
        count = (DEGREE + 1) ** 2
        common, left, right = draw.normal(3 * count * ORDERS).reshape(3, count, ORDERS)
        self._common, self._own = common, (left, right)
        self._delays = draw.normal(count)
        # Microphones in hearing aids, headsets and robots sit anywhere between.
        self._canal = draw.fraction()

    def levels(self, directions: np.ndarray) -> np.ndarray:
        """Cepstral coefficients `[n, 2, ORDERS]` (dB) by which the ears differ from the stretched KEMAR's."""
        waves, degrees, mirror = harmonics(directions)
        spread = LEVELS_DB[degrees]
        shared, apart = np.sqrt(EARS_ALIKE), np.sqrt(1 - EARS_ALIKE)
        # What the ears share is mirrored, as ears are.
        common = (self._common, self._common * mirror[:, None])
        fields = [
            waves @ (spread * (shared * both + apart * own))
            for both, own in zip(common, self._own, strict=True)
        ]
        return np.stack(fields, axis=1) + self._canal * CANAL_DB

    def delays(self, directions: np.ndarray) -> np.ndarray:
        """Seconds `[n, 2]` by which a sound comes later to the left ear and to the right than KEMAR's say."""
        waves, degrees, _ = harmonics(directions)
        field = waves @ (DELAY_FIELD_US[degrees] * self._delays) * 1e-6
        return np.stack([-field / 2, field / 2], axis=1)

    def filtered(self, responses: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Responses `[n, 2, K]` at 16 kHz through what this listener's ears do otherwise."""
        spectra = np.fft.rfft(responses, _LENGTH) * minimum_phase(self.levels(directions))
        return np.asarray(np.fft.irfft(spectra, _LENGTH)[..., : responses.shape[-1]])


def interaural_delays(responses: np.ndarray) -> np.ndarray:
    """Seconds `[n]` by which responses `[n, 2, K]` at 16 kHz come later to the right ear than to the left.

    Where the cross-correlation of what is below 1.5 kHz is highest, within 1 ms, in sixteenths of a sample.
    """
    fine, length = 16, 2 * responses.shape[-1]
    spectra = np.fft.rfft(responses, length)
    hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    spectra = spectra * np.clip((2000 - hertz) / 1000, 0, 1)
    across = np.fft.irfft(spectra[:, 1] * spectra[:, 0].conj(), fine * length)
    reach = fine * SAMPLE_RATE // 1000
    near = np.concatenate([across[:, -reach:], across[:, : reach + 1]], axis=1)
    return np.asarray((near.argmax(axis=1) - reach) / fine / SAMPLE_RATE)
