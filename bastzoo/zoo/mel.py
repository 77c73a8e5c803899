"""From waveforms to a log-mel spectrogram: bands as wide as the ear's, which say what a sound is."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError
from bastzoo.zoo.frontends import SILENCE_DB, standardised

# Dynamic range of a clip: what lies this far below its loudest band is raised to that level, as in
# the usual `power_to_db(top_db=80)`.
RANGE_DB = 80.0

# Slaney's scale is linear up to 1 kHz, in steps of 200/3 Hz, and logarithmic above, 27 steps a factor
# of 6.4.
_LINEAR_HZ = 200.0 / 3.0
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ
_LOG_STEP = math.log(6.4) / 27.0


class Mel(nn.Module):
    """Log power in mel bands, z-scored per clip jointly over both ears.

    Periodic Hann window, power spectrum, no padding, triangles of equal area on the mel scale of
    Slaney's Auditory Toolbox (1998), `10·log10`: the figures of `librosa.feature.melspectrogram(...,
    center=False)` with its defaults. 8000 samples give 128 × 59.

    sample_rate: Hz. bands: of the filter bank.
    window_length, hop_length: samples. 512 is the shortest power of two at which no band of 128 is
        empty.
    lowest_hz, highest_hz: range of the filter bank; None for half the sample rate.

    A clip of silence alone becomes zeros.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        bands: int = 128,
        window_length: int = 512,
        hop_length: int = 128,
        lowest_hz: float = 0.0,
        highest_hz: float | None = None,
    ) -> None:
        super().__init__()
        self.bands = bands
        self.window_length = window_length
        self.hop_length = hop_length
        self._range = (sample_rate, lowest_hz, highest_hz or sample_rate / 2)

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return channels, bands and frames of one ear for clips of `samples` samples.

        Raises ComponentError when they do not fill one window.
        """
        if samples < self.window_length:
            raise ComponentError(
                f"A clip of {samples} samples is shorter than the mel frontend's window of "
                f"{self.window_length}; use longer clips."
            )
        return 1, self.bands, (samples - self.window_length) // self.hop_length + 1

    def decibels(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 F T"]:
        """Return `10·log10` of the power in each band, before the z-score.

        At least `SILENCE_DB`, and at least `RANGE_DB` below the clip's loudest band of either ear.
        """
        self.output_shape(clips.shape[-1])
        clips = clips.to(torch.promote_types(clips.dtype, torch.float32))
        frames = clips.unfold(-1, self.window_length, self.hop_length)
        window = torch.hann_window(self.window_length, dtype=clips.dtype, device=clips.device)
        spectrum = torch.fft.rfft(frames * window)
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        bank = torch.from_numpy(filter_bank(*self._range, self.window_length, self.bands))
        with torch.autocast(
            clips.device.type, enabled=False
        ):  # powers span more than bfloat16 tells
            in_bands = power @ bank.to(power).T
        decibels = in_bands.clamp(min=10 ** (SILENCE_DB / 10)).log10().mul(10)
        loudest = decibels.detach().amax(dim=(1, 2, 3), keepdim=True)
        return torch.maximum(decibels, loudest - RANGE_DB).transpose(-1, -2)

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 1 F T"]:
        """Return the log-mel spectrograms, mean 0 and variance 1 over each clip."""
        return standardised(self.decibels(clips)).unsqueeze(2)


@functools.lru_cache(maxsize=8)
def filter_bank(
    sample_rate: int, lowest_hz: float, highest_hz: float, window_length: int, bands: int
) -> Float[np.ndarray, "F bins"]:
    """Triangles of area 1 Hz on a mel scale, `[bands, window_length // 2 + 1]`."""
    bins = np.linspace(0.0, sample_rate / 2, window_length // 2 + 1)
    edges = _hz(np.linspace(_mel(lowest_hz), _mel(highest_hz), bands + 2))
    widths = np.diff(edges)
    slopes = edges[:, None] - bins
    rising, falling = -slopes[:-2] / widths[:-1, None], slopes[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    scaled: np.ndarray = triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return scaled


def _mel(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz / _LINEAR_HZ
    return _KNEE_MEL + math.log(hz / _KNEE_HZ) / _LOG_STEP


def _hz(mel: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    above = _KNEE_HZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _LINEAR_HZ, above)
