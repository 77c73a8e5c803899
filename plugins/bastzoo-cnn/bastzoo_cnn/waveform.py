"""Localization from the raw waveform: no spectrogram stands between the ears and the network."""

from __future__ import annotations

import math

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.errors import ComponentError

_SILENT = 1e-6
"""RMS below which a clip is silent: less than the last bit of a 16-bit recording."""

_FILTERS, _TAPS, _STEP = 32, 64, 4
_FRAME, _HOP = 32, 16
_LOWEST, _HIGHEST = 70.0, 7000.0


class Waveform(nn.Module):
    """The samples, scaled so that both ears together have an RMS of 1; silence stays silence."""

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return (1, 1, samples): one row of samples an ear."""
        return 1, 1, samples

    def forward(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 1 1 N"]:
        """Return the scaled clips."""
        clips = clips.to(torch.promote_types(clips.dtype, torch.float32))
        # Ear by ear, then over both: so an exchange of the ears changes no bit.
        power = clips.square().mean(dim=2, keepdim=True).mean(dim=1, keepdim=True)
        return (clips / power.sqrt().clamp(min=_SILENT))[:, :, None, None]


class Ear(nn.Module):
    """A filter bank, half-wave rectification as in a hair cell, and frames of what comes out.

    The filters start as gammatones (fourth order; Patterson et al. 1988), on the ERB scale of Glasberg
    and Moore (1990), and are trained along.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.filters = nn.Conv1d(1, _FILTERS, _TAPS, stride=_STEP, padding=_TAPS // 2, bias=False)
        with torch.no_grad():
            self.filters.weight.copy_(gammatones(_FILTERS, _TAPS)[:, None])
        self.norm = nn.BatchNorm1d(_FILTERS)
        self.frames = nn.Conv1d(_FILTERS, dim, _FRAME, stride=_HOP, padding=_FRAME // 2)

    def forward(self, features: Float[Tensor, "B 1 1 N"]) -> Float[Tensor, "B T D"]:
        """Return one token every 4 ms."""
        heard = torch.relu(self.norm(self.filters(features[:, 0])))
        return rearrange(self.frames(heard), "b d t -> b t d")


class Residual(nn.Module):
    """`x + conv(relu(conv(x)))` along time, each convolution after a batch norm."""

    def __init__(self, *, width: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 3, padding="same", dilation=dilation, groups=4, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 1),
        )

    def forward(self, tokens: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return the changed tokens."""
        return tokens + self.layers(tokens.transpose(1, 2)).transpose(1, 2)


class WaveLoc(nn.Module):
    """After WaveLoc (Vecchiotti et al. 2019): a trained filter bank, then convolutions.

    WaveLoc convolves over both ears at once; here each ear's filter bank and frames are linear but for
    one rectification, so the difference or the concatenation of the ears still holds their timing.

    input_shape: (1, 1, samples), of the frontend `waveform`. dim: width of a token, a multiple of four;
    depth: residual blocks of the fusion encoder.
    """

    def __init__(self, *, input_shape: tuple[int, int, int], dim: int, depth: int) -> None:
        super().__init__()
        if input_shape[:2] != (1, 1) or dim % 4:
            raise ComponentError(
                "The waveloc backbone needs samples, (1, 1, N), and a width that is a multiple of 4; it "
                f"got {input_shape} and {dim}. Use it with --frontend waveform."
            )
        self.dim, self.depth = dim, depth

    def embed(self, x: Float[Tensor, "B 1 1 N"]) -> Float[Tensor, "B 1 1 N"]:
        """Return the samples as they are: each ear's encoder begins with them."""
        return x

    def ear_encoder(self) -> nn.Module:
        """Make a new encoder of one ear, from samples to tokens `[B, T, dim]`."""
        return Ear(dim=self.dim)

    def encoder(self, width: int) -> nn.Module:
        """Make a new encoder of tokens `[B, T, width]` along time."""
        return nn.Sequential(
            *(Residual(width=width, dilation=2**number) for number in range(self.depth))
        )


def gammatones(count: int, taps: int) -> Float[Tensor, "count taps"]:
    """Impulse responses of gammatone filters, each of energy 1.

    `t^3 exp(-2π b t) cos(2π f t)`, b = 1.019 ERB(f); centre frequencies evenly spaced on the ERB-rate
    scale from 70 Hz to 7 kHz.
    """
    lowest, highest = (21.4 * math.log10(1 + 0.00437 * f) for f in (_LOWEST, _HIGHEST))
    centres = (10 ** (np.linspace(lowest, highest, count) / 21.4) - 1) / 0.00437
    bandwidths = 1.019 * 24.7 * (1 + 0.00437 * centres)
    seconds = (np.arange(taps) + 0.5) / SAMPLE_RATE
    envelope = seconds**3 * np.exp(-2 * np.pi * bandwidths[:, None] * seconds)
    response = envelope * np.cos(2 * np.pi * centres[:, None] * seconds)
    response /= np.linalg.norm(response, axis=1, keepdims=True)
    return torch.from_numpy(response).float()
