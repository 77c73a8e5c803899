"""How results look on the terminal: one run, evaluations, a plan; or all of them as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

if TYPE_CHECKING:
    from bastzoo.bench.record import Evaluation, RunRecord, TrackRecord
    from bastzoo.bench.store import RunStore
    from bastzoo.bench.workbench import Workbench
    from bastzoo.experiment import Experiment

# Name in the record, words for people, unit.
_METRICS = (
    ("ad_mean", "AD, mean", "°"),
    ("ad_median", "AD, median", "°"),
    ("ad_p90", "AD, 90th percentile", "°"),
    ("mse", "MSE", ""),
    ("acc_5", "ACC@5", "%"),
    ("acc_10", "ACC@10", "%"),
    ("acc_20", "ACC@20", "%"),
    ("lateral_error", "lateral error", "°"),
    ("front_back_rate", "front-back rate", "%"),
    ("left_right_rate", "left-right rate", "%"),
    ("folded_ad", "folded AD", "°"),
    ("hemifield_gap", "hemifield gap, left - right", "°"),
    ("hemifield_gap_p", "  its p value", ""),
    ("elevation_error", "elevation error", "°"),
    ("invalid", "answers without a direction", ""),
)


def print_run(record: RunRecord, path: Path | None, *, as_json: bool) -> None:
    """One run: its metrics, what it cost, and where it lies."""
    if as_json:
        click.echo(record.model_dump_json(indent=1))
        return
    if record.failure is not None:
        click.echo(f"The run failed: {record.failure.message}", err=True)
        click.echo(f"Its record, with the traceback, is in {path}", err=True)
        return
    if record.evaluation is not None:
        _print_metrics(record.name, {record.evaluation.environment: record.evaluation})
    if record.training is not None and record.cost is not None:
        click.echo(
            f"\n{record.cost.parameters:,} parameters, {record.cost.macs / 1e6:.1f} M MACs a clip, "
            f"{record.cost.latency_p50_ms:.1f} ms at batch 1; trained {record.training.steps} steps "
            f"in {record.training.seconds:.0f} s on {record.provenance.device} "
            f"({record.provenance.threads} threads, {record.provenance.scan} scan)"
        )
    click.echo(f"Run: {path}")


def print_tracks(name: str, found: list[TrackRecord], *, as_json: bool) -> None:
    """Metrics of one run on tracks: a table each, the cases side by side; or all of it as JSON."""
    if as_json:
        listed = [
            {"track": record.track, "label": case.label, **case.evaluation.model_dump()}
            for record in found
            for case in record.cases
        ]
        click.echo(json.dumps({"run": name, "evaluations": listed}, indent=1))
        return
    # Single tests stand side by side in one table, as the environments of a run do.
    alone = {r.cases[0].label: r.cases[0].evaluation for r in found if len(r.cases) == 1}
    if alone:
        _print_metrics(name, alone)
    for record in found:
        if len(record.cases) > 1:
            cases = {case.label: case.evaluation for case in record.cases}
            click.echo("\n" * bool(alone) + f"Track {record.track}")
            _print_metrics(name, cases, rooms=False)


def _print_metrics(name: str, evaluations: dict[str, Evaluation], *, rooms: bool = True) -> None:
    """Metrics side by side, a column an evaluation and, with `rooms`, each of its rooms."""
    columns: dict[str, dict[str, float | int | None]] = {}
    for label, evaluation in evaluations.items():
        columns[label] = evaluation.metrics
        if rooms and len(evaluation.by_room) > 1:
            for room, metrics in evaluation.by_room.items():
                columns[f"{label}: {room}"] = metrics
    rows = [
        [words, *(_value(metrics.get(key), unit) for metrics in columns.values())]
        for key, words, unit in _METRICS
        if any(metrics.get(key) is not None for metrics in columns.values())
    ]
    clips = ", ".join(f"{e.clips} clips of {label}" for label, e in evaluations.items())
    click.echo(f"{name}, tested on {clips}\n")
    click.echo(tabulate(rows, headers=["", *columns], stralign="right", disable_numparse=True))


def print_records(records: list[RunRecord], on_tracks: list[TrackRecord]) -> None:
    """All records as a JSON list, those of tracks behind those of runs."""
    both = [record.model_dump(mode="json") for record in (*records, *on_tracks)]
    click.echo(json.dumps(both, indent=1))


def print_plan(
    experiments: list[Experiment], *, workbench: Workbench, store: RunStore, as_json: bool
) -> None:
    """The plan of a grid: rows, sizes, estimated time."""
    from bastzoo.bench.plan import plan
    from bastzoo.cli.progress import say

    rows = plan(
        experiments,
        workbench=workbench,
        store=store,
        progress=lambda what: say(f"Timing {what} ..."),
    )
    total = sum(row.seconds for row in rows)
    if as_json:
        listed = [
            {
                "key": row.experiment.key,
                "run": str(row.experiment),
                "status": row.status,
                "parameters": row.parameters,
                "seconds": round(row.seconds, 1),
            }
            for row in rows
        ]
        click.echo(json.dumps({"runs": listed, "seconds": round(total, 1)}, indent=1))
        return
    table = [
        [str(row.experiment), row.status, f"{row.parameters:,}", _duration(row.seconds)]
        for row in rows
    ]
    click.echo(
        tabulate(
            table,
            headers=["run", "status", "parameters", "estimated training"],
            colalign=("left", "left", "right", "right"),
            disable_numparse=True,
        )
    )
    click.echo(f"\n{len(rows)} runs, about {_duration(total)} of training on {workbench.device}")


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "%":
        return f"{100 * value:.1f} %"
    if isinstance(value, int):
        return str(value)
    return f"{value:.2f}{unit}" if unit else f"{value:.4f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
