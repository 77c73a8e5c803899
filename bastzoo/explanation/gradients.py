"""Input-gradient saliency: how far the answer turns when a little of the sound changes.

A clip is taken apart into short-time Fourier coefficients and put together again with a complex gain of 1 on
each (window and hop as BAST's spectrogram); the map is how many degrees the answer turns for each neper of
level, or radian of phase, of one coefficient. So maps are in hertz and seconds whatever the frontend
(spectrograms, correlation, waveform), and what is silent decides nothing. Gradients as explanations:
Simonyan et al., arXiv:1312.6034; gradient times input: Shrikumar et al., arXiv:1605.01713.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.errors import DataError

WINDOW, HOP = 256, 128

DEGREES = "degrees per neper"
RAW = "outputs per neper"


@dataclass(frozen=True)
class Maps:
    """What of each clip the answer comes from.

    values: `[B, 2, F, T]`, not negative, the left ear first. frequencies: `[F]`, Hz. times: `[T]`, seconds.
    unit: of the values; what has none is a share.
    """

    values: Float[np.ndarray, "B 2 F T"]
    frequencies: Float[np.ndarray, " F"]
    times: Float[np.ndarray, " T"]
    unit: str


def saliency(model: Any, clips: Tensor) -> Maps:
    """For clips `[B, 2, N]`: the modulus of the gradient of the answer by the log gain of each coefficient.

    Of a direction it is taken along both tangents of the sphere, in degrees; of a head whose direction has no
    gradient, of its raw outputs. Raises DataError for a model that torch cannot differentiate down to the
    waveform.
    """
    check_clips(clips)
    spectrum = coefficients(clips)
    gain = torch.zeros_like(spectrum, requires_grad=True)
    with torch.enable_grad():
        played = waveform(spectrum * torch.exp(gain), clips.shape[-1])
        outputs = model(played)
        goals, unit = _goals(model, outputs)
        found = []
        for goal in goals:
            (slope,) = torch.autograd.grad(goal, gain, retain_graph=True, allow_unused=True)
            if slope is not None:
                found.append(slope.detach().abs())
    if not found:
        raise DataError(
            "The answer of this model has no gradient by its input: its frontend, or another part, is "
            "computed outside of torch."
        )
    values = torch.stack(found).square().sum(dim=0).sqrt()
    return Maps(
        values=torch.nan_to_num(values).double().cpu().numpy(),
        frequencies=np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW,
        times=np.arange(spectrum.shape[-1]) * HOP / SAMPLE_RATE,
        unit=unit,
    )


def check_clips(clips: Tensor) -> None:
    """Raise DataError for what is no waveform of two ears, or not finite, or silent."""
    if clips.ndim != 3 or clips.shape[1] != 2 or not len(clips):
        raise DataError(
            f"What a network listens to is explained on clips [B, 2, N], not {list(clips.shape)}; "
            "recorded spectrograms have no waveform."
        )
    if not torch.isfinite(clips).all():
        raise DataError("A clip holds samples that are not finite, so nothing explains its answer.")
    if not (clips != 0).flatten(1).any(dim=1).all():
        raise DataError("A clip is silent, so there is nothing that an answer could come from.")


def coefficients(clips: Float[Tensor, "B 2 N"]) -> Complex[Tensor, "B 2 F T"]:
    """Short-time Fourier coefficients of both ears."""
    flat = clips.detach().clone().flatten(0, 1)
    window = torch.hann_window(WINDOW, device=clips.device)
    found = torch.stft(flat, WINDOW, HOP, window=window, return_complex=True)
    return found.unflatten(0, tuple(clips.shape[:2]))


def waveform(spectrum: Complex[Tensor, "B 2 F T"], samples: int) -> Float[Tensor, "B 2 N"]:
    """The inverse of `coefficients`."""
    window = torch.hann_window(WINDOW, device=spectrum.device)
    flat = torch.istft(spectrum.flatten(0, 1), WINDOW, HOP, window=window, length=samples)
    return flat.unflatten(0, tuple(spectrum.shape[:2]))


def level_db(clips: Float[Tensor, "B 2 N"]) -> Float[np.ndarray, "B 2 F T"]:
    """The spectrogram under the maps: decibels below the loudest coefficient of the clip, both ears."""
    power = coefficients(clips).abs().square().double()
    loudest = power.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-30)
    decibels: np.ndarray = (10 * torch.log10((power / loudest).clamp_min(1e-8))).cpu().numpy()
    return decibels


def _goals(model: Any, outputs: Mapping[str, Tensor]) -> tuple[list[Tensor], str]:
    """Sums over clips of what is differentiated: clips do not hear each other, so each has its own slope."""
    direction = model.head.decode(outputs).get("direction")
    if direction is None or not direction.requires_grad or direction.shape[1:] != (3,):
        return [strength(outputs)], RAW
    along = torch.nn.functional.normalize(direction.detach(), dim=-1)
    x, y, _ = along.unbind(-1)
    level = torch.hypot(x, y)
    ahead = torch.where(level > 1e-6, level, 1.0)
    turned = torch.stack([-y / ahead, x / ahead + (level <= 1e-6), torch.zeros_like(x)], dim=-1)
    raised = torch.linalg.cross(along, turned)
    # Unit directions move along a tangent by radians.
    return [
        torch.rad2deg((direction * tangent).nan_to_num().sum()) for tangent in (turned, raised)
    ], DEGREES


def strength(outputs: Mapping[str, Tensor]) -> Tensor:
    """Half of the squared length of all outputs, summed over clips: how much there is of an answer."""
    parts = [value.square().sum() for value in outputs.values() if value.is_floating_point()]
    return torch.stack(parts).sum() / 2


Method = Callable[[Any, Tensor], Maps]
"""From a model (`BinauralLocalizer`) and clips `[B, 2, N]` to maps."""
