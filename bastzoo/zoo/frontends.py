"""From waveforms to what an encoder sees: BAST's log power spectrogram, or what data brings itself."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError

# A frame is silent when its loudest bin lies below the rounding noise of 16-bit recordings, 1/12 of a
# squared step over 8 kHz. In BAST's recordings it would be zeros; in a rendered clip it is the
# rounding error of a convolution.
SILENCE_DB = -100.0

# What lies this far below the loudest bin of its frame is rounding error, different in every
# implementation, and is raised to that level: 150 dB of power, where single precision ends at 144.
# BAST's figures reach down to 298.
RANGE_DB = 300.0

# A clip whose decibels spread less than this is flat, and is not blown up to variance 1.
FLATTEST_DB = 1e-3


class Spectrogram(nn.Module):
    """Log power spectrogram, z-scored per clip jointly over both ears (BAST, arXiv:2207.03927).

    Window of 256 samples every 128, Tukey(0.25), constant detrend, one-sided power spectral density
    in units²/Hz, `20·log10`: the figures of `scipy.signal.spectrogram`. 8000 samples give 129 × 61.

    sample_rate: Hz.
    window_length, hop_length: samples.
    full_scale: what ±1 in a clip is worth. BAST's recordings are 16-bit integers, hence 32768; use
        1 for clips that hold such integers. The z-score would make any scale the same, but for
        digital silence, to which BAST gives 0 dB: less than any sound at 16 bits, and far more than
        the loudest in ±1.

    `SILENCE_DB` and `RANGE_DB` say what counts as silence and as rounding error. A clip of silence
    alone becomes zeros.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        window_length: int = 256,
        hop_length: int = 128,
        full_scale: float = 32768.0,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.window_length = window_length
        self.hop_length = hop_length
        self.full_scale = full_scale
        # Here and not where it is used: a number read from a tensor cannot be exported.
        energy = float(np.square(tukey(window_length)).sum())
        self._scale = full_scale / math.sqrt(sample_rate * energy)

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return channels, frequency bins and frames of one ear for clips of `samples` samples.

        Raises ComponentError when they do not fill one window.
        """
        if samples < self.window_length:
            raise ComponentError(
                f"A clip of {samples} samples is shorter than the spectrogram's window of "
                f"{self.window_length}; use longer clips."
            )
        return 1, self.window_length // 2 + 1, (samples - self.window_length) // self.hop_length + 1

    def decibels(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 F T"]:
        """Return `20·log10` of the power spectral density, before the z-score; 0 where silent."""
        return self._decibels(self._spectra(clips))

    def _spectra(self, clips: Float[Tensor, "B 2 N"]) -> Complex[Tensor, "B 2 T F"]:
        """Return the short-time spectra, scaled so that their squares are a two-sided density."""
        self.output_shape(clips.shape[-1])
        clips = clips.to(torch.promote_types(clips.dtype, torch.float32))
        # In place where gradients allow it: for a batch, new memory costs more than the arithmetic.
        frames = clips.unfold(-1, self.window_length, self.hop_length)
        frames = frames - frames.mean(-1, keepdim=True)
        frames -= frames.mean(-1, keepdim=True)  # what is left of a constant, which is silence
        frames *= self._taper(clips.dtype, clips.device)
        return torch.fft.rfft(frames)

    def _decibels(self, spectra: Complex[Tensor, "B 2 T F"]) -> Float[Tensor, "B 2 F T"]:
        power = spectra.real.square().addcmul_(spectra.imag, spectra.imag)
        power[..., 1 : (self.window_length + 1) // 2] *= 2  # one-sided
        decibels = power.log10_().mul_(20)
        peak = decibels.detach().amax(-1, keepdim=True)
        floor = torch.where(peak < SILENCE_DB, 0.0, peak - RANGE_DB)
        return decibels.clamp_(min=floor).transpose(-1, -2)

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 1 F T"]:
        """Return the spectrograms, mean 0 and variance 1 over each clip."""
        return standardised(self.decibels(clips)).unsqueeze(2)

    def _taper(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        taper = torch.from_numpy(tukey(self.window_length) * self._scale)
        return taper.to(device=device, dtype=dtype)


def standardised(decibels: Float[Tensor, "B 2 F T"]) -> Float[Tensor, "B 2 F T"]:
    """Decibels z-scored per clip, jointly over both ears; the input is overwritten."""
    # Ear by ear, then over both: so an exchange of the ears changes no bit.
    decibels -= decibels.mean(dim=(2, 3), keepdim=True).mean(dim=1, keepdim=True)
    spread = torch.linalg.vector_norm(decibels, dim=(2, 3), keepdim=True)
    spread = spread.square().mean(dim=1, keepdim=True) / decibels[0, 0].numel()
    return decibels / spread.sqrt().clamp(min=FLATTEST_DB)


@functools.lru_cache
def tukey(width: int) -> Float[np.ndarray, " width"]:
    """The periodic Tukey window whose cosine flanks are a quarter of it: SciPy's `("tukey", 0.25)`.

    Written out here since importing SciPy's signal package takes longer than loading a model.
    """
    flank = 0.25 * width / 2
    place = np.arange(width)
    rising = 0.5 * (1 + np.cos(np.pi * (place / flank - 1)))
    falling = 0.5 * (1 + np.cos(np.pi * (place / flank - 2 / 0.25 + 1)))
    flat = np.where(place < flank, rising, 1.0)
    window: np.ndarray = np.where(place > width - flank, falling, flat)
    return window


class Precomputed(nn.Module):
    """No frontend: the data holds features `[B, 2, C, F, T]` already, which models take as they are.

    shape: (C, F, T) of the data; the data set decides it. Raises ComponentError without one.
    """

    def __init__(self, *, shape: Sequence[int] | None = None) -> None:
        super().__init__()
        if shape is None:
            raise ComponentError(
                "The frontend 'precomputed' is for data that holds spectrograms; give some with --csv, "
                "or choose another frontend."
            )
        channels, bands, frames = shape
        self.shape = (int(channels), int(bands), int(frames))

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return the data's (C, F, T), however many samples a clip has."""
        return self.shape

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 C F T"]:
        """Refuse: there is no way from a clip to features that somebody else computed."""
        raise ComponentError(
            "The frontend 'precomputed' cannot make features of clips; choose another frontend."
        )
