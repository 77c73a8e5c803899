"""Claims: any number of processes and machines on one folder, and no run is trained twice.

Whoever works on a run holds its claim: a file `.unfinished/KEY/claim-N`, made by an atomic hard link, so
that only one process can make number N. The highest number holds. A claim whose holder is dead is
superseded by number N + 1, never overwritten: of two who see the same dead claim only one can make the
next, and a holder that was merely asleep finds out that it has lost.

No clock is compared with another, and none is asked for the time of day. On the holder's own machine its
process says whether it lives; elsewhere the claim must keep changing (a counter, kept in the file's
modification time) while the others watch it, each with its own monotonic clock.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import shutil
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bastzoo.errors import ClaimLostError, FolderError, tellable
from bastzoo.limits.reading import parsed_json, read_text
from bastzoo.limits.writing import new_file, put

FOLDER = ".unfinished"
CHECKPOINT_FILE = "checkpoint.pt"

HEARTBEAT = 10.0
"""Seconds between two signs of life."""
DEAD_AFTER = 120.0
"""Seconds without a sign of life after which a claim from another machine is dead; network file systems
may show a change up to a minute late."""

_CLAIM = "claim-"
_CLAIM_NAME = re.compile(r"claim-([1-9][0-9]{0,17})", re.ASCII)
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
"""What is claimed: the key of a run, or `journal`, `asking` and `trial-N` of a study."""
_RELEASED = "released"
_DESCRIPTION = "job.json"
_LONGEST_CLAIM = 16 * 2**10
_LONGEST_DESCRIPTION = 2**20
_LONGEST_WORD = 200


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a claim: a process of a machine, told apart from a later one with the same number.

    place: the machine's boot and the process's namespace; started: when the process was, in the
    machine's own ticks since boot.
    """

    host: str
    place: str
    pid: int
    started: str
    state: str = "working"

    def __str__(self) -> str:
        return f"process {self.pid} on {tellable(self.host, 80)}"

    @classmethod
    def this_process(cls) -> Holder:
        """The holder that this process is."""
        pid = os.getpid()
        return cls(platform.node(), _place(), pid, _started(pid))

    @property
    def is_here(self) -> bool:
        """Whether the holder is (or was) a process that can be looked up from here."""
        return (self.host, self.place) == (platform.node(), _place())

    @property
    def is_running(self) -> bool:
        """Whether the holder's process lives; to be asked only where it `is_here`."""
        return _started(self.pid) == self.started != ""


class Claims:
    """The claims of one folder of runs.

    heartbeat, dead_after: seconds; see the module.
    """

    def __init__(
        self, folder: Path, *, heartbeat: float = HEARTBEAT, dead_after: float = DEAD_AFTER
    ) -> None:
        self.folder = folder / FOLDER
        self._heartbeat = heartbeat
        self._dead_after = dead_after
        self._seen: dict[Path, tuple[tuple[int, ...], float]] = {}
        """What each foreign claim looked like, and when (monotonic) it was first seen so."""

    def checkpoint(self, key: str) -> Path:
        """Where the checkpoint of a run lies until it is finished."""
        return self._of(key) / CHECKPOINT_FILE

    def describe(self, key: str, text: str) -> None:
        """Say what is worked on, for whoever lists what is not finished."""
        put(self._of(key) / _DESCRIPTION, text)

    def description(self, key: str) -> str:
        """What `describe` said; empty when that is not known."""
        try:
            return read_text(self._of(key) / _DESCRIPTION, _LONGEST_DESCRIPTION, follow=False)
        except (OSError, ValueError, FolderError):
            return ""

    def acquire(self, key: str) -> Claim | None:
        """Claim a run; None while another holds it.

        Raises OSError when nothing can be written, FolderError where it would be written elsewhere.
        """
        folder = self._of(key)
        for _ in range(
            100
        ):  # each turn either ends here or finds what another process did meanwhile
            newest = self._newest(folder)
            if newest is not None and not self._is_over(newest):
                return None
            path = folder / f"{_CLAIM}{1 + (_number(newest) if newest else 0)}"
            with contextlib.suppress(FileNotFoundError):  # the folder was removed in between
                folder.mkdir(parents=True, exist_ok=True)
                if _make(path, Holder.this_process()):
                    if newest is not None:
                        with contextlib.suppress(OSError):  # only the highest number means anything
                            newest.unlink(missing_ok=True)
                    return Claim(path, self._heartbeat)
        return None

    def holder(self, key: str) -> Holder | None:
        """Who holds a run now; None when nobody that lives does."""
        newest = self._newest(self._of(key))
        if newest is None or self._is_over(newest):
            return None
        return _read(newest)

    def unfinished(self) -> list[tuple[str, Holder | None, bool]]:
        """Key, living holder, and whether there is a checkpoint, of every run that is not finished.

        What is called otherwise than a key, or leads elsewhere, is none.
        """
        if not _is_folder(self.folder):
            return []
        found = sorted(
            path.name
            for path in self.folder.iterdir()
            if _KEY.fullmatch(path.name) and _is_folder(path)
        )
        return [(key, self.holder(key), self.checkpoint(key).is_file()) for key in found]

    def clear(self, key: str, claim: Claim | None = None) -> None:
        """Forget claims and checkpoint of a run that is finished.

        claim: of who asks for it; nothing is done when it was lost to another.
        """
        if claim is not None and claim.lost:
            return
        folder = self._of(key)
        # The newest claim goes last: while it is there nobody can begin with number 1 again.
        for path in _claims_in(folder)[:-1]:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    @staticmethod
    def _newest(folder: Path) -> Path | None:
        return next(reversed(_claims_in(folder)), None)

    def _of(self, key: str) -> Path:
        """The folder of what is claimed. Raises FolderError where that would be another place.

        A folder of runs comes from anywhere, with links in it.
        """
        if not _KEY.fullmatch(key):
            raise FolderError(
                f"{tellable(key, 80)!r} is no key of a run, which nothing is kept under."
            )
        path = self.folder / key
        for each in (self.folder, path):
            if each.is_symlink():
                raise FolderError(
                    f"{tellable(str(each))!r} is a link to another place, where nothing is written; "
                    "remove the link."
                )
        return path

    def _is_over(self, path: Path) -> bool:
        """Whether a claim was given back, or its holder is dead."""
        try:
            status = path.lstat()
        except FileNotFoundError:
            return True
        holder = _read(path)
        if holder is not None and holder.state == _RELEASED:
            return True
        if holder is not None and holder.is_here:
            return not holder.is_running
        looks = (status.st_mtime_ns, status.st_size, status.st_ino)
        before, since = self._seen.get(path, (None, 0.0))
        if looks != before:
            self._seen[path] = looks, time.monotonic()
            return False
        return time.monotonic() - since > self._dead_after


class Claim:
    """A run that this process works on; a thread keeps giving signs of life."""

    def __init__(self, path: Path, heartbeat: float = HEARTBEAT) -> None:
        self.path = path
        self._holder = Holder.this_process()
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(
            target=self._beat, args=(heartbeat,), name="bastzoo-claim", daemon=True
        )
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether another process has taken the run over (this one slept, or was thought dead)."""
        return self._lost.is_set() or not self._is_mine()

    def check(self) -> None:
        """Raise ClaimLostError when another process has taken the run over."""
        if self.lost:
            raise ClaimLostError(
                "Another process has taken the run over while this one stood still, so this one writes "
                "nothing more of it."
            )

    def release(self) -> None:
        """Give the run back, unfinished: the next who wants it need not wait."""
        self._stop()
        if not self.lost:
            with contextlib.suppress(OSError):
                put(self.path, _written(Holder.this_process(), state=_RELEASED))

    def _stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the run back; when it was finished meanwhile there is nothing left to give back."""
        if self.path.exists():
            self.release()
        else:
            self._stop()

    def _is_mine(self) -> bool:
        """Whether the claim is there, the newest one, and this process's own.

        The number alone does not say: a run that another has finished can be claimed from number 1 on again.
        """
        try:
            names = os.listdir(self.path.parent)
        except FileNotFoundError:
            return False
        except OSError:  # a network that stutters says nothing
            return True
        newest = max((Path(name) for name in names), key=_number, default=self.path)
        if newest.name != self.path.name:
            return False
        holder = _read(self.path)
        return holder is None or holder == self._holder

    def _beat(self, heartbeat: float) -> None:
        beats = 0
        while not self._ended.wait(heartbeat):
            beats += 1
            # The time is a counter here; where the clock stands does not matter.
            with contextlib.suppress(OSError):
                os.utime(self.path, ns=(beats * 10**9, beats * 10**9))
            if not self._is_mine():
                self._lost.set()
                return


def _make(path: Path, holder: Holder) -> bool:
    """Make a claim with its contents in one step; False when another process has made it."""
    with new_file(path) as (aside, file):
        file.write(_written(holder).encode())
        file.flush()
        return _link(aside, path)


def _link(aside: Path, path: Path) -> bool:
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # No hard links here (FAT, some network folders): exclusive creation, contents afterwards.
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(aside.read_text(encoding="utf-8"))
        except FileExistsError:
            return False
    return True


def _written(holder: Holder, state: str = "working") -> str:
    values = {
        "host": holder.host,
        "place": holder.place,
        "pid": holder.pid,
        "started": holder.started,
        "state": state,
    }
    return json.dumps(values) + "\n"


def _read(path: Path) -> Holder | None:
    """The holder of a claim; None for one that is being written, or is no claim."""
    try:
        values = parsed_json(read_text(path, _LONGEST_CLAIM, follow=False))
        holder = Holder(**values)
    except (OSError, ValueError, TypeError):
        return None
    words = (holder.host, holder.place, holder.started, holder.state)
    if not all(isinstance(word, str) and len(word) <= _LONGEST_WORD for word in words):
        return None
    return holder if type(holder.pid) is int and 0 <= holder.pid < 2**31 else None


def _claims_in(folder: Path) -> list[Path]:
    """The claims of a run, by number."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted((folder / name for name in names if _CLAIM_NAME.fullmatch(name)), key=_number)


def _is_folder(path: Path) -> bool:
    """Whether it is a folder itself, and not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _number(path: Path) -> int:
    found = _CLAIM_NAME.fullmatch(path.name)
    return int(found[1]) if found else 0


def _place() -> str:
    """What tells this boot of this machine, and this container of it, from others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        import psutil

        return f"booted {psutil.boot_time():.0f}"


def _started(pid: int) -> str:
    """When a process of this machine was started, in ticks since boot; empty when there is none."""
    if not Path("/proc/self/stat").exists():  # not Linux
        import psutil

        try:
            return f"{psutil.Process(pid).create_time():.2f}"
        except psutil.Error:
            return ""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # proc(5): the state is the first field behind the name (Z: dead, not yet waited for), the start
    # the twentieth.
    return "" if fields[0] in "ZX" else fields[19]
