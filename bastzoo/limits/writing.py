"""Written aside, then renamed into place: under names that nobody has, with the permissions of the umask.

`tempfile` makes everything for its owner alone, and a folder of runs is shared.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from bastzoo.errors import SetupError

ASIDE = ".writing-"
_OLD = "old"
REPLACED = f"{ASIDE}{_OLD}-"
"""How the name of a folder begins that what is being replaced steps aside into."""
_TRIES = 10
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def in_bytes(count: float) -> str:
    """A size in words: `340 kB`, `1.2 GB`; never 0 of a unit that is too large."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return (
                f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
            )
        count /= 1000
    return f"{count:.1f} GB"


def check_space(what: str, needed: int, folder: Path, *, otherwise: str) -> None:
    """Raise SetupError where a disk has no room. otherwise: what to do but to make room."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SetupError(
            f"{what} will take about {in_bytes(needed)}, and there are {in_bytes(free)} left; make room, or "
            f"{otherwise}."
        )


def new_folder(parent: Path, words: str) -> Path:
    """Make a folder `.writing-WORDS-...` in another. Raises OSError when it cannot be made."""
    path = parent / f"{ASIDE}{words}-{secrets.token_hex(8)}"
    path.mkdir()
    return path


@contextlib.contextmanager
def new_file(beside: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside another, for writing; what is not renamed by the end is removed.

    Raises OSError when it cannot be made.
    """
    aside = beside.with_name(f"{ASIDE}{beside.name}-{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield aside, file
    finally:
        aside.unlink(missing_ok=True)


def put(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file aside and rename it into place; a link that stands there is replaced, not followed.

    content: text is written in UTF-8. durable: whether it is to be on the disk before it has its name.

    Raises OSError.
    """
    with new_file(path) as (aside, file):
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
        aside.replace(path)


def replace_folder(source: Path, target: Path) -> None:
    """Rename a folder into place. A folder cannot be renamed over another: the old one steps aside.

    Who is killed in between leaves it there, and whoever opens the store next puts it back (`put_back`);
    that may happen while we are at it, and then it steps aside once more. When another machine has put
    its own into an empty place in the meantime, that one stays: it has the same key, so it is the same
    result.
    """
    if not os.path.lexists(target):
        with _unless_occupied():
            source.rename(target)
        return
    for left in reversed(range(_TRIES)):
        old = new_folder(target.parent, _OLD)
        kept = old / target.name
        try:
            with contextlib.suppress(FileNotFoundError):
                target.rename(kept)
            try:
                source.rename(target)
                return
            except OSError as error:
                if left and error.errno in _OCCUPIED:
                    continue
                with contextlib.suppress(FileNotFoundError), _unless_occupied():
                    kept.rename(target)
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _unless_occupied() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise


def put_back(folder: Path, is_whole: Callable[[Path], bool]) -> None:
    """Put folders back that a process was killed while it replaced them.

    is_whole: whether a folder is what may lie here. Where nothing can be written, nothing is done: what
    else there is can be read all the same.
    """
    for aside in folder.glob(f"{REPLACED}*"):
        with contextlib.suppress(OSError):
            if aside.is_symlink():  # a folder of runs comes from anywhere, with links in it
                continue
            for path in list(aside.iterdir()):
                place = folder / path.name
                if not path.is_symlink() and is_whole(path) and not os.path.lexists(place):
                    path.rename(place)
                    aside.rmdir()
