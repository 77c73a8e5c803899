"""Digests of rendered data: what decides its clips, known without rendering any, and without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from bastzoo.acoustics.listeners.listener import virtual_listener
from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.rooms.scenes import SCENES_VERSION
from bastzoo.acoustics.rooms.shoebox import Room
from bastzoo.acoustics.sounds.corpus import CORPUS_VERSION, Corpus
from bastzoo.conditions import Condition
from bastzoo.data.environments import Environment
from bastzoo.experiment import digest
from bastzoo.presets import DataSize

if TYPE_CHECKING:
    from bastzoo.acoustics.sounds import Split

# Raised when a change of listeners, rooms or rendering makes other clips; golden checksums in
# tests/acoustics notice when that is forgotten.
RENDERING_VERSION = 1


def data_digest(
    environment: Environment,
    size: DataSize,
    *,
    listener: str,
    listeners: Mapping[Split, Sequence[str]] | None = None,
    condition: Condition | None = None,
    corpora: Mapping[Split, Corpus] | None = None,
) -> str:
    """Hash of everything that decides the clips: sounds, directions, rooms, listeners, code versions.

    listener: the digest of the data's own listener.
    listeners: digests of those of each split, when they are several or differ between splits.
    """
    condition = condition or Condition()
    values: dict[str, object] = {
        "corpus": CORPUS_VERSION,
        "rendering": RENDERING_VERSION,
        "size": size.model_dump(mode="json"),
        "head": listener,
        "rooms": [_room(room) for room in environment.rooms],
    }
    if environment.scenes is not None:
        values["scenes"] = {**asdict(environment.scenes), "version": SCENES_VERSION}
    # What came later is named only where it is used: the digests of plain data stay what they were.
    if environment.targets:
        values["targets"] = {name: dict(each) for name, each in environment.targets.items()}
    if corpora:
        values["corpus"] = {split: corpus.digest for split, corpus in corpora.items()}
    several = {split: list(own) for split, own in (listeners or {}).items()}
    if any(own != [listener] for own in several.values()):
        values["listeners"] = several
    if condition != Condition():
        values["condition"] = condition.model_dump(mode="json")
        values["heads"] = [
            virtual_listener(number).digest if number else listener
            for number in condition.listeners
        ]
    return digest(values)


def _room(room: Room | MeasuredRoom) -> dict[str, object]:
    if isinstance(room, Room):
        return asdict(room)
    return {"name": room.name, "measured": room.digest}
