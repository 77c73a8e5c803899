"""Binaural clips on demand: sounds convolved with responses in batches, on the device that trains.

A clip depends on its own arguments alone, not on its batch, its order or the worker that makes it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.noise import ear_noise, filtered
from bastzoo.errors import DataError

SHORT_TAPS = 193
"""Responses up to this length (12 ms: any listener) take transforms of 8192, longer ones of 16384."""

_TRANSFORMS = {False: 8_192, True: 16_384}


@dataclass(frozen=True, eq=False)
class _Group:
    """Responses of one transform length, and the sounds' spectra at it if memory allows."""

    length: int
    responses: Complex[Tensor, "R 2 F"]
    sounds: Complex[Tensor, "S F"] | None


class Renderer:
    """Makes clips from sounds and binaural responses.

    `sounds` are [S, 8000], `responses` [R, 2, K] (channel 0 the left ear), both at 16 kHz. Anechoic
    and reverberant responses can share one set, padded with zeros to one K: each is convolved at
    its own length. Spectra of the sounds are kept as long as they take at most `max_bytes` in all,
    else computed anew for each clip, which costs about half as much again. Raises DataError for
    other shapes.
    """

    def __init__(
        self,
        sounds: Float[Tensor, "S 8000"],
        responses: Float[Tensor, "R 2 K"],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        max_bytes: int = 2**30,
    ) -> None:
        _check_shapes(sounds, responses)
        self.device = torch.device(device)
        self.dtype = dtype
        self._sounds = sounds.to(self.device, dtype)
        responses = responses[..., :CLIP_SAMPLES].to(self.device, dtype)
        self._is_long = (responses[..., SHORT_TAPS:] != 0).flatten(1).any(1)
        self._rows = (
            torch.where(self._is_long, self._is_long.cumsum(0), (~self._is_long).cumsum(0)) - 1
        )
        self._groups: list[tuple[bool, _Group]] = []
        for is_long in sorted(set(self._is_long.tolist())):
            group = self._group(is_long, responses[self._is_long == is_long], max_bytes)
            max_bytes -= 0 if group.sounds is None else group.sounds.nbytes
            self._groups.append((is_long, group))

    def _group(self, is_long: bool, responses: Float[Tensor, "R 2 K"], max_bytes: int) -> _Group:
        length = _TRANSFORMS[is_long]
        spectra = torch.fft.rfft(responses if is_long else responses[..., :SHORT_TAPS], length)
        kept = len(self._sounds) * spectra.shape[-1] * spectra.element_size() <= max_bytes
        return _Group(length, spectra, torch.fft.rfft(self._sounds, length) if kept else None)

    def render(
        self,
        sound_index: Int64[Tensor, " B"],
        response_index: Int64[Tensor, " B"],
        *,
        snr_db: Float[Tensor, " B"] | float | None = None,
        level_db: Float[Tensor, " B"] | float = 0.0,
        duration_ms: float | None = None,
        clip_index: Int64[Tensor, " B"] | None = None,
        seed: int = 0,
        noise_filter: Complex[Tensor, "H 2 2 4001"] | None = None,
        noise_filter_index: Int64[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B 2 8000"]:
        """The clips of these sounds at these responses, on the renderer's device and in its dtype.

        `snr_db` adds white noise, independent at the ears, that many dB below the clip's mean power
        over both ears (infinite: none). The noise follows from `seed` and `clip_index`, by default
        the number of the pair (sound, response). With `noise_filter` (one a listener, see
        `noise.diffuse_filter`; `noise_filter_index` says which one a clip takes, by default the
        first) the noise is a diffuse field, and the ratio is exact for every clip instead of on
        average. `level_db` amplifies clip and noise alike.
        `duration_ms` keeps the first part of the clip (the power is taken over it) and ends in
        digital silence. Raises DataError for a duration of nothing.
        """
        sound_index, response_index = sound_index.to(self.device), response_index.to(self.device)
        audible = _audible_samples(duration_ms)
        clips = self._convolved(sound_index, response_index)
        if snr_db is not None:
            if clip_index is None:
                clip_index = sound_index * len(self._rows) + response_index
            noise = ear_noise(clip_index.to(self.device), seed, self.dtype)
            power = clips[..., :audible].square().mean(dim=(1, 2))
            if noise_filter is not None:
                if noise_filter_index is None:
                    noise_filter_index = torch.zeros_like(clip_index)
                noise = filtered(noise, noise_filter, noise_filter_index.to(self.device))
                power = power / noise[..., :audible].square().mean(dim=(1, 2))
            clips += noise.mul_(
                (power * self._power_ratio(snr_db).reciprocal()).sqrt()[:, None, None]
            )
        if not isinstance(level_db, float) or level_db != 0.0:
            clips *= self._power_ratio(level_db).sqrt().reshape(-1, 1, 1)
        clips[..., audible:] = 0.0
        return clips

    def _convolved(
        self, sound_index: Int64[Tensor, " B"], response_index: Int64[Tensor, " B"]
    ) -> Float[Tensor, "B 2 8000"]:
        rows = self._rows[response_index]
        if len(self._groups) == 1:
            return self._convolved_in(self._groups[0][1], sound_index, rows)
        clips = torch.empty(len(rows), 2, CLIP_SAMPLES, device=self.device, dtype=self.dtype)
        is_long = self._is_long[response_index]
        for kind, group in self._groups:
            members = (is_long == kind).nonzero().squeeze(1)
            if not len(members):
                continue
            clips[members] = self._convolved_in(group, sound_index[members], rows[members])
        return clips

    def _convolved_in(
        self, group: _Group, sound_index: Int64[Tensor, " B"], rows: Int64[Tensor, " B"]
    ) -> Float[Tensor, "B 2 8000"]:
        if group.sounds is None:
            sounds = torch.fft.rfft(self._sounds[sound_index], group.length)
        else:
            sounds = group.sounds[sound_index]
        spectra = group.responses[rows].mul_(sounds.unsqueeze(1))
        return torch.fft.irfft(spectra, group.length)[..., :CLIP_SAMPLES].contiguous()

    def _power_ratio(self, decibels: Float[Tensor, " B"] | float) -> Float[Tensor, "..."]:
        """dB to a ratio of powers; in double, so that every dtype rounds the same number."""
        exact = torch.as_tensor(decibels, dtype=torch.float64, device=self.device)
        return (10.0 ** (exact / 10.0)).to(self.dtype)


def _audible_samples(duration_ms: float | None) -> int:
    if duration_ms is None:
        return CLIP_SAMPLES
    samples = min(CLIP_SAMPLES, round(duration_ms * SAMPLE_RATE / 1_000))
    if samples < 1:
        raise DataError(
            f"A duration of {duration_ms} ms leaves no sample: give more, up to 500 ms."
        )
    return samples


def _check_shapes(sounds: Tensor, responses: Tensor) -> None:
    if sounds.ndim != 2 or sounds.shape[1] != CLIP_SAMPLES or not len(sounds):
        raise DataError(
            f"Sounds must be [S, {CLIP_SAMPLES}] at 16 kHz, not {list(sounds.shape)}: "
            f"cut or pad them."
        )
    if responses.ndim != 3 or responses.shape[1] != 2 or not len(responses):
        raise DataError(
            f"Responses must be [R, 2 ears, K], not {list(responses.shape)}: put the ears second."
        )
