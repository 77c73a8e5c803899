"""Reads measured head-related impulse responses from SOFA files (AES69) and checks them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bastzoo.errors import DataError, SetupError

CONVENTION = "SimpleFreeFieldHRIR"

_FIRST_UNIT = {"spherical": ("degree",), "cartesian": ("metre", "meter")}

_ONSET = 0.15
_BEFORE, _AFTER = 0.005, 0.020
_WIDEST = 0.003
_AUDIBLE_DB = 0.2
_AUDIBLE_SECONDS = 20e-6


@dataclass(frozen=True, eq=False)
class Measurement:
    """Impulse responses as measured, at the rate of the measurement.

    `directions` [M, 3] are unit vectors (x front, y left, z up), `responses` [M, 2, N] (channel 0
    the left ear), `delays` [M, 2] the samples that come before each of them, `rate` in Hz.
    """

    directions: np.ndarray
    responses: np.ndarray
    delays: np.ndarray
    rate: float

    @cached_property
    def onsets(self) -> np.ndarray:
        """Seconds [M, 2] at which each response first reaches 15 % of its peak, interpolated."""
        size = np.abs(self.responses)
        size = size / size.max(-1, keepdims=True)
        after = (size >= _ONSET).argmax(-1)
        before = np.maximum(after - 1, 0)
        low = np.take_along_axis(size, before[..., None], -1)[..., 0]
        high = np.take_along_axis(size, after[..., None], -1)[..., 0]
        rise = np.where(after > before, high - low, 1.0)
        fraction = np.where(after > before, (_ONSET - low) / rise, 0.0)
        return (before + fraction + self.delays) / self.rate


def read_measurement(path: str | Path) -> Measurement:
    """The measurement in a SimpleFreeFieldHRIR file, cut to 20 ms around its onsets.

    Raises DataError, naming the file, for a file of another kind, one without usable positions or
    responses, and one whose left and right are exchanged; SetupError without the package sofar.
    """
    path = Path(path)
    sofa = _open(path)
    convention = getattr(sofa, "GLOBAL_SOFAConventions", None)
    if convention != CONVENTION:
        raise DataError(
            f"{path} follows the SOFA convention {convention!r}, not {CONVENTION}: "
            f"give a file of free-field head-related impulse responses."
        )
    rate = _array(path, sofa, "Data_SamplingRate").reshape(-1)
    if len(rate) != 1 or not 1_000 <= rate[0] <= 1_000_000:
        raise DataError(f"{path} gives no sampling rate in hertz: set Data.SamplingRate.")
    responses = _responses(path, sofa)
    measurement = Measurement(
        directions=_directions(path, sofa, len(responses)),
        responses=_left_first(path, sofa, responses),
        delays=_left_first(path, sofa, _delays(path, sofa, len(responses))),
        rate=float(rate[0]),
    )
    trimmed = _trimmed(path, measurement)
    _check_sides(path, trimmed)
    return trimmed


def _open(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path} is not a file: give the path of a SOFA file.")
    try:
        import sofar
    except ImportError as error:
        raise SetupError(f"Reading {path} takes the package sofar: pip install sofar.") from error
    try:
        return sofar.read_sofa(str(path), verify=False, verbose=False)
    except Exception as error:  # whatever a stranger's bytes make netCDF or sofar raise
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise DataError(
            f"{path} is not a readable SOFA file ({reason}): check the file."
        ) from error


def _array(path: Path, sofa: Any, name: str) -> np.ndarray:
    """A numeric variable of the file, all of it finite."""
    try:
        values = np.asarray(getattr(sofa, name), dtype=np.float64)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{path} has no usable {name}: write the file anew with it.") from error
    if values.size == 0 or not np.isfinite(values).all():
        raise DataError(f"{path} has an empty or infinite {name}: write the file anew with it.")
    return values


def _responses(path: Path, sofa: Any) -> np.ndarray:
    responses = _array(path, sofa, "Data_IR")
    if responses.ndim != 3 or responses.shape[1] != 2 or responses.shape[2] < 2:
        raise DataError(
            f"{path} holds responses of shape {responses.shape}, not [directions, 2 ears, "
            f"samples]: give a file with two receivers."
        )
    silent = np.flatnonzero((responses == 0.0).all(-1).any(-1))
    if len(silent):
        raise DataError(
            f"{path} has a silent ear in row {silent[0]} (of {len(silent)}): remove the row."
        )
    return responses


def _directions(path: Path, sofa: Any, count: int) -> np.ndarray:
    """The direction of each source as a unit vector: x front, y left, z up."""
    positions = _array(path, sofa, "SourcePosition")
    if positions.shape != (count, 3):
        raise DataError(
            f"{path} has positions of shape {positions.shape} for {count} responses: "
            f"SourcePosition needs one row of three numbers for each."
        )
    kind = str(getattr(sofa, "SourcePosition_Type", "spherical"))
    units = str(getattr(sofa, "SourcePosition_Units", "metre" if kind == "cartesian" else "degree"))
    if kind not in _FIRST_UNIT or not units.strip().lower().startswith(_FIRST_UNIT[kind]):
        raise DataError(
            f"{path} has positions of type {kind!r} in units of {units!r}: SourcePosition is "
            f"spherical in 'degree, degree, metre', or cartesian in 'metre'."
        )
    vectors = positions if kind == "cartesian" else _from_angles(path, positions)
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if norms.min() < 1e-9:
        raise DataError(
            f"{path} places source {int(norms.argmin())} at the centre of the head: "
            f"remove that row."
        )
    return vectors / norms


def _from_angles(path: Path, positions: np.ndarray) -> np.ndarray:
    """Unit vectors of azimuths and elevations in degrees, when they can be such."""
    angles = positions[:, :2]
    if len(angles) > 1 and np.abs(angles).max() <= 2 * np.pi + 1e-6:
        raise DataError(
            f"{path} has no angle beyond {np.abs(angles).max():.2f}, as if its positions were in "
            f"radians: SourcePosition needs degrees."
        )
    if np.abs(angles[:, 1]).max() > 90 + 1e-6 or np.abs(angles[:, 0]).max() > 360 + 1e-6:
        row = int((np.abs(angles) / [360, 90]).max(-1).argmax())
        raise DataError(
            f"{path} places source {row} at azimuth {angles[row, 0]:g} and elevation "
            f"{angles[row, 1]:g} degrees: elevations count from -90 (below) over 0 (eye level) to 90, "
            f"azimuths from -360 to 360."
        )
    azimuth, elevation = np.radians(angles).T
    level = np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1)


def _delays(path: Path, sofa: Any, count: int) -> np.ndarray:
    """Data.Delay for each response; a file may give one row for all, or leave it out."""
    if getattr(sofa, "Data_Delay", None) is None:
        return np.zeros((count, 2))
    delays = _array(path, sofa, "Data_Delay")
    if delays.shape not in {(1, 2), (count, 2)}:
        raise DataError(
            f"{path} has delays of shape {delays.shape}: Data.Delay needs [1, 2] or [{count}, 2]."
        )
    return np.broadcast_to(delays, (count, 2))


def _left_first(path: Path, sofa: Any, ears: np.ndarray) -> np.ndarray:
    """`ears` [M, 2, ...] with the left ear first, whatever order the receivers have in the file."""
    if np.size(getattr(sofa, "ReceiverPosition", ())) < 6:
        return ears
    places = _array(path, sofa, "ReceiverPosition").reshape(2, 3, -1)[..., 0]
    if getattr(sofa, "ReceiverPosition_Type", "cartesian") == "cartesian":
        lateral = places[:, 1]
    else:
        lateral = np.sin(np.radians(places[:, 0])) * np.cos(np.radians(places[:, 1]))
    return ears[:, ::-1] if lateral[0] < lateral[1] else ears


def _check_sides(path: Path, measurement: Measurement) -> None:
    """A sound from the left is louder in the left ear and comes there first; else something is mixed up.

    Exchanged ears and reversed azimuths cannot be told apart on a listener whose halves are alike.
    """
    lateral = measurement.directions[:, 1]
    aside = np.abs(lateral) > 0.5
    if not aside.any():
        raise DataError(
            f"{path} has no source more than 30 degrees from the median plane, as if it gave "
            f"elevations only: give a file with sources at the sides."
        )
    side = np.sign(lateral[aside])
    energy = np.square(measurement.responses[aside]).sum(-1)
    louder = float(np.mean(side * 10 * np.log10(energy[:, 0] / energy[:, 1])))
    earlier = float(np.mean(side * np.diff(measurement.onsets[aside])[:, 0]))
    by_level = int(np.sign(louder)) * (abs(louder) > _AUDIBLE_DB)
    by_time = int(np.sign(earlier)) * (abs(earlier) > _AUDIBLE_SECONDS)
    if by_level * by_time < 0:
        raise DataError(
            f"{path} is {abs(louder):.1f} dB {'louder' if louder > 0 else 'softer'} in the ear toward "
            f"the sound, which comes there {1e6 * abs(earlier):.0f} µs "
            f"{'earlier' if earlier > 0 else 'later'}: its responses and its delays belong to "
            f"different ears; check Data.IR and Data.Delay."
        )
    if by_level + by_time < 0:
        raise DataError(
            f"{path} is {'louder' if by_level else 'earlier'} in the ear away from the sound: its ears "
            f"are exchanged, or its azimuths run clockwise; they must run counter-clockwise, with +90 "
            f"on the left."
        )
    if by_level + by_time == 0:
        raise DataError(
            f"{path} gives both ears the same level and time from the sides: "
            f"give a file that was measured with a listener between the ears."
        )


def _trimmed(path: Path, measurement: Measurement) -> Measurement:
    """`measurement` without what comes long before its first and after its last onset."""
    first, last = measurement.onsets.min(), measurement.onsets.max()
    if last - first > _WIDEST:
        raise DataError(
            f"{path} has onsets {1_000 * (last - first):.1f} ms apart, further than the ears of a "
            f"listener: look for rows of noise, or with a time base of their own."
        )
    inside = measurement.onsets * measurement.rate - measurement.delays
    start = max(0, int(inside.min() - _BEFORE * measurement.rate))
    end = int(inside.max() + _AFTER * measurement.rate)
    return Measurement(
        measurement.directions,
        measurement.responses[..., start:end],
        measurement.delays + start,
        measurement.rate,
    )
