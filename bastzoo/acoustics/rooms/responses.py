"""What a listener receives in a scene: exact images up to the mixing time, a diffuse tail from there on.

Early reflections are image sources (Allen & Berkley 1979, J. Acoust. Soc. Am. 65:943), each through the
listener's own response of its direction, its walls' and the air's absorption by octave band. From the
mixing time on (Lindau, Kosanke, Weinzierl 2012, J. Audio Eng. Soc. 60:887: 20 V/S + 12 ms) the field is
noise that decays with each band's reverberation time, through the listener's own responses of many
directions, so that it has the coherence between the ears of a diffuse field; its level is that of
statistical room acoustics (the energy density of images, 4 pi c d^2 / V a second, at the source's
distance d).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.listeners.interpolation import interpolated
from bastzoo.acoustics.listeners.listener import Listener
from bastzoo.acoustics.rooms.materials import AIR_DB_PER_KM, BANDS_HZ
from bastzoo.acoustics.rooms.scenes import Scene, source_places
from bastzoo.acoustics.rooms.shoebox import SPEED_OF_SOUND
from bastzoo.directions import direction_from_angles

_TAPS = 256
"""Samples in which an image is filtered: a response, its walls' ringing, a fraction of a sample."""

_AHEAD = 16
"""Samples before an image's own beginning that its filters may ring into."""

_DIFFUSE_DIRECTIONS = 48
_TAIL = 1
"""What the tail's random numbers have that those of the scene itself do not."""

CIRCLE_STEP = 1.0
"""Degrees between the directions on the horizon that a listener's responses are interpolated to."""
_FADE = 0.004


class Ears:
    """A listener's responses as scenes need them, on a device: on the horizon every degree."""

    def __init__(self, listener: Listener, device: torch.device | str = "cpu") -> None:
        circle = np.arange(-180, 180, CIRCLE_STEP)
        listener = interpolated(listener, direction_from_angles(circle))
        self.device = torch.device(device)
        self.directions = torch.from_numpy(listener.directions.copy()).float().to(self.device)
        responses = torch.from_numpy(listener.responses.copy()).float().to(self.device)
        # One level for all listeners: the mean energy of what comes from in front is 1.
        front = int(np.argmax(listener.directions[:, 0]))
        responses = responses / responses[front].square().sum(-1).mean().sqrt()
        self.responses = responses[..., : _TAPS - 2 * _AHEAD]
        self.spectra = torch.fft.rfft(self.responses, _TAPS)

    def nearest(self, directions: Float[Tensor, "n 3"]) -> Tensor:
        """Index `[n]` of the direction next to each unit vector."""
        return (directions.to(self.directions) @ self.directions.T).argmax(1)


def scene_responses(
    scene: Scene, ears: Ears
) -> tuple[Float[Tensor, "A 2 8000"], Float[Tensor, "A 3"]]:
    """Binaural responses of a scene's sources, and the directions that they are heard from.

    A source stands in the direction next to its azimuth that the listener has a response of, within half a
    degree where it can be interpolated; that direction is what is returned. The direct sound has the level
    of the listener's own response, whatever the distance.
    """
    radians = np.radians(scene.azimuths)
    around = np.stack([np.cos(radians), np.sin(radians), np.zeros_like(radians)], axis=1)
    heard = ears.nearest(torch.from_numpy(around).to(ears.device))
    directions = ears.directions[heard]
    out = torch.zeros(len(heard), 2, CLIP_SAMPLES, device=ears.device)
    direct = ears.responses[heard]
    out[..., : direct.shape[-1]] = direct
    if scene.size is None:
        return out, directions
    places = source_places(scene, directions.double().cpu().numpy())
    distances = np.linalg.norm(places - scene.place, axis=1)
    mixing = mixing_time(scene.size)
    _add_images(out, scene, ears, places, distances, mixing)
    _add_tail(out, scene, ears, distances, mixing)
    return out, directions


def mixing_time(size: np.ndarray) -> float:
    """Seconds after which a room's reflections are told apart no more (Lindau et al. 2012)."""
    x, y, z = size
    return float(20 * x * y * z / (2 * (x * y + y * z + x * z)) + 12) / 1000


def _add_images(
    out: Tensor, scene: Scene, ears: Ears, places: np.ndarray, distances: np.ndarray, until: float
) -> None:
    """Add every reflection that comes up to `until` s after the direct sound."""
    source, offsets, walls = images(scene, places, distances + until * SPEED_OF_SOUND)
    far = np.linalg.norm(offsets, axis=1)
    delays = (far - distances[source]) / SPEED_OF_SOUND * SAMPLE_RATE
    # The crossfade to the tail.
    fade = np.clip((until * SAMPLE_RATE - delays) / (_FADE * SAMPLE_RATE), 0, 1)
    decibels = walls @ (10 * np.log10(1 - scene.absorption)) - far[:, None] * _air()
    decibels += 20 * np.log10(distances[source] / far * np.sqrt(fade) + 1e-9)[:, None]
    turn = np.radians(scene.facing)
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    device = ears.device
    heard = ears.nearest(torch.from_numpy(offsets / far[:, None] @ rotation).to(device))
    whole = np.floor(delays).astype(np.int64)
    gains = 10 ** (
        torch.from_numpy(decibels).float().to(device) @ _over_bins(_TAPS).to(device) / 20
    )
    bins = torch.arange(_TAPS // 2 + 1, device=device)
    late = torch.from_numpy(delays - whole + _AHEAD).float().to(device)
    phase = torch.polar(gains, -2 * math.pi / _TAPS * late[:, None] * bins)
    parts = torch.fft.irfft(ears.spectra[heard] * phase[:, None], _TAPS)
    start = torch.from_numpy(whole).to(device)
    longer = torch.zeros(*out.shape[:2], CLIP_SAMPLES + 2 * _TAPS, device=device)
    rows = 2 * torch.from_numpy(source).to(device)[:, None] + torch.arange(2, device=device)
    at = (
        rows[..., None] * longer.shape[-1]
        + (start[:, None] + torch.arange(_TAPS, device=device))[:, None]
    )
    longer.view(-1).index_add_(0, at.reshape(-1), parts.reshape(-1))
    out += longer[..., _AHEAD : _AHEAD + CLIP_SAMPLES]


def images(
    scene: Scene, places: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The image sources within `reach` `[A]` m of the listener, without the sources themselves.

    Returns the source of each `[I]`, its offset from the listener `[I, 3]` (m, room's axes), and how
    often its sound met each wall `[I, 6]`.
    """
    assert scene.size is not None
    counts = (reach.max() / scene.size).astype(int) + 1
    axes = [np.arange(-count, count + 1) for count in counts]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    cells = cells[np.any(cells != 0, axis=1)]
    even = cells % 2 == 0
    mirrored = np.where(even[None], places[:, None], scene.size - places[:, None])
    offsets = cells * scene.size + mirrored - scene.place
    source, cell = np.nonzero(np.square(offsets).sum(-1) < np.square(reach)[:, None])
    # Cell n > 0 is reached over the far wall first, n < 0 over the near one; then they take turns.
    most, least = (np.abs(cells) + 1) // 2, np.abs(cells) // 2
    near, far = np.where(cells > 0, least, most), np.where(cells > 0, most, least)
    walls = np.stack([near, far], axis=-1).reshape(len(cells), 6)
    return source, offsets[source, cell], walls[cell]


def _add_tail(out: Tensor, scene: Scene, ears: Ears, distances: np.ndarray, begin: float) -> None:
    """Add the diffuse tail from `begin` s after the direct sound on."""
    assert scene.size is not None
    generator = np.random.default_rng((*scene.stream, scene.number, _TAIL))
    length, device = CLIP_SAMPLES, ears.device
    around = generator.standard_normal((_DIFFUSE_DIRECTIONS, 3))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    heard = ears.nearest(torch.from_numpy(around).to(device))
    factor = coherent(torch.fft.rfft(ears.responses[heard], length))
    noise = torch.from_numpy(generator.standard_normal((len(out), 2, length)).astype(np.float32))
    spectra = torch.fft.rfft(noise.to(device))
    left = factor[0] * spectra[:, 0]
    right = factor[1] * spectra[:, 0] + factor[2] * spectra[:, 1]
    both = torch.stack([left, right], dim=1)
    seconds = np.arange(length) / SAMPLE_RATE
    fade = np.sqrt(np.clip((seconds - begin) / _FADE + 1, 0, 1))
    since = seconds + distances[:, None] / SPEED_OF_SOUND
    density = 4 * np.pi * SPEED_OF_SOUND * distances**2 / np.prod(scene.size) / SAMPLE_RATE
    for shape, time in zip(_over_bins(length), scene.rt60, strict=True):
        envelope = np.sqrt(density)[:, None] * np.exp(-3 * np.log(10) * since / time) * fade
        band = torch.fft.irfft(both * shape.to(device), length)
        out += band * torch.from_numpy(envelope.astype(np.float32)).to(device)[:, None]


def coherent(spectra: Complex[Tensor, "P 2 F"]) -> tuple[Tensor, Tensor, Tensor]:
    """Filters that make two independent noises those that equal sources in these directions make.

    The Cholesky factor, at each frequency, of the covariance between the ears: left from the first
    noise, right from the first, right from the second.
    """
    left, right = spectra[:, 0], spectra[:, 1]
    power = left.abs().square().mean(0), right.abs().square().mean(0)
    own = power[0].clamp(min=1e-12).sqrt()
    shared = (right * left.conj()).mean(0) / own
    rest = (power[1] - shared.abs().square()).clamp(min=0).sqrt()
    return own, shared, rest


def _air() -> np.ndarray:
    return np.array(AIR_DB_PER_KM) / 1000


@lru_cache(maxsize=8)
def _over_bins(length: int) -> Float[Tensor, "7 F"]:
    """How much each octave band counts at each bin: triangles over the logarithm of frequency, sum 1."""
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 1.0)
    octaves, centres = np.log2(hertz), np.log2(BANDS_HZ)
    inside = np.clip(octaves, centres[0], centres[-1])
    return torch.from_numpy(np.clip(1 - np.abs(inside - centres[:, None]), 0, 1)).float()
