"""Rooms: what a listener in one of them receives from a source, every reflection from its own side.

The image method is Allen & Berkley's (1979, J. Acoust. Soc. Am. 65:943). It is written out here, in
double precision, because pyroomacoustics keeps its images in single precision, whose last bits
differ between machines and would reach the clips; a test compares the two image by image.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from math import isfinite, pi, prod

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.listeners.listener import Listener
from bastzoo.errors import DataError
from bastzoo.limits.cores import available_cores

SPEED_OF_SOUND = 343.0
"""m/s, in air of 20 degrees Celsius."""

_PHASES = 256
_SINC_HALF = 8
_KAISER = 6.0
_GRID = 2.0**24
_BLOCK = 64
_MOST_IMAGES = 5e6


@dataclass(frozen=True)
class Room:
    """A place to listen in: anechoic (`size` None), or a shoebox.

    `size` is (x, y, z) in m, `rt60` the reverberation time in s, `listener` the centre of the head
    in m from a corner, `facing` where it looks (degrees, counter-clockwise from the room's x axis),
    `source_distance` in m. Walls, floor and ceiling absorb equally, at all frequencies; the air
    absorbs nothing. Raises DataError for a room that cannot be.
    """

    name: str
    size: tuple[float, float, float] | None = None
    rt60: float = 0.0
    listener: tuple[float, float, float] = (0.0, 0.0, 0.0)
    facing: float = 0.0
    source_distance: float = 1.4

    def __post_init__(self) -> None:
        if not (0 < self.source_distance < 100 and isfinite(self.facing)):
            raise DataError(
                f"The room {self.name} has sources {self.source_distance} m away and faces "
                f"{self.facing} degrees: give a distance of 0 to 100 m and an angle."
            )
        if self.size is None:
            return
        if not 0 < self.rt60 <= 20:
            raise DataError(
                f"The room {self.name} has an RT60 of {self.rt60} s: give up to 20 s, or no size."
            )
        inside = zip(self.listener, self.size, strict=True)
        if not all(0 < place < length < 1_000 for place, length in inside):
            raise DataError(
                f"The listener of the room {self.name} at {self.listener} is not inside "
                f"{self.size}: move the listener or change the room."
            )
        if 4 / 3 * pi * self.reach**3 / prod(self.size) > _MOST_IMAGES:
            raise DataError(
                f"The room {self.name} has more than {_MOST_IMAGES:.0f} image sources within a "
                f"clip: enlarge it, or shorten its RT60 of {self.rt60} s."
            )

    @property
    def reach(self) -> float:
        """How far away (m) an image can be and still be heard within a clip, not 75 dB down."""
        seconds = min(CLIP_SAMPLES / SAMPLE_RATE, 1.25 * self.rt60)
        return self.source_distance + seconds * SPEED_OF_SOUND


ANECHOIC = Room("anechoic")

LECTURE_HALL = Room(
    "lecture-hall",
    size=(10.0, 14.0, 4.0),
    rt60=0.8,
    # Off both middle planes: a listener on one would hear mirror images from left and right.
    listener=(4.2, 5.6, 1.3),
    facing=90.0,
)
"""RI02's hall: the listener sits off-centre; sources are as far away as KEMAR's were, 1.4 m."""


def binaural_responses(room: Room, listener: Listener, directions: np.ndarray) -> np.ndarray:
    """Impulse responses [A, 2, K] float32 from sources in `directions` [A, 3] (head frame).

    The direct sound comes at the time and level of the listener's own response, whatever its distance.
    Every reflection that arrives within a clip has the listener's response of the direction nearest to
    its own, 1/r spreading and a fractional delay. K is the listener's in an anechoic room, else 8000.
    Raises DataError when a source would be outside the room.
    """
    directions = np.atleast_2d(np.asarray(directions, dtype=np.float64))
    if room.size is None:
        return listener.responses[listener.nearest(directions)].astype(np.float32)
    length = _transform_length(listener)
    spectra = np.fft.rfft(listener.responses, length)
    one = partial(_reverberant, room, listener, spectra, length, wall_reflection(room))
    # numpy and scipy release the interpreter's lock where the time goes, so threads help.
    with ThreadPoolExecutor(min(available_cores(), 8)) as pool:
        return np.stack(list(pool.map(one, directions)))


@lru_cache(maxsize=64)
def wall_reflection(room: Room) -> float:
    """The pressure reflection factor of the walls that gives `room` its RT60.

    Image sources in a shoebox decay more slowly than Sabine's and Eyring's formulas say (by 25 and
    35 % in the lecture hall), so the factor is found by bisection on the decay of the room's own
    images. Raises DataError when no factor gives the RT60.
    """
    source = _source(room, np.array([1.0, 0.0, 0.0]))
    offsets, orders = _images(room, source)
    distances = np.linalg.norm(offsets, axis=-1)
    bins = np.floor(distances / SPEED_OF_SOUND * 1_000).astype(np.int64)
    shape = (int(orders.max()) + 1, int(bins.max()) + 1)
    energy = np.bincount(orders * shape[1] + bins, distances**-2.0, shape[0] * shape[1])
    energy = energy.reshape(shape)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        decay = middle ** (2.0 * np.arange(shape[0])) @ energy
        low, high = (middle, high) if _decay_time(decay, room.rt60) < room.rt60 else (low, middle)
    if high == 1.0:
        raise DataError(
            f"No walls give the room {room.name} an RT60 of {room.rt60} s: "
            f"it is too long or too short for a room of that size; change either."
        )
    return round(high, 6)


def _decay_time(energy: np.ndarray, expected: float) -> float:
    """RT60 (s) of `energy` per millisecond, as T30 (ISO 3382-1).

    What was cut off at the end is taken to decay as `expected`.
    """
    last = max(1, len(energy) // 10)
    tail = energy[-last:].mean() * 10 ** (-3.0 * last / 1_000 / expected)
    tail *= 1_000 * expected / (6.0 * np.log(10.0))
    remaining = np.cumsum(energy[::-1])[::-1] + tail
    level = 10.0 * np.log10(remaining / remaining[0])
    # Long reverberation does not fall by 5 dB within a clip; then its last four fifths must do.
    start = min(int((level > -5.0).sum()), len(level) // 5)
    fitted = start + np.flatnonzero(level[start:] >= -35.0)
    if len(fitted) < 10:
        return 0.0
    slope = np.polyfit(fitted / 1_000, level[fitted], 1)[0]
    return float(-60.0 / slope) if slope < 0 else np.inf


def _source(room: Room, direction: np.ndarray) -> np.ndarray:
    """Where in the room (m) the source in a direction of the head frame stands."""
    assert room.size is not None
    unit = direction / np.linalg.norm(direction)
    place = np.array(room.listener) + room.source_distance * unit @ _turn(room.facing)
    if not ((place > 0) & (place < room.size)).all():
        raise DataError(
            f"A source {room.source_distance} m from the listener would stand at "
            f"{place.round(2).tolist()}, outside the room {room.name}: shorten the distance or "
            f"move the listener."
        )
    return place


def _turn(degrees: float) -> np.ndarray:
    """The matrix that turns row vectors counter-clockwise about z; exact for right angles."""
    quarter, rest = divmod(degrees, 90.0)
    cosine, sine = np.cos(np.radians(rest)), np.sin(np.radians(rest))
    for _ in range(int(quarter) % 4):
        cosine, sine = -sine, cosine
    return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _images(room: Room, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets [I, 3] from the listener, and orders [I], of every image of `source` in reach.

    Mirroring at the walls puts one image in every cell of a lattice of rooms; cell n along an axis
    is reached over abs(n) walls, and is a mirror image of the room when n is odd.
    """
    assert room.size is not None
    axes, walls = [], []
    for length, place, listener in zip(room.size, source, room.listener, strict=True):
        count = int(room.reach / length) + 1
        cells = np.arange(-count, count + 1)
        axes.append(cells * length + np.where(cells % 2 == 0, place, length - place) - listener)
        walls.append(np.abs(cells))
    squares = np.add.outer(np.add.outer(axes[0] ** 2, axes[1] ** 2), axes[2] ** 2)
    heard = np.nonzero(squares < room.reach**2)
    offsets = np.stack([axis[index] for axis, index in zip(axes, heard, strict=True)], axis=-1)
    orders = np.stack([wall[index] for wall, index in zip(walls, heard, strict=True)])
    return offsets, orders.sum(axis=0)


def _reverberant(
    room: Room,
    listener: Listener,
    spectra: np.ndarray,
    length: int,
    reflection: float,
    direction: np.ndarray,
) -> np.ndarray:
    """The response [2, 8000] from one direction; `spectra` [M, 2, F] are the listener's."""
    from scipy import fft

    offsets, orders = _images(room, _source(room, direction))
    distances = np.linalg.norm(offsets, axis=-1)
    gains = room.source_distance / distances * reflection**orders
    delays = (distances - room.source_distance) * (SAMPLE_RATE / SPEED_OF_SOUND)
    heard_from = listener.nearest(offsets @ _turn(room.facing).T)
    total = np.zeros((2, spectra.shape[-1]), np.complex128)
    for first, trains in _impulse_trains(heard_from, delays, gains, len(spectra), length):
        part = fft.rfft(trains, overwrite_x=True)
        total += np.einsum("mf,mef->ef", part, spectra[first : first + _BLOCK])
    response = fft.irfft(total, length)[:, :CLIP_SAMPLES]
    # The grid takes away the last bits, in which machines differ.
    return (np.rint(response * _GRID) / _GRID).astype(np.float32)


def _impulse_trains(
    buckets: np.ndarray, delays: np.ndarray, gains: np.ndarray, count: int, length: int
) -> Iterator[tuple[int, np.ndarray]]:
    """For each block of directions its first one and the trains [_BLOCK, length] of its images.

    Delays are in samples; a windowed sinc spreads each image over 16 samples. Taps before time 0
    wrap round to the end of the train, which the circular convolution undoes.
    """
    ticks = np.rint(delays * _PHASES).astype(np.int64)
    blocks = buckets // _BLOCK
    order = np.argsort(blocks, kind="stable")
    starts = np.arange(0, count, _BLOCK)
    edges = np.searchsorted(blocks[order], np.arange(len(starts) + 1))
    taps = np.arange(1 - _SINC_HALF, _SINC_HALF + 1)
    for first, low, high in zip(starts, edges[:-1], edges[1:], strict=True):
        images = order[low:high]
        places = ((ticks[images] // _PHASES)[:, None] + taps) % length
        places += (buckets[images] - first)[:, None] * length
        weights = gains[images, None] * _fractional_delays()[ticks[images] % _PHASES]
        rows = min(_BLOCK, count - int(first))
        train = np.bincount(places.ravel(), weights.ravel(), rows * length)
        yield int(first), train.reshape(rows, length)


@lru_cache(maxsize=1)
def _fractional_delays() -> np.ndarray:
    """Windowed sincs [256, 16] that delay by n / 256 sample; the first is an impulse."""
    taps = np.arange(1 - _SINC_HALF, _SINC_HALF + 1) - np.arange(_PHASES)[:, None] / _PHASES
    window = np.i0(_KAISER * np.sqrt(np.clip(1.0 - (taps / _SINC_HALF) ** 2, 0.0, 1.0)))
    return np.sinc(taps) * window / np.i0(_KAISER)


def _transform_length(listener: Listener) -> int:
    """A good FFT length for a clip, a response, and the sinc on either side."""
    from scipy import fft

    needed = CLIP_SAMPLES + listener.responses.shape[-1] + 2 * _SINC_HALF
    return int(fft.next_fast_len(needed, real=True))
