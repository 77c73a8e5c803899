"""How results look on the terminal: one run, evaluations, a plan; or all of them as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

from bastzoo.cli.terminal.output import table
from bastzoo.errors import tellable
from bastzoo.limits.writing import in_bytes

if TYPE_CHECKING:
    from bastzoo.experiment import Experiment, ResolvedComponent
    from bastzoo.harness.workbench import Workbench
    from bastzoo.records.record import Evaluation, RunRecord, TrackRecord
    from bastzoo.records.store import RunStore

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
    ("hemifield_gap_p", "  its p value", "p"),
    ("elevation_error", "elevation error", "°"),
    ("class_accuracy", "class accuracy", "%"),
    ("macro_f1", "macro F1", "%"),
    ("azimuth_error", "azimuth error", "°"),
    ("azimuth_error_right_class", "azimuth error where the class is right", "°"),
    ("source_recall", "sources found within 20°", "%"),
    ("source_precision", "answers within 20° of a source", "%"),
    ("source_error", "AD of answers and their sources", "°"),
    ("source_class_accuracy", "their class accuracy", "%"),
    ("count_error", "error of the number of sources", ""),
    ("count_accuracy", "number of sources right", "%"),
    ("f20", "F20: right class within 20°", "%"),
    ("er20", "ER20", ""),
    ("calibration_error", "calibration error", "%"),
    ("radius_50", "radius of the 50 % cap, median", "°"),
    ("ad_surest_half", "AD of the half that it is surest of", "°"),
    ("invalid", "answers without a direction", ""),
)
_KNOWN = frozenset(key for key, _, _ in _METRICS)


def print_run(record: RunRecord, path: Path | None, *, as_json: bool) -> None:
    """One run: its metrics, what it cost, and where it lies."""
    if as_json:
        click.echo(record.model_dump_json(indent=1))
        return
    if record.failure is not None:
        click.echo(f"The run failed: {tellable(record.failure.message, 2_000)}", err=True)
        click.echo(f"Its record, with the traceback, is in {path}", err=True)
        return
    if record.evaluation is not None:
        _print_metrics(record.name, {record.evaluation.environment: record.evaluation})
        _print_classes(record.evaluation)
        _print_calibration(record.evaluation)
    if record.training is not None and record.cost is not None:
        click.echo(
            f"\n{record.cost.parameters:,} parameters, {record.cost.macs / 1e6:.1f} M MACs a clip, "
            f"{record.cost.latency_p50_ms:.1f} ms at batch 1; trained {record.training.steps} steps "
            f"in {record.training.seconds:.0f} s on {tellable(record.provenance.device)} "
            f"({record.provenance.threads} threads, {tellable(record.provenance.scan)} scan)"
        )
    click.echo(f"Run: {path}")


def print_details(record: RunRecord, path: Path | None) -> None:
    """How a run was made: components, preset, data, machine; and the files of its folder."""
    tested, provenance = record.tested, record.provenance
    lines: list[tuple[str, str]] = [("key", record.key)]
    if record.experiment is not None:
        lines += [(kind, _component(c)) for kind, c in record.experiment.components.items()]
        lines.append(("preset", f"{record.experiment.preset.name}, seed {record.experiment.seed}"))
        recipe = record.experiment.preset.recipe.model_dump()
        lines.append(("recipe", ", ".join(f"{k} {v:g}" for k, v in recipe.items())))
    elif record.baseline is not None:
        lines.append(("baseline", _component(record.baseline.component)))
        lines.append(("fitted on", f"{record.baseline.fit_clips:,} clips"))
    elif record.answers is not None:
        lines.append(("answers of", f"{record.answers.name}, from elsewhere"))
        lines.append(("track", f"{record.answers.track}, version {record.answers.track_version}"))
    source = tested.source.model_dump(exclude_defaults=True)
    lines.append(("data", ", ".join(f"{k} {v}" for k, v in source.items()) or "rendered"))
    lines.append(("data digest", tested.data_digest))
    if record.training is not None:
        early = ", stopped early" if record.training.stopped_early else ""
        lines.append(
            (
                "training",
                f"best at step {record.training.best_step} of {record.training.steps}{early}, "
                f"validation AD {record.training.best_validation_ad:.2f}°",
            )
        )
    lines += [
        ("made", f"{provenance.created} by `{provenance.command}`"),
        ("on", f"{provenance.processor}, {provenance.device}, {provenance.threads} threads"),
        ("with", ", ".join(f"{name} {version}" for name, version in provenance.versions.items())),
        ("commit", provenance.commit or "unknown"),
        ("took", f"{_duration(provenance.seconds)}, {provenance.peak_memory_mb:,.0f} MB at most"),
    ]
    if path is not None and path.is_dir():
        files = (f"{p.name} ({in_bytes(p.stat().st_size)})" for p in sorted(path.iterdir()))
        lines.append(("files", ", ".join(files)))
    click.echo()
    click.echo("\n".join(table(lines)))


def _component(component: ResolvedComponent) -> str:
    values = ", ".join(f"{name} {value}" for name, value in component.parameters.items())
    return f"{component.name} version {component.version}{values and ', '}{values}"


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
            click.echo("\n" * bool(alone) + f"Track {tellable(record.track)}")
            _print_metrics(name, cases, rooms=False)


def _print_metrics(name: str, evaluations: dict[str, Evaluation], *, rooms: bool = True) -> None:
    """Metrics side by side, a column an evaluation and, with `rooms`, each of its rooms."""
    columns: dict[str, dict[str, float | int | None]] = {}
    for label, evaluation in evaluations.items():
        columns[tellable(label)] = evaluation.metrics
        if rooms and len(evaluation.by_room) > 1:
            for room, metrics in evaluation.by_room.items():
                columns[tellable(f"{label}: {room}")] = metrics
    told = {k: d for e in evaluations.values() for k, d in e.definitions.items()}
    own = [
        (key, tellable(figure.words), tellable(figure.unit, 20))
        for key, figure in told.items()
        if key not in _KNOWN
    ]
    rows = [
        [words, *(_value(metrics.get(key), unit) for metrics in columns.values())]
        for key, words, unit in (*_METRICS[:-1], *own, _METRICS[-1])
        if any(metrics.get(key) is not None for metrics in columns.values())
    ]
    clips = ", ".join(
        f"{e.clips} clip{'s' * (e.clips != 1)} of {tellable(label)}"
        for label, e in evaluations.items()
    )
    click.echo(f"{name}, tested on {clips}\n")
    click.echo(tabulate(rows, headers=["", *columns], stralign="right", disable_numparse=True))


def _print_classes(evaluation: Evaluation) -> None:
    """What a model says of each class, and which it takes for which."""
    if evaluation.by_class is None or evaluation.confusion is None:
        return
    rows = [
        [
            str(number),
            tellable(name),
            str(figures["clips"]),
            *(_value(figures[key], "%") for key in ("precision", "recall", "f1")),
            _value(figures["ad_mean"], "°"),
            " ".join(f"{count:4d}" for count in line),
        ]
        for number, ((name, figures), line) in enumerate(
            zip(evaluation.by_class.items(), evaluation.confusion, strict=True), 1
        )
    ]
    numbers = " ".join(f"{number:4d}" for number in range(1, len(rows) + 1))
    headers = ["", "class", "clips", "precision", "recall", "F1", "AD", numbers]
    click.echo("\nClasses; on the right, as which class its clips were answered:\n")
    align = ["right", "left", *["right"] * 5, "left"]
    click.echo(tabulate(rows, headers=headers, colalign=align, disable_numparse=True))


def _print_calibration(evaluation: Evaluation) -> None:
    """How often the true direction lies within the caps that a model gives, beside how often it says."""
    if evaluation.metrics.get("calibration_error") is None:
        return
    levels = range(10, 100, 10)
    said = ["believed", *(f"{level} %" for level in levels)]
    found = [
        "found",
        *(_value(evaluation.metrics.get(f"coverage_{level}"), "%") for level in levels),
    ]
    click.echo(
        "\nCalibration: how often the true direction lies within the caps around the answers:\n"
    )
    click.echo(tabulate([found], headers=said, stralign="right", disable_numparse=True))


def print_records(records: list[RunRecord], on_tracks: list[TrackRecord]) -> None:
    """All records as a JSON list, those of tracks behind those of runs."""
    both = [record.model_dump(mode="json") for record in (*records, *on_tracks)]
    click.echo(json.dumps(both, indent=1))


def print_plan(
    experiments: list[Experiment], *, workbench: Workbench, store: RunStore, as_json: bool
) -> None:
    """The plan of a grid: rows, sizes, estimated time."""
    from bastzoo.cli.terminal.progress import say
    from bastzoo.harness.grid.plan import plan

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
    lines = [
        [str(row.experiment), row.status, f"{row.parameters:,}", _duration(row.seconds)]
        for row in rows
    ]
    click.echo(
        tabulate(
            lines,
            headers=["run", "status", "parameters", "training"],
            colalign=("left", "left", "right", "right"),
            disable_numparse=True,
        )
    )
    runs = f"{len(rows)} run{'s' * (len(rows) != 1)}"
    click.echo(f"\n{runs}, about {_duration(total)} of training on {workbench.session.device}")


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "%":
        return f"{100 * value:.1f} %"
    if isinstance(value, int):
        return str(value)
    if unit == "p":
        return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
    return f"{value:.2f}{unit}" if unit else f"{value:.4f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
