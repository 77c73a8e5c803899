"""What training and evaluation take from any data set: batches of one split, by index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bastzoo.acoustics.sounds import Split

Counted = Callable[[int, int], None]
"""Told how many of how many are done."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips, or features of clips that were computed before, and what is known of them.

    inputs: clips `[B, 2, N]`, channel 0 the left ear, or features `[B, 2, C, F, T]`.
    targets: `direction` `[B, 3]` (unit vectors) and `class` `[B]`. Where clips have several sources, those
        of the first, and of all: `directions` `[B, S, 3]` (NaN for none), `classes` `[B, S]` (-1 for
        none) and `present` `[B, S]`.
    sounds, rooms: `[B]`, positions of a clip's sound and room within the split.
    """

    inputs: Float[Tensor, "B 2 ..."]
    targets: dict[str, Tensor]
    sounds: Int[Tensor, " B"]
    rooms: Int[Tensor, " B"]


@runtime_checkable
class ClipSet(Protocol):
    """The clips of one split, wherever they come from."""

    split: Split
    rooms: tuple[str, ...]
    """Names of the rooms; `Batch.rooms` indexes them."""
    sound_ids: tuple[str, ...]
    """Ids of the sounds; `Batch.sounds` indexes them."""
    classes: tuple[str, ...]
    """Names of the classes; `Batch.targets["class"]` indexes them."""

    def __len__(self) -> int:
        """Return the number of clips."""

    def directions_seen(self) -> np.ndarray:
        """Return unit vectors `[m, 3]`: every direction that a clip of the set comes from."""

    def take(self, indices: Int[Tensor, " B"], /) -> Batch:
        """Return the clips of these indices, `0 <= index < len(self)`, on the set's device."""

    def sound_by_sound(self) -> Int[Tensor, " n"]:
        """Return all indices, the clips of one sound next to each other."""

    def in_order(self, batch: int, /) -> Iterator[Batch]:
        """Yield every clip once, in the order of the indices."""


@runtime_checkable
class DataSet(Protocol):
    """The three splits of one environment, rendered or recorded."""

    @property
    def feature_shape(self) -> tuple[int, int, int] | None:
        """(C, F, T) of features that are computed already; None for clips."""

    @property
    def most_sources(self) -> int:
        """How many sources a clip has at most."""

    @property
    def digest(self) -> str:
        """Hash of everything that decides the clips."""

    def split(self, name: Split, /) -> ClipSet:
        """Return the split's inputs for a model: clips, or features where they are kept."""

    def waveforms(self, name: Split, /) -> ClipSet:
        """Return the split's clips. Raises DataError where there are only features."""


def in_order(clips: ClipSet, batch: int) -> Iterator[Batch]:
    """Yield every clip of a set once, `batch` at a time."""
    for start in range(0, len(clips), batch):
        yield clips.take(torch.arange(start, min(start + batch, len(clips))))
