"""Heads: measured pairs of ear responses, and a family of virtual ones made from KEMAR's.

A virtual head scales each ear's transfer function along frequency, which is how the ears of people
differ to a first approximation (Middlebrooks 1999, J. Acoust. Soc. Am. 106:1480).
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.errors import DataError

if TYPE_CHECKING:
    from scipy.spatial import KDTree

    from bastzoo.acoustics.sofa import Measurement

KEMAR = Path(__file__).parents[1] / "assets" / "mit_kemar_normal_pinna.sofa"
"""MIT's KEMAR, normal pinna on both sides (Gardner & Martin 1995, J. Acoust. Soc. Am. 97:3907)."""

TAPS = 160
"""Samples of a response (10 ms): with 8000 of a sound, just short enough for transforms of 8192."""

LEAD = 24
"""Samples before the first onset of a head: room for the band limit's ringing ahead of it."""

_BITS = 24
_FADE = 16

_FINER = 8
_ONSET = 0.15
_SAME = np.cos(np.radians(0.1))
_ON_CIRCLE = np.sin(np.radians(1.0))
_WIDEST = 60.0


@dataclass(frozen=True, eq=False)
class Head:
    """What both ears receive from each measured direction.

    `directions` [M, 3] are unit vectors (x front, y left, z up), `responses` [M, 2, K] float64
    impulse responses at 16 kHz, channel 0 the left ear.
    """

    id: str
    directions: np.ndarray
    responses: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.directions)
        shapes = np.shape(self.directions), np.shape(self.responses)[:2]
        if count == 0 or shapes != ((count, 3), (count, 2)) or np.ndim(self.responses) != 3:
            raise DataError(
                f"The head {self.id} has directions {np.shape(self.directions)} and responses "
                f"{np.shape(self.responses)}: they must be [M, 3] and [M, 2, K]."
            )
        for name in ("directions", "responses"):
            own = np.array(getattr(self, name), dtype=np.float64)
            own.setflags(write=False)
            object.__setattr__(self, name, own)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the directions (to 1e-9) and the responses: what a run's key records."""
        digest = hashlib.sha256(np.rint(self.directions * 1e9).astype("<i8").tobytes())
        digest.update(self.responses.astype("<f8").tobytes())
        return digest.hexdigest()

    def nearest(self, directions: np.ndarray) -> np.ndarray:
        """Index of the measured direction closest in angle to each of `directions` [..., 3].

        They may be vectors of any length but zero.
        """
        lengths = np.linalg.norm(directions, axis=-1, keepdims=True)
        return np.asarray(self._tree.query(directions / lengths)[1])

    @cached_property
    def _tree(self) -> "KDTree":
        from scipy.spatial import KDTree

        return KDTree(self.directions)


def read_sofa(path: str | Path) -> Head:
    """The head in a SimpleFreeFieldHRIR file, resampled to 16 kHz and cut to 10 ms.

    What comes later than that is an echo of the laboratory. Raises DataError for anything else than
    such a file.
    """
    from bastzoo.acoustics.sofa import read_measurement

    return _head(Path(path).stem, read_measurement(path))


@lru_cache(maxsize=1)
def kemar() -> Head:
    """KEMAR as published: left and right are mirror images of each other, bit for bit."""
    return _head("kemar", _kemar_measurement())


def default_head() -> Head:
    """The head of every environment that names no other: KEMAR's size, with unequal ears."""
    return virtual_head(0)


@lru_cache(maxsize=32)
def virtual_head(index: int) -> Head:
    """Head `index` (0, 1, 2, ...) of an endless family that differs in size and asymmetry.

    See `frequency_scales` for how they vary; 0 is the default head.
    """
    left, right, width = frequency_scales(index)
    return _head(f"kemar-virtual-{index}", _kemar_measurement(), (left, right), width)


def frequency_scales(index: int) -> tuple[float, float, float]:
    """Left and right frequency factor of a virtual head, and the factor of its interaural delays.

    The geometric mean of the two ears runs from 0.85 (large ears) to 1.18 (small ones), their ratio
    from 2 to 10 %, either ear being the smaller. People differ less in head width than in pinna
    size, so the delays follow the size by its square root.
    """
    if index < 0:
        raise DataError(f"There is no virtual head {index}: the family starts at 0.")
    if index == 0:
        return 1.05, 0.95, 1.0
    # Additive recurrences (Roberts 2018, the plastic number): any first n heads cover the range.
    place, spread = (index * 0.7548776662466927) % 1.0, (index * 0.5698402909980532) % 1.0
    size = 0.85 * (1.18 / 0.85) ** place
    ratio = (1.02 + 0.08 * abs(2 * spread - 1)) ** (1 if spread < 0.5 else -1)
    return size * ratio**0.5, size / ratio**0.5, size**-0.5


def interpolated(head: Head, directions: np.ndarray) -> Head:
    """`head` with responses from `directions` [A, 3] as well, made from the measured ones around each.

    Those are the corners of the triangle that encloses it, or its two neighbours when all measured
    directions lie on one circle. Onsets and aligned responses are averaged apart from each other, so
    that delays between the corners do not make a comb. What was measured to 0.1 degrees is not made
    anew; neither is what lies outside of the measured range or in a gap of more than 60 degrees, where
    `nearest` goes on to find a measured one. Without anything to add, `head` itself comes back.
    """
    wanted = np.reshape(np.asarray(directions, np.float64), (-1, 3))
    # The grid takes away the last bits, in which machines differ.
    wanted = np.rint(wanted / np.linalg.norm(wanted, axis=-1, keepdims=True) * 1e9) / 1e9
    wanted = wanted[np.sort(np.unique(wanted, axis=0, return_index=True)[1])]
    wanted = wanted[(head.directions[head.nearest(wanted)] * wanted).sum(-1) < _SAME]
    corners, weights = _around(np.rint(head.directions * 1e9) / 1e9, wanted)
    found = weights.any(-1)
    if not found.any():
        return head
    added = _blended(head.responses, corners[found], weights[found])
    return Head(
        f"{head.id.removesuffix('-interpolated')}-interpolated",
        np.concatenate([head.directions, wanted[found]]),
        np.concatenate([head.responses, _on_grid(added)]),
    )


def _around(measured: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [A, 3] of the measured directions around each wanted one, and their weights [A, 3].

    Weights are zero where nothing encloses a direction.
    """
    variance, axes = np.linalg.eigh(np.cov(measured.T, bias=True))
    if variance[0] < _ON_CIRCLE**2 * variance[2]:
        return _neighbours(measured @ axes[:, ::-1], wanted @ axes[:, ::-1])
    from scipy.spatial import ConvexHull

    # Delaunay triangles on a sphere are the facets of the convex hull (Brown 1979); the distance of a
    # facet from the centre says how wide the circle through its corners is.
    hull = ConvexHull(measured)
    triangles = hull.simplices[-hull.equations[:, 3] >= np.cos(np.radians(_WIDEST / 2))]
    if not len(triangles):
        return np.zeros((len(wanted), 3), np.int64), np.zeros((len(wanted), 3))
    weights = np.einsum("ai,fij->afj", wanted, np.linalg.inv(measured[triangles]))
    chosen = weights.min(-1).round(9).argmax(-1)
    weights = weights[np.arange(len(wanted)), chosen]
    # Rounding may leave a direction on an edge outside of the triangles on either side.
    weights = weights.clip(0.0) * (weights.min(-1, keepdims=True) > -1e-6)
    return triangles[chosen], weights / np.maximum(weights.sum(-1, keepdims=True), 1e-9)


def _neighbours(measured: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`_around` for directions on one circle, whose axis is the last coordinate."""
    around = np.degrees(np.arctan2(measured[:, 1], measured[:, 0])).round(6) % 360
    angles, rows = np.unique(around, return_index=True)
    angle = np.degrees(np.arctan2(wanted[:, 1], wanted[:, 0])).round(6) % 360
    after = np.searchsorted(angles, angle) % len(angles)
    before = after - 1
    gap = (angles[after] - angles[before]) % 360
    share = ((angle - angles[before]) % 360) / np.maximum(gap, 1e-9)
    on_circle = np.abs(wanted[:, 2] - measured[:, 2].mean()) < _ON_CIRCLE
    weights = np.stack([1 - share, share, 0 * share], axis=-1)
    weights *= (on_circle & (gap > 0) & (gap <= _WIDEST))[:, None]
    return np.stack([rows[before], rows[after], rows[after]], axis=-1), weights


def _blended(responses: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Responses [A, 2, K]: the corners' brought to one onset, averaged, and moved to the mean onset."""
    length = responses.shape[-1]
    size = 2 ** int(np.ceil(np.log2(2 * length)))
    used, corners = np.unique(corners, return_inverse=True)
    corners = corners.reshape(-1, 3)
    spectra = np.fft.rfft(responses[used], size)
    onsets = _onsets(spectra, length)
    turns = 2j * np.pi / size * np.arange(spectra.shape[-1])
    aligned = (spectra * np.exp(turns * onsets[..., None]))[corners]
    mean = np.einsum("ac,acef->aef", weights, aligned)
    onset = np.einsum("ac,ace->ae", weights, onsets[corners])
    return np.fft.irfft(mean * np.exp(-turns * onset[..., None]), size)[..., :length]


def _onsets(spectra: np.ndarray, length: int) -> np.ndarray:
    """Samples [M, 2] at which each response first reaches 15 % of its peak, to an eighth or better."""
    size = 2 * (spectra.shape[-1] - 1)
    fine = np.abs(np.fft.irfft(spectra, _FINER * size)[..., : _FINER * length])
    fine /= np.maximum(fine.max(-1, keepdims=True), 1e-300)
    after = np.maximum((fine >= _ONSET).argmax(-1), 1)
    low = np.take_along_axis(fine, after[..., None] - 1, -1)[..., 0]
    high = np.take_along_axis(fine, after[..., None], -1)[..., 0]
    fraction = np.clip((_ONSET - low) / np.maximum(high - low, 1e-300), 0.0, 1.0)
    return (after - 1 + fraction) / _FINER


@lru_cache(maxsize=1)
def _kemar_measurement() -> "Measurement":
    from bastzoo.acoustics.sofa import read_measurement

    return read_measurement(KEMAR)


def _head(
    identity: str,
    measurement: "Measurement",
    scales: tuple[float, float] = (1.0, 1.0),
    width: float = 1.0,
) -> Head:
    """A head at 16 kHz from a measurement; `width` multiplies the differences between onsets."""
    onsets = measurement.onsets
    wanted = width * (onsets - onsets.min()) + LEAD / SAMPLE_RATE
    responses = np.stack([_moved(measurement, ear, scales[ear], wanted) for ear in (0, 1)], axis=1)
    responses[..., -_FADE:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(_FADE) / _FADE)
    return Head(identity, measurement.directions, _on_grid(responses))


def _moved(measurement: "Measurement", ear: int, scale: float, wanted: np.ndarray) -> np.ndarray:
    """One ear's responses [M, TAPS] at 16 kHz, stretched along frequency by `scale`.

    Onsets come to lie at `wanted` [M, 2] (s): stretching leaves interaural delays alone. The
    transfer function is evaluated at f / scale: one Fourier sum both stretches and resamples.
    """
    samples, rate = measurement.responses.shape[-1], measurement.rate
    length = samples / rate / scale + wanted.max()
    size = 2 ** int(np.ceil(np.log2(max(2 * length * SAMPLE_RATE, TAPS))))
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(samples) / rate, frequencies / scale))
    spectrum = measurement.responses[:, ear] @ waves
    spectrum *= _band_limit(frequencies, scale * rate / 2)
    inside = measurement.onsets[:, ear] - measurement.delays[:, ear] / rate
    later = wanted[:, ear] - inside / scale
    return np.fft.irfft(spectrum * np.exp(-2j * np.pi * np.outer(later, frequencies)), size)[
        :, :TAPS
    ]


def _band_limit(frequencies: np.ndarray, top: float) -> np.ndarray:
    """1 up to 88 % of `top` or of our Nyquist frequency (the lower), then a raised cosine to 0."""
    end = min(top, SAMPLE_RATE / 2)
    place = np.clip((frequencies / end - 0.88) / 0.12, 0.0, 1.0)
    return 0.5 + 0.5 * np.cos(np.pi * place)


def _on_grid(responses: np.ndarray) -> np.ndarray:
    """`responses` in 24-bit steps below their peak, so that every machine gets the same bits."""
    step = 2.0 ** (np.ceil(np.log2(np.abs(responses).max())) - _BITS)
    return np.rint(responses / step) * step
