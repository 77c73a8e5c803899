"""Surrey's binaural room responses: four rooms and a pseudo-anechoic set, a Cortex head, 16 kHz.

In the files' names, and in the anechoic SOFA file, azimuths run clockwise: + is the right.
"""

from __future__ import annotations

from pathlib import Path

from bastzoo.acoustics.rooms.measured import MeasuredRoom, read_room
from bastzoo.data.environments import Environment
from bastzoo.data.sets.folder import folder_of, not_there, present_members
from bastzoo.data.sets.index import DataIndex, read_index
from bastzoo.errors import DataError
from bastzoo.registry import Availability

ROOMS = ("A", "B", "C", "D")
_ANECHOIC = "anechoic"
_ANECHOIC_FILE = "UniS_Anechoic_BRIR_16k.sofa"
_HEAD = "Cortex HATS"


def surrey() -> DataIndex:
    """The index: 37 files a room, one of the anechoic set, and the licence."""
    files = read_index(Path(__file__).with_name("surrey.json"))
    paths = [file.path for file in files]
    members = {room: [path for path in paths if path.startswith(f"Room_{room}/")] for room in ROOMS}
    return DataIndex(
        name="surrey",
        holds="rooms",
        licence="MIT",
        citation="Hummersone, Mason & Brookes, IEEE Trans. Audio Speech Lang. Process. 18:1867 (2010)",
        source="github.com/IoSR-Surrey/RealRoomBRIRs; as WAV: github.com/philgzl/iosr-real-brirs-wav",
        terms="Copyright (c) 2016 Institute of Sound Recording. Free to use, the notice being kept.",
        read=_read,
        members={**members, _ANECHOIC: [_ANECHOIC_FILE]},
        files=files,
    )


def _read(folder: Path, member: str) -> MeasuredRoom:
    where = folder / _ANECHOIC_FILE if member == _ANECHOIC else folder / f"Room_{member}" / "16kHz"
    return read_room(where, name=f"surrey/{member}", azimuths="clockwise", listener=_HEAD)


def names() -> tuple[str, ...]:
    """Names of the rooms, and of three rooms without the fourth."""
    others = ("".join(room for room in ROOMS if room != out) for out in ROOMS)
    return (*ROOMS, _ANECHOIC, *others)


def rooms() -> Environment:
    """Rooms A to D. Raises DataError for one that is not there."""
    return Environment("surrey", tuple(_room(name) for name in ROOMS))


def room(*, member: str) -> Environment:
    """One room, or several named by their letters. Raises DataError when one is not there."""
    rooms = (member,) if member == _ANECHOIC else tuple(member)
    return Environment(f"surrey/{member}", tuple(_room(name) for name in rooms))


def is_there() -> Availability:
    """Whether any room has been fetched."""
    index = surrey()
    if present_members(index, folder_of(index)):
        return Availability(True)
    return Availability(False, "needs its data: bastzoo data fetch surrey")


def _room(member: str) -> MeasuredRoom:
    index = surrey()
    folder = folder_of(index)
    if member not in present_members(index, folder):
        raise DataError(not_there(index, member))
    return _read(folder, member)
