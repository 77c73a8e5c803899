"""The journal of a study: optuna's own, held by a claim, and without what a kill has cut.

Optuna's locks know only how long they are held: who finds one of a process that was killed waits for its
lease to end, and for ever where the lock is a relative link. A claim knows whether its holder lives.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from bastzoo.errors import SetupError
from bastzoo.records.claims import Claim, Claims
from bastzoo.records.store import in_sentences

_POLL = 0.01
_KEY = "journal"
_BLOCK = 4096


class Journal(JournalFileBackend):
    """A file of changes, a line of JSON each, that any number of processes add to.

    path: of the file; claims: those of its folder.

    Raises FolderError where the folder cannot be written, and SetupError where the file is no journal.
    """

    def __init__(self, path: Path, claims: Claims) -> None:
        self.path = path
        if path.exists() and not path.is_file():
            raise damaged(path, ValueError("it is no regular file"))
        with in_sentences(path.parent, "--runs"):
            super().__init__(str(path), lock_obj=_ClaimLock(path, claims))

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """The changes from a number on; a last line that is not whole yet is none."""
        try:
            yield from super().read_logs(log_number_from)
        except (ValueError, RecursionError, OSError) as error:
            raise damaged(self.path, error) from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add changes, on the disk when this returns."""
        with in_sentences(self.path.parent, "--runs"):
            super().append_logs(logs)


def damaged(path: Path, error: Exception) -> SetupError:
    """What to say of a journal that holds something else."""
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return SetupError(
        f"The journal {str(path)!r} of the trials cannot be read ({why}); remove the folder to begin anew."
    )


class _ClaimLock(JournalFileOpenLock):
    """Stands where optuna has a lock of its own: nobody else writes between the two calls."""

    def __init__(self, path: Path, claims: Claims) -> None:
        super().__init__(str(path))
        self._path, self._claims = path, claims
        self._claim: Claim | None = None

    def acquire(self) -> bool:
        """Wait for the claim, then drop what its last holder was killed in."""
        while (claim := self._claims.acquire(_KEY)) is None:
            time.sleep(_POLL)
        self._claim = claim
        _drop_cut_line(self._path)
        return True

    def release(self) -> None:
        """Give the claim back."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None


def _drop_cut_line(path: Path) -> None:
    """Cut a journal after its last whole line: what follows was being written when its process died.

    Left there it would spoil the line that is added next.
    """
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                end = begin + found + 1
                break
            end = begin
        if end < size:
            file.truncate(end)
