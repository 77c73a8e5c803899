"""Reads measured head-related impulse responses from SOFA files (AES69) and checks them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from bastzoo.acoustics.sofa.ears import channel_0_is_left, check_responses, onsets
from bastzoo.acoustics.sofa.file import SofaFile
from bastzoo.acoustics.sofa.positions import (
    delays,
    distances,
    right_ear_first,
    sampling_rate,
    unit_vectors,
)
from bastzoo.errors import DataError

CONVENTION = "SimpleFreeFieldHRIR"

AzimuthDirection = Literal["clockwise", "counter-clockwise"]

_OTHERS = {
    "FreeFieldHRIR": "whose responses belong to emitters: export it",
    "SimpleFreeFieldHRTF": "which has spectra in the place of impulse responses: transform it",
    "SimpleFreeFieldHRSOS": "which has filters in the place of impulse responses: convert it",
    "FreeFieldHRTF": "which has spectra in the place of impulse responses: transform it",
    "GeneralTF": "which has spectra in the place of impulse responses: transform it",
    "SingleRoomSRIR": "which holds a room: name it as an environment",
    "SingleRoomDRIR": "which holds a room: name it as an environment",
    "MultiSpeakerBRIR": "which holds a room: name it as an environment",
}

LATE = 0.010
"""Seconds after the first sound: what comes later is no ear's."""

ROOM_DB = -25.0
"""Late energy against all of it, from which on a file holds a room."""

_BEFORE, _AFTER = 0.005, 0.020
_WIDEST = 0.003
_SAME_DISTANCE = 1.1


@dataclass(frozen=True, eq=False)
class Measurement:
    """Impulse responses as measured, at the rate of the measurement.

    `directions` [M, 3] are unit vectors (x front, y left, z up), `responses` [M, 2, N] (channel 0
    the left ear), `delays` [M, 2] the samples that come before each of them, `rate` in Hz. `distances`
    [M] are metres, 0 where unknown; `notes` are sentences without an end on what is unusual.
    """

    directions: np.ndarray
    responses: np.ndarray
    delays: np.ndarray
    rate: float
    distances: np.ndarray = field(default_factory=lambda: np.zeros(0))
    notes: tuple[str, ...] = ()

    @cached_property
    def onsets(self) -> np.ndarray:
        """Seconds [M, 2] at which each response first reaches 15 % of its peak, interpolated."""
        return (onsets(self.responses) + self.delays) / self.rate

    @cached_property
    def late_db(self) -> float:
        """Energy later than 10 ms after a response's onset, against all of it, dB; -inf for none."""
        start = (onsets(self.responses) + LATE * self.rate)[..., None]
        energy = np.square(self.responses)
        late = np.where(np.arange(energy.shape[-1]) > start, energy, 0.0).sum()
        return float(10 * np.log10(late / energy.sum())) if late > 0 else -np.inf


def read_measurement(
    path: str | Path, *, azimuths: AzimuthDirection = "counter-clockwise"
) -> Measurement:
    """The measurement in a SimpleFreeFieldHRIR file, cut to 20 ms around its onsets.

    azimuths: how those of the file count.

    Which channel is the left ear, the responses from the sides decide. Raises DataError, naming the file,
    for a file of another kind, one without usable positions or responses, with one direction or several
    distances, with a room in it, without a difference between the ears, and one whose left and right are
    exchanged; SetupError without the package h5py.
    """
    with SofaFile(path) as sofa:
        _check_convention(sofa)
        notes: list[str] = []
        rate = sampling_rate(sofa, notes)
        responses = _responses(sofa)
        check_responses(str(sofa), responses)
        directions, metres = _sources(sofa, len(responses))
        if azimuths == "clockwise":
            directions = directions * [1, -1, 1]
        measured = Measurement(
            directions, responses, delays(sofa, len(responses), rate), rate, metres
        )
        room = sofa.text("RoomType", default="free field").lower()
        right_first = right_ear_first(sofa)
    if room != "free field" and measured.late_db <= ROOM_DB:
        notes.append(f"it calls its room {room!r}, but no reflections come after 10 ms")
    found = checked(str(sofa), measured, right_first=right_first, azimuths=azimuths)
    return replace(found, notes=(*notes, *found.notes))


def checked(
    name: str,
    measured: Measurement,
    *,
    right_first: bool = False,
    azimuths: AzimuthDirection = "counter-clockwise",
) -> Measurement:
    """A measurement cut to 20 ms around its onsets, with the left ear in channel 0.

    name: what errors begin with. right_first: what is said of its channels. azimuths: how they were taken to
    run, for the sentence. Raises DataError where there is a room in it, or no difference between the ears.
    """
    if measured.late_db > ROOM_DB:
        raise DataError(
            f"{name} claims free field and holds a room ({measured.late_db:.0f} dB of its energy come later "
            f"than 10 ms): name it as an environment, or cut its responses."
        )
    measured = _trimmed(name, measured)
    left_first = channel_0_is_left(
        name,
        measured.directions,
        measured.responses,
        measured.onsets,
        right_first=right_first,
        azimuths=azimuths,
    )
    notes: tuple[str, ...] = ()
    if left_first and right_first:
        notes = ("its receivers name the right ear first, its responses the left; they decide",)
    order = slice(None) if left_first else slice(None, None, -1)
    return Measurement(
        measured.directions,
        measured.responses[:, order],
        measured.delays[:, order],
        measured.rate,
        measured.distances,
        notes,
    )


def _responses(sofa: SofaFile) -> np.ndarray:
    """Data.IR [M, 2, N], with something in both ears in every row."""
    responses = sofa.array("Data.IR")
    if responses.ndim != 3 or responses.shape[1] != 2 or responses.shape[2] < 2:
        raise DataError(
            f"{sofa} holds responses of shape {responses.shape}, not [directions, 2 ears, "
            f"samples]: give a file with two receivers."
        )
    return responses


def _check_convention(sofa: SofaFile) -> None:
    convention = sofa.text("SOFAConventions")
    if convention != CONVENTION:
        why = _OTHERS.get(
            convention, "of free-field head-related impulse responses: give a file of it"
        )
        instead = " as it" if convention in _OTHERS and "environment" not in why else ""
        raise DataError(
            f"{sofa} follows the SOFA convention {convention!r}, not {CONVENTION}, {why}{instead}."
        )
    kind = sofa.text("DataType", default="FIR")
    if kind != "FIR":
        raise DataError(
            f"{sofa} holds data of type {kind!r}, not FIR: give a file of impulse responses."
        )


def _sources(sofa: SofaFile, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions [M, 3] and metres [M] of the sources, around a head that stays where it is."""
    positions = sofa.array("SourcePosition")
    if positions.shape != (count, 3):
        raise DataError(
            f"{sofa} has positions of shape {positions.shape} for {count} responses: "
            f"SourcePosition needs one row of three numbers for each."
        )
    if count == 1:
        raise DataError(f"{sofa} holds one direction: give a file with sources all round.")
    view = sofa.array_or_none("ListenerView")
    if view is not None and len(np.unique(np.atleast_2d(view), axis=0)) > 1:
        raise DataError(
            f"{sofa} turns its listener (ListenerView has several rows): write the directions relative "
            f"to the head into SourcePosition."
        )
    directions = unit_vectors(sofa, positions, "SourcePosition")
    metres = distances(sofa, positions)
    known = metres[metres > 0]
    if len(known) and known.max() > _SAME_DISTANCE * known.min():
        raise DataError(
            f"{sofa} has sources {known.min():.3g} to {known.max():.3g} m away: give a file of one distance."
        )
    return directions, metres


def _trimmed(name: str, measurement: Measurement) -> Measurement:
    """`measurement` without what comes long before its first and after its last onset."""
    first, last = measurement.onsets.min(), measurement.onsets.max()
    if last - first > _WIDEST:
        raise DataError(
            f"{name} has onsets {1_000 * (last - first):.1f} ms apart, further than the ears of a "
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
        measurement.distances,
    )
