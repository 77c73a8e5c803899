"""Listeners: measured pairs of ear responses, and a family of virtual ones made from KEMAR's.

A virtual listener scales each ear's transfer function along frequency, which is how the ears of people
differ to a first approximation (Middlebrooks 1999, J. Acoust. Soc. Am. 106:1480).
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.errors import DataError

if TYPE_CHECKING:
    from scipy.spatial import KDTree

    from bastzoo.acoustics.listeners.sofa import AzimuthDirection, Measurement

KEMAR = Path(__file__).parents[2] / "assets" / "mit_kemar_normal_pinna.sofa"
"""MIT's KEMAR, normal pinna on both sides (Gardner & Martin 1995, J. Acoust. Soc. Am. 97:3907)."""

TAPS = 160
"""Samples of a response (10 ms): with 8000 of a sound, just short enough for transforms of 8192."""

LEAD = 24
"""Samples before the first onset of a listener: room for the band limit's ringing ahead of it."""

FARTHEST = 5.0
"""Degrees from the nearest measured direction at which a test is refused."""

SIZES = (0.75, 1.33)
"""Factors along frequency by which a measured listener can be resized: two people's ears differ by less."""

FIRST_INDIVIDUAL = 101
"""The first number of the virtual listeners that differ as people do."""

_BITS = 24
_FADE = 16
KEMAR_DB = 3.02
"""Mean energy of KEMAR's responses, dB: what measured responses are levelled to."""


@dataclass(frozen=True, eq=False)
class Listener:
    """What both ears receive from each measured direction.

    `directions` [M, 3] are unit vectors (x front, y left, z up), `responses` [M, 2, K] float64
    impulse responses at 16 kHz, channel 0 the left ear. `gaps` [M] are the degrees by which a direction
    is away from a measured one; None for none is. `notes` say in phrases what was unusual in its file.
    `measurement` is what it was made of, where it is as measured.
    """

    id: str
    directions: np.ndarray
    responses: np.ndarray
    gaps: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    measurement: "Measurement | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        count = len(self.directions)
        shapes = np.shape(self.directions), np.shape(self.responses)[:2]
        if count == 0 or shapes != ((count, 3), (count, 2)) or np.ndim(self.responses) != 3:
            raise DataError(
                f"The listener {self.id} has directions {np.shape(self.directions)} and responses "
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

    def resized(self, factor: float) -> "Listener":
        """The same person with ears that work at `factor` times the frequencies: above 1, smaller ears.

        Delays follow the size by its square root, as those of virtual listeners do. Raises DataError for a
        factor outside `SIZES`, and for a listener that is not as measured.
        """
        smallest, largest = SIZES
        if self.measurement is None:
            raise DataError(f"The listener {self.id} is not as measured, and has one size.")
        if not smallest <= factor <= largest:
            raise DataError(
                f"The listener {self.id} cannot be heard at {factor:g} times its frequencies; give a factor "
                f"from {smallest:g} to {largest:g}."
            )
        gain = 10 ** (level_gain(self.measurement) / 20)
        scales, width = (factor, factor), factor**-0.5
        return _listener(f"{self.id}@{factor:g}", self.measurement, scales, width, gain)

    def nearest(self, directions: np.ndarray) -> np.ndarray:
        """Index of the measured direction closest in angle to each of `directions` [..., 3].

        They may be vectors of any length but zero.
        """
        lengths = np.linalg.norm(directions, axis=-1, keepdims=True)
        return np.asarray(self._tree.query(directions / lengths)[1])

    def gap(self, directions: np.ndarray) -> np.ndarray:
        """Degrees [...] from each of `directions` [..., 3] to the nearest measured one.

        A direction between measured ones that are close to each other counts as measured.
        """
        lengths = np.linalg.norm(directions, axis=-1, keepdims=True)
        chords, nearest = self._tree.query(directions / lengths)
        degrees = np.degrees(2 * np.arcsin(np.clip(chords / 2, 0.0, 1.0)))
        return np.asarray(degrees + (0.0 if self.gaps is None else self.gaps[nearest]))

    @cached_property
    def _tree(self) -> "KDTree":
        from scipy.spatial import KDTree

        return KDTree(self.directions)


def read_sofa(path: str | Path, *, azimuths: "AzimuthDirection" = "counter-clockwise") -> Listener:
    """The listener in a SimpleFreeFieldHRIR file, resampled to 16 kHz, cut to 10 ms, and levelled.

    azimuths: how those of the file count.

    What comes later than 10 ms is an echo of the laboratory. The gain of a file is arbitrary: one factor
    brings the mean energy of its responses, over all directions and both ears, to KEMAR's (in steps of
    0.01 dB). Raises DataError for anything else than such a file.
    """
    from bastzoo.acoustics.listeners.sofa import read_measurement

    return levelled_listener(Path(path).stem, read_measurement(path, azimuths=azimuths))


def levelled_listener(identity: str, measurement: "Measurement") -> Listener:
    """What `read_sofa` makes of a measurement, for data that comes in another form."""
    return _listener(identity, measurement, gain=10 ** (level_gain(measurement) / 20))


def level_gain(measurement: "Measurement") -> float:
    """Decibels that bring a measurement to KEMAR's mean energy, a multiple of 0.01."""
    energy = np.square(_listener("unlevelled", measurement).responses).sum(-1).mean()
    return round(KEMAR_DB - 10 * float(np.log10(energy)), 2) + 0.0


@lru_cache(maxsize=1)
def kemar() -> Listener:
    """KEMAR as published: left and right are mirror images of each other, bit for bit."""
    return _listener("kemar", _kemar_measurement())


DEFAULT_DIGEST = "8efb000b0a353e8d919dd96323535e7658ffa5040e581e65a973a6dfcc5f078b"
"""`default_listener().digest`, for whoever asks for nothing else of it; a test compares them."""


def default_listener() -> Listener:
    """The listener of every environment that names no other: KEMAR's size, with unequal ears."""
    return virtual_listener(0)


def stretched(factor: float) -> Listener:
    """KEMAR with both ears' responses stretched along frequency by `factor`, and its own delays."""
    return _listener(f"kemar-{factor:g}", _kemar_measurement(), (factor, factor))


@lru_cache(maxsize=64)
def virtual_listener(index: int) -> Listener:
    """Listener `index` (0, 1, 2, ...) of an endless family; 0 is the default listener.

    Those below 101 differ in size and asymmetry (see `frequency_scales`), those from 101 on in notches,
    levels and delays too, direction by direction (see `individual.Individual`).
    """
    if index >= FIRST_INDIVIDUAL:
        return _individual(index)
    left, right, width = frequency_scales(index)
    return _listener(f"kemar-virtual-{index}", _kemar_measurement(), (left, right), width)


def frequency_scales(index: int) -> tuple[float, float, float]:
    """Left and right frequency factor of a virtual listener, and the factor of its interaural delays.

    The geometric mean of the two ears runs from 0.85 (large ears) to 1.18 (small ones), their ratio
    from 2 to 10 %, either ear being the smaller. People differ less in head width than in pinna
    size, so the delays follow the size by its square root.
    """
    if index < 0:
        raise DataError(f"There is no virtual listener {index}: the family starts at 0.")
    if index == 0:
        return 1.05, 0.95, 1.0
    # Additive recurrences (Roberts 2018, the plastic number): any first n listeners cover the range.
    place, spread = (index * 0.7548776662466927) % 1.0, (index * 0.5698402909980532) % 1.0
    size = 0.85 * (1.18 / 0.85) ** place
    ratio = (1.02 + 0.08 * abs(2 * spread - 1)) ** (1 if spread < 0.5 else -1)
    return size * ratio**0.5, size / ratio**0.5, size**-0.5


@lru_cache(maxsize=1)
def _kemar_measurement() -> "Measurement":
    from bastzoo.acoustics.listeners.sofa import read_measurement

    return read_measurement(KEMAR)


def _listener(
    identity: str,
    measurement: "Measurement",
    scales: tuple[float, float] = (1.0, 1.0),
    width: float = 1.0,
    gain: float = 1.0,
) -> Listener:
    """A listener at 16 kHz from a measurement; `width` multiplies the differences between onsets."""
    onsets = measurement.onsets
    wanted = width * (onsets - onsets.min()) + LEAD / SAMPLE_RATE
    responses = np.stack([_moved(measurement, ear, scales[ear], wanted) for ear in (0, 1)], axis=1)
    responses[..., -_FADE:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(_FADE) / _FADE)
    as_measured = (*scales, width) == (1.0, 1.0, 1.0)
    return Listener(
        identity,
        measurement.directions,
        _on_grid(gain * responses),
        notes=measurement.notes,
        measurement=measurement if as_measured else None,
    )


def _individual(index: int) -> Listener:
    from bastzoo.acoustics.listeners.individual import Individual

    measurement, one = _kemar_measurement(), Individual(index)
    directions = measurement.directions
    wanted = one.width * (measurement.onsets - measurement.onsets.min()) + one.delays(directions)
    wanted += LEAD / SAMPLE_RATE - min(0.0, wanted.min())
    scales = enumerate(one.scales)
    moved = np.stack([_moved(measurement, ear, scale, wanted) for ear, scale in scales], axis=1)
    responses = one.filtered(moved, directions)
    # One level for all, as for listeners read from files.
    energy = np.square(responses).sum(-1).mean()
    gain = 10 ** (round(KEMAR_DB - 10 * float(np.log10(energy)), 2) / 20)
    return Listener(f"virtual-{index}", directions, _on_grid(gain * _faded(responses)))


def _faded(responses: np.ndarray) -> np.ndarray:
    """`responses` whose last millisecond fades out."""
    fade = np.ones(responses.shape[-1])
    fade[-_FADE:] = 0.5 + 0.5 * np.cos(np.pi * np.arange(_FADE) / _FADE)
    return responses * fade


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
