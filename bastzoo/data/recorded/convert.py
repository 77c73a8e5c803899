"""From files to features: in parallel, chunk by chunk, so that a killed conversion goes on.

Every file is read once. A chunk is whole when its own small file is there, written aside and renamed
after the features; what a killed conversion left whole is checked and not done again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bastzoo.data.recorded.cache import (
    CLIPS_FILE,
    FEATURES_FILE,
    PART,
    DamagedCacheError,
    FeatureCache,
    Manifest,
    boot_id,
    default_cache,
    write_manifest,
)
from bastzoo.data.recorded.conversion import Conversion, Dtype
from bastzoo.data.recorded.faults import Faults
from bastzoo.data.recorded.index import RecordedIndex
from bastzoo.errors import DataError, SetupError
from bastzoo.limits.cores import available_cores
from bastzoo.limits.writing import check_space
from bastzoo.ops.fingerprint import fingerprint, fingerprints
from bastzoo.registry import Component

if TYPE_CHECKING:
    pass

CHUNK = 8 * PART
"""Rows whose work a kill can lose."""

_ABANDONED = 7 * 86_400.0
"""Seconds without a new chunk, after which a conversion of other files is removed."""

_TITLE = "cannot be used as it is:"
_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ConversionState:
    """How far a conversion is; `message` is a sentence for the user, usually empty."""

    done: int
    total: int
    clips_per_second: float = 0.0
    seconds_left: float = 0.0
    message: str = ""


Report = Callable[[ConversionState], None]


def convert(
    index: RecordedIndex,
    frontend: Component,
    *,
    dtype: Dtype = "float16",
    cache: Path | None = None,
    fit: bool = False,
    skip_bad: bool = False,
    workers: int | None = None,
    progress: Report | None = None,
) -> FeatureCache:
    """The features of an index's files: out of the cache, or converted into it.

    frontend: makes features of WAV files; arrays of a CSV index are features already.
    fit: whether clips of another length than 8000 samples are padded or cut.
    skip_bad: whether rows that cannot be used are left out; `FeatureCache.bad` marks them.

    Raises DataError with all faults of the data set, and SetupError when the cache cannot be written.
    """
    report = progress or (lambda _: None)
    root = cache or default_cache()
    module = frontend.build().eval() if index.kind == "bast" else None
    conversion = Conversion(index, frontend, module, dtype, fit)
    workers = workers or available_cores()
    with _sentences(root):
        found = _obtain(root, conversion, workers, report)
        wrong = _what_is_wrong(conversion, found)
        if None in wrong.values():  # a file that could not be read then, and can be now
            (root / "lookup" / conversion.signature).unlink(missing_ok=True)
            found = _obtain(root, conversion, workers, report)
            wrong = _what_is_wrong(conversion, found)
    faults = Faults()
    faults.extend(index.faults)
    for row, what in wrong.items():
        faults.add(index.files[row], what or "cannot be read every time; check the disk it is on")
    if len(faults) and not skip_bad:
        faults.raise_for(f"{index.given!r} {_TITLE}")
    if found.bad.all():
        raise DataError(f"No file of {index.given!r} can be used.")
    return found


def _obtain(root: Path, conversion: Conversion, workers: int, report: Report) -> FeatureCache:
    found = _look_up(root, conversion, report)
    if found is None:
        partial = root / "partial" / conversion.signature
        with _locked(partial, report):
            # Another process may have converted it while this one waited.
            found = _look_up(root, conversion, report)
            if found is None:
                _clear_abandoned(partial)
                found = _convert(root, partial, conversion, workers, report)
    return found


def _what_is_wrong(conversion: Conversion, found: FeatureCache) -> dict[int, str | None]:
    return {row: conversion.fault(row) for row in np.flatnonzero(found.bad).tolist()}


def _look_up(root: Path, conversion: Conversion, report: Report) -> FeatureCache | None:
    """What was converted before of exactly these files, if it is whole."""
    lookup = root / "lookup" / conversion.signature
    if not lookup.is_file():
        return None
    key = lookup.read_text(encoding="ascii", errors="replace").strip()
    if not _KEY.fullmatch(key):  # cut short by a crash; and no name of a folder to remove
        lookup.unlink()
        return None
    try:
        return FeatureCache(root / "features" / key)
    except (DamagedCacheError, OSError) as error:
        report(ConversionState(0, len(conversion.index), message=f"{error} Converting anew."))
        return None  # `_finish` puts the new one in its place


def _clear_abandoned(own: Path) -> None:
    """Remove what conversions left that were killed and never taken up again: files have changed."""
    for other in own.parent.iterdir():
        with contextlib.suppress(OSError):
            if other != own and other.is_dir() and time.time() - other.stat().st_mtime > _ABANDONED:
                shutil.rmtree(other, ignore_errors=True)


def _convert(
    root: Path, partial: Path, conversion: Conversion, workers: int, report: Report
) -> FeatureCache:
    total = len(conversion.index)
    partial.mkdir(parents=True, exist_ok=True)
    _check_space(root, partial, conversion)
    chunks, started = _chunks(conversion), time.perf_counter()
    path = partial / FEATURES_FILE
    # Neither emptied nor opened for appending, where Linux writes at the end whatever the place.
    path.touch()
    with path.open("r+b") as file:
        file.truncate(total * conversion.row_bytes)
        descriptor = file.fileno()
        done_before = _whole_chunks(partial, conversion, descriptor)
        done = first = sum(len(chunks[number]) for number in done_before)
        todo = [number for number in range(len(chunks)) if number not in done_before]
        with ThreadPoolExecutor(workers) as pool:
            try:
                work = (
                    pool.submit(
                        _convert_chunk, conversion, partial, descriptor, number, chunks[number]
                    )
                    for number in todo
                )
                for rows in _in_turn(work, 2 * workers):
                    done += rows
                    rate = (done - first) / (time.perf_counter() - started)
                    report(ConversionState(done, total, rate, (total - done) / rate))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if not boot_id():
            os.fsync(descriptor)
    return _finish(root, partial, conversion)


def _chunks(conversion: Conversion) -> list[range]:
    """Rows of each chunk."""
    total = len(conversion.index)
    return [range(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)]


def _in_turn(work: Iterator[Any], ahead: int) -> Iterator[int]:
    """Results in order, with a bounded number of chunks under way."""
    waiting: list[Any] = []
    for future in work:
        waiting.append(future)
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _convert_chunk(
    conversion: Conversion, partial: Path, descriptor: int, number: int, rows: range
) -> int:
    """Read, check and convert one chunk; return its number of rows."""
    starts = range(rows.start, rows.stop, PART)
    parts = [range(start, min(start + PART, rows.stop)) for start in starts]
    notes = [_convert_part(conversion, descriptor, part) for part in parts]
    contents, prints, bad = (np.concatenate(column) for column in zip(*notes, strict=True))
    aside = partial / f".chunk-{number}"
    with aside.open("wb") as file:
        np.savez(file, contents=contents, fingerprints=prints, bad=bad)
    aside.replace(_chunk_file(partial, number))
    return len(rows)


def _convert_part(
    conversion: Conversion, descriptor: int, rows: range
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fingerprints of the contents of these rows and of their features, and which are bad."""
    block, bad = conversion.read_block(rows)
    features = conversion.features(block)
    bad |= conversion.unusable(features)
    features[bad] = 0
    contents = fingerprints(block.reshape(len(block), -1))
    contents[bad] = 0
    _write_at(descriptor, features, rows.start * conversion.row_bytes)
    return contents, fingerprint(features)[None], bad


def _write_at(descriptor: int, rows: np.ndarray, offset: int) -> None:
    data = memoryview(np.ascontiguousarray(rows).view(np.uint8).reshape(-1))  # type: ignore[arg-type]
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _chunk_file(partial: Path, number: int) -> Path:
    return partial / f"chunk-{number:06d}.npz"


def _read_chunk(partial: Path, number: int) -> dict[str, np.ndarray]:
    path = _chunk_file(partial, number)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        return {name: kept[name] for name in ("contents", "fingerprints", "bad")}


def _whole_chunks(partial: Path, conversion: Conversion, descriptor: int) -> set[int]:
    """Numbers of the chunks that a killed conversion has finished, checked byte by byte."""
    whole = set()
    for number, rows in enumerate(_chunks(conversion)):
        if not _chunk_file(partial, number).exists():
            continue
        with contextlib.suppress(Exception):  # damaged archives make zipfile raise nearly anything
            kept = _read_chunk(partial, number)
            size, part = len(rows) * conversion.row_bytes, PART * conversion.row_bytes
            data = os.pread(descriptor, size, rows.start * conversion.row_bytes)
            found = np.frombuffer(data, np.uint8)
            parts = [fingerprint(found[at : at + part]) for at in range(0, size, part)]
            if np.array_equal(parts, kept["fingerprints"]):
                whole.add(number)
    return whole


def _finish(root: Path, partial: Path, conversion: Conversion) -> FeatureCache:
    """Put the chunks' notes together, name the contents, and rename the folder into place."""
    kept = [_read_chunk(partial, number) for number in range(len(_chunks(conversion)))]
    notes = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
    state = blake2b(conversion.description.encode(), digest_size=16)
    state.update(repr(conversion.shape).encode())
    for name in ("contents", "bad"):
        state.update(notes[name].tobytes())
    key = state.hexdigest()
    np.savez(partial / CLIPS_FILE, **notes)  # type: ignore[arg-type]
    for number in range(len(_chunks(conversion))):
        _chunk_file(partial, number).unlink(missing_ok=True)
    # Waiting for the disk takes a fifth of a conversion; after a reset the bytes are verified instead.
    manifest = Manifest(
        key, len(conversion.index), conversion.shape, conversion.dtype, 0, boot_id()
    )
    write_manifest(partial, manifest)
    target = root / "features" / key
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(root / "partial" / key):
        try:
            found = FeatureCache(target)  # the same contents, from another place
        except DamagedCacheError:
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
            found = FeatureCache(target)
    shutil.rmtree(partial, ignore_errors=True)
    lookup = root / "lookup" / conversion.signature
    lookup.parent.mkdir(parents=True, exist_ok=True)
    aside = lookup.with_name(f".{lookup.name}-{os.getpid()}")
    aside.write_text(key, encoding="ascii")
    aside.replace(lookup)
    return found


def _check_space(root: Path, partial: Path, conversion: Conversion) -> None:
    needed = len(conversion.index) * conversion.row_bytes
    path = partial / FEATURES_FILE
    if path.exists():
        needed -= path.stat().st_blocks * 512
    check_space(
        f"The cache {str(root)!r} of this data set",
        needed,
        partial,
        otherwise="name another folder with --cache",
    )


@contextlib.contextmanager
def _locked(path: Path, report: Report = lambda _: None) -> Iterator[None]:
    """Hold a folder alone; the lock lies beside it and ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # not a POSIX system: two conversions at once do the same work twice
        yield
        return
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(
                ConversionState(0, 0, message="Another process converts this data; waiting for it.")
            )
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _sentences(root: Path) -> Iterator[None]:
    """Turn the operating system's refusals into sentences."""
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"The cache {str(root)!r} cannot be written: {error.strerror or error}. "
            "Make room there, or name another folder with --cache."
        ) from error
