"""One conversion: what is read, in which order, and what is made of it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.data.recorded.audio import read_recording, read_recordings
from bastzoo.data.recorded.files import read_array, read_wave, read_waves
from bastzoo.data.recorded.index import RecordedIndex
from bastzoo.errors import DataError
from bastzoo.registry import Component

if TYPE_CHECKING:
    from torch import nn

Dtype = Literal["float16", "float32"]
USUAL_DTYPE: Dtype = "float16"
"""The precision that features are kept in where nobody asks for another."""

_LARGEST_HALF = float(np.finfo(np.float16).max)
# Where all values of a clip are smaller, half precision loses digits of every one of them.
_SMALLEST_HALF = float(np.finfo(np.float16).tiny)


@dataclass(eq=False)
class Conversion:
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
        if self.index.any_format:
            described["any_format"] = True
        self.description = json.dumps(described, sort_keys=True, default=str)
        # Strings, not Path objects: with a third of a million files these would take longer than the reading.
        self.paths = [os.path.join(self.index.root, name) for name in self.index.files]
        state = blake2b(self.description.encode(), digest_size=16)
        state.update(os.path.abspath(self.index.root).encode(errors="surrogateescape"))
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

    def read(self, row: int) -> np.ndarray:
        """Samples [8000, 2] int16, or an array [2, F, T]. Raises DataError with what is wrong."""
        if self.module is not None:
            read = read_recording if self.index.any_format else read_wave
            return read(self.paths[row], fit=self.fit)
        array = read_array(self.paths[row])
        if array.shape != (2, *self.shape[2:]):
            first = "×".join(map(str, (2, *self.shape[2:])))
            raise DataError(
                f"has the shape {'×'.join(map(str, array.shape))}, the files before it have "
                f"{first}; give arrays of one shape"
            )
        peak = float(np.abs(array).max())
        if self.dtype == "float16" and peak and not _SMALLEST_HALF <= peak <= _LARGEST_HALF:
            size = "large" if peak > 1 else "small"
            raise DataError(
                f"holds {peak:g}, too {size} for half precision; use --cache-dtype float32"
            )
        return array

    def read_block(self, rows: range) -> tuple[np.ndarray, np.ndarray]:
        """What these rows hold, and a mask of those that cannot be used, which hold zeros."""
        bad = np.zeros(len(rows), bool)
        if self.module is not None:
            block = self._buffer((len(rows), CLIP_SAMPLES, 2))
            read = read_recordings if self.index.any_format else read_waves
            wrong = read(self.paths[rows.start : rows.stop], block, fit=self.fit)
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

    def fault(self, row: int) -> str | None:
        """What is wrong with a row, read again: sentences are not kept. None: nothing, by now."""
        try:
            block = self.read(row)[None].copy()  # of a file's bytes, which torch warns of
        except DataError as error:
            return str(error)
        if self.unusable(self.features(block))[0]:
            return (
                f"the frontend {self.frontend.name!r} makes values of it that {self.dtype} cannot "
                "hold; try --cache-dtype float32"
            )
        return None

    def unusable(self, features: np.ndarray) -> np.ndarray:
        """Mask [n] of rows with values that are no numbers; the fused kernel makes none."""
        if self.module is None or self._is_usual:
            return np.zeros(len(features), bool)
        return ~np.isfinite(features).all(axis=(1, 2, 3, 4))

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
    # The time of the last change too, which nobody can set: all clips have one size, and archives
    # unpack with times of their own, so size and time alone would take one data set for another. (A
    # kernel counts changes in steps of some milliseconds; the folder's place is in the signature too.)
    return f"{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
