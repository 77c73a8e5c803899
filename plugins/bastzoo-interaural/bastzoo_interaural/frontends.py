"""Frontends with phase: `ipd`, `gcc` and `btff`, each on the grid of a spectrogram.

What lies between the ears is measured from left to right and given to both of them alike. So an
exchange of the ears changes its sign and not its place, and even ADD with shared encoders, which is
blind to an exchange of ears that are described one by one, can tell left from right.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.zoo.frontends import Spectrogram, standardised
from bastzoo.zoo.mel import Mel, filter_bank

# Relative to the loudest bin of a clip, in power: what lies below is rounding and has no phase.
_AUDIBLE = 1e-8

_MAX_LAG = 1e-3
"""Seconds: more than any human head delays."""


Pair = tuple[Tensor, Tensor]
"""Real and imaginary part: other runtimes, which models are exported for, have no complex numbers."""


class _Phase(Spectrogram):
    """BAST's spectrogram, and the complex spectra that it is the magnitude of."""

    def spectra(self, clips: Float[Tensor, "B 2 N"]) -> Pair:
        """Return the short-time spectra, `[B, 2, F, T]` each part; exactly 0 where nothing is heard."""
        clips = clips.to(torch.promote_types(clips.dtype, torch.float32))
        frames = clips.unfold(-1, self.window_length, self.hop_length)
        frames = frames - frames.mean(-1, keepdim=True)
        taper = self._taper(clips.dtype, clips.device)
        return _audible(torch.fft.rfft(frames * taper))

    def magnitude(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 1 F T"]:
        """Return what BAST's own frontend gives."""
        return super().forward(clips)


class Ipd(_Phase):
    """Log magnitude, each ear's phase, and the phase between the ears: `[B, 2, 5, 129, 61]`.

    Channels of an ear: the spectrogram of BAST; cosine and sine of the ear's phase; cosine and sine of
    the left ear's phase minus the right one's. A bin in which nothing is heard has the phase (0, 0).
    """

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return channels, frequency bins and frames for clips of `samples` samples."""
        _, bands, frames = super().output_shape(samples)
        return 5, bands, frames

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 5 F T"]:
        """Return the features of both ears."""
        spectra = self.spectra(clips)
        own = _direction(spectra)
        between = [part[:, None].expand_as(own[0]) for part in _direction(_between(spectra))]
        parts = [*own, *between]
        return torch.cat([self.magnitude(clips), torch.stack(parts, dim=2)], dim=2)


class Gcc(_Phase):
    """Log magnitude, and the cross-correlation of the ears with phase transform (Knapp, Carter 1976).

    `[B, 2, 1 + bands, 129, 61]`: the spectrogram of BAST, then for each band a correlogram on the same
    grid, 129 lags from -1 ms (the right ear leads) to 1 ms where the spectrogram has 129 bins. Every
    bin counts as much as any other of its band, however loud it is, which sharpens the peaks in rooms.

    bands: how many; equally wide on the scale of equivalent rectangular bandwidths (Glasberg, Moore
        1990) from 100 Hz to 8 kHz.
    """

    def __init__(self, *, bands: int = 4) -> None:
        super().__init__()
        self.bands = bands

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return channels, rows (bins and lags) and frames for clips of `samples` samples."""
        _, rows, frames = super().output_shape(samples)
        return 1 + self.bands, rows, frames

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 C F T"]:
        """Return the features of both ears."""
        magnitude = self.magnitude(clips)
        real, imaginary = _direction(_between(self.spectra(clips)))
        rows = magnitude.shape[3]
        with torch.autocast(clips.device.type, enabled=False):
            found = torch.stack(
                [
                    torch.from_numpy(cosine).to(magnitude) @ real[:, bins]
                    + torch.from_numpy(sine).to(magnitude) @ imaginary[:, bins]
                    for bins, cosine, sine in _correlators(rows, self.bands, self.window_length)
                ],
                dim=1,
            )
        both = found[:, None].expand(-1, 2, -1, -1, -1)
        return torch.cat([magnitude, both], dim=2)


class Btff(Mel):
    """The binaural time-frequency feature, after BiSELDnet (arXiv:2507.20530): `[B, 2, 5, 128, 59]`.

    Channels of an ear: its log-mel spectrogram (z-scored over both ears); its difference from frame to
    frame (the paper's velocity map); its difference from band to band above 5 kHz, where the pinna
    writes its notches (for the paper's spectral cues); the ITD of each band below 1.5 kHz, in units of
    1 ms, positive when the left ear leads; the ILD of each band above 5 kHz, in units of 20 dB,
    positive when the left ear is louder. The last two are the same for both ears.

    The paper gives one map of eight channels to one network; here each ear has its own channels.
    """

    _ITD_BELOW, _ILD_ABOVE = 1500.0, 5000.0

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return channels, bands and frames for clips of `samples` samples."""
        _, bands, frames = super().output_shape(samples)
        return 5, bands, frames

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 5 F T"]:
        """Return the features of both ears."""
        decibels = self.decibels(clips)
        level = (decibels[:, :1] - decibels[:, 1:]) / 20.0
        mel = standardised(decibels.clone())
        centres = self._centres().to(mel)
        high = (centres >= self._ILD_ABOVE)[:, None]
        velocity = torch.diff(mel, dim=-1, prepend=mel[..., :1])
        spectral = torch.diff(mel, dim=-2, prepend=mel[..., :1, :]) * high
        delay = self._delays(clips, centres)
        shared = [delay.expand_as(mel), (level * high).expand_as(mel)]
        return torch.stack([mel, velocity, spectral, *shared], dim=2)

    def _delays(
        self, clips: Float[Tensor, "B 2 N"], centres: Float[Tensor, " F"]
    ) -> Float[Tensor, "B 1 F T"]:
        """ITD in milliseconds, from the phase of each band's cross-spectrum; 0 above 1.5 kHz."""
        low = centres < self._ITD_BELOW
        frames = clips.to(centres.dtype).unfold(-1, self.window_length, self.hop_length)
        window = torch.hann_window(self.window_length, dtype=centres.dtype, device=clips.device)
        real, imaginary = _between(_audible(torch.fft.rfft(frames * window)))
        bank = torch.from_numpy(filter_bank(*self._range, self.window_length, self.bands)).to(
            centres
        )
        with torch.autocast(clips.device.type, enabled=False):
            real, imaginary = bank @ real, bank @ imaginary
        # The angle of nothing is 0, and its gradient too.
        known = low[:, None] & ((real != 0) | (imaginary != 0))
        radians = torch.where(known, torch.atan2(imaginary, torch.where(known, real, 1.0)), 0.0)
        milliseconds = 1e3 * radians / (2 * math.pi * centres.clamp(min=1.0))[:, None]
        # Below 500 Hz a phase can stand for more than a head delays: that is noise.
        return milliseconds.clamp(-1e3 * _MAX_LAG, 1e3 * _MAX_LAG)[:, None]

    def _centres(self) -> Tensor:
        """Frequency in Hz at the peak of each band's triangle."""
        bank = filter_bank(*self._range, self.window_length, self.bands)
        hertz = np.linspace(0, SAMPLE_RATE / 2, bank.shape[1])
        return torch.from_numpy((bank @ hertz) / bank.sum(axis=1))


def _audible(spectra: Tensor) -> Pair:
    """Both parts `[B, 2, F, T]` of spectra `[B, 2, T, F]`, with 0 for what is rounding error beside the
    clip's loudest bin.
    """
    real, imaginary = (part.transpose(-1, -2) for part in (spectra.real, spectra.imag))
    power = real.square() + imaginary.square()
    loudest = power.detach().amax(dim=(1, 2, 3), keepdim=True)
    heard = power > _AUDIBLE * loudest
    return torch.where(heard, real, 0.0), torch.where(heard, imaginary, 0.0)


def _between(spectra: Pair) -> Pair:
    """The left ear's spectrum times the conjugate of the right one's, `[B, F, T]` each part."""
    real, imaginary = spectra
    even = real[:, 0] * real[:, 1] + imaginary[:, 0] * imaginary[:, 1]
    odd = imaginary[:, 0] * real[:, 1] - real[:, 0] * imaginary[:, 1]
    return even, odd


def _direction(spectra: Pair) -> Pair:
    """Complex numbers of length 1, and 0 for 0."""
    real, imaginary = spectra
    power = real.square() + imaginary.square()
    known = power > 0
    share = torch.where(known, torch.where(known, power, 1.0).rsqrt(), 0.0)
    return real * share, imaginary * share


@functools.lru_cache(maxsize=8)
def _correlators(
    lags: int, bands: int, window_length: int
) -> tuple[tuple[slice, np.ndarray, np.ndarray], ...]:
    """For each band its bins, and the cosines and sines `[lags, bins]` that correlate them.

    Arrays, and not tensors: what is cached while a network is exported would belong to that export.
    """
    hertz = np.arange(window_length // 2 + 1) * SAMPLE_RATE / window_length
    delay = np.linspace(-_MAX_LAG, _MAX_LAG, lags)
    found = []
    for share in _bands(hertz, bands):
        heard = np.flatnonzero(share)
        bins = slice(int(heard[0]), int(heard[-1]) + 1)
        # The left ear leads by d: its phase is ahead by 2 π f d.
        turns = 2 * np.pi * delay[:, None] * hertz[bins]
        found.append((bins, share[bins] * np.cos(turns), share[bins] * np.sin(turns)))
    return tuple(found)


def _bands(hertz: np.ndarray, count: int) -> np.ndarray:
    """Weights `[bands, bins]`: raised cosines, equally spaced on the ERB-rate scale, of sum 1 each."""
    rate = 21.4 * np.log10(1 + 0.00437 * hertz)
    lowest, highest = (21.4 * math.log10(1 + 0.00437 * f) for f in (100.0, 8000.0))
    step = (highest - lowest) / count
    centres = lowest + step * (np.arange(count) + 0.5)
    distance = np.clip((rate - centres[:, None]) / step, -1, 1)
    weights = 0.5 + 0.5 * np.cos(np.pi * distance)
    weights[:, 0] = 0.0  # 0 Hz has no phase
    scaled: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return scaled
