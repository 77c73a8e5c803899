"""Measured rooms: what the ears of one listener received in a real room, from the directions measured there.

Read from a SOFA file, or from a folder of stereo WAV files with the azimuth in their names. Directions
come from the data: nothing is made up between them.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.listeners.listener import KEMAR_DB, LEAD, TAPS, Listener
from bastzoo.acoustics.rooms.file import Responses
from bastzoo.acoustics.sofa.ears import channel_0_is_left, check_responses, onsets
from bastzoo.directions import azimuth_of, direction_from_angles
from bastzoo.errors import DataError, SetupError, tellable

if TYPE_CHECKING:
    from bastzoo.acoustics.listeners.sofa import AzimuthDirection

AZIMUTH_IN_NAME = r"(?<![\d.])([+-]?\d+(?:\.\d+)?)_?deg"
"""Surrey's file names: `CortexBRIR_0_32s_-10deg_16k.wav`."""

DIRECT_SECONDS = 0.0025
"""How much of a response after its onset is taken for direct sound."""

_BITS = 24
_LONGEST_FILE = 2**28
_LONGEST_SECONDS = 30
_APART = 1e-4


@dataclass(frozen=True, eq=False)
class MeasuredRoom:
    """A room as one listener's ears received it.

    `directions` [A, 3] are unit vectors of the sources (x front, y left, z up), no two alike;
    `responses` [A, 2, K] float32 impulse responses at 16 kHz, channel 0 the left ear, K at most 8000.
    `listener` says in words whose ears they are. Raises DataError for other shapes.
    """

    name: str
    directions: np.ndarray
    responses: np.ndarray
    listener: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.directions)
        shapes = np.shape(self.directions), np.shape(self.responses)[:2]
        if count == 0 or shapes != ((count, 3), (count, 2)) or np.ndim(self.responses) != 3:
            raise DataError(
                f"The room {self.name} has directions {np.shape(self.directions)} and responses "
                f"{np.shape(self.responses)}: they must be [A, 3] and [A, 2, K]."
            )
        for name, kind in (("directions", np.float64), ("responses", np.float32)):
            own = np.array(getattr(self, name), dtype=kind)
            own.setflags(write=False)
            object.__setattr__(self, name, own)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the directions (to 1e-9) and the responses: what a run's key records."""
        digest = hashlib.sha256(np.rint(self.directions * 1e9).astype("<i8").tobytes())
        digest.update(self.responses.astype("<f4").tobytes())
        return digest.hexdigest()

    @cached_property
    def ears(self) -> Listener:
        """Its listener as far as the direct sound tells: what diffuse noise is filtered by."""
        return Listener(self.name, self.directions, self.responses[..., :TAPS])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MeasuredRoom) and (self.name, self.digest) == (
            other.name,
            other.digest,
        )

    def __hash__(self) -> int:
        return hash((self.name, self.digest))


def read_room(
    path: str | Path,
    *,
    name: str | None = None,
    azimuths: AzimuthDirection = "counter-clockwise",
    azimuth_in_name: str = AZIMUTH_IN_NAME,
    listener: str = "",
) -> MeasuredRoom:
    """The room in a SOFA file, or in a folder of WAV files of two channels.

    azimuths: how those of the data count; Surrey's files are `clockwise`, + being the right.
    azimuth_in_name: what of a WAV file's name is its azimuth in degrees, as a regular expression with one
        group; all other files of the folder are left alone.

    The responses from the sides decide which channel is the left ear. They are resampled to 16 kHz, moved
    together so that the first sound comes when a listener's does, and one factor brings the mean energy
    of their direct sound to that of KEMAR's responses (in steps of 0.01 dB). What comes later than a clip
    lasts is cut. Raises DataError for anything that cannot be such a room; SetupError without h5py or
    soundfile.

        read_room("Room_D/16kHz", azimuths="clockwise").responses.shape  # (37, 2, 8000)
    """
    path = Path(path)
    name = name or path.stem
    if path.is_dir():
        found = _from_folder(path, azimuth_in_name)
    else:
        from bastzoo.acoustics.rooms.sofa import from_sofa

        found = from_sofa(path)
    return _room(name, found, azimuths, listener or found.listener)


def _from_folder(folder: Path, azimuth_in_name: str) -> Responses:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: its library is missing
        raise SetupError(
            f"Reading {tellable(str(folder))} takes the package soundfile: pip install soundfile."
        ) from error
    pattern = re.compile(azimuth_in_name)
    files: dict[float, Path] = {}
    for path in sorted(folder.iterdir()):
        found = pattern.search(path.name)
        if found is None or path.suffix.lower() not in (".wav", ".flac") or not path.is_file():
            continue
        azimuth = float(found[1])
        if azimuth in files:
            raise DataError(
                f"{_told(folder)} has two files for {azimuth:g} degrees, {_told(files[azimuth].name)} and "
                f"{_told(path.name)}: keep one of them."
            )
        files[azimuth] = path
    if len(files) < 2:
        raise DataError(
            f"{_told(folder)} holds {'one response' if files else 'no response'}: give a folder of WAV "
            f"files with the azimuth in their names, as in BRIR_-10deg.wav."
        )
    rows, rates = [], set()
    for path in files.values():
        if path.stat().st_size > _LONGEST_FILE:
            raise DataError(f"{_told(path)} is larger than a response can be: give one a file.")
        try:
            samples, rate = soundfile.read(os.fspath(path), dtype="float64", always_2d=True)
        except (soundfile.SoundFileError, OSError, ValueError) as error:
            raise DataError(
                f"{_told(path)} is not readable as audio: copy it again, or remove it."
            ) from error
        if samples.shape[1] != 2 or len(samples) < 2:
            raise DataError(
                f"{_told(path)} has {samples.shape[1]} channel(s) of {len(samples)} samples: a binaural "
                f"response has two, the left ear and the right."
            )
        if not np.isfinite(samples).all():
            raise DataError(f"{_told(path)} has NaN or infinite samples: make it again.")
        rows.append(samples.T)
        rates.add(rate)
    if len(rates) > 1:
        raise DataError(
            f"{_told(folder)} mixes rates of {', '.join(f'{r:,}' for r in sorted(rates))} Hz: resample."
        )
    longest = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, longest - row.shape[1]))) for row in rows]
    return Responses(
        _told(folder), direction_from_angles(np.array(list(files))), np.stack(padded), rates.pop()
    )


def _room(name: str, found: Responses, azimuths: AzimuthDirection, listener: str) -> MeasuredRoom:
    check_responses(found.told, found.responses)
    if found.responses.shape[-1] > _LONGEST_SECONDS * found.rate:
        raise DataError(
            f"{found.told} holds responses of more than {_LONGEST_SECONDS} s: cut them."
        )
    directions = found.directions * ([1, -1, 1] if azimuths == "clockwise" else [1, 1, 1])
    _check_apart(found.told, directions)
    first = onsets(found.responses)
    is_left_first = channel_0_is_left(
        found.told,
        directions,
        _direct(found.responses, first, found.rate),
        first / found.rate,
        right_first=found.right_first,
        azimuths=azimuths,
    )
    responses = found.responses if is_left_first else found.responses[:, ::-1]
    start = float(first.min())
    responses = _resampled(responses, found.rate, start - LEAD / SAMPLE_RATE * found.rate)
    direct = _direct(responses, onsets(responses), SAMPLE_RATE)
    energy = np.square(direct).sum(-1).mean()
    gain = round(KEMAR_DB - 10 * float(np.log10(energy)), 2)
    responses = responses * 10 ** (gain / 20)
    step = 2.0 ** (np.ceil(np.log2(np.abs(responses).max())) - _BITS)
    # The grid takes away the last bits, in which machines differ.
    return MeasuredRoom(name, directions, np.rint(responses / step) * step, listener, found.notes)


def _check_apart(told: str, directions: np.ndarray) -> None:
    from scipy.spatial import KDTree

    pairs = KDTree(directions).query_pairs(_APART, output_type="ndarray")
    if len(pairs):
        azimuth = float(azimuth_of(directions[pairs[0, 0]]))
        raise DataError(
            f"{told} has several responses from one direction (azimuth {azimuth:.4g} degrees): give a file "
            f"with one distance and one place of the listener."
        )


def _direct(responses: np.ndarray, first: np.ndarray, rate: float) -> np.ndarray:
    """`responses` up to 2.5 ms after each one's onset, and nothing later."""
    end = first[..., None] + DIRECT_SECONDS * rate
    return np.where(np.arange(responses.shape[-1]) <= end, responses, 0.0)


def _resampled(responses: np.ndarray, rate: float, start: float) -> np.ndarray:
    """[A, 2, at most 8000] at 16 kHz, from the sample `start` (of the file's rate; may be negative) on."""
    from scipy.signal import firwin, resample_poly

    begin = int(np.floor(start))
    wanted = int(np.ceil(CLIP_SAMPLES * rate / SAMPLE_RATE)) + 64
    cut = responses[..., max(begin, 0) : max(begin, 0) + wanted]
    cut = np.pad(cut, ((0, 0), (0, 0), (max(-begin, 0), 0)))
    if rate != SAMPLE_RATE:
        ratio = Fraction(SAMPLE_RATE) / Fraction(rate).limit_denominator(1_000)
        up, down = ratio.numerator, ratio.denominator
        widest = max(up, down)
        taps = firwin(2 * 20 * widest + 1, 0.94 / widest, window=("kaiser", 6.0))
        # A response is a filter: its spectrum stays, so its samples grow with the sampling interval.
        cut = resample_poly(cut, up, down, axis=-1, window=taps) * (rate / SAMPLE_RATE)
    return np.asarray(cut[..., :CLIP_SAMPLES])


def _told(path: Path | str) -> str:
    return tellable(str(path))
