"""Rooms in SOFA files: SingleRoomSRIR, MultiSpeakerBRIR, and free-field files that hold a room."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bastzoo.acoustics.rooms.file import Responses
from bastzoo.acoustics.sofa.file import SofaFile
from bastzoo.acoustics.sofa.positions import right_ear_first, sampling_rate, vectors_of
from bastzoo.errors import DataError

CONVENTIONS = ("SimpleFreeFieldHRIR", "SingleRoomSRIR", "SingleRoomDRIR", "MultiSpeakerBRIR")

_LONGEST_DELAY = 1.0


def from_sofa(path: Path) -> Responses:
    """Directions and responses of a room in a SOFA file; every loudspeaker of an array is a direction.

    Sources may stand still while the listener turns: directions are those relative to the head. Raises
    DataError for another convention, for several places of the listener, and for what `SofaFile` refuses.
    """
    with SofaFile(path) as sofa:
        convention = sofa.text("SOFAConventions")
        if convention not in CONVENTIONS:
            raise DataError(
                f"{sofa} follows the SOFA convention {convention!r}: a measured room follows "
                f"{', '.join(CONVENTIONS)}; convert it."
            )
        notes: list[str] = []
        rate = sampling_rate(sofa, notes)
        responses = sofa.array("Data.IR")
        if responses.ndim == 3:
            responses = responses[:, :, None]
        if responses.ndim != 4 or responses.shape[1] != 2 or responses.shape[3] < 2:
            raise DataError(
                f"{sofa} holds responses of shape {responses.shape}, not [measurements, 2 ears, "
                f"(loudspeakers,) samples]: give a file with two receivers."
            )
        measurements, _, emitters, samples = responses.shape
        vectors = _around_the_head(sofa, measurements, emitters)
        rows = responses.transpose(0, 2, 1, 3).reshape(-1, 2, samples)
        rows = _delayed(rows, _delays(sofa, measurements, emitters, rate))
        words = sofa.text("ListenerShortName") or sofa.text("DatabaseName")
        norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
        if norms.min() < 1e-6:
            raise DataError(f"{sofa} places a source inside the head: remove that row.")
        return Responses(
            str(sofa), vectors / norms, rows, rate, right_ear_first(sofa), words, tuple(notes)
        )


def _around_the_head(sofa: SofaFile, measurements: int, emitters: int) -> np.ndarray:
    """Places [M · E, 3] of the loudspeakers in the head's frame, x its front, y its left."""
    listener = _rows(sofa, "ListenerPosition", measurements, (0.0, 0.0, 0.0))
    if np.ptp(listener, axis=0).max() > 1e-3:
        raise DataError(f"{sofa} holds several places of the listener: give a file of one.")
    # In angles a place is a direction from the origin, where the listener is then.
    is_free_field = sofa.text("SOFAConventions") == "SimpleFreeFieldHRIR"
    sources = _rows(sofa, "SourcePosition", measurements, None)
    origin = np.zeros(3) if is_free_field else listener[0]
    places = np.repeat((sources - origin)[:, None], emitters, axis=1)
    if emitters > 1:
        places = places + _emitters(sofa, measurements, emitters)
    view = _rows(sofa, "ListenerView", measurements, (1.0, 0.0, 0.0))
    up = _rows(sofa, "ListenerUp", measurements, (0.0, 0.0, 1.0))
    left = np.cross(up, view)
    lengths = [np.linalg.norm(axis, axis=-1, keepdims=True) for axis in (view, left)]
    if min(length.min() for length in lengths) < 1e-6:
        raise DataError(
            f"{sofa} says not where its listener looks: set ListenerView and ListenerUp."
        )
    front, left = view / lengths[0], left / lengths[1]
    axes = np.stack([front, left, np.cross(front, left)], axis=1)
    return np.einsum("mab,meb->mea", axes, places).reshape(-1, 3)


def _rows(
    sofa: SofaFile, name: str, count: int, usual: tuple[float, float, float] | None
) -> np.ndarray:
    """Places [M, 3] in metres; angles count with their distance, one row stands for all."""
    found = sofa.array(name) if usual is None else sofa.array_or_none(name)
    if found is None:
        return np.tile(np.array(usual), (count, 1))
    found = np.atleast_2d(found)
    if found.shape not in {(1, 3), (count, 3)}:
        raise DataError(
            f"{sofa} has a {name} of shape {found.shape} for {count} measurements: give one row, or one "
            f"for each."
        )
    return np.broadcast_to(_metres(sofa, found, name), (count, 3))


def _metres(sofa: SofaFile, found: np.ndarray, name: str) -> np.ndarray:
    vectors = vectors_of(sofa, found, name)
    if vectors is found or name in ("ListenerView", "ListenerUp"):
        return vectors
    # A source in angles with no distance is somewhere in that direction; a listener without is at the origin.
    unknown = 0.0 if name == "ListenerPosition" else 1.0
    return vectors * np.where(found[:, 2:] != 0, np.abs(found[:, 2:]), unknown)


def _emitters(sofa: SofaFile, measurements: int, emitters: int) -> np.ndarray:
    """Places [M, E, 3] of loudspeakers relative to their array."""
    found = sofa.array("EmitterPosition")
    if found.ndim == 2:
        found = found[..., None]
    if found.shape not in {(emitters, 3, 1), (emitters, 3, measurements)}:
        raise DataError(
            f"{sofa} has an EmitterPosition of shape {found.shape} for {emitters} loudspeakers: give "
            f"[{emitters}, 3, 1]."
        )
    moved = [_metres(sofa, found[..., i], "EmitterPosition") for i in range(found.shape[2])]
    return np.broadcast_to(np.stack(moved), (measurements, emitters, 3))


def _delays(sofa: SofaFile, measurements: int, emitters: int, rate: float) -> np.ndarray:
    """Samples [M · E, 2] before each response, from the shortest on."""
    found = sofa.array_or_none("Data.Delay")
    if found is None:
        return np.zeros((measurements * emitters, 2))
    if found.ndim == 2:
        found = found[:, :, None]
    if (
        found.ndim != 3
        or found.shape[1] != 2
        or found.shape[0] not in (1, measurements)
        or found.shape[2] not in (1, emitters)
    ):
        raise DataError(
            f"{sofa} has delays of shape {found.shape}: Data.Delay needs one row, or one for each."
        )
    longest = float(np.abs(found).max())
    if longest > _LONGEST_DELAY * rate:
        raise DataError(
            f"{sofa} has a delay of {longest:,.6g} samples, {longest / rate:,.6g} s: Data.Delay is counted "
            f"in samples; check it."
        )
    whole = np.broadcast_to(found, (measurements, 2, emitters)).transpose(0, 2, 1).reshape(-1, 2)
    return whole - whole.min()


def _delayed(responses: np.ndarray, delays: np.ndarray) -> np.ndarray:
    """`responses` [A, 2, N], each later by its delay, in fractions of a sample."""
    if not delays.any():
        return responses
    from scipy import fft

    longer = responses.shape[-1] + int(np.ceil(delays.max())) + 64
    size = int(fft.next_fast_len(longer, real=True))
    shift = np.exp(-2j * np.pi * delays[..., None] * np.fft.rfftfreq(size))
    return np.asarray(fft.irfft(fft.rfft(responses, size) * shift, size)[..., :longer])
