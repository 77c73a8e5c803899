"""Rendered data: sounds × rooms × listeners × directions, made into clips in batches when asked for.

Nothing is stored but the sounds and the rooms' responses. A clip is an index: `(sound, room, listener,
direction)` in row-major order, the direction running fastest. A measured room has the one listener and
the directions that it was measured with. What a clip sounds like depends on its index and its split
alone: the same on every machine, in any order, with any number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bastzoo.acoustics.listeners.listener import Listener, default_listener
from bastzoo.acoustics.rendering import Renderer
from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.sounds import SPLITS, Split
from bastzoo.acoustics.sounds.corpus import Corpus, make_corpus
from bastzoo.conditions import Condition
from bastzoo.data.batches import Batch, in_order
from bastzoo.data.environments import Environment, check_heard
from bastzoo.data.rendering.digests import data_digest
from bastzoo.data.rendering.draws import drawn
from bastzoo.data.rendering.places import Place, check_reach, heard_with, places_of
from bastzoo.presets import DataSize

# Each split numbers its sounds in a range of its own: no sound can be in two splits, and the test
# sounds of a small preset are the first of those of a larger one.
_FIRST_SOUND: dict[str, int] = {"test": 0, "validation": 1_000_000, "train": 2_000_000}

# Seeds of the noise, so that no two splits share any.
_NOISE_SEED = {split: number for number, split in enumerate(SPLITS)}

_GOLDEN_RATIO = 0.6180339887498949


class RenderedClips:
    """The clips of one split: every sound of it, at every place, from everywhere.

    rooms: their names. places: room by room.
    noise_filters: for each listener `[2, 2, F]`, or None where no clip has noise.
    targets: what else is known of a clip, by name: a number for each room, in their order.
    """

    def __init__(
        self,
        *,
        split: Split,
        rooms: tuple[str, ...],
        corpus: Corpus,
        places: Sequence[Place],
        condition: Condition,
        noise_filters: Tensor | None,
        device: torch.device | str,
        targets: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.split: Split = split
        self.rooms = rooms
        self.sound_ids = corpus.ids
        self.classes = corpus.classes
        self.condition = condition
        self.device = torch.device(device)
        self.class_of_sound = corpus.families
        self.place_directions = np.concatenate([place.directions for place in places])
        """Those of all places, one after the other: a sound's clips in their order, `[P, 3]`."""
        _, first = np.unique(np.round(self.place_directions, 9), axis=0, return_index=True)
        self.directions = self.place_directions[np.sort(first)]
        """Each direction that clips come from once, `[m, 3]`."""
        self._classes = torch.as_tensor(corpus.families, device=self.device)
        self.known = {name: tuple(values) for name, values in (targets or {}).items()}
        """What else is known of clips: for each target, a number a room."""
        self._targets = {
            name: torch.tensor(values, dtype=torch.float32, device=self.device)
            for name, values in (targets or {}).items()
        }
        self._directions = torch.as_tensor(
            self.place_directions, dtype=torch.float32, device=self.device
        )
        counts = torch.tensor([len(place.directions) for place in places])
        self._room = _each([place.room for place in places], counts).to(self.device)
        self._listener = _each([place.listener for place in places], counts).to(self.device)
        self._first = _each(counts.cumsum(0) - counts, counts).to(self.device)
        self._count = _each(counts, counts).to(self.device)
        self._renderer = Renderer(
            torch.from_numpy(corpus.samples),
            _stack([place.responses for place in places]),
            device=device,
        )
        self._noise_filters = None if noise_filters is None else noise_filters.to(self.device)
        levels = [torch.inf if snr is None else snr for snr in condition.snr_db]
        self._snr_db = torch.tensor(levels, dtype=torch.float64, device=self.device)

    def __len__(self) -> int:
        return len(self.sound_ids) * len(self._directions)

    def directions_seen(self) -> np.ndarray:
        """All directions of the places, `[m, 3]`."""
        return self.directions

    def places_by_room(self) -> dict[str, int]:
        """For each room, from how many directions with how many listeners each sound is heard."""
        counts = torch.bincount(self._room, minlength=len(self.rooms)).tolist()
        return dict(zip(self.rooms, counts, strict=True))

    def take(self, indices: Int[Tensor, " B"]) -> Batch:
        """Render the clips of these indices, `0 <= index < len(self)`, on the set's device."""
        indices = indices.to(self.device)
        sounds, place = indices // len(self._directions), indices % len(self._directions)
        if self.condition.sources != (1,):
            return self._take_several(indices, sounds, place)
        clips = self._renderer.render(
            sounds,
            place,
            clip_index=indices,
            duration_ms=self.condition.duration_ms,
            **self._noise(indices, self._listener[place]),
        )
        return replace(self.unheard(indices), inputs=clips)

    def unheard(self, indices: Int[Tensor, " B"]) -> Batch:
        """What is known of clips of one source, without rendering them: the inputs have no samples."""
        indices = indices.to(self.device)
        sounds, place = indices // len(self._directions), indices % len(self._directions)
        return Batch(
            inputs=torch.empty(len(indices), 2, 0, device=self.device),
            targets={
                "direction": self._directions[place],
                "class": self._classes[sounds],
                **self._known_of(place),
            },
            sounds=sounds,
            rooms=self._room[place],
        )

    def _take_several(
        self, indices: Int[Tensor, " B"], sounds: Int[Tensor, " B"], place: Int[Tensor, " B"]
    ) -> Batch:
        """Clips of several sources: that of the index, and others in the same room with the same listener.

        No two sources of a clip come from one direction or are one sound.
        """
        numbers = torch.tensor(self.condition.sources, device=self.device)
        count = numbers[drawn(indices, 0, len(numbers))]
        most = int(numbers.max())
        first, around = self._first[place], self._count[place]
        clips, all_sounds, all_directions = None, [], []
        for source in range(most):
            # Steps round the list of sounds, and of directions: one each, so that none comes twice.
            step = _steps(indices, source, most, len(self.sound_ids))
            sound = (sounds + step) % len(self.sound_ids)
            turn = _steps(indices, source, most, around, stream=1)
            response = first + (place - first + turn) % around
            heard = self._renderer.render(sound, response, duration_ms=self.condition.duration_ms)
            heard *= (source < count)[:, None, None]
            clips = heard if clips is None else clips + heard
            all_sounds.append(sound)
            all_directions.append(response)
        assert clips is not None
        present = torch.arange(most, device=self.device) < count[:, None]
        directions = self._directions[torch.stack(all_directions, dim=1)]
        classes = self._classes[torch.stack(all_sounds, dim=1)]
        return Batch(
            inputs=clips,
            targets={
                "direction": directions[:, 0],
                "class": classes[:, 0],
                "directions": torch.where(present[..., None], directions, torch.nan),
                "classes": torch.where(present, classes, -1),
                "present": present,
                **self._known_of(place),
            },
            sounds=sounds,
            rooms=self._room[place],
        )

    def _known_of(self, place: Int[Tensor, " B"]) -> dict[str, Tensor]:
        """The further targets of clips, `[B]`."""
        return {name: values[self._room[place]] for name, values in self._targets.items()}

    def _noise(self, indices: Int[Tensor, " B"], listeners: Int[Tensor, " B"]) -> dict[str, Any]:
        if self._noise_filters is None:
            return {}
        # Multiples of the golden ratio, modulo 1: every SNR equally often, whatever the direction.
        drawn = (indices.double() * _GOLDEN_RATIO % 1.0 * len(self._snr_db)).long()
        return {
            "snr_db": self._snr_db[drawn],
            "seed": _NOISE_SEED[self.split],
            "noise_filter": self._noise_filters,
            "noise_filter_index": listeners,
        }

    def sound_by_sound(self) -> Int[Tensor, " n"]:
        """All indices; they are in that order already."""
        return torch.arange(len(self))

    def in_order(self, batch: int) -> Iterator[Batch]:
        """Render every clip once, in the order of the indices."""
        return in_order(self, batch)


class RenderedData:
    """Train, validation and test clips of one environment; splits are made when first used.

    listener: the data's own listener, number 0 of a condition.
    listeners: those that take its place in each split, when they are several or differ between splits.
    corpora: the sounds of each split, or None for the embedded corpus.
    """

    feature_shape: tuple[int, int, int] | None = None
    """Rendered data gives clips, and leaves features to the frontend."""

    def __init__(
        self,
        *,
        environment: Environment,
        size: DataSize,
        condition: Condition | None = None,
        listener: Listener | None = None,
        listeners: Mapping[Split, Sequence[Listener]] | None = None,
        corpora: Mapping[Split, Corpus] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.environment = environment
        self.size = size
        self.condition = condition or Condition()
        own = listener or (default_listener() if listeners is None else listeners["train"][0])
        self.listener = own
        self.listeners: Mapping[Split, Sequence[Listener]] = listeners or dict.fromkeys(
            SPLITS, (own,)
        )
        check_heard(environment, self.condition)
        self.device = torch.device(device)
        self._corpora = corpora
        self._splits: dict[str, RenderedClips] = {}

    @property
    def digest(self) -> str:
        """Hash of everything that decides the clips."""
        return data_digest(
            self.environment,
            self.size,
            listener=self.listener.digest,
            listeners={
                split: [listener.digest for listener in own]
                for split, own in self.listeners.items()
            },
            condition=self.condition,
            corpora=self._corpora,
        )

    @property
    def most_sources(self) -> int:
        """How many sources a clip has at most."""
        return max(self.condition.sources)

    def split(self, name: Split) -> RenderedClips:
        """The clips of one split, made on first use and kept.

        Raises DataError for a test from directions that its listeners were not measured near.
        """
        if name not in self._splits:
            self._splits[name] = self._make(name)
        return self._splits[name]

    def waveforms(self, name: Split) -> RenderedClips:
        """The clips of one split: what `split` gives."""
        return self.split(name)

    def _make(self, name: Split) -> RenderedClips:
        listeners = heard_with(self.condition, self.listeners[name])
        if name == "test":
            check_reach(self.environment, self.listeners[name], self.condition, self.size)
        places = places_of(self.environment, listeners, self.condition, self.size)
        filters = None
        if any(snr is not None for snr in self.condition.snr_db):
            from bastzoo.acoustics.noise import diffuse_filter

            measured = [
                room.ears for room in self.environment.rooms if isinstance(room, MeasuredRoom)
            ]
            filters = [
                diffuse_filter(ears, self.condition.noise) for ears in (*listeners, *measured)
            ]
        return RenderedClips(
            split=name,
            rooms=tuple(room.name for room in self.environment.rooms),
            corpus=self._corpora[name] if self._corpora else embedded_corpus(name, self.size),
            places=places,
            condition=self.condition,
            noise_filters=torch.stack(filters) if filters else None,
            device=self.device,
            targets={
                name: [values[room.name] for room in self.environment.rooms]
                for name, values in self.environment.targets.items()
            },
        )


def _each(values: Sequence[int] | Tensor, counts: Tensor) -> Tensor:
    """`values` of places, once for each of their directions."""
    return torch.as_tensor(values).repeat_interleave(counts)


def _steps(
    indices: Int[Tensor, " B"],
    source: int,
    most: int,
    count: int | Int[Tensor, " B"],
    *,
    stream: int = 0,
) -> Int[Tensor, " B"]:
    """How far along a list of `count` a source of a clip is from the clip's own: each in its own stretch."""
    if source == 0:
        return torch.zeros_like(indices)
    stretch = torch.as_tensor((count - 1) // (most - 1), device=indices.device).clamp(min=1)
    offset = drawn(indices, 2 * source + stream, stretch)
    return 1 + (source - 1) * stretch + offset


def embedded_corpus(split: Split, size: DataSize) -> Corpus:
    """The embedded sounds of a split."""
    first = _FIRST_SOUND[split]
    count = getattr(size, f"{split}_sounds")
    return make_corpus(range(first, first + count), size.corpus_seed)


def _stack(responses: list[np.ndarray]) -> Tensor:
    """Responses of all rooms in one tensor `[rooms · A, 2, K]`, short ones padded with zeros."""
    longest = max(r.shape[-1] for r in responses)
    padded = [np.pad(r, ((0, 0), (0, 0), (0, longest - r.shape[-1]))) for r in responses]
    return torch.from_numpy(np.concatenate(padded))
