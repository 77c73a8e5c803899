"""What a track asks: its test clips, their names, which say nothing of the answers, and what is true."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch

from bastzoo.conditions import Case, Track
from bastzoo.data.rendering.clips import RenderedClips
from bastzoo.data.rendering.scenes import SceneClips
from bastzoo.errors import CombinationError, DataError
from bastzoo.harness.tracks import find_track
from bastzoo.harness.workbench import Workbench
from bastzoo.harness.workbench.session import usual_frontend
from bastzoo.plugins import default_registry
from bastzoo.presets import DataSize, load_preset

_AT_ONCE = 4096


@dataclass(frozen=True)
class Truth:
    """What is true of the clips of a case, in their order.

    directions: `[n, 3]`, single precision as models are scored against. sounds, rooms, classes: `[n]`.
    """

    directions: np.ndarray
    sounds: np.ndarray
    rooms: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class Question:
    """One case of a track, as it is put to a method.

    digest: of the data that the clips are of. prefix: what the names of all clips of the track begin with.
    """

    case: Case
    environment: str
    digest: str
    prefix: str
    clips: RenderedClips | SceneClips

    @cached_property
    def names(self) -> list[str]:
        """The clips' names, in their order: hashes, so that neither they nor their order tell anything."""
        known = blake2b(f"{self.digest}/{self.case.label}".encode())
        found = []
        for index in range(len(self.clips)):
            one = known.copy()
            one.update(index.to_bytes(8, "little"))
            found.append(f"{self.prefix}{one.hexdigest()[:12]}")
        return found

    @cached_property
    def truth(self) -> Truth:
        """What is true of the clips. Nothing is rendered for it."""
        everything = torch.arange(len(self.clips))
        parts = [self.clips.unheard(part) for part in everything.split(_AT_ONCE)]
        columns = (
            [part.targets["direction"] for part in parts],
            [part.sounds for part in parts],
            [part.rooms for part in parts],
            [part.targets["class"] for part in parts],
        )
        return Truth(*(torch.cat(each).cpu().numpy() for each in columns))


@dataclass(frozen=True)
class Asked:
    """A track, and what its clips are made of."""

    track: Track
    questions: list[Question]
    size: DataSize
    workbench: Workbench

    @property
    def clips(self) -> int:
        """How many clips there are in all cases."""
        return sum(len(question.clips) for question in self.questions)


def asked(track: str, *, preset: str, environment: str) -> Asked:
    """The clips of a track. Raises BastzooErrors for unknown names, and for data that is not there."""
    registry = default_registry()
    registry.get("environment", environment)  # a slip, also where every case names its own
    found, size = find_track(track, registry), load_preset(preset).data
    workbench = Workbench(registry, device="cpu", precision="no")
    questions = questions_of(found, workbench=workbench, environment=environment, size=size)
    return Asked(found, questions, size, workbench)


def questions_of(
    track: Track, *, workbench: Workbench, environment: str, size: DataSize
) -> list[Question]:
    """The cases of a track in their order, with the clips of each.

    environment: where the cases are heard that name none. Raises CombinationError for a track whose clips
    have several sources or no meaning but for a model's own training, DataError where its data is not there.
    """
    if not track.cases:
        raise CombinationError("This track has no test of its own; name another.")
    if any(case.condition.sources != (1,) for case in track.cases):
        raise CombinationError(
            f"The clips of the track {track.name!r} have several sources, and an answer is one direction a "
            "clip; name another track."
        )
    found = []
    for case in track.cases:
        where = case.environment or environment
        component = workbench.session.registry.get("environment", where)
        if not (state := component.availability()).ok:
            raise DataError(
                f"The track {track.name!r} is heard in {component.name}, which is not there: "
                f"{state.reason}."
            )
        data = workbench.data.clips(
            where, size, case.condition, usual_frontend(workbench.session.registry)
        )
        clips = data.split("test")
        assert isinstance(clips, RenderedClips | SceneClips)
        found.append(
            Question(
                case=case,
                environment=workbench.data.environment_name(where),
                digest=data.digest,
                prefix=prefix_of(track),
                clips=clips,
            )
        )
    return found


def prefix_of(track: Track) -> str:
    """What the names of a track's clips begin with: the track and its version."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', track.name)}-v{track.version}-"
