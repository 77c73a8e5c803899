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
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

FOLDER = ".unfinished"
CHECKPOINT_FILE = "checkpoint.pt"

HEARTBEAT = 10.0
"""Seconds between two signs of life."""
DEAD_AFTER = 120.0
"""Seconds without a sign of life after which a claim from another machine is dead; network file systems
may show a change up to a minute late."""

_CLAIM = "claim-"
_RELEASED = "released"
_DESCRIPTION = "job.json"


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
        return f"process {self.pid} on {self.host}"

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
        return self.folder / key / CHECKPOINT_FILE

    def describe(self, key: str, text: str) -> None:
        """Say what is worked on, for whoever lists what is not finished."""
        aside = self.folder / key / f".{_DESCRIPTION}-{os.getpid()}"
        aside.write_text(text, encoding="utf-8")
        aside.replace(aside.with_name(_DESCRIPTION))

    def description(self, key: str) -> str:
        """What `describe` said; empty when that is not known."""
        try:
            return (self.folder / key / _DESCRIPTION).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def acquire(self, key: str) -> Claim | None:
        """Claim a run; None while another holds it. Raises OSError when nothing can be written."""
        folder = self.folder / key
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
                        newest.unlink(missing_ok=True)  # only the highest number means anything
                    return Claim(path, self._heartbeat)
        return None

    def holder(self, key: str) -> Holder | None:
        """Who holds a run now; None when nobody that lives does."""
        newest = self._newest(self.folder / key)
        if newest is None or self._is_over(newest):
            return None
        return _read(newest)

    def unfinished(self) -> list[tuple[str, Holder | None, bool]]:
        """Key, living holder, and whether there is a checkpoint, of every run that is not finished."""
        if not self.folder.is_dir():
            return []
        keys = sorted(path.name for path in self.folder.iterdir() if path.is_dir())
        return [(key, self.holder(key), self.checkpoint(key).is_file()) for key in keys]

    def clear(self, key: str) -> None:
        """Forget claims and checkpoint of a run that is finished."""
        folder = self.folder / key
        # The newest claim goes last: while it is there nobody can begin with number 1 again.
        for path in sorted(folder.glob(f"{_CLAIM}*"), key=_number)[:-1]:
            path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    @staticmethod
    def _newest(folder: Path) -> Path | None:
        return max(folder.glob(f"{_CLAIM}*"), key=_number, default=None)

    def _is_over(self, path: Path) -> bool:
        """Whether a claim was given back, or its holder is dead."""
        try:
            status = path.stat()
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
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(
            target=self._beat, args=(heartbeat,), name="bastzoo-claim", daemon=True
        )
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether another process has taken the run over (this one slept, or was thought dead)."""
        return self._lost.is_set() or not self._is_newest()

    def release(self) -> None:
        """Give the run back, unfinished: the next who wants it need not wait."""
        self._stop()
        if not self.lost:
            with contextlib.suppress(OSError):
                aside = self.path.with_name(f".{self.path.name}-{os.getpid()}")
                aside.write_text(_written(Holder.this_process(), state=_RELEASED))
                aside.replace(self.path)

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

    def _is_newest(self) -> bool:
        newest = Claims._newest(self.path.parent)
        return newest is None or newest == self.path

    def _beat(self, heartbeat: float) -> None:
        beats = 0
        while not self._ended.wait(heartbeat):
            beats += 1
            # The time is a counter here; where the clock stands does not matter.
            with contextlib.suppress(OSError):
                os.utime(self.path, ns=(beats * 10**9, beats * 10**9))
            if not self._is_newest():
                self._lost.set()
                return


def _make(path: Path, holder: Holder) -> bool:
    """Make a claim with its contents in one step; False when another process has made it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_written(holder))
        return _link(aside, path)
    finally:
        aside.unlink(missing_ok=True)


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
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _number(path: Path) -> int:
    digits = path.name.removeprefix(_CLAIM)
    return int(digits) if digits.isdigit() else 0


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
