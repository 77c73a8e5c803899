"""The index of a data set: its files with size and SHA-256, its licence, and how a member is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from bastzoo.errors import ComponentError

Holds = Literal["listeners", "rooms", "sounds"]

_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set.

    path: where it lies in the data set's folder, with `/`.
    sha256: of its bytes or, where the index has `contents`, of what it holds; empty where nobody knows it:
        such a file is taken from a folder only, and said.
    size: bytes; 0 where it is not known.
    url: where it is fetched from; empty for a file that must be there already.
    names: other names that it has where people keep it, as paths.
    """

    path: str
    sha256: str = ""
    size: int = 0
    url: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataIndex:
    """A data set: listeners, rooms or sounds by name.

    members: name of each member -> paths of the files it needs, in the data set's folder.
    read: called with the folder and a member's name; returns a `Listener`, a `MeasuredRoom`, or the path of
        a folder of sounds.
    licence, terms, citation: what is shown before anything is fetched; `terms` are sentences.
    source: where the data comes from, for people.
    contents: SHA-256 (hexadecimal) of what a file holds, where one content comes in several forms.
    installed: a folder where another program keeps the data; then there is nothing to fetch.

    Raises ComponentError for an index that cannot be.
    """

    name: str
    holds: Holds
    licence: str
    citation: str
    source: str
    read: Callable[[Path, str], Any]
    members: Mapping[str, Sequence[str]]
    files: Sequence[DataFile] = ()
    terms: str = ""
    contents: Callable[[Path], str] | None = None
    installed: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        paths = [file.path for file in self.files]
        for path in paths:
            pure = PurePosixPath(path)
            if pure.is_absolute() or ".." in pure.parts or not pure.parts:
                raise ComponentError(
                    f"The data set {self.name!r} has a file {path!r}, which lies outside its folder."
                )
        if len(set(paths)) != len(paths):
            raise ComponentError(f"The data set {self.name!r} names a file twice.")
        unknown = {path for needed in self.members.values() for path in needed} - set(paths)
        if unknown:
            raise ComponentError(
                f"The data set {self.name!r} has members of files that it does not list: "
                f"{', '.join(sorted(unknown)[:3])}."
            )

    @property
    def size(self) -> int:
        """Bytes of all files, as far as they are known."""
        return sum(file.size for file in self.files)

    def digest_of(self, path: Path) -> str:
        """SHA-256 of a file, or of what it holds. Raises DataError for one that cannot be read for it."""
        return sha256_of(path) if self.contents is None else self.contents(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def read_index(path: Path) -> list[DataFile]:
    """Files as a JSON list of objects with the fields of `DataFile`, as plugins ship it.

    Raises ComponentError for anything else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [DataFile(**{**row, "names": tuple(row.get("names", ()))}) for row in rows]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ComponentError(f"The index {path.name} cannot be read: {error}.") from error
