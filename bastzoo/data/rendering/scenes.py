"""Clips of scenes: sounds in rooms by the thousand, as they are met outside a laboratory.

A clip is an index: `(sound, take)`, the take running fastest. Everything else about it, its scene, its
source, its colours, its noise, is drawn from the index: the same on every machine, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.listeners.listener import Listener, default_listener
from bastzoo.acoustics.noise import ear_noise
from bastzoo.acoustics.rooms.responses import Ears, scene_responses
from bastzoo.acoustics.rooms.scenes import draw_scene
from bastzoo.acoustics.sounds import SPLITS, Split
from bastzoo.acoustics.sounds.corpus import Corpus
from bastzoo.conditions import Condition
from bastzoo.data.batches import Batch, in_order
from bastzoo.data.environments import Environment, check_heard
from bastzoo.data.rendering.clips import embedded_corpus
from bastzoo.data.rendering.digests import data_digest
from bastzoo.data.rendering.draws import drawn, normal, uniform
from bastzoo.data.rendering.places import heard_with
from bastzoo.errors import DataError
from bastzoo.presets import DataSize

ROOMS: tuple[str, ...] = ("open air", "made rooms")

# What is drawn for a clip, each from a stream of its own.
_SCENE, _RUNNING, _SNR, _MIRRORED, _LEVEL, _COLOUR, _EARS = 0, 1, 2, 3, 4, 8, 40

_COSINES = 12


@dataclass(frozen=True, eq=False)
class Bank:
    """Responses of many scenes.

    responses: `[R, 2, 8000]`, half precision; directions: `[R, 3]`, heard by the listener; rooms: `[R]`,
    whether a response was made in a room.
    """

    responses: Float[Tensor, "R 2 8000"]
    directions: Float[Tensor, "R 3"]
    rooms: Int[Tensor, " R"]


def make_bank(
    listeners: Sequence[Listener],
    *,
    split: Split,
    scenes: int,
    sources: int,
    seed: int = 0,
    open_air: bool = False,
    device: torch.device | str = "cpu",
) -> Bank:
    """What the listeners, one after the other, receive in the scenes of a split; open_air: without rooms."""
    ears = [Ears(listener, device) for listener in listeners]
    responses = torch.empty(scenes * sources, 2, CLIP_SAMPLES, dtype=torch.float16, device=device)
    directions, rooms = [], []
    for number in range(scenes):
        scene = draw_scene(number, split=split, seed=seed, sources=sources)
        scene = scene.in_the_open() if open_air else scene
        found, heard_from = scene_responses(scene, ears[number % len(ears)])
        responses[number * sources : (number + 1) * sources] = found
        directions.append(heard_from)
        rooms += [int(scene.size is not None)] * sources
    return Bank(responses, torch.cat(directions), torch.tensor(rooms, device=device))


class SceneData:
    """Train, validation and test clips of an environment of scenes; splits are made when first used.

    listeners: the data's own ones in each split, number 0 of a condition; by default the default listener.
    corpora: the sounds of each split, or None for the embedded corpus.
    """

    feature_shape: tuple[int, int, int] | None = None
    most_sources = 1

    def __init__(
        self,
        *,
        environment: Environment,
        size: DataSize,
        condition: Condition,
        listeners: Mapping[Split, Sequence[Listener]] | None = None,
        corpora: Mapping[Split, Corpus] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if environment.scenes is None:
            raise DataError(f"The environment {environment.name} has no scenes.")
        check_heard(environment, condition)
        self.environment, self.scenes = environment, environment.scenes
        self.size, self.condition = size, condition
        self.listeners = listeners or dict.fromkeys(SPLITS, (default_listener(),))
        self.device = torch.device(device)
        self._corpora = corpora
        self._splits: dict[str, SceneClips] = {}

    @property
    def digest(self) -> str:
        """Hash of everything that decides the clips."""
        return data_digest(
            self.environment,
            self.size,
            listener=self.listeners["train"][0].digest,
            listeners={s: [one.digest for one in own] for s, own in self.listeners.items()},
            condition=self.condition,
            corpora=self._corpora,
        )

    def split(self, name: Split) -> SceneClips:
        """The clips of one split, made on first use and kept."""
        if name not in self._splits:
            self._splits[name] = SceneClips(
                split=name,
                corpus=self._corpora[name] if self._corpora else embedded_corpus(name, self.size),
                bank=make_bank(
                    heard_with(self.condition, self.listeners[name]),
                    split=name,
                    scenes=getattr(self.scenes, name),
                    sources=self.scenes.sources,
                    seed=self.scenes.seed,
                    open_air=self.condition.open_air,
                    device=self.device,
                ),
                condition=self.condition,
                takes=getattr(self.scenes, f"{name}_takes"),
            )
        return self._splits[name]

    def waveforms(self, name: Split) -> SceneClips:
        """The clips of one split: what `split` gives."""
        return self.split(name)


class SceneClips:
    """The clips of one split: `takes` of every sound, each in a scene of its own.

    bank: what is received from each source of each scene, on the device that clips are made on.
    """

    def __init__(
        self, *, split: Split, corpus: Corpus, bank: Bank, condition: Condition, takes: int
    ) -> None:
        self.split: Split = split
        self.rooms = ROOMS
        self.sound_ids = corpus.ids
        self.classes = corpus.classes
        self.class_of_sound = corpus.families
        self.condition = condition
        self.takes = takes
        self.device = bank.responses.device
        self._bank = bank
        self._classes = torch.as_tensor(corpus.families, device=self.device)
        self._sounds = torch.from_numpy(corpus.samples).to(self.device, torch.float32)

    def __len__(self) -> int:
        return len(self.sound_ids) * self.takes

    def directions_seen(self) -> np.ndarray:
        """Every direction that a source is heard from, `[m, 3]`."""
        return np.unique(self._bank.directions.double().cpu().numpy().round(6), axis=0)

    def sound_by_sound(self) -> Int[Tensor, " n"]:
        """All indices; they are in that order already."""
        return torch.arange(len(self))

    def in_order(self, batch: int) -> Iterator[Batch]:
        """Render every clip once, in the order of the indices."""
        return in_order(self, batch)

    def take(self, indices: Int[Tensor, " B"]) -> Batch:
        """Render the clips of these indices, `0 <= index < len(self)`, on the set's device."""
        indices = indices.to(self.device)
        asked = self.condition
        known = self.unheard(indices)
        clips = self._heard(
            indices, known.sounds, drawn(indices, _SCENE, len(self._bank.directions))
        )
        if asked.snr_span is not None:
            clips = clips + self._noise(indices, clips)
        if asked.mirrored and self.split == "train":
            other = uniform(indices, _MIRRORED) < 0.5
            clips = torch.where(other[:, None, None], clips.flip(1), clips)
        return replace(known, inputs=clips)

    def unheard(self, indices: Int[Tensor, " B"]) -> Batch:
        """What is known of clips, without rendering them: the inputs have no samples."""
        indices = indices.to(self.device)
        sounds = indices // self.takes
        place = drawn(indices, _SCENE, len(self._bank.directions))
        directions = self._bank.directions[place]
        if self.condition.mirrored and self.split == "train":
            sign = torch.where(uniform(indices, _MIRRORED) < 0.5, -1.0, 1.0)
            directions = torch.stack(
                [directions[:, 0], directions[:, 1] * sign, directions[:, 2]], dim=1
            )
        return Batch(
            inputs=torch.empty(len(indices), 2, 0, device=self.device),
            targets={"direction": directions, "class": self._classes[sounds]},
            sounds=sounds,
            rooms=self._bank.rooms[place],
        )

    def _heard(
        self, indices: Int[Tensor, " B"], sounds: Int[Tensor, " B"], place: Int[Tensor, " B"]
    ) -> Float[Tensor, "B 2 8000"]:
        """Sounds in their scenes: cut out of running sound, or beginning out of silence."""
        running = uniform(indices, _RUNNING) < self.condition.running
        clips = torch.empty(len(indices), 2, CLIP_SAMPLES, device=self.device)
        # A circle of one clip's length is what goes on for ever; twice the length leaves silence before.
        for members, length in ((running, CLIP_SAMPLES), (~running, 2 * CLIP_SAMPLES)):
            chosen = members.nonzero().squeeze(1)
            if len(chosen):
                spectra = torch.fft.rfft(self._bank.responses[place[chosen]].float(), length)
                spectra *= torch.fft.rfft(self._sounds[sounds[chosen]], length)[:, None]
                spectra *= self._colours(indices[chosen], spectra.shape[-1])
                clips[chosen] = torch.fft.irfft(spectra, length)[..., :CLIP_SAMPLES]
        return clips

    def _colours(self, indices: Int[Tensor, " B"], bins: int) -> Float[Tensor, "B 2 F"]:
        """Levels and smooth gains: of the source, the same for both ears, and of each ear."""
        asked = self.condition
        waves = _cosines(bins).to(self.device)
        coefficients = torch.zeros(len(indices), 2, _COSINES, device=self.device)
        order = torch.arange(1, _COSINES + 1, device=self.device) ** -0.5
        if asked.colour_db:
            common = normal(indices, _COLOUR, _COSINES)
            coefficients += asked.colour_db * (order * common)[:, None]
        if asked.ear_colour_db:
            own = normal(indices, _EARS, 2 * _COSINES).reshape(-1, 2, _COSINES)
            coefficients += asked.ear_colour_db * order * own
        decibels = coefficients @ waves
        if asked.level_db or asked.mismatch_db:
            level = normal(indices, _LEVEL, 4)
            decibels += (asked.level_db * level[:, :1] + asked.mismatch_db * level[:, 1:3])[
                ..., None
            ]
        return 10 ** (decibels / 20)

    def _noise(
        self, indices: Int[Tensor, " B"], clips: Float[Tensor, "B 2 8000"]
    ) -> Float[Tensor, "B 2 8000"]:
        """White noise, independent at the ears, at a ratio drawn from the condition's span."""
        assert self.condition.snr_span is not None
        low, high = self.condition.snr_span
        ratio = low + (high - low) * uniform(indices, _SNR)
        power = clips.square().mean(dim=(1, 2))
        amplitude = (power * 10 ** (-ratio / 10)).sqrt()
        return ear_noise(indices, _SEEDS[self.split], torch.float32) * amplitude[:, None, None]


_SEEDS: Mapping[str, int] = {"test": 10, "validation": 11, "train": 12}


def _cosines(bins: int) -> Float[Tensor, "12 F"]:
    """Cosines over the ERB-rate scale (Glasberg & Moore 1990), from 0 Hz to half the sample rate.

    Scaled so that coefficients of standard deviation 1 / sqrt(order) give gains of about that deviation.
    """
    hertz = torch.linspace(0, SAMPLE_RATE / 2, bins, dtype=torch.float64)
    rate = 21.4 * torch.log10(1 + 0.00437 * hertz)
    order = torch.arange(1, _COSINES + 1, dtype=torch.float64)[:, None]
    scale = 1 / math.sqrt(0.5 * sum(1 / k for k in range(1, _COSINES + 1)))
    return (scale * torch.cos(math.pi * order * rate / rate[-1])).float()
