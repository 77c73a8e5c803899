"""The cache of features: one folder a data set and frontend, memory-mapped, checked before it is used.

    CACHE/features/KEY/    features.bin, clips.npz, manifest.json; KEY names the contents
    CACHE/lookup/SIGNATURE which KEY a folder of files has, so that an unchanged one is not read again
    CACHE/partial/SIGNATURE/  a conversion under way, or killed; see `convert`

KEY depends on what the files hold, on the frontend and on the precision; not on names, places or times.
"""

from __future__ import annotations

import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from bastzoo.errors import DataError
from bastzoo.limits.cores import available_cores
from bastzoo.ops.fingerprint import fingerprint

SCHEMA = 1
FEATURES_FILE = "features.bin"
CLIPS_FILE = "clips.npz"
MANIFEST_FILE = "manifest.json"

PART = 64
"""Rows that are read, converted, written and checked together; few enough for a processor's caches."""


class DamagedCacheError(DataError):
    """A cached data set is not what was written; it can be converted anew."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder of features holds: rows of `shape` (2, C, F, T) and `dtype`, and its time stamp.

    boot: the run of the machine in which the features were written and left to the operating system to
        bring to the disk; empty once they were read back in a later one.
    """

    key: str
    rows: int
    shape: tuple[int, ...]
    dtype: str
    stamp: int
    boot: str = ""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class FeatureCache:
    """Features of the clips of a data set, row by row as its index has them.

    Opening compares size and time of the file with what was noted when it was written or last
    verified, and verifies every byte when they differ, or when the machine was reset since. Raises
    DamagedCacheError when anything is amiss.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = _read_manifest(folder)
        path = folder / FEATURES_FILE
        try:
            status = path.stat()
            # Opened here: of a damaged archive numpy leaves the file open.
            with (
                (folder / CLIPS_FILE).open("rb") as file,
                np.load(file, allow_pickle=False) as clips,
            ):
                self.contents: np.ndarray = clips["contents"]
                self.fingerprints: np.ndarray = clips["fingerprints"]
                self.bad: np.ndarray = clips["bad"]
        except Exception as error:  # damaged archives make zipfile raise nearly anything
            raise DamagedCacheError(f"{str(folder)!r} cannot be read: {error}.") from error
        rows = self.manifest.rows
        parts = -(-rows // PART)
        if (len(self.contents), len(self.fingerprints), len(self.bad)) != (rows, parts, rows):
            raise DamagedCacheError(f"{str(folder)!r} does not have {rows} rows.")
        if status.st_size != rows * self.manifest.row_bytes:
            raise DamagedCacheError(
                f"{str(path)!r} has {status.st_size} bytes, not what was written."
            )
        was_reset = self.manifest.boot not in ("", boot_id())
        if status.st_mtime_ns != self.manifest.stamp or was_reset:
            self.verify()

    @cached_property
    def array(self) -> Shaped[np.ndarray, "n 2 C F T"]:
        """The features, mapped into memory and read-only."""
        shape = (self.manifest.rows, *self.manifest.shape)
        return np.memmap(
            self.folder / FEATURES_FILE, dtype=self.manifest.dtype, mode="r", shape=shape
        )

    def verify(self) -> None:
        """Check every byte against the fingerprints it was written with. Raises DamagedCacheError."""
        rows = self.array

        def is_whole(number: int) -> bool:
            part = rows[number * PART : (number + 1) * PART]
            return np.array_equal(fingerprint(part), self.fingerprints[number])

        with ThreadPoolExecutor(available_cores()) as pool:
            whole = list(pool.map(is_whole, range(len(self.fingerprints))))
        if not all(whole):
            raise DamagedCacheError(
                f"{str(self.folder / FEATURES_FILE)!r} differs from what was written in "
                f"{whole.count(False)} of {len(whole)} parts."
            )
        # Of this boot nothing is proved: what was read may not have come from the disk.
        is_new = self.manifest.boot == boot_id()
        write_manifest(self.folder, self.manifest if is_new else replace(self.manifest, boot=""))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest, with the time stamp that the features have now."""
    stamp = (folder / FEATURES_FILE).stat().st_mtime_ns
    values = {
        "schema": SCHEMA,
        "key": manifest.key,
        "rows": manifest.rows,
        "shape": list(manifest.shape),
        "dtype": manifest.dtype,
        "stamp": stamp,
        "boot": manifest.boot,
    }
    aside = folder / f".{MANIFEST_FILE}-{os.getpid()}"
    try:
        aside.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        aside.replace(folder / MANIFEST_FILE)
    except OSError:  # a cache on a read-only disk can be read; it is verified each time
        aside.unlink(missing_ok=True)


def _read_manifest(folder: Path) -> Manifest:
    try:
        values = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            raise ValueError(f"it has schema {values['schema']}, not {SCHEMA}")
        manifest = Manifest(
            key=str(values["key"]),
            rows=int(values["rows"]),
            shape=tuple(int(size) for size in values["shape"]),
            dtype=str(np.dtype(values["dtype"])),
            stamp=int(values["stamp"]),
            boot=str(values["boot"]),
        )
        if manifest.rows < 0 or min(manifest.shape) < 1 or len(manifest.shape) != 4:
            raise ValueError(f"it names {manifest.rows} rows of {manifest.shape}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedCacheError(
            f"The manifest of {str(folder)!r} cannot be used: {error}."
        ) from error
    return manifest


@cache
def boot_id() -> str:
    """What Linux calls this run of the machine, from its start to its reset; empty elsewhere."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def default_cache() -> Path:
    """`BASTZOO_CACHE`, or a folder where the platform keeps caches."""
    named = os.environ.get("BASTZOO_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "bastzoo" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bastzoo"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bastzoo"
