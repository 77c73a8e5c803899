"""Fetches the files of a data set: from addresses or from a folder, each checked before it counts.

A download is written beside its place and renamed when size and checksum are right, so what lies in the
folder is whole. One that broke off goes on where it stopped.
"""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bastzoo import __version__
from bastzoo.data.sets.index import DataFile, DataIndex
from bastzoo.errors import DataError, SetupError, tellable

Received = Callable[[str, int, int], None]
"""Told a file's path, its bytes so far, and its size (0: not known)."""

_PART = ".part"
_PIECE = 2**16
_TRIES = 4
_TIMEOUT = 30.0
_LARGEST = 2**32


@dataclass
class Fetched:
    """What came of fetching a data set: how many files are there, and sentences on the others."""

    present: int = 0
    new: int = 0
    unchecked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def fetch(
    index: DataIndex,
    folder: Path,
    *,
    source: Path | None = None,
    progress: Received = lambda path, done, size: None,
) -> Fetched:
    """Bring the files of a data set into its folder; those that are there and right stay.

    source: a folder that has them already, under their paths or other names; nothing is downloaded then.

    Files that are wrong, or cannot be had, are told in the result; the others are kept. Raises DataError
    for a source that is no folder, SetupError for a folder that cannot be written.
    """
    if source is not None and not source.is_dir():
        raise DataError(
            f"{tellable(str(source))} is not a folder: give the one that holds the data."
        )
    found = Fetched()
    for file in index.files:
        place = folder / file.path
        try:
            if place.is_file() and not _fault(index, file, place):
                found.present += 1
                continue
            with _writable(folder):
                place.parent.mkdir(parents=True, exist_ok=True)
            if source is not None:
                is_new = _copied(index, file, source, place, progress, found)
            else:
                is_new = _downloaded(index, file, place, progress, found)
        except DataError as error:
            found.refused.append(str(error))
            continue
        found.present += is_new
        found.new += is_new
    return found


def _copied(
    index: DataIndex,
    file: DataFile,
    source: Path,
    place: Path,
    progress: Received,
    found: Fetched,
) -> bool:
    """Take a file out of a folder, if it is there."""
    for name in (file.path, *file.names, Path(file.path).name):
        original = source / name
        if original.is_file():
            break
    else:
        found.missing.append(file.path)
        return False
    part = place.with_name(place.name + _PART)
    try:
        with _writable(place):
            shutil.copyfile(original, part)
        progress(file.path, part.stat().st_size, part.stat().st_size)
        if fault := _fault(index, file, part):
            raise DataError(f"{tellable(str(original))} {fault}; copy it again.")
        if not file.sha256:
            found.unchecked.append(file.path)
        with _writable(place):
            part.replace(place)
    finally:
        part.unlink(missing_ok=True)
    return True


def _downloaded(
    index: DataIndex, file: DataFile, place: Path, progress: Received, found: Fetched
) -> bool:
    if not file.url or not file.sha256:
        found.missing.append(file.path)
        return False
    part = place.with_name(place.name + _PART)
    before, tries, reason = -1, 0, ""
    while tries < _TRIES:
        done = part.stat().st_size if part.is_file() else 0
        # A server that gives a little each time is gone on with; one that gives nothing is given up.
        tries = tries + 1 if done <= before else 1
        before = done
        try:
            if _receive(file, part, done, progress):
                break
            reason = "the connection broke off"
        except (OSError, http.client.HTTPException, ValueError) as error:
            is_status = isinstance(error, urllib.error.HTTPError)
            words = str(error if is_status else getattr(error, "reason", None) or error)
            reason = tellable(words or type(error).__name__, 120)
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it is an answer, too, with a file of its own
                if error.code < 500 and error.code != 416:
                    break
                if error.code == 416:
                    part.unlink(missing_ok=True)
    else:
        raise DataError(
            f"{file.url} broke off ({reason}); the same command goes on where it stopped."
        )
    if not part.is_file():
        raise DataError(
            f"{file.url} cannot be had ({reason}); try again, or give the file with --from."
        )
    if fault := _fault(index, file, part):
        part.unlink()
        raise DataError(f"{file.url} {fault}; nothing of it is kept.")
    with _writable(place):
        part.replace(place)
    return True


def _receive(file: DataFile, part: Path, done: int, progress: Received) -> bool:
    """Append what a server gives from byte `done` on; whether that was all of it."""
    if not file.url.startswith(("http://", "https://")):
        raise DataError(f"{file.url} is no web address; the index of the data set is wrong.")
    headers = {"User-Agent": f"bastzoo/{__version__}", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    request = urllib.request.Request(file.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        goes_on = answer.status == 206 and _begins_at(answer) == done
        done = done if goes_on else 0
        promised = _length(answer)
        total = done + promised if promised is not None else None
        most = file.size or _LARGEST
        if total is not None and (total > most or (file.size and total != file.size)):
            part.unlink(missing_ok=True)
            raise DataError(
                f"{file.url} announces {total:,} bytes instead of {most:,}; nothing of it is kept."
            )
        with _writable(part), part.open("ab" if goes_on else "wb") as out:
            while piece := answer.read(_PIECE):
                done += len(piece)
                if done > most:
                    out.close()
                    part.unlink()
                    raise DataError(
                        f"{file.url} gives more than its {most:,} bytes; nothing of it is kept."
                    )
                out.write(piece)
                progress(file.path, done, file.size)
    return done == (total if total is not None else file.size or done)


def _begins_at(answer: http.client.HTTPResponse) -> int:
    words = (answer.headers.get("Content-Range") or "").removeprefix("bytes ")
    start = words.partition("-")[0]
    return int(start) if start.isdecimal() and start.isascii() else -1


def _length(answer: http.client.HTTPResponse) -> int | None:
    words = answer.headers.get("Content-Length") or ""
    return int(words) if words.isdecimal() and words.isascii() and len(words) < 19 else None


def _fault(index: DataIndex, file: DataFile, path: Path) -> str:
    """What is wrong with a file that lies at `path`, as a clause; empty for nothing."""
    size = path.stat().st_size
    if file.size and size != file.size:
        return f"has {size:,} bytes instead of {file.size:,}"
    if not file.sha256:
        return ""
    try:
        digest = index.digest_of(path)
    except DataError as error:
        return f"cannot be read ({error})"
    if digest != file.sha256:
        return f"has the checksum {digest[:12]}... instead of {file.sha256[:12]}..."
    return ""


@contextmanager
def _writable(place: Path) -> Iterator[None]:
    """Tell a folder that cannot be written from a server that cannot be read."""
    try:
        yield
    except urllib.error.URLError:
        raise
    except (TimeoutError, ConnectionError):
        raise
    except OSError as error:
        raise SetupError(
            f"{tellable(os.fspath(place))!r} cannot be written: {error.strerror or error}; make room, or "
            "name another folder with BASTZOO_DATA."
        ) from error
