"""The embedded data set: procedural sounds × azimuths × rooms, rendered in batches when asked for.

Nothing is stored but the sounds and the rooms' responses. A clip is an index: `(sound, room, azimuth)`
in row-major order, the azimuth running fastest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bastzoo.acoustics.heads import Head, default_head
from bastzoo.acoustics.rendering import Renderer
from bastzoo.acoustics.rooms import Room, binaural_responses
from bastzoo.acoustics.sounds import CORPUS_VERSION, make_corpus
from bastzoo.data.environments import Environment
from bastzoo.directions import direction_from_angles
from bastzoo.experiment import DataSize, digest

# Raised when a change of heads, rooms or rendering makes other clips; golden checksums in
# tests/acoustics notice when that is forgotten.
RENDERING_VERSION = 1

Split = Literal["train", "validation", "test"]

# Each split numbers its sounds in a range of its own: no sound can be in two splits, and the test
# sounds of a small preset are the first of those of a larger one.
_FIRST_SOUND: dict[str, int] = {"test": 0, "validation": 1_000_000, "train": 2_000_000}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rendered clips and what is known of them.

    clips: `[B, 2, N]`, channel 0 the left ear.
    targets: `direction` `[B, 3]` (unit vectors) and `class` `[B]`.
    sounds, rooms: `[B]`, positions of a clip's sound and room within the split.
    """

    clips: Float[Tensor, "B 2 N"]
    targets: dict[str, Tensor]
    sounds: Int[Tensor, " B"]
    rooms: Int[Tensor, " B"]


class ClipSet:
    """The clips of one split: every sound of it, in every room, from every azimuth."""

    def __init__(
        self,
        *,
        split: Split,
        environment: Environment,
        sounds: int,
        azimuths: np.ndarray,
        responses: list[np.ndarray],
        corpus_seed: int,
        device: torch.device | str,
    ) -> None:
        first = _FIRST_SOUND[split]
        corpus = make_corpus(range(first, first + sounds), corpus_seed)
        self.split = split
        self.rooms = tuple(room.name for room in environment.rooms)
        self.sound_ids = corpus.ids
        self.azimuths = azimuths
        self.device = torch.device(device)
        self._classes = torch.as_tensor(corpus.families, device=self.device)
        directions = direction_from_angles(azimuths)
        self._directions = torch.as_tensor(directions, dtype=torch.float32, device=self.device)
        self._renderer = Renderer(
            torch.from_numpy(corpus.samples), _stack(responses), device=device
        )

    def __len__(self) -> int:
        return len(self.sound_ids) * len(self.rooms) * len(self.azimuths)

    def render(self, indices: Int[Tensor, " B"]) -> Batch:
        """Render the clips of these indices, `0 <= index < len(self)`, on the set's device."""
        indices = indices.to(self.device)
        places = len(self.rooms) * len(self.azimuths)
        sounds, place = indices // places, indices % places
        azimuth = place % len(self.azimuths)
        clips = self._renderer.render(sounds, place, clip_index=indices)
        return Batch(
            clips=clips,
            targets={"direction": self._directions[azimuth], "class": self._classes[sounds]},
            sounds=sounds,
            rooms=place // len(self.azimuths),
        )

    def in_order(self, batch: int) -> Iterator[Batch]:
        """Render every clip once, in the order of the indices."""
        for start in range(0, len(self), batch):
            yield self.render(torch.arange(start, min(start + batch, len(self))))


class EmbeddedData:
    """Train, validation and test clips of one environment; splits are made when first used."""

    def __init__(
        self,
        *,
        environment: Environment,
        size: DataSize,
        head: Head | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.environment = environment
        self.size = size
        self.head = head or default_head()
        self.device = torch.device(device)
        self._splits: dict[str, ClipSet] = {}

    @property
    def digest(self) -> str:
        """Hash of everything that decides the clips: sounds, azimuths, rooms, head, code versions."""
        return data_digest(self.environment, self.size, self.head.digest)

    def split(self, name: Split) -> ClipSet:
        """The clips of one split, made on first use and kept."""
        if name not in self._splits:
            azimuths = azimuth_grid(self.size.azimuth_step)
            responses = [
                room_responses(room, self.head, self.size.azimuth_step)
                for room in self.environment.rooms
            ]
            self._splits[name] = ClipSet(
                split=name,
                environment=self.environment,
                sounds=getattr(self.size, f"{name}_sounds"),
                azimuths=azimuths,
                responses=responses,
                corpus_seed=self.size.corpus_seed,
                device=self.device,
            )
        return self._splits[name]


def data_digest(environment: Environment, size: DataSize, head_digest: str) -> str:
    """The digest of the data of an environment, known without rendering anything."""
    return digest(
        {
            "corpus": CORPUS_VERSION,
            "rendering": RENDERING_VERSION,
            "size": size.model_dump(mode="json"),
            "head": head_digest,
            "rooms": [asdict(room) for room in environment.rooms],
        }
    )


def _stack(responses: list[np.ndarray]) -> Tensor:
    """Responses of all rooms in one tensor `[rooms · A, 2, K]`, short ones padded with zeros."""
    longest = max(r.shape[-1] for r in responses)
    padded = [np.pad(r, ((0, 0), (0, 0), (0, longest - r.shape[-1]))) for r in responses]
    return torch.from_numpy(np.concatenate(padded))


def azimuth_grid(step: int) -> np.ndarray:
    """Azimuths from -180 + step to 180 degrees, counter-clockwise, +90 left."""
    return np.arange(-180 + step, 181, step)


def room_responses(room: Room, head: Head, azimuth_step: int) -> np.ndarray:
    """Binaural responses `[A, 2, K]` of a room from every azimuth of the grid, made once a process."""
    key = head.digest
    _HEADS[key] = head
    return _room_responses(room, key, azimuth_step)


_HEADS: dict[str, Head] = {}


@lru_cache(maxsize=16)
def _room_responses(room: Room, head_digest: str, azimuth_step: int) -> np.ndarray:
    directions = direction_from_angles(azimuth_grid(azimuth_step))
    return binaural_responses(room, _HEADS[head_digest], directions)
