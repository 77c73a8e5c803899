"""Recorded data as training sees it: splits of cached features, or of the clips themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.acoustics.sounds import SPLITS, Split
from bastzoo.conditions import DataSource
from bastzoo.data.batches import Batch, in_order
from bastzoo.data.recorded.audio import read_recording
from bastzoo.data.recorded.cache import FeatureCache
from bastzoo.data.recorded.conversion import USUAL_DTYPE, Dtype
from bastzoo.data.recorded.convert import ConversionState, convert
from bastzoo.data.recorded.files import read_wave
from bastzoo.data.recorded.index import TEST, RecordedIndex
from bastzoo.directions import direction_from_angles
from bastzoo.errors import DataError
from bastzoo.presets import DataSize
from bastzoo.registry import Component

_FEW_SOUNDS = 5
"""With fewer of them a test says little."""


class RecordedClips:
    """The clips of one split: features out of the cache, or samples out of the files.

    rows: `[n]`, the split's rows of the index.
    read: gives inputs `[B, 2, ...]` of rows of the index.
    """

    def __init__(
        self,
        index: RecordedIndex,
        split: Split,
        read: Callable[[np.ndarray], Tensor],
        device: torch.device,
    ) -> None:
        self.split: Split = split
        self.device = device
        self._read = read
        self.rows = np.flatnonzero(index.split == SPLITS.index(split))
        if not len(self.rows):
            raise DataError(
                f"{index.given!r} has no clip in the split {split!r}; "
                "`bastzoo data info` shows what it has."
            )
        self.sound_ids, self._sounds = _present(index.sound_ids, index.sound[self.rows])
        self.rooms, self._rooms = _present(index.rooms, index.room[self.rows])
        self.classes = index.classes
        self._labels = torch.from_numpy(index.label[self.rows])
        directions = direction_from_angles(index.azimuth[self.rows], index.elevation[self.rows])
        self._directions = torch.from_numpy(directions.astype(np.float32))
        self._sources = _all_sources(index, self.rows, directions)

    def __len__(self) -> int:
        return len(self.rows)

    def directions_seen(self) -> np.ndarray:
        """The direction of every clip, `[n, 3]`."""
        return self._directions.numpy().astype(np.float64)

    def take(self, indices: Int[Tensor, " B"]) -> Batch:
        """Return the clips of these indices, `0 <= index < len(self)`, on the set's device."""
        indices = indices.cpu()
        return Batch(
            inputs=self._read(self.rows[indices.numpy()]).to(self.device).float(),
            targets={
                "direction": self._directions[indices].to(self.device),
                "class": self._labels[indices].to(self.device),
                **{name: v[indices].to(self.device) for name, v in self._sources.items()},
            },
            sounds=self._sounds[indices].to(self.device),
            rooms=self._rooms[indices].to(self.device),
        )

    def sound_by_sound(self) -> Int[Tensor, " n"]:
        """All indices, the clips of one sound next to each other."""
        return torch.argsort(self._sounds, stable=True)

    def in_order(self, batch: int) -> Iterator[Batch]:
        """Yield every clip once, in the order of the indices."""
        return in_order(self, batch)


class RecordedData:
    """Train, validation and test clips of a recorded data set.

    index: of the files; rows that could not be used are left out of it.
    cache: the features of all rows of the index as it was read.
    hears_features: whether models take the features that are kept, and not the clips.
    """

    def __init__(
        self,
        index: RecordedIndex,
        cache: FeatureCache,
        *,
        fit_length: bool = False,
        hears_features: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        self.cache = cache
        self._kept = np.flatnonzero(~cache.bad)
        self.index = index.select(self._kept)
        self.skipped = len(index.faults) + int(cache.bad.sum())
        self.device = torch.device(device)
        self.fit_length = fit_length
        self.hears_features = hears_features

    @property
    def feature_shape(self) -> tuple[int, int, int] | None:
        """(C, F, T) of the features that models take; None when they take clips."""
        _, channels, bands, frames = self.cache.manifest.shape
        return (channels, bands, frames) if self.hears_features else None

    @property
    def most_sources(self) -> int:
        """How many sources a clip has at most."""
        return self.index.most_sources

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what a user would not expect of the splits."""
        index = self.index
        sounds = len(np.unique(index.sound[index.split == TEST]))
        if sounds >= _FEW_SOUNDS:
            return index.notes
        what = (
            "one sound, of which there is no interval"
            if sounds == 1
            else f"{sounds} sounds, and their interval is wide"
        )
        return (*index.notes, f"{index.given!r} is tested with {what}; more are better.")

    @cached_property
    def digest(self) -> str:
        """Hash of what the clips hold and what they mean; not of the frontend, nor of their place.

        Features that are kept in another precision than usual are other features.
        """
        state = blake2b(self.index.digest().encode(), digest_size=8)
        state.update(self.cache.contents[self._kept].tobytes())
        if self.hears_features and self.cache.manifest.dtype != USUAL_DTYPE:
            state.update(self.cache.manifest.dtype.encode())
        return state.hexdigest()

    def split(self, name: Split) -> RecordedClips:
        """The split's inputs for a model: features, or clips for a frontend that learns."""
        if not self.hears_features:
            return self.waveforms(name)
        return RecordedClips(self.index, name, self._features, self.device)

    def waveforms(self, name: Split) -> RecordedClips:
        """The split's clips. Raises DataError for a CSV index, which holds features only."""
        if self.index.kind == "csv":
            raise DataError(
                f"{self.index.given!r} holds spectrograms and no clips; what needs clips "
                "(baselines, other frontends) takes WAV files, with --data."
            )
        return RecordedClips(self.index, name, self._clips, self.device)

    def _features(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(self.cache.array[self._kept[rows]])

    def _clips(self, rows: np.ndarray) -> Tensor:
        read = read_recording if self.index.any_format else read_wave
        clips = np.empty((len(rows), 2, CLIP_SAMPLES), np.float32)
        for place, row in enumerate(rows.tolist()):
            clips[place] = read(self.index.path(row), fit=self.fit_length).T
        return torch.from_numpy(clips).div_(2**15)


def read_index(source: DataSource, *, environment: str | None, size: DataSize) -> RecordedIndex:
    """The index of a recorded data set; its faults are in it, not raised.

    environment: which recordings of a BAST folder; None for all of them.
    """
    assert source.path is not None
    if source.layout == "csv" or source.path.lower().endswith(".csv"):
        from bastzoo.data.recorded.csv_index import read_csv_index

        return read_csv_index(
            Path(source.path),
            azimuth_direction=source.azimuth_direction or "counter-clockwise",
            environment=environment,
        )
    from bastzoo.data.recorded.bast import read_bast_folder

    return read_bast_folder(
        Path(source.path),
        environment=environment,
        validation_sounds=size.validation_sounds,
        sound_id=source.sound_id,
        azimuth_direction=source.azimuth_direction or "clockwise",
        azimuth_step=size.azimuth_step,
    )


def open_recorded(
    source: DataSource,
    *,
    environment: str,
    size: DataSize,
    frontend: Component,
    device: torch.device | str = "cpu",
    cache: Path | None = None,
    dtype: Dtype = USUAL_DTYPE,
    progress: Callable[[ConversionState], None] | None = None,
) -> RecordedData:
    """Read, check and convert a recorded data set, unless the cache has it.

    Raises DataError with all faults at once, or leaves those rows out with `skip_bad`.
    """
    index = read_index(source, environment=environment, size=size)
    learns = False
    if index.kind == "bast":
        learns = any(True for _ in frontend.build().parameters())
    found = convert(
        index,
        # A frontend that learns makes its features anew in each step; the files are checked all the same.
        frontend if not learns else _usual_frontend(),
        dtype=dtype,
        cache=cache,
        fit=source.fit_length,
        skip_bad=source.skip_bad,
        progress=progress,
    )
    return RecordedData(
        index,
        found,
        fit_length=source.fit_length,
        hears_features=not learns,
        device=device,
    )


def _usual_frontend() -> Component:
    from bastzoo.plugins import default_registry

    return default_registry().get("frontend", "spectrogram")


def _all_sources(
    index: RecordedIndex, rows: np.ndarray, directions: np.ndarray
) -> dict[str, Tensor]:
    """Targets of all sources of the clips, the first among them; nothing where each clip has one."""
    if index.most_sources == 1:
        return {}
    more = direction_from_angles(index.more_azimuth[rows], index.more_elevation[rows])
    labels = np.concatenate([index.label[rows, None], index.more_label[rows]], axis=1)
    every = np.concatenate([directions[:, None], more], axis=1).astype(np.float32)
    return {
        "directions": torch.from_numpy(every),
        "classes": torch.from_numpy(labels),
        "present": torch.from_numpy(labels >= 0),
    }


def _present(names: tuple[str, ...], numbers: np.ndarray) -> tuple[tuple[str, ...], Tensor]:
    """The names that occur, and for each row the position of its name among them."""
    present, places = np.unique(numbers, return_inverse=True)
    return tuple(names[number] for number in present), torch.from_numpy(places)
