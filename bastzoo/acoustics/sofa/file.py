"""Opens a SOFA file, which is HDF5, and hands out its attributes and its arrays.

A file of a stranger can point at other files, contain itself, or claim more than any memory holds. Only
what is asked for by name is looked at, only where it lies in the file itself, and its size is known
before any of it is read.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bastzoo.errors import DataError, SetupError, tellable

MOST_VALUES = 2**25
"""Numbers of an array that are read at most: 256 MiB in double precision."""

_LONGEST_WORDS = 60
_LONGEST_ATTRIBUTE = 2**16


class SofaFile:
    """An open SOFA file; use it as a context.

    Raises DataError, naming the file, when it is no regular file or no HDF5; SetupError without h5py.

        with SofaFile("head.sofa") as sofa:
            sofa.text("SOFAConventions"), sofa.array("Data.IR").shape
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():  # a pipe would be waited for, for ever
            raise DataError(f"{self} is not a file: give the path of a SOFA file.")
        try:
            import h5py
        except ImportError as error:
            raise SetupError(f"Reading {self} takes the package h5py: pip install h5py.") from error
        self._h5py = h5py
        try:
            self._file = h5py.File(self.path, "r", locking=False)
        except Exception as error:  # whatever a stranger's bytes make HDF5 raise
            raise self._unreadable(error) from error

    def __str__(self) -> str:
        return tellable(str(self.path))

    def __enter__(self) -> SofaFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except Exception as close_error:  # a damaged file can fail here first
            raise self._unreadable(close_error) from close_error

    def text(self, name: str, *, of: str | None = None, default: str = "") -> str:
        """An attribute of the file, or of its array `of`, as a few words fit to be shown."""
        try:
            owner = self._file if of is None else self._dataset(of)
            if owner is None or name not in owner.attrs:
                return default
            if owner.attrs.get_id(name).get_storage_size() > _LONGEST_ATTRIBUTE:
                return "(too long to be shown)"
            value = owner.attrs[name]
        except DataError:
            raise
        except Exception as error:
            raise self._unreadable(error) from error
        if isinstance(value, np.ndarray):
            value = value.ravel()[0] if value.size else ""
        words = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return tellable(words.strip(" \0"), _LONGEST_WORDS)

    def array(self, name: str) -> np.ndarray:
        """An array of the file in double precision, all of it finite.

        Raises DataError when it is missing, empty, larger than `MOST_VALUES`, no numbers, or not finite.
        """
        found = self.array_or_none(name)
        if found is None:
            raise DataError(f"{self} has no {name}: write the file anew with it.")
        return found

    def array_or_none(self, name: str) -> np.ndarray | None:
        """The same, or None for an array that the file does not have."""
        try:
            dataset = self._dataset(name)
            if dataset is None:
                return None
            self._check_claims(name, dataset)
            values = np.asarray(dataset[()], dtype=np.float64)
        except DataError:
            raise
        except Exception as error:
            raise self._unreadable(error) from error
        if values.size == 0 or not np.isfinite(values).all():
            raise DataError(
                f"{self} has an empty, infinite or NaN {name}: write the file anew with numbers."
            )
        return values

    def _dataset(self, name: str) -> Any:
        """An array of the file's own, None where there is none; links out of it are refused."""
        link = self._file.get(name, getlink=True)
        if link is None:
            return None
        if not isinstance(link, self._h5py.HardLink):
            raise DataError(f"{self} keeps its {name} elsewhere: write the file anew, whole.")
        found = self._file[name]
        if not isinstance(found, self._h5py.Dataset):
            raise DataError(f"{self} has a group in the place of {name}: write the file anew.")
        return found

    def _check_claims(self, name: str, dataset: Any) -> None:
        if dataset.external or dataset.is_virtual:
            raise DataError(f"{self} keeps its {name} elsewhere: write the file anew, whole.")
        shape = dataset.shape or ()
        if prod(shape) > MOST_VALUES or prod(dataset.chunks or ()) > MOST_VALUES:
            raise DataError(
                f"{self} claims {name} of shape {tellable(str(shape))}, more than the {MOST_VALUES:,} "
                f"numbers that are read: give a smaller file."
            )
        if dataset.dtype.kind not in "fiu":
            raise DataError(f"{self} has a {name} that is no array of real numbers: write it anew.")

    def _unreadable(self, error: Exception) -> DataError:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        return DataError(
            f"{self} is not a readable SOFA file ({tellable(reason, 200)}): check the file."
        )
