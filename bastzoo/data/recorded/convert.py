"""From files to features: in parallel, chunk by chunk, so that a killed conversion goes on.

Every file is read once. A chunk is whole when its own small file is there, written aside and renamed
after the features; what a killed conversion left whole is checked and not done again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES
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
from bastzoo.data.recorded.faults import Faults
from bastzoo.data.recorded.files import read_array, read_wave, read_waves
from bastzoo.data.recorded.index import RecordedIndex
from bastzoo.errors import DataError, SetupError
from bastzoo.ops.fingerprint import fingerprint, fingerprints
from bastzoo.registry import Component

if TYPE_CHECKING:
    from torch import nn

CHUNK = 8 * PART
"""Rows whose work a kill can lose."""

_TITLE = "cannot be used as it is:"

Dtype = Literal["float16", "float32"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a conversion is; `message` is a sentence for the user, usually empty."""

    done: int
    total: int
    clips_per_second: float = 0.0
    seconds_left: float = 0.0
    message: str = ""


Report = Callable[[Progress], None]


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
    job = _Job(index, frontend, module, dtype, fit)
    with _sentences(root):
        found = _look_up(root, job, report)
        if found is None:
            with _locked(root / "partial" / job.signature, report) as partial:
                # Another process may have converted it while this one waited.
                found = _look_up(root, job, report) or _convert(
                    root, partial, job, workers or os.cpu_count() or 1, report
                )
    faults = Faults()
    faults.extend(index.faults)
    for row in np.flatnonzero(found.bad).tolist():
        faults.add(index.files[row], job.fault(row))
    if len(faults) and not skip_bad:
        faults.raise_for(f"{str(index.root)!r} {_TITLE}")
    if found.bad.all():
        raise DataError(f"No file of {str(index.root)!r} can be used.")
    return found


@dataclass(eq=False)
class _Job:
    """One conversion: what is read, and what is made of it."""

    index: RecordedIndex
    frontend: Component
    module: nn.Module | None
    dtype: Dtype
    fit: bool
    shape: tuple[int, ...] = ()
    torch_lock: threading.Lock = field(default_factory=threading.Lock)
    buffers: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        described = {
            "kind": self.index.kind,
            "dtype": self.dtype,
            "fit": self.fit,
            "frontend": [self.frontend.name, self.frontend.version],
            "parameters": dict(self.frontend.parameters),
        }
        self.description = json.dumps(described, sort_keys=True, default=str)
        # Strings, not Path objects: with a third of a million files these would take longer than the reading.
        self.paths = [os.path.join(self.index.root, name) for name in self.index.files]
        state = blake2b(self.description.encode(), digest_size=16)
        for name, path in zip(self.index.files, self.paths, strict=True):
            state.update(f"{name}\0{_stat(path)}\0".encode(errors="replace"))
        self.signature = state.hexdigest()
        self.shape = self._shape()

    def _shape(self) -> tuple[int, ...]:
        """The shape of a row: that which the frontend gives, or the first array that can be read."""
        if self.module is not None:
            shape: Any = self.module.output_shape
            return (2, *shape(CLIP_SAMPLES))
        for row in range(len(self.index)):
            with contextlib.suppress(DataError):
                ears, bands, frames = read_array(self.paths[row]).shape
                return (ears, 1, bands, frames)
        return (2, 1, 1, 1)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of features."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def chunks(self) -> list[range]:
        """Rows of each chunk."""
        total = len(self.index)
        return [range(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)]

    def read(self, row: int) -> np.ndarray:
        """Samples [8000, 2] int16, or an array [2, F, T]. Raises DataError with what is wrong."""
        if self.module is not None:
            return read_wave(self.paths[row], fit=self.fit)
        array = read_array(self.paths[row])
        if array.shape != (2, *self.shape[2:]):
            first = "×".join(map(str, (2, *self.shape[2:])))
            raise DataError(
                f"has the shape {'×'.join(map(str, array.shape))}, the files before it have "
                f"{first}; give arrays of one shape"
            )
        return array

    def read_block(self, rows: range) -> tuple[np.ndarray, np.ndarray]:
        """What these rows hold, and a mask of those that cannot be used, which hold zeros."""
        bad = np.zeros(len(rows), bool)
        if self.module is not None:
            block = self._buffer((len(rows), CLIP_SAMPLES, 2))
            wrong = read_waves(self.paths[rows.start : rows.stop], block, fit=self.fit)
            bad[list(wrong)] = True
            return block, bad
        block = np.zeros((len(rows), 2, *self.shape[2:]), np.float32)
        for place, row in enumerate(rows):
            try:
                block[place] = self.read(row)
            except DataError:
                bad[place] = True
        return block, bad

    def _buffer(self, shape: tuple[int, ...]) -> np.ndarray:
        """Room for samples that a thread uses again: new memory costs as much as the reading."""
        kept = getattr(self.buffers, "samples", None)
        if kept is None or kept.shape != shape:
            kept = self.buffers.samples = np.empty(shape, np.int16)
        return kept

    def fault(self, row: int) -> str:
        """What is wrong with a row, read again: a data set at fault is not kept, its sentences neither."""
        try:
            self.read(row)
        except DataError as error:
            return str(error)
        return "could not be read when it was converted; try again"

    def features(self, block: np.ndarray) -> np.ndarray:
        """Features [n, 2, C, F, T] of samples [n, 8000, 2] or of arrays [n, 2, F, T]."""
        if self.module is None:
            return block[:, :, None].astype(self.dtype)
        if self._is_usual:
            from bastzoo.ops.spectrogram import spectrograms

            shape = (len(block), *self.shape)
            out = getattr(self.buffers, "features", None)
            if out is None or out.shape != shape:
                out = self.buffers.features = np.empty(shape, self.dtype)
            spectrograms(block, out[:, :, 0])
            return out
        import torch

        # Torch's own threads share out the work; two calls at once would only be in each other's way.
        with self.torch_lock, torch.inference_mode():
            clips = torch.from_numpy(block).transpose(1, 2).float() / 2**15
            return self.module(clips).to(getattr(torch, self.dtype)).numpy()

    @property
    def _is_usual(self) -> bool:
        """Whether the fused kernel makes these features: BAST's spectrogram as it is by default."""
        target = "bastzoo.zoo.frontends:Spectrogram"
        return self.frontend.target == target and not self.frontend.parameters


def _stat(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return "missing"
    return f"{status.st_size}\0{status.st_mtime_ns}"


def _look_up(root: Path, job: _Job, report: Report) -> FeatureCache | None:
    """What was converted before of exactly these files, if it is whole."""
    lookup = root / "lookup" / job.signature
    if not lookup.is_file():
        return None
    key = lookup.read_text(encoding="ascii", errors="replace").strip()
    try:
        return FeatureCache(root / "features" / key)
    except (DamagedCacheError, OSError) as error:
        report(Progress(0, len(job.index), message=f"{error} Converting anew."))
        shutil.rmtree(root / "features" / key, ignore_errors=True)
        return None


def _convert(root: Path, partial: Path, job: _Job, workers: int, report: Report) -> FeatureCache:
    total = len(job.index)
    _check_space(root, partial, job)
    chunks, started = job.chunks, time.perf_counter()
    path = partial / FEATURES_FILE
    # Neither emptied nor opened for appending, where Linux writes at the end whatever the place.
    path.touch()
    with path.open("r+b") as file:
        file.truncate(total * job.row_bytes)
        descriptor = file.fileno()
        done_before = _whole_chunks(partial, job, descriptor)
        done = first = sum(len(chunks[number]) for number in done_before)
        todo = [number for number in range(len(chunks)) if number not in done_before]
        with ThreadPoolExecutor(workers) as pool:
            try:
                work = (
                    pool.submit(_convert_chunk, job, partial, descriptor, number, chunks[number])
                    for number in todo
                )
                for rows in _in_turn(work, 2 * workers):
                    done += rows
                    rate = (done - first) / (time.perf_counter() - started)
                    report(Progress(done, total, rate, (total - done) / rate))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if not boot_id():
            os.fsync(descriptor)
    return _finish(root, partial, job)


def _in_turn(work: Iterator[Any], ahead: int) -> Iterator[int]:
    """Results in order, with a bounded number of chunks under way."""
    waiting: list[Any] = []
    for future in work:
        waiting.append(future)
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _convert_chunk(job: _Job, partial: Path, descriptor: int, number: int, rows: range) -> int:
    """Read, check and convert one chunk; return its number of rows."""
    starts = range(rows.start, rows.stop, PART)
    parts = [range(start, min(start + PART, rows.stop)) for start in starts]
    notes = [_convert_part(job, descriptor, part) for part in parts]
    contents, prints, bad = (np.concatenate(column) for column in zip(*notes, strict=True))
    aside = partial / f".chunk-{number}"
    with aside.open("wb") as file:
        np.savez(file, contents=contents, fingerprints=prints, bad=bad)
    aside.replace(_chunk_file(partial, number))
    return len(rows)


def _convert_part(
    job: _Job, descriptor: int, rows: range
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fingerprints of the contents of these rows and of their features, and which are bad."""
    block, bad = job.read_block(rows)
    features = job.features(block)
    features[bad] = 0
    contents = fingerprints(block.reshape(len(block), -1))
    contents[bad] = 0
    _write_at(descriptor, features, rows.start * job.row_bytes)
    return contents, fingerprint(features)[None], bad


def _write_at(descriptor: int, rows: np.ndarray, offset: int) -> None:
    data = memoryview(np.ascontiguousarray(rows).view(np.uint8).reshape(-1))  # type: ignore[arg-type]
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _chunk_file(partial: Path, number: int) -> Path:
    return partial / f"chunk-{number:06d}.npz"


def _read_chunk(partial: Path, number: int) -> dict[str, np.ndarray]:
    with np.load(_chunk_file(partial, number), allow_pickle=False) as kept:
        return {name: kept[name] for name in ("contents", "fingerprints", "bad")}


def _whole_chunks(partial: Path, job: _Job, descriptor: int) -> set[int]:
    """Numbers of the chunks that a killed conversion has finished, checked byte by byte."""
    whole = set()
    for number, rows in enumerate(job.chunks):
        if not _chunk_file(partial, number).exists():
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError):
            kept = _read_chunk(partial, number)
            size, part = len(rows) * job.row_bytes, PART * job.row_bytes
            data = os.pread(descriptor, size, rows.start * job.row_bytes)
            found = np.frombuffer(data, np.uint8)
            parts = [fingerprint(found[at : at + part]) for at in range(0, size, part)]
            if np.array_equal(parts, kept["fingerprints"]):
                whole.add(number)
    return whole


def _finish(root: Path, partial: Path, job: _Job) -> FeatureCache:
    """Put the chunks' notes together, name the contents, and rename the folder into place."""
    kept = [_read_chunk(partial, number) for number in range(len(job.chunks))]
    notes = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
    state = blake2b(job.description.encode(), digest_size=16)
    state.update(repr(job.shape).encode())
    for name in ("contents", "bad"):
        state.update(notes[name].tobytes())
    key = state.hexdigest()
    np.savez(partial / CLIPS_FILE, **notes)  # type: ignore[arg-type]
    for number in range(len(job.chunks)):
        _chunk_file(partial, number).unlink(missing_ok=True)
    # Waiting for the disk takes a fifth of a conversion; after a reset the bytes are verified instead.
    manifest = Manifest(key, len(job.index), job.shape, job.dtype, 0, boot_id())
    write_manifest(partial, manifest)
    target = root / "features" / key
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        found = FeatureCache(target)  # the same contents, from another place
    except DamagedCacheError:
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        found = FeatureCache(target)
    shutil.rmtree(partial, ignore_errors=True)
    lookup = root / "lookup" / job.signature
    lookup.parent.mkdir(parents=True, exist_ok=True)
    aside = lookup.with_name(f".{lookup.name}-{os.getpid()}")
    aside.write_text(key, encoding="ascii")
    aside.replace(lookup)
    return found


def _check_space(root: Path, partial: Path, job: _Job) -> None:
    needed = len(job.index) * job.row_bytes
    path = partial / FEATURES_FILE
    if path.exists():
        needed -= path.stat().st_blocks * 512
    free = shutil.disk_usage(partial).free
    if needed > free:
        raise SetupError(
            f"The cache {str(root)!r} needs {needed / 1e9:.1f} GB for this data set and there are "
            f"{free / 1e9:.1f} GB left; make room, or name another folder with --cache."
        )


@contextlib.contextmanager
def _locked(partial: Path, report: Report) -> Iterator[Path]:
    """Hold a conversion's folder alone; the lock ends with the process, however that ends."""
    partial.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # not a POSIX system: two conversions at once do the same work twice
        yield partial
        return
    with partial.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            report(Progress(0, 0, message="Another process converts this data; waiting for it."))
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The one that was waited for has renamed its folder away.
        partial.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
        finally:
            if partial.exists() and not any(partial.iterdir()):
                partial.rmdir()


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
