"""The frontend `binaural`: what each ear hears, and what lies between the ears, on one grid."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.zoo.frontends import Spectrogram, standardised

# Relative to the loudest bin of a clip, in power: what lies below is rounding and has no phase.
_AUDIBLE = 1e-8
_MAX_LAG = 1e-3
_ILD_DB = 20.0


class Binaural(Spectrogram):
    """Log magnitude, level difference and cross-correlation: `[B, 2, 2 + bands, 129, 61]`.

    Channels of an ear: BAST's spectrogram of it; the level of the left ear minus that of the right one in
    each bin, in units of 20 dB; and for each band the cross-correlation of the ears with phase transform
    (GCC-PHAT; Knapp, Carter 1976), 129 lags from -1 ms (the right ear leads) to 1 ms where the spectrogram
    has 129 bins. The last two are the same for both ears, and 0 where nothing is heard.

    bands: how many; raised cosines, evenly spaced on the scale of equivalent rectangular bandwidths
        (Glasberg, Moore 1990) from 100 Hz to 8 kHz.
    """

    def __init__(self, *, bands: int = 8) -> None:
        super().__init__()
        self.bands = bands

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return channels, rows (bins and lags) and frames for clips of `samples` samples."""
        _, rows, frames = super().output_shape(samples)
        return 2 + self.bands, rows, frames

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 C F T"]:
        """Return the features of both ears."""
        spectra = self._spectra(clips)
        magnitude = standardised(self._decibels(spectra))[:, :, None]
        # Real arithmetic: half the work of complex, and other runtimes have no complex numbers.
        real, imaginary = (part.transpose(-1, -2) for part in (spectra.real, spectra.imag))
        power = real.square() + imaginary.square()
        loudest = power.amax(dim=(1, 2, 3), keepdim=True)
        with torch.autocast(clips.device.type, enabled=False):
            # The left ear's spectrum times the conjugate of the right one's, of length 1 where both hear.
            even = real[:, 0] * real[:, 1] + imaginary[:, 0] * imaginary[:, 1]
            odd = imaginary[:, 0] * real[:, 1] - real[:, 0] * imaginary[:, 1]
            size = power[:, 0].sqrt() * power[:, 1].sqrt()
            heard = (power > _AUDIBLE * loudest).all(dim=1) & (size > 0)
            share = torch.where(heard, 1 / torch.where(heard, size, 1.0), 0.0)
            even, odd = even * share, odd * share
            # Half the size of the loudest bin's square keeps the ratio of two silences at 1.
            decibels = 10 * torch.log10(power + _AUDIBLE * loudest.clamp(min=1e-30))
            level = ((decibels[:, :1] - decibels[:, 1:]) / _ILD_DB)[:, :, None]
            found = [
                torch.from_numpy(turns).to(magnitude)
                @ torch.cat([even[:, bins], odd[:, bins]], dim=1)
                for bins, turns in correlators(magnitude.shape[3], self.bands, self.window_length)
            ]
        shared = torch.cat([level, torch.stack(found, dim=1)[:, None]], dim=2)
        return torch.cat([magnitude, shared.expand(-1, 2, -1, -1, -1)], dim=2)


@functools.lru_cache(maxsize=8)
def correlators(lags: int, bands: int, window_length: int) -> tuple[tuple[slice, np.ndarray], ...]:
    """For each band its bins, and `[lags, 2 × bins]` that correlate their real and imaginary parts.

    Arrays, and not tensors: what is cached while a network is exported would belong to that export.
    """
    hertz = np.arange(window_length // 2 + 1) * SAMPLE_RATE / window_length
    delay = np.linspace(-_MAX_LAG, _MAX_LAG, lags)
    found = []
    for share in band_weights(hertz, bands):
        heard = np.flatnonzero(share)
        bins = slice(int(heard[0]), int(heard[-1]) + 1)
        # The left ear leads by d: its phase is ahead by 2 pi f d.
        turns = 2 * np.pi * delay[:, None] * hertz[bins]
        parts = [share[bins] * part(turns) for part in (np.cos, np.sin)]
        found.append((bins, np.concatenate(parts, axis=1)))
    return tuple(found)


def band_weights(hertz: np.ndarray, count: int) -> np.ndarray:
    """Weights `[bands, bins]` of each band, of sum 1 each."""
    rate = 21.4 * np.log10(1 + 0.00437 * hertz)
    lowest, highest = (21.4 * math.log10(1 + 0.00437 * f) for f in (100.0, 8000.0))
    step = (highest - lowest) / count
    centres = lowest + step * (np.arange(count) + 0.5)
    distance = np.clip((rate - centres[:, None]) / step, -1, 1)
    weights = 0.5 + 0.5 * np.cos(np.pi * distance)
    weights[:, 0] = 0.0  # 0 Hz has no phase
    scaled: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return scaled
