"""Digests of rendered data: what decides its clips, known without rendering any, and without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from bastzoo.acoustics.heads import Head, virtual_head
from bastzoo.acoustics.sounds import CORPUS_VERSION, Corpus
from bastzoo.conditions import Condition
from bastzoo.data.environments import Environment
from bastzoo.experiment import DataSize, digest

if TYPE_CHECKING:
    from bastzoo.data.batches import Split

# Raised when a change of heads, rooms or rendering makes other clips; golden checksums in
# tests/acoustics notice when that is forgotten.
RENDERING_VERSION = 1


def data_digest(
    environment: Environment,
    size: DataSize,
    *,
    head: Head,
    condition: Condition | None = None,
    corpora: Mapping[Split, Corpus] | None = None,
) -> str:
    """Hash of everything that decides the clips.

    Sounds, directions, rooms, heads, condition, code versions.
    """
    condition = condition or Condition()
    values: dict[str, object] = {
        "corpus": CORPUS_VERSION,
        "rendering": RENDERING_VERSION,
        "size": size.model_dump(mode="json"),
        "head": head.digest,
        "rooms": [asdict(room) for room in environment.rooms],
    }
    # What came later is named only where it is used: the digests of plain data stay what they were.
    if corpora:
        values["corpus"] = {split: corpus.digest for split, corpus in corpora.items()}
    if condition != Condition():
        values["condition"] = condition.model_dump(mode="json")
        values["heads"] = [head_number(number, head).digest for number in condition.heads]
    return digest(values)


def head_number(number: int, own: Head) -> Head:
    """Head `number` of a condition: 0 is the data's own, the others are the family's."""
    return own if number == 0 else virtual_head(number)
