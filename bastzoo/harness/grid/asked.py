"""What a grid is asked for: tracks and axes, resolved to combinations. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bastzoo.conditions import Condition, DataSource, Track
from bastzoo.experiment import Combination, Tasks
from bastzoo.harness.grid.axes import axes_of, combinations, is_all
from bastzoo.harness.tracks import check_track, find_track, plain_track, with_conditions
from bastzoo.presets import Preset, load_preset
from bastzoo.registry import Registry


@dataclass(frozen=True, slots=True)
class Part:
    """One question of a grid: its track, the environments to train in, and what to train."""

    track: Track
    environments: tuple[str, ...]
    combinations: tuple[Combination, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Every experiment that is asked for, as data.

    tracks: those that were named, each with a table of its own; none: the runs' own test.
    seeds: those that every experiment is run with.
    """

    parts: tuple[Part, ...]
    tracks: tuple[Track, ...]
    preset: Preset
    seeds: tuple[int, ...] = (0,)
    tasks: Tasks | None = None

    @property
    def heads(self) -> list[str]:
        """The heads of its models."""
        found = (each.head for part in self.parts for each in part.combinations)
        return list(dict.fromkeys(found))


def grid_of(
    chosen: Mapping[str, Sequence[str]],
    *,
    registry: Registry,
    source: DataSource,
    tracks: Sequence[str] = (),
    conditions: Sequence[Condition] = (),
    preset: str = "quick",
    pretrained: bool = False,
    recipe: Mapping[str, Any] | None = None,
    seeds: int | Sequence[int] = 1,
    tasks: Tasks | None = None,
    usual_head: str = "azimuth",
) -> Grid:
    """Resolve axes and tracks by name, and refuse what cannot be, before anything is made.

    chosen: the values of every axis (`PAPER_AXES`); none: the papers'; `all`: all that can run here.
    conditions: to train under, in the place of the tracks' own.
    recipe: what to train with in the place of the preset's own (`Recipe`); None: as it stands.
    seeds: how many, from 0, or which.
    usual_head: what stands for a head that is not named, where the track needs none.

    Raises a BastzooError for an unknown name, parts that do not fit each other, a track that the data
    cannot answer, and a preset that cannot be read.
    """
    named = [find_track(name, registry) for name in dict.fromkeys(tracks)]
    parts = []
    for track in named or [plain_track()]:
        check_track(track, source)
        head = usual_head if track.head == "azimuth" else track.head
        axes = axes_of(chosen, registry, layout=source.layout, usual_head=head)
        several = any(is_all(chosen[kind]) for kind in ("head", "loss", "backbone", "frontend"))
        found = combinations(axes, registry, skip_misfits=several)
        where = track.environments or axes["environment"]
        parts.append(Part(with_conditions(track, conditions), where, tuple(found)))
    values = load_preset(preset)
    values.check_parameters(registry)
    if pretrained:
        backbones = sorted({each.backbone for part in parts for each in part.combinations})
        values = values.with_pretrained([registry.get("backbone", name) for name in backbones])
    values = values.with_recipe(**(recipe or {}))
    which = range(seeds) if isinstance(seeds, int) else dict.fromkeys(seeds)
    return Grid(tuple(parts), tuple(named), values, tuple(which), tasks)
