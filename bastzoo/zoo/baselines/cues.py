"""Interaural cues of clips in bands as wide as the ear's: time and level differences, GCC-PHAT.

Bands are gammatone filters of the fourth order (Patterson et al., APU report 2341, 1988), evenly
spaced on the scale of equivalent rectangular bandwidths (Glasberg, Moore, Hear. Res. 47:103, 1990).
They act on spectra of whole clips, so no filtered waveform is ever made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.errors import DataError

BANDS = 24

_LOWEST, _HIGHEST = 150.0, 7_500.0
_MAX_LAG = 16
"""In samples: 1 ms, more than any human head delays."""

_STEPS_A_SAMPLE = 4
"""Lags tried a sample before interpolation: peaks of the highest bands are two samples apart."""

_HIGHEST_OF_PHASES = 3_000.0
"""Above, directions 10° apart are phases nearly opposite: a linear model would learn the grid of the
training directions by heart and miss by 35° between them (8° with this limit, in an anechoic room)."""

_AUDIBLE_DB = 60.0
"""A band further than this below the clip's loudest is what leaks from the others, not a cue."""

_WEAKEST_GAIN = 1e-4
"""Power gain at which a band ends: -40 dB."""

_CHUNK = 256
"""Clips at a time: bounds the memory of the spectra to some 40 MB."""

Clips = Float[Tensor, "B 2 N"]
Cues = Float[Tensor, "B K"]


def interaural_time_differences(clips: Clips) -> Cues:
    """ITD of each band in microseconds, positive when the left ear leads: `[B, 24]`.

    The lag, within ±1 ms, at which the band's cross-correlation is highest, refined by a parabola
    through the three lags around it. NaN where the band is not heard. From some 700 Hz on, two or
    more peaks fit between the ends: whoever uses these must bear a wrong one being the highest.
    """
    return _chunked(_itd, clips)


def interaural_level_differences(clips: Clips) -> Cues:
    """ILD of each band in dB, positive when the left ear is louder: `[B, 24]`; NaN if not heard."""
    return _chunked(_ild, clips)


def gcc_phat(clips: Clips) -> Cues:
    """Generalised cross-correlation with phase transform, by band up to 3 kHz: `[B, 17 · 33]`.

    Knapp, Carter, IEEE Trans. Acoust. Speech Signal Process. 24:320 (1976), in each band, at lags
    of -16 to 16 samples. A row of NaN for a clip in which nothing is heard.
    """
    return _chunked(_gcc_phat, clips)


def require_sound(cues: Cues) -> None:
    """Raise DataError unless some cue of some clip was heard."""
    if cues.isnan().all():
        raise DataError("A baseline cannot be fitted: none of the training clips holds any sound.")


class _Band(NamedTuple):
    """The bins that a band spans, and the matrix that turns their cross-spectrum into correlations."""

    bins: slice
    correlate: Float[Tensor, "two_bins lags"]


class _Filterbank(NamedTuple):
    """Power gains of all bands, and correlators at two lag steps: for a peak, and for a shape."""

    gains: Float[Tensor, "bins bands"]
    fine: tuple[_Band, ...]
    coarse: tuple[_Band, ...]


def _itd(clips: Clips) -> Cues:
    bank = _filterbank(_transform_length(clips), clips.device)
    spectra = _spectra(clips)
    correlation = _correlations(_cross(spectra), bank.fine)
    before, at, after = correlation[..., :-2], correlation[..., 1:-1], correlation[..., 2:]
    slope, bend = (before - after) / 2, before - 2 * at + after
    # A parabola through three lags: where it peaks, in steps, and how high. Peaks are compared by
    # this height, or a wrong one that a lag happens to hit would pass one that falls between two.
    offset = torch.where(bend < 0, slope / bend, 0.0).clamp(-1, 1)
    peak = (at - slope * offset / 2).argmax(-1, keepdim=True)
    first = 1 - _MAX_LAG * _STEPS_A_SAMPLE
    lag = (peak + first + offset.gather(-1, peak))[..., 0] / _STEPS_A_SAMPLE
    heard = _heard(_powers(spectra, bank))
    return (lag * (1e6 / SAMPLE_RATE)).masked_fill(~heard, math.nan)


def _ild(clips: Clips) -> Cues:
    powers = _powers(_spectra(clips), _filterbank(_transform_length(clips), clips.device))
    levels = 10 * powers.clamp_min(torch.finfo(powers.dtype).tiny).log10()
    return (levels[:, 0] - levels[:, 1]).masked_fill(~_heard(powers), math.nan)


def _gcc_phat(clips: Clips) -> Cues:
    bank = _filterbank(_transform_length(clips), clips.device)
    cross = _cross(_spectra(clips))
    size = cross.abs()
    heard = (size > 0).any(-1) & size.isfinite().all(-1)
    phases = cross / size.clamp_min(torch.finfo(size.dtype).tiny)
    return _correlations(phases, bank.coarse).flatten(1).masked_fill(~heard[:, None], math.nan)


def _heard(powers: Float[Tensor, "B 2 K"]) -> Bool[Tensor, "B K"]:
    """Bands within reach of the clip's loudest one, at the louder ear; none in silence or NaN."""
    louder = powers.amax(1)
    return (louder > 0) & (louder > 10 ** (-_AUDIBLE_DB / 10) * louder.amax(1, keepdim=True))


def _transform_length(clips: Clips) -> int:
    """A power of two with room for the longest lag, so that nothing wraps around."""
    return 1 << (clips.shape[-1] + _MAX_LAG - 1).bit_length()


def _spectra(clips: Clips) -> Complex[Tensor, "B 2 F"]:
    return torch.fft.rfft(clips, _transform_length(clips))


def _cross(spectra: Complex[Tensor, "B 2 F"]) -> Complex[Tensor, "B F"]:
    return spectra[:, 0] * spectra[:, 1].conj()


def _powers(spectra: Complex[Tensor, "B 2 F"], bank: _Filterbank) -> Float[Tensor, "B 2 K"]:
    return (spectra.real.square() + spectra.imag.square()) @ bank.gains


def _correlations(
    cross: Complex[Tensor, "B F"], bands: tuple[_Band, ...]
) -> Float[Tensor, "B K lags"]:
    return torch.stack(
        [
            torch.cat([cross.real[:, band.bins], cross.imag[:, band.bins]], dim=1) @ band.correlate
            for band in bands
        ],
        dim=1,
    )


@lru_cache(maxsize=4)
def _filterbank(length: int, device: torch.device) -> _Filterbank:
    """The bands of spectra of transforms of this length."""
    frequencies = torch.arange(length // 2 + 1, dtype=torch.float64) * (SAMPLE_RATE / length)
    centres = _centres()
    width = 1.019 * 24.7 * (4.37e-3 * centres + 1)
    gains = (1 + ((frequencies[:, None] - centres) / width) ** 2) ** -4
    gains = gains / gains.sum(0)

    def correlators(steps_a_sample: int, highest: float) -> tuple[_Band, ...]:
        reach = _MAX_LAG * steps_a_sample
        lags = torch.arange(-reach, reach + 1, dtype=torch.float64) / steps_a_sample
        turns = 2 * math.pi / SAMPLE_RATE * frequencies[:, None] * lags
        return tuple(_correlator(gain, turns, device) for gain in gains.T[centres <= highest])

    return _Filterbank(
        gains.float().to(device),
        fine=correlators(_STEPS_A_SAMPLE, math.inf),
        coarse=correlators(1, _HIGHEST_OF_PHASES),
    )


def _correlator(
    gain: Float[Tensor, " F"], turns: Float[Tensor, "F lags"], device: torch.device
) -> _Band:
    """An inverse Fourier transform of one band's cross-spectrum, at the lags wanted and no others."""
    wanted = (gain > _WEAKEST_GAIN * gain.max()).nonzero()[:, 0]
    bins = slice(int(wanted[0]), int(wanted[-1]) + 1)
    weights, angles = gain[bins, None], turns[bins]
    matrix = torch.cat([weights * angles.cos(), weights * angles.sin()])
    return _Band(bins, matrix.float().to(device))


def _centres() -> Float[Tensor, " K"]:
    """Centre frequencies in Hz, evenly spaced in ERB numbers (Glasberg, Moore 1990, eq. 4)."""
    low, high = (21.4 * math.log10(4.37e-3 * f + 1) for f in (_LOWEST, _HIGHEST))
    numbers = torch.linspace(low, high, BANDS, dtype=torch.float64)
    return (10 ** (numbers / 21.4) - 1) / 4.37e-3


def _chunked(measure: Callable[[Clips], Cues], clips: Clips) -> Cues:
    if not len(clips):
        raise DataError("There are no clips to take cues from: give at least one.")
    return torch.cat([measure(chunk.float()) for chunk in clips.split(_CHUNK)])
