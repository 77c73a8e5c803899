"""CIPIC's listeners: the original MATLAB files, or any conversion of them to SOFA.

The database goes round in several forms. Its index has the SHA-256 of what they hold in common: the
responses, in single precision.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from bastzoo.acoustics.listeners.listener import Listener, levelled_listener, read_sofa
from bastzoo.acoustics.listeners.sofa import Measurement, checked
from bastzoo.acoustics.sofa.file import SofaFile
from bastzoo.data.sets.index import DataIndex, read_index
from bastzoo.errors import DataError, tellable

RATE = 44_100.0
AZIMUTHS = np.r_[-80, -65, -55, np.arange(-45, 50, 5), 55, 65, 80].astype(np.float64)
"""Degrees from the median plane, positive on the right: the first axis of the original arrays."""
ELEVATIONS = -45 + 5.625 * np.arange(50)
"""Degrees around the axis through the ears, from below the front over the top: the second axis."""

_SHAPE = (len(AZIMUTHS), len(ELEVATIONS), 200)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MATLAB = b"MATLAB 5.0"
_LARGEST = 64 * 2**20


def cipic() -> DataIndex:
    """The index of the 45 listeners; of those whose checksum is known, the address too."""
    files = read_index(Path(__file__).with_name("cipic.json"))
    return DataIndex(
        name="cipic",
        holds="listeners",
        licence="LicenseRef-CIPIC",
        citation="Algazi, Duda, Thompson & Avendano, The CIPIC HRTF database, IEEE WASPAA, 99-102 (2001)",
        source="UC Davis, CIPIC HRTF database 1.1; github.com/amini-allight/cipic-hrtf-database",
        terms="Copyright (c) 2001 The Regents of the University of California; free use with this notice.",
        read=_read,
        members={file.path.removeprefix("subject_"): [file.path] for file in files},
        files=files,
        contents=contents,
    )


def contents(path: Path) -> str:
    """SHA-256 of a listener's responses in single precision, whatever their order and the file's form.

    Raises DataError for a file of neither form, or of other responses than CIPIC's.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(_HDF5):
        with SofaFile(path) as sofa:
            responses = sofa.array("Data.IR")
    else:
        responses = _original(path)
    if responses.shape != (_SHAPE[0] * _SHAPE[1], 2, _SHAPE[2]):
        raise DataError(
            f"{tellable(str(path))} holds responses of shape {responses.shape}, which CIPIC's have not."
        )
    rows = sorted(row.tobytes() for row in responses.astype("<f4"))
    return hashlib.sha256(b"".join(rows)).hexdigest()


def _read(folder: Path, member: str) -> Listener:
    path = folder / f"subject_{member}"
    name = f"cipic/{member}"
    with path.open("rb") as file:
        is_sofa = file.read(16).startswith(_HDF5)
    if is_sofa:
        return replace(read_sofa(path), id=name)
    responses = _original(path)
    directions = _directions()
    measured = Measurement(directions, responses, np.zeros((len(directions), 2)), RATE)
    return levelled_listener(name, checked(name, measured))


def _original(path: Path) -> np.ndarray:
    """Responses [1250, 2, 200] of `hrir_final.mat`, the left ear first."""
    from scipy.io import loadmat

    told = tellable(str(path))
    with path.open("rb") as file:
        if not file.read(16).startswith(_MATLAB) or path.stat().st_size > _LARGEST:
            raise DataError(f"{told} is neither a SOFA file nor a MATLAB file of CIPIC.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = loadmat(path, variable_names=["hrir_l", "hrir_r"])
        ears = [np.asarray(found[name], np.float64) for name in ("hrir_l", "hrir_r")]
    except Exception as error:  # whatever a stranger's bytes make scipy raise
        raise DataError(
            f"{told} is no MATLAB file with hrir_l and hrir_r: copy it again."
        ) from error
    if any(ear.shape != _SHAPE or not np.isfinite(ear).all() for ear in ears):
        raise DataError(
            f"{told} holds responses of another shape than CIPIC's, or NaN: copy it again."
        )
    return np.stack(ears, axis=2).reshape(-1, 2, _SHAPE[2])


def _directions() -> np.ndarray:
    """Unit vectors [1250, 3] of the interaural-polar grid."""
    lateral, around = np.meshgrid(np.radians(AZIMUTHS), np.radians(ELEVATIONS), indexing="ij")
    vectors = [np.cos(lateral) * np.cos(around), -np.sin(lateral), np.cos(lateral) * np.sin(around)]
    return np.stack(vectors, axis=-1).reshape(-1, 3)
