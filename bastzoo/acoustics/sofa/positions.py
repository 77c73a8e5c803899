"""What a SOFA file says of places and times: directions, distances, sampling rate, delays, ears."""

from __future__ import annotations

import numpy as np

from bastzoo.acoustics.sofa.file import SofaFile
from bastzoo.errors import DataError

_FIRST_UNIT = {"spherical": ("degree",), "cartesian": ("metre", "meter")}

_TOLERANCE = 1e-3
"""Degrees: angles in single precision end a little beyond -90 and 360."""

_LONGEST_DELAY = 0.2
"""Seconds before a response: sound travels 70 m in it."""

RATES = (8_000, 16_000, 24_000, 32_000, 48_000, 50_000, 64_000, 96_000, 100_000, 192_000)
"""Hz, of converters that measure ear responses; also the multiples of 11,025, and of 100 MHz / 4096 (TDT)."""


def sampling_rate(sofa: SofaFile, notes: list[str]) -> float:
    """Hz; files may give it once, or for each measurement when all are equal.

    A rate that no converter has is told in `notes`; the responses are resampled from it like from any.
    """
    rates = np.unique(sofa.array("Data.SamplingRate"))
    if len(rates) != 1:
        raise DataError(
            f"{sofa} has sampling rates from {rates[0]:g} to {rates[-1]:g} Hz: resample to one."
        )
    rate = float(rates[0])
    units = sofa.text("Units", of="Data.SamplingRate", default="hertz").lower()
    if units not in ("hertz", "hz") or not RATES[0] <= rate <= RATES[-1]:
        raise DataError(
            f"{sofa} gives a sampling rate of {rate:g} {units}: responses have 8,000 to 192,000 hertz; "
            f"set Data.SamplingRate."
        )
    if not any(_divides(rate, base) for base in (11_025, 100e6 / 4_096)) and rate not in RATES:
        notes.append(f"a sampling rate of {rate:,.10g} Hz is unusual; it is taken as it stands")
    return rate


def _divides(rate: float, base: float) -> bool:
    return abs(rate / base - round(rate / base)) < 1e-6


def unit_vectors(sofa: SofaFile, positions: np.ndarray, name: str) -> np.ndarray:
    """Directions [M, 3] (x front, y left, z up) of the positions [M, 3] of `name`."""
    vectors = vectors_of(sofa, positions, name)
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if norms.min() < 1e-9:
        raise DataError(
            f"{sofa} places source {int(norms.argmin())} at the centre of the head: remove that row."
        )
    return vectors / norms


def vectors_of(sofa: SofaFile, positions: np.ndarray, name: str) -> np.ndarray:
    """Positions [M, 3] in metres; those in angles lie on the unit sphere."""
    if coordinates(sofa, name) == "cartesian":
        return positions
    return _from_angles(sofa, positions)


def distances(sofa: SofaFile, positions: np.ndarray, name: str = "SourcePosition") -> np.ndarray:
    """Metres [M] from the origin; 0 where a file in angles gives none."""
    if coordinates(sofa, name) == "cartesian":
        return np.linalg.norm(positions, axis=-1)
    return np.abs(positions[:, 2])


def coordinates(sofa: SofaFile, name: str) -> str:
    """`spherical` or `cartesian`, as the units of an array of positions confirm."""
    name = "ListenerView" if name == "ListenerUp" else name  # which has no type of its own
    unsaid = "spherical" if name == "SourcePosition" else "cartesian"
    kind = sofa.text("Type", of=name, default=unsaid).lower()
    usual = "metre" if kind == "cartesian" else "degree"
    units = sofa.text("Units", of=name, default=usual)
    if kind not in _FIRST_UNIT or not units.lower().startswith(_FIRST_UNIT[kind]):
        raise DataError(
            f"{sofa} has positions of type {kind!r} in units of {units!r}: {name} is spherical in "
            f"'degree, degree, metre', or cartesian in 'metre'."
        )
    return kind


def _from_angles(sofa: SofaFile, positions: np.ndarray) -> np.ndarray:
    """Unit vectors of azimuths and elevations in degrees, when they can be such."""
    angles = positions[:, :2]
    if len(angles) > 1 and 0 < np.abs(angles).max() <= 2 * np.pi + _TOLERANCE:
        raise DataError(
            f"{sofa} has no angle beyond {np.abs(angles).max():.2f}, as if its positions were in radians: "
            f"SourcePosition needs degrees."
        )
    if (np.abs(angles) > np.array([360, 90]) + _TOLERANCE).any():
        row = int((np.abs(angles) / [360, 90]).max(-1).argmax())
        raise DataError(
            f"{sofa} places source {row} at azimuth {angles[row, 0]:g} and elevation "
            f"{angles[row, 1]:g} degrees: elevations count from -90 (below) over 0 (eye level) to 90, "
            f"azimuths from -360 to 360."
        )
    azimuth = np.radians(angles[:, 0])
    elevation = np.radians(np.clip(angles[:, 1], -90.0, 90.0))
    level = np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1)


def delays(sofa: SofaFile, count: int, rate: float) -> np.ndarray:
    """Data.Delay [M, 2] in samples; a file may give one row for all, or leave it out."""
    found = sofa.array_or_none("Data.Delay")
    if found is None:
        return np.zeros((count, 2))
    if found.shape not in {(1, 2), (count, 2)}:
        raise DataError(
            f"{sofa} has delays of shape {found.shape}: Data.Delay needs [1, 2] or [{count}, 2]."
        )
    longest = float(np.abs(found).max())
    if longest > _LONGEST_DELAY * rate:
        raise DataError(
            f"{sofa} has a delay of {longest:,.6g} samples, {longest / rate:,.6g} s: Data.Delay is counted "
            f"in samples and never longer than {_LONGEST_DELAY} s; check it."
        )
    return np.broadcast_to(found, (count, 2))


def right_ear_first(sofa: SofaFile) -> bool:
    """Whether the file's receivers say that channel 0 is the right ear; many files say so wrongly."""
    places = sofa.array_or_none("ReceiverPosition")
    if places is None or places.size < 6 or places.shape[:2] != (2, 3):
        return False
    first = places.reshape(2, 3, -1)[..., 0]
    if coordinates(sofa, "ReceiverPosition") == "cartesian":
        lateral = first[:, 1]
    else:
        lateral = np.sin(np.radians(first[:, 0])) * np.cos(np.radians(first[:, 1]))
    return bool(lateral[0] < lateral[1])
