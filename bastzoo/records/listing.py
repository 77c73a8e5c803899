"""What is in a folder of runs: finished, failed, stale, running and unfinished ones.

Imports no torch: a list of thousands of runs is shown at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from bastzoo.experiment import Experiment
from bastzoo.records.claims import Claims
from bastzoo.records.job import Job
from bastzoo.records.record import AnswersExperiment, BaselineExperiment, RunRecord
from bastzoo.records.staleness import Present
from bastzoo.records.store import RECORD_FILE, RunStore, read_record

Status = Literal["finished", "failed", "stale", "running", "unfinished"]
STATUSES: tuple[Status, ...] = ("finished", "failed", "stale", "running", "unfinished")


@dataclass(frozen=True)
class Listed:
    """A run of a folder, or what is left of one.

    remark: why it is stale, failed, or who works on it.
    tested: None where it is not known what an unfinished run was to be.
    """

    key: str
    status: Status
    remark: str
    tested: Experiment | BaselineExperiment | AnswersExperiment | None
    record: RunRecord | None = None
    path: Path | None = None

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What it can be chosen by, and what a list shows of it."""
        values: dict[str, Any] = {"key": self.key, "status": self.status, "remark": self.remark}
        tested = self.tested
        if isinstance(tested, Experiment):
            values |= tested.combination.model_dump()
            values |= {"preset": tested.preset.name, "seed": tested.seed}
            values["precision"] = tested.precision
        elif isinstance(tested, AnswersExperiment):
            values["answers"] = tested.name
        elif tested is not None:
            values["baseline"] = tested.component.name
        if tested is not None:
            values["environment"] = tested.environment
            values["condition"] = str(tested.condition)
        if self.record is not None and self.record.evaluation is not None:
            values["ad"] = self.record.evaluation.metrics["ad_mean"]
        if self.record is not None:
            values["created"] = self.record.provenance.created
            values["seconds"] = self.record.provenance.seconds
        values["path"] = None if self.path is None else str(self.path)
        return values

    def fits(self, chosen: Mapping[str, Sequence[str]]) -> bool:
        """Whether it has one of the chosen values (in any letter case) in each of the facts named."""
        return all(
            str(self.facts.get(name, "")).lower() in [str(value).lower() for value in values]
            for name, values in chosen.items()
            if values
        )


def listed(store: RunStore, present: Present) -> tuple[list[Listed], list[str]]:
    """All runs of a folder, sorted by name, those without a record last; and a sentence for each
    record that cannot be read.
    """
    runs, faults = store.runs()
    claims = Claims(store.folder)
    found = []
    working = {key: (holder, kept) for key, holder, kept in claims.unfinished()}
    for path, record in runs:
        holder, _ = working.pop(record.key, (None, False))
        entry = of_record(record, present, path)
        if holder is not None:  # a failed or stale run that is run again
            entry = Listed(
                entry.key, "running", f"{holder}", entry.tested, entry.record, entry.path
            )
        found.append(entry)
    for key, (holder, kept) in working.items():
        begun = "stopped with a checkpoint" if kept else "stopped before its first checkpoint"
        found.append(
            Listed(
                key,
                "running" if holder else "unfinished",
                str(holder) if holder else begun,
                _described(claims, key),
            )
        )
    return found, faults


def of_record(record: RunRecord, present: Present, path: Path) -> Listed:
    """A run that has a record."""
    reason = present.reason(record)
    failure = record.failure.message if record.failure else ""
    if record.status == "failed":
        return Listed(record.key, "failed", failure, record.tested, record, path)
    return Listed(
        record.key, "stale" if reason else "finished", reason, record.tested, record, path
    )


def find(store: RunStore, reference: str, present: Present) -> Listed:
    """The run that a reference names (see `RunStore.find`). Raises RecordError as that does."""
    path = store.find(reference)
    return of_record(read_record(path / RECORD_FILE), present, path)


def _described(claims: Claims, key: str) -> Experiment | BaselineExperiment | None:
    try:
        job = Job.model_validate_json(claims.description(key))
    except ValidationError:
        return None
    return job.experiment or job.baseline
