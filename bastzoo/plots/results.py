"""What pictures are drawn from: records, and the files that a run's folder has beside its own."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bastzoo.boards.comparison import all_seeds, one_row
from bastzoo.boards.frames import Runs
from bastzoo.errors import RecordError, tellable
from bastzoo.records.record import Evaluation, RunRecord, TrackRecord
from bastzoo.records.store import (
    HISTORY_FILE,
    PREDICTIONS_FILE,
    RECORD_FILE,
    RunStore,
    read_predictions,
    read_record,
    read_track_record,
)

LONGEST_LABEL = 48
"""Letters of a name in a picture; the middle of a longer one is left out."""


class NothingToDrawError(RecordError):
    """The runs do not hold what a picture is made of."""


@dataclass(frozen=True, eq=False)
class Result:
    """A run that can be drawn.

    folder: where its predictions and history lie; None for a record that was copied alone.
    """

    record: RunRecord
    folder: Path | None = None
    on_tracks: tuple[TrackRecord, ...] = ()

    @property
    def evaluation(self) -> Evaluation:
        """What came out of its own test. Raises NothingToDrawError for a run that failed."""
        if self.record.evaluation is None:
            raise NothingToDrawError(f"The run {self.record.name!r} has no result: it failed.")
        return self.record.evaluation

    @cached_property
    def predictions(self) -> Mapping[str, np.ndarray] | None:
        """Every answer of the test, as `docs/protocol.md` names the arrays; None where none are kept.

        Raises RecordError for a file that cannot be read.
        """
        path = None if self.folder is None else self.folder / PREDICTIONS_FILE
        if path is None or not path.is_file():
            return None
        found = read_predictions(path, self.evaluation.clips)
        if missing := {"directions", "targets", "sounds", "rooms"} - {*found}:
            raise RecordError(
                f"The predictions {str(path)!r} lack {', '.join(sorted(missing))}; test the run again."
            )
        return found

    @cached_property
    def history(self) -> dict[str, np.ndarray] | None:
        """The columns of its learning curve (step, loss, validation_ad); None where it is not kept."""
        path = None if self.folder is None else self.folder / HISTORY_FILE
        if path is None or not path.is_file():
            return None
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        try:
            columns = {
                name: np.array([float(line[name]) for line in lines])
                for name in ("step", "loss", "validation_ad")
            }
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"The learning curve {str(path)!r} cannot be read.") from error
        return columns if lines else None

    def on_track(self, track: str) -> TrackRecord | None:
        """Its result on a track, or None."""
        found = [record for record in self.on_tracks if record.track == track]
        return found[0] if found else None


_PARTS = ("backbone", "integration", "loss", "sharing", "head", "frontend")


@dataclass(frozen=True, eq=False)
class Design:
    """The runs that differ in the seed alone: one colour and one line of a legend."""

    results: tuple[Result, ...]
    label: str = ""

    @property
    def first(self) -> RunRecord:
        """The record of its first seed, for what all have in common."""
        return self.results[0].record

    @property
    def evaluations(self) -> list[Evaluation]:
        """The tests of its seeds."""
        return [result.evaluation for result in self.results]

    @property
    def parts(self) -> dict[str, str]:
        """What it is made of and heard in, by kind: what decides its colour."""
        record = self.first
        if record.experiment is not None:
            chosen = record.experiment.combination
            parts = {kind: str(getattr(chosen, kind)) for kind in _PARTS}
            parts["environment"] = record.experiment.environment
            parts["trained on"] = str(record.experiment.condition)
            parts["preset"] = record.experiment.preset.name
            return parts
        return {"baseline": record.method, "environment": record.tested.environment}

    @property
    def method(self) -> str:
        """What it is called where it is no model: a baseline, or answers from elsewhere."""
        return self.first.method + " (baseline)" * (self.first.kind == "baseline")


_TRACKS_ALONE = (
    "there are results on tracks alone, and pictures are drawn of runs; `bastzoo leaderboard FOLDER` shows "
    "their table, and `--html SITE` their pages."
)


def results_of(runs: Any) -> list[Result]:
    """The finished runs of whatever is to be drawn: `Runs`, records, results, or paths of them.

    Raises NothingToDrawError where no run has finished.
    """
    found = [result for result in _each(runs) if result.record.evaluation is not None]
    if not found:
        if isinstance(runs, Runs) and runs.on_tracks:
            raise NothingToDrawError(f"Here {_TRACKS_ALONE}")
        raise NothingToDrawError("No run of these has finished, so there is nothing to draw.")
    return list({result.record.key: result for result in found}.values())


def _each(runs: Any) -> Iterable[Result]:
    if isinstance(runs, Result):
        return [runs]
    if isinstance(runs, Design):
        return runs.results
    if isinstance(runs, RunRecord):
        return [Result(runs)]
    if isinstance(runs, Runs):
        return [
            Result(
                record,
                runs.place(record),
                tuple(track for track in runs.on_tracks if track.key == record.key),
            )
            for record in runs
        ]
    if isinstance(runs, str | Path):
        return read_results(str(runs))
    return [result for one in runs for result in _each(one)]


def read_results(reference: str, folder: Path | str = "runs") -> list[Result]:
    """The runs that a reference names: a folder of a run or of runs, a record file, or (in `folder`) a key or
    the beginning of a run's name; several of a name that differ in the seed alone are all meant.

    Raises RecordError for what is none, NothingToDrawError for a folder without runs.
    """
    path = Path(reference)
    if path.is_file():
        if path.name.startswith("track-"):
            raise RecordError(
                f"{reference!r} is a result on a track; name the record of its run, and the track's is found."
            )
        record = read_record(path)
        place = path.parent if path.name == RECORD_FILE else None
        return [Result(record, place, _tracks_of(record, path))]
    if path.is_dir():
        runs = Runs.of(path)
        if not len(runs) and runs.on_tracks:
            raise NothingToDrawError(f"In {reference!r} {_TRACKS_ALONE}")
        if not len(runs):
            raise NothingToDrawError(
                f"There is no run in the folder {reference!r}"
                + (f": {runs.faults[0]}" if runs.faults else "; `bastzoo bench` writes some.")
            )
        return list(_each(runs))
    store = RunStore(folder)
    matching = store.matching(reference)
    if len(matching) > 1:
        found = [read_record(place / RECORD_FILE) for place in matching]
        if not one_row(found):
            matching = [store.find(reference)]  # which says that it fits several
    else:
        matching = [store.find(reference)]
    return [result for place in matching for result in _each(Runs.of(place))]


def _tracks_of(record: RunRecord, path: Path) -> tuple[TrackRecord, ...]:
    """Results on tracks beside a record, and in the folders beside its own (leaderboards/records/)."""
    name = f"track-*{record.key}.json"
    own = path.parent.glob("track-*.json") if path.name == RECORD_FILE else path.parent.glob(name)
    files = {*own, *path.parent.parent.glob(f"*/{name}")}
    return tuple(read_track_record(file) for file in sorted(files))


def designs(results: Sequence[Result]) -> list[Design]:
    """Results by design, seeds together, each with a label that tells it from the others."""
    records = [result.record for result in results]
    groups: dict[str, list[Result]] = {}
    for result in results:
        first = all_seeds(result.record, records)[0]
        groups.setdefault(first.key, []).append(result)
    found = [Design(tuple(group)) for group in groups.values()]
    common = _common(found)
    names = [_names(design, common) for design in found]
    labels = _labels(names, [design.first.key for design in found])
    return [Design(d.results, label) for d, label in zip(found, labels, strict=True)]


_USUAL = {"head": "azimuth", "frontend": "spectrogram"}


def _common(designs: Sequence[Design]) -> dict[str, str]:
    """The parts that all models share, where there are several that differ in some."""
    models = [design.parts for design in designs if "backbone" in design.parts]
    same = (
        {kind: models[0][kind] for kind in _PARTS if len({m[kind] for m in models}) == 1}
        if models
        else {}
    )
    return same if len(models) > 1 and len(same) < len(_PARTS) else {}


def shared_parts(designs: Sequence[Design]) -> str:
    """What the labels of several models leave out, since all have it: "SUB/MIX/SP"; else nothing."""
    common = _common(designs)
    return (
        plain("/".join(name for kind, name in common.items() if name != _USUAL.get(kind)))
        if common
        else ""
    )


def _names(design: Design, common: Mapping[str, str]) -> tuple[str, ...]:
    """What a design may be called, from what is always said to what is said where it must be."""
    tested = design.first.tested
    words = [tested.environment, str(tested.condition)]
    if design.first.experiment is None:
        return (design.method, *words)
    own = "/".join(design.parts[kind] for kind in _PARTS if kind not in common)
    name = own if common else str(design.first.experiment.combination)
    return (name, *words, design.parts["preset"])


def _labels(names: Sequence[tuple[str, ...]], keys: Sequence[str]) -> list[str]:
    """Short labels that differ: more of the names as it is needed, the key at last."""
    labels = [name[0] for name in names]
    for more in range(1, max(map(len, names))):
        told = [name[more] if more < len(name) else "" for name in names]
        if len(set(labels)) < len(labels) and len(set(told)) > 1:
            labels = [
                f"{one}, {word}" if word else one for one, word in zip(labels, told, strict=True)
            ]
    shown = [plain(one) for one in labels]
    return [
        f"{one} {key[:6]}" if shown.count(one) > 1 else one
        for one, key in zip(shown, keys, strict=True)
    ]


def plain(name: str, longest: int = LONGEST_LABEL) -> str:
    """A stranger's name as a picture can show it: one line, nothing invisible, not too long."""
    shown = tellable(" ".join(name.split()), longest) or "?"
    return f" {shown}" if shown.startswith("_") else shown  # matplotlib drops labels with _ first
