"""Where data sets lie, which of their files are there, and how a member is read from there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bastzoo.data.sets.index import DataIndex
from bastzoo.errors import DataError, SetupError, unknown_name
from bastzoo.registry import Registry

_PLACE = "place.json"


def data_home() -> Path:
    """`BASTZOO_DATA`, or the folder where the platform keeps the data of programs."""
    named = os.environ.get("BASTZOO_DATA")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("bastzoo", appauthor=False))


def find_index(name: str, registry: Registry) -> DataIndex:
    """The index of a data set by name. Raises ComponentError for one that is unknown or malformed."""
    return registry.get("dataset", name).build_as(DataIndex)


def folder_of(index: DataIndex, home: Path | None = None) -> Path:
    """Where the files of a data set lie: its own folder, one that was named, or where it is installed."""
    own = (home or data_home()) / index.name
    try:
        named = json.loads((own / _PLACE).read_text(encoding="utf-8"))
        return Path(named["folder"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    if index.installed and not own.is_dir():
        return Path(index.installed)
    return own


def remember_place(index: DataIndex, folder: Path, home: Path | None = None) -> None:
    """Use a folder as it is for a data set that has no list of files. Raises SetupError."""
    own = (home or data_home()) / index.name
    try:
        own.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"folder": str(folder.resolve())}) + "\n"
        aside = own / f"{_PLACE}.writing"
        aside.write_text(text, encoding="utf-8")
        aside.replace(own / _PLACE)
    except OSError as error:
        raise SetupError(
            f"{str(own)!r} cannot be written: {error.strerror or error}; name another folder with "
            "BASTZOO_DATA."
        ) from error


def present_members(index: DataIndex, folder: Path) -> list[str]:
    """Names of the members whose files are all there."""
    if not index.files:
        return list(index.members) if folder.is_dir() else []
    return [
        name
        for name, needed in index.members.items()
        if all((folder / path).is_file() for path in needed)
    ]


def read_members(name: str, holds: str, registry: Registry) -> list[Any]:
    """What `SET` (all members that are there) or `SET/MEMBER` names, as its data set reads it.

    Raises DataError for a member that is unknown or not there, and for a set that holds something else;
    ComponentError for an unknown set.
    """
    short, _, member = name.partition("/")
    index = find_index(short, registry)
    if index.holds != holds:
        raise DataError(f"The data set {index.name!r} holds {index.holds}, not {holds}.")
    folder = folder_of(index)
    present = present_members(index, folder)
    chosen = present
    if member:
        spelled = {other.lower(): other for other in index.members}
        if member.lower() not in spelled:
            raise DataError(unknown_name(f"member of {index.name}", member, list(index.members)))
        chosen = [one for one in present if one == spelled[member.lower()]]
    if not chosen:
        raise DataError(not_there(index, member))
    return [index.read(folder, one) for one in chosen]


def not_there(index: DataIndex, member: str = "") -> str:
    """Say that data is missing, and how it comes."""
    what = f"{index.name}/{member}" if member else index.name
    if index.installed and not index.files:
        return (
            f"The data set {what} is not at {index.installed}: {index.source}; or bastzoo data fetch "
            f"{index.name} --from DIR."
        )
    return (
        f"The data of {what} is not there: bastzoo data fetch {index.name} (with --from DIR: out of files "
        "that you have)."
    )


def find_sounds(name: str, registry: Registry) -> Path:
    """The folder of `--sounds`: a folder as it is, or that of a data set that holds sounds.

    Raises DataError for a data set that is not there, or holds something else.
    """
    sets = {one.lower() for one in registry.names("dataset")}
    if Path(name).is_dir() or name.partition("/")[0].lower() not in sets:
        return Path(name)
    found: Path = read_members(name, "sounds", registry)[0]
    return found
