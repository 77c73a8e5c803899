"""The run store: one folder a run, written aside and renamed into place.

There is no shared index, so many machines can write to one folder, and a kill leaves either a whole
run or none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from bastzoo.errors import FolderError, RecordError, SetupError, tellable
from bastzoo.limits.memory import without_garbage_collection
from bastzoo.limits.reading import MEBIBYTE, parsed_json, read_arrays, read_bytes
from bastzoo.limits.writing import REPLACED, new_folder, put, put_back, replace_folder
from bastzoo.records.record import RECORD_SCHEMA, RunRecord, TrackRecord, as_in_names

if TYPE_CHECKING:
    import numpy as np

RECORD_FILE = "record.json"
PREDICTIONS_FILE = "predictions.npz"
HISTORY_FILE = "history.csv"
WEIGHTS_FILE = "model.safetensors"
_TRACK_FILE = "track-{}.json"
_NAMED_BY_KEY = re.compile(r".*-([0-9a-f]{16})", re.ASCII | re.DOTALL)

_LARGEST_PREDICTIONS, _OF_A_CLIP = 2 * 2**30, 4096
"""Bytes of predictions in memory: at most, and for each clip (some 60, and 4 for each class of a head)."""

LARGEST_RECORD = 32 * MEBIBYTE
"""Bytes of a record that is read: those of thousands of sounds have a few hundred thousand."""

Record = TypeVar("Record", RunRecord, TrackRecord)
Found = TypeVar("Found")


class RunStore:
    """Runs under one folder, found by key."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._checks: dict[str, Callable[[], None]] = {}

    @contextlib.contextmanager
    def held(self, key: str, check: Callable[[], None]) -> Iterator[None]:
        """Ask `check` before anything of a run is written: it raises where another process has it now."""
        self._checks[key] = check
        try:
            yield
        finally:
            del self._checks[key]

    def prepare(self) -> None:
        """Make the folder and see that it can be written. Raises SetupError when it cannot.

        The folder that it lies in must be there: a mistyped path, or a drive that is not mounted,
        would otherwise be found out when all runs are in the wrong place.
        """
        parent = self.folder.absolute().parent
        if not parent.exists():
            raise SetupError(
                f"The folder {str(self.folder)!r} cannot be made: there is no {str(parent)!r}. "
                "Make it first (mkdir -p), or choose another folder with --runs."
            )
        with in_sentences(self.folder, "--runs"):
            self.folder.mkdir(exist_ok=True)
            new_folder(self.folder, "probe").rmdir()
            put_back(self.folder, _is_run)

    def path(self, key: str) -> Path | None:
        """The folder of the run with this key, or None."""
        found = sorted(self.folder.glob(f"*-{key}")) if is_key(key) else []
        return found[0] if found else None

    def get(self, key: str) -> RunRecord | None:
        """The record with this key, or None when there is none.

        Raises RecordError when there is one that cannot be read (a newer bastzoo wrote it, say): it
        must not be run again and overwritten without a word.
        """
        path = self.path(key)
        return None if path is None else read_run(path)

    def find(self, reference: str) -> Path:
        """The folder of a run: a path, a key, or the beginning of a folder's name or of a key.

        Raises RecordError when nothing, or more than one run, fits.
        """
        found = self.matching(reference)
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join([path.name for path in found[:5]] + ["..."] * (len(found) > 5))
            raise RecordError(f"{reference!r} fits {len(found)} runs ({names}); write more of it.")
        raise RecordError(
            f"There is no run {reference!r} in {str(self.folder)!r}; `bastzoo bench` and "
            "`bastzoo train` write runs there, and --runs names another folder."
        )

    def matching(self, reference: str) -> list[Path]:
        """The folders of all runs that a reference (see `find`) fits."""
        for candidate in (Path(reference), self.folder / reference):
            with contextlib.suppress(OSError):  # a name that no file can have
                if (candidate / RECORD_FILE).is_file():
                    return [candidate]
        # Answers and baselines also by the names that tables call them.
        shown = as_in_names(reference.lower())
        begun = (reference.lower(), f"answers-{shown}", f"baseline-{shown}")
        return [
            path
            for path in self.folders()
            if path.name.lower().startswith(begun)
            or path.name.rpartition("-")[2].startswith(reference)
        ]

    def write(self, record: RunRecord, fill: Callable[[Path], None] | None = None) -> Path:
        """Write a run: `fill` puts the other files into the folder, the record comes last.

        A run with the same key is replaced. Raises SetupError when the folder cannot be written or the
        disk is full; what was there before is still there then.
        """
        target = self.folder / record.name
        check = self._checks.get(record.key, _free)
        check()
        with in_sentences(self.folder, "--runs"):
            self.folder.mkdir(parents=True, exist_ok=True)
            # A name that no other process has, on this machine or another.
            aside = new_folder(self.folder, record.key)
            try:
                if fill is not None:
                    fill(aside)
                write_text(aside / RECORD_FILE, record.model_dump_json(indent=1) + "\n")
                check()
                replace_folder(aside, target)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return target

    def write_track(self, record: TrackRecord) -> Path:
        """Keep a run's results on a track beside the run; results it had before are replaced.

        Raises RecordError when there is no such run, SetupError when the file cannot be written.
        """
        folder = self.path(record.key)
        if folder is None:
            raise RecordError(f"There is no run {record.key!r} in {str(self.folder)!r}.")
        path = folder / _track_file(record.track)
        self._checks.get(record.key, _free)()
        write_text(path, record.model_dump_json(indent=1) + "\n")
        return path

    def track(self, key: str, track: str) -> TrackRecord | None:
        """A run's results on a track, or None. Raises RecordError for a record that is damaged."""
        folder = self.path(key)
        path = None if folder is None else folder / _track_file(track)
        return read_track_record(path) if path is not None and path.is_file() else None

    def track_records(self) -> tuple[list[TrackRecord], list[str]]:
        """All results on tracks that can be read, and a sentence for each that cannot."""
        paths = (path for run in self.folders() for path in track_files(run))
        return _read_all(paths, _of_its_folder(read_track_record))

    def records(self) -> tuple[list[RunRecord], list[str]]:
        """All records that can be read, sorted by folder name, and a sentence for each that cannot."""
        return _read_all(self.folders(), read_run)

    def runs(self) -> tuple[list[tuple[Path, RunRecord]], list[str]]:
        """All runs with their folders, as `records` gives them."""
        return _read_all(self.folders(), lambda path: (path, read_run(path)))

    def remove(self, path: Path) -> None:
        """Remove a run's folder: it is gone at once, whatever interrupts the rest.

        Raises FolderError when that is not allowed.
        """
        with in_sentences(self.folder, "--runs"):
            aside = new_folder(self.folder, "removed")
            try:
                path.rename(aside / path.name)
            finally:
                shutil.rmtree(aside, ignore_errors=True)

    def folders(self) -> Iterator[Path]:
        """The folders that hold a record, or something in the place of one, sorted by name."""
        if self.folder.is_dir():
            names = os.listdir(self.folder)
            if any(name.startswith(REPLACED) for name in names):
                put_back(self.folder, _is_run)
                names = os.listdir(self.folder)
            for name in sorted(names):
                if name.startswith("."):
                    continue
                if os.path.lexists(os.path.join(self.folder, name, RECORD_FILE)):
                    yield self.folder / name


def is_key(text: str) -> bool:
    """Whether a text is the key of a run: 16 hexadecimal digits."""
    return re.fullmatch(r"[0-9a-f]{16}", text, re.ASCII) is not None


def read_predictions(path: Path, clips: int) -> Mapping[str, np.ndarray]:
    """The arrays of a run's predictions, in no more memory than so many clips have reason for.

    Raises RecordError for a file that cannot be read.
    """
    try:
        return read_arrays(path, min(_LARGEST_PREDICTIONS, MEBIBYTE + clips * _OF_A_CLIP))
    except (OSError, ValueError, TypeError) as error:
        why = tellable(str(getattr(error, "strerror", None) or error))
        raise RecordError(f"The predictions {str(path)!r} cannot be read ({why}).") from error


def read_any_record(path: Path) -> RunRecord | TrackRecord:
    """The record in a file, of a run or on a track, as its name says. Raises RecordError."""
    return read_track_record(path) if _is_of_a_track(path) else read_record(path)


def read_run(path: Path) -> RunRecord:
    """The record in a run's folder. Raises RecordError, also where the folder does not carry its key."""
    return _of_its_folder(read_record)(path / RECORD_FILE)


def _of_its_folder(read: Callable[[Path], Record]) -> Callable[[Path], Record]:
    """A record is that of the folder it lies in, or nobody's: what belongs to a run is found by the key."""

    def checked(path: Path) -> Record:
        record = read(path)
        found = _NAMED_BY_KEY.fullmatch(path.parent.name)
        if found is None or found[1] != record.key:
            raise RecordError(
                f"{tellable(str(path.parent))}: the folder should be called {tellable(record.name)}, after "
                "the run whose record is in it; rename it so, or remove it."
            )
        return record

    return checked


def _is_run(path: Path) -> bool:
    return bool(_NAMED_BY_KEY.fullmatch(path.name)) and (path / RECORD_FILE).is_file()


def _free() -> None:
    """The check of a run that nobody has claimed."""


def read_records(folder: Path) -> tuple[list[RunRecord], list[str]]:
    """Records of a folder that holds runs, or record files (`*.json`) themselves.

    Returns the records, sorted by file name, and a sentence for each that cannot be read.
    """
    files = _record_files(folder)
    if not files:
        return RunStore(folder).records()
    return _read_all((file for file in files if not _is_of_a_track(file)), read_record)


def read_track_records(folder: Path) -> tuple[list[TrackRecord], list[str]]:
    """Results on tracks of a folder that holds runs, or record files (`*.json`) themselves."""
    files = _record_files(folder)
    if not files:
        return RunStore(folder).track_records()
    return _read_all(filter(_is_of_a_track, files), read_track_record)


def _record_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _is_of_a_track(path: Path) -> bool:
    """Records of tracks are named after the track, those of runs after what was run."""
    return path.name.startswith(_TRACK_FILE.partition("{")[0])


def _read_all(
    paths: Iterable[Path], read: Callable[[Path], Found]
) -> tuple[list[Found], list[str]]:
    records, faults = [], []
    with without_garbage_collection():
        for path in paths:
            try:
                records.append(read(path))
            except RecordError as error:
                faults.append(str(error))
    return records, faults


def _track_file(track: str) -> str:
    """The file of a track's results; names of environments and of listeners' files hold slashes."""
    return _TRACK_FILE.format(re.sub(r"[^\w.+-]+", "_", track))


def track_files(run: Path) -> list[Path]:
    """The records of tracks in a run's folder, sorted."""
    return sorted(run.glob(_TRACK_FILE.format("*")))


def read_record(path: Path) -> RunRecord:
    """Read a record. Raises RecordError, naming the file and the field, when it is not one."""
    return _read(path, RunRecord)


def read_track_record(path: Path) -> TrackRecord:
    """Read the record of a run on a track. Raises RecordError as `read_record` does."""
    return _read(path, TrackRecord)


def _read(path: Path, kind: type[Record]) -> Record:
    try:
        text = read_bytes(path, LARGEST_RECORD)
    except OSError as error:
        raise RecordError(
            f"The record {tellable(str(path))!r} cannot be read: {error.strerror or error}."
        ) from error
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise RecordError(_fault(path, text, error)) from error


def _fault(path: Path, text: bytes, error: ValidationError) -> str:
    """What is wrong with a record, in a sentence that names the file and the field."""
    what = f"The record {tellable(str(path))!r}"
    fault = error.errors(include_url=False, include_input=False)[0]
    message = tellable(fault["msg"])
    try:
        values = parsed_json(text)
    except ValueError:
        return f"{what} is not JSON, or was cut short: {message}."
    if not isinstance(values, dict):
        return f"{what} is no record: it holds a {type(values).__name__}, not an object."
    version = values.get("schema_version")
    if isinstance(version, int) and version > RECORD_SCHEMA:
        return (
            f"{what} was written by a newer bastzoo (schema {tellable(str(version), 20)}, this one "
            f"reads up to {RECORD_SCHEMA}); update bastzoo to use it."
        )
    where = tellable(".".join(map(str, fault["loc"]))) or "the whole"
    why = {"missing": " is missing", "extra_forbidden": " is not known here"}.get(fault["type"])
    more = f" ({error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
    reason = f": {message}" if why is None else why
    return f"{what} does not follow the schema: the field {where}{reason}{more}."


def write_text(path: Path, text: str) -> None:
    """Write a text file aside, see it to the disk, and rename it into place.

    Raises SetupError when it cannot be written.
    """
    with in_sentences(path.parent):
        put(path, text, durable=True)


@contextlib.contextmanager
def in_sentences(folder: Path, option: str = "") -> Iterator[None]:
    """Turn the operating system's refusals to write into sentences (FolderError).

    option: which names the folder; empty where it is part of what was given.
    """
    another = f"another one with {option}." if option else "another one."
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise FolderError(
                f"There is no space left in {str(folder)!r} ({error.strerror}). Finished runs are "
                f"kept; make room and give the same command again, or choose {another}"
            ) from error
        raise FolderError(
            f"The folder {str(folder)!r} cannot be written: {error.strerror or error}. "
            f"Choose {another}"
        ) from error
