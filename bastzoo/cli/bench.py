"""`bastzoo bench`: a grid of combinations, trained, tested, and written as leaderboards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import click

from bastzoo.cli.options import (
    Command,
    Heard,
    as_json,
    data_options,
    training_options,
    where_and_how,
)

if TYPE_CHECKING:
    from bastzoo.bench.record import RunRecord, TrackRecord
    from bastzoo.bench.store import RunStore
    from bastzoo.bench.tracks import Track
    from bastzoo.bench.workbench import Workbench
    from bastzoo.conditions import Condition
    from bastzoo.experiment import Combination, Experiment, Preset


def _axis(name: str, parameter: str, text: str) -> Callable[[Command], Command]:
    return click.option(
        name, parameter, multiple=True, metavar="NAME", help=f"{text}; repeatable, or `all`."
    )


@click.command()
@_axis("--backbone", "backbone", "Ear and fusion encoder")
@_axis("--integ", "integration", "How two ears become one")
@_axis("--loss", "loss", "Loss")
@_axis("--sharing", "sharing", "SP or NSP")
@_axis("--env", "environment", "Environment")
@_axis("--head", "head", "Head")
@_axis("--frontend", "frontend", "Frontend")
@click.option(
    "--track",
    "tracks",
    multiple=True,
    metavar="NAME",
    help="Question to answer: cross-environment, snr, snr-white, duration, unseen-head, off-grid, "
    "full-sphere, or an environment; repeatable.",
)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), metavar="N")
@training_options
@data_options
@where_and_how
@click.option("--dry-run", is_flag=True, help="Print the plan and run nothing.")
@as_json
@click.pass_context
def bench(
    context: click.Context,
    tracks: tuple[str, ...],
    seeds: int,
    conditions: list[Condition],
    heard: Heard,
    preset: str,
    device: str,
    precision: str,
    out: str,
    dry_run: bool,
    json_: bool,
    **chosen: tuple[str, ...],
) -> None:
    """Train and test every combination of the axes and write a leaderboard.

    An axis that is not named takes the papers' values, so no axis at all is the papers' grid of 54.
    With --track, what the track needs is trained, and each track has a leaderboard of its own.
    Finished runs are not run again. Exit code 2 when some run failed.

    Example: bastzoo bench --backbone mamba --integ SUB
    """
    # What can be refused is refused before torch is imported.
    from bastzoo.bench.grid import axes_of, combinations, is_all
    from bastzoo.bench.store import RunStore
    from bastzoo.bench.tracks import check_track, find_track, plain_track, with_conditions
    from bastzoo.cli.progress import say
    from bastzoo.cli.results import print_plan, print_records
    from bastzoo.experiment import load_preset
    from bastzoo.plugins import default_registry

    started = time.perf_counter()
    registry = default_registry()
    named = [find_track(name, registry) for name in dict.fromkeys(tracks)]
    grids: list[tuple[Track, tuple[str, ...], list[Combination]]] = []
    for track in named or [plain_track()]:
        check_track(track, heard.source)
        axes = axes_of(chosen, registry, layout=heard.source.layout, usual_head=track.head)
        several = is_all(chosen["head"]) or is_all(chosen["loss"])
        grid = combinations(axes, registry, skip_misfits=several)
        track = with_conditions(track, conditions)
        grids.append((track, track.environments or axes["environment"], grid))
    values = load_preset(preset)
    values.check_parameters(registry)
    store = RunStore(out)
    if not dry_run:
        store.prepare()

    from bastzoo.bench.workbench import Workbench

    workbench = Workbench(registry, device=device, precision=precision, **heard.workbench_options())
    experiments: dict[str, Experiment] = {}
    rows: dict[str, _Row] = {}
    for track, environments, grid in grids:
        asked = [track] if named else []
        for condition in track.conditions:
            for environment in environments:
                for combination in grid:
                    for seed in range(seeds):
                        experiment = workbench.experiment(
                            combination,
                            preset=values,
                            environment=environment,
                            seed=seed,
                            condition=condition,
                        )
                        experiments[experiment.key] = experiment
                        row = rows.setdefault(experiment.key, _Row(str(experiment)))
                        row.tracks += asked
    if dry_run:
        print_plan(list(experiments.values()), workbench=workbench, store=store, as_json=json_)
        return
    for number, (key, experiment) in enumerate(experiments.items(), start=1):
        rows[key].title = f"[{number}/{len(experiments)}] {experiment}"
        rows[key].run = partial(_train, experiment, rows[key].title, workbench, store)
    baselines: dict[str, _Row] = {}
    for track, environments, _ in grids:
        for key, row in _baselines(track, environments, values, workbench, store):
            baselines.setdefault(key, row).tracks += [track] if named else []
    results = _Results()
    try:
        for key, row in {**baselines, **rows}.items():
            _do(key, row, workbench, store, results)
    finally:  # an interrupt or a full disk in the tenth run does not take the table of nine away
        tables = _write_leaderboards(results, named, store)
    if json_:
        print_records(results.records, results.on_tracks)
    elif tables:
        click.echo("\n".join(tables))
    failed = [record for record in results.records if record.status == "failed"]
    for record in failed:
        say(f"Failed: {record.name}: {record.failure.message if record.failure else ''}")
    say(
        f"{len(results.records) - len(failed)} of {len(rows) + len(baselines)} rows finished in "
        f"{time.perf_counter() - started:.0f} s; "
        f"{'leaderboard and runs' if tables else 'runs'} are in {store.folder}/"
    )
    if failed or results.faults:
        context.exit(2)


@dataclass
class _Row:
    """One row of the grid: its title, how to run it, and the tracks to test it on."""

    title: str
    run: Callable[[], RunRecord] | None = None
    tracks: list[Track] = field(default_factory=list)


@dataclass
class _Results:
    """What came of the rows so far; `faults` counts what could not be read or tested."""

    records: list[RunRecord] = field(default_factory=list)
    on_tracks: list[TrackRecord] = field(default_factory=list)
    faults: int = 0


def _baselines(
    track: Track,
    environments: tuple[str, ...],
    preset: Preset,
    workbench: Workbench,
    store: RunStore,
) -> Iterator[tuple[str, _Row]]:
    from bastzoo.bench.runner import baseline_experiment, baseline_run
    from bastzoo.cli.progress import say

    if workbench.source.layout == "csv":
        say("Baselines are left out: they need clips, and a CSV index holds spectrograms.")
        return
    for name in workbench.registry.names("baseline"):
        available = workbench.registry.get("baseline", name).availability()
        if not available.ok:
            say(f"The baseline {name!r} is left out: it {available.reason or 'cannot run here'}.")
            continue
        for environment in environments:
            for condition in track.conditions:
                experiment = baseline_experiment(
                    name,
                    workbench=workbench,
                    preset=preset,
                    environment=environment,
                    condition=condition,
                )
                run = partial(baseline_run, experiment, workbench=workbench, store=store)
                yield experiment.key, _Row(f"Baseline {experiment}", run)


def _train(experiment: Experiment, title: str, workbench: Workbench, store: RunStore) -> RunRecord:
    from bastzoo.bench.runner import train_run
    from bastzoo.cli.progress import TrainingProgress

    progress = TrainingProgress(title)
    try:
        return train_run(experiment, workbench=workbench, store=store, observer=progress)
    finally:
        progress.close()


def _do(key: str, row: _Row, workbench: Workbench, store: RunStore, results: _Results) -> None:
    """Run what is not finished, test it on its tracks, and put every record into `results`."""
    from bastzoo.cli.progress import say
    from bastzoo.errors import RecordError

    assert row.run is not None
    try:
        record = store.get(key)
    except RecordError as error:
        say(f"{row.title}: left out. {error}")
        results.faults += 1
        return
    done = record is not None and record.status == "finished"
    record = record if record is not None and done else row.run()
    results.records.append(record)
    say(f"{row.title}: {'done before, ' if done else ''}{_outcome(record)}")
    if record.status == "finished":
        for track in row.tracks:
            _test(record, row.title, track, workbench, store, results)


def _test(
    record: RunRecord,
    title: str,
    track: Track,
    workbench: Workbench,
    store: RunStore,
    results: _Results,
) -> None:
    """Test a finished run on a track, unless that was done before."""
    from bastzoo.bench.runner import is_current, track_run
    from bastzoo.cli.progress import say
    from bastzoo.errors import BastzooError

    try:
        found = store.track(record.key, track.name)
        done = found is not None and is_current(found, track, workbench=workbench)
        if found is None or not done:
            found = track_run(record, track, workbench=workbench, store=store)
    except BastzooError as error:
        say(f"{title}, track {track.name}: left out. {error}")
        results.faults += 1
        return
    results.on_tracks.append(found)
    errors = ", ".join(
        f"{case.label} {case.evaluation.metrics['ad_mean']:.2f}°" for case in found.cases
    )
    say(f"{title}, track {track.name}: {'done before, ' if done else ''}AD {errors}")


def _write_leaderboards(results: _Results, tracks: list[Track], store: RunStore) -> list[str]:
    """Write the tables of the finished runs and return them; none when no model has finished."""
    from bastzoo.bench.leaderboard import render_leaderboard
    from bastzoo.bench.store import write_text
    from bastzoo.bench.track_tables import render_track

    tables = {}
    if tracks:
        for track in tracks:
            found = [record for record in results.on_tracks if record.track == track.name]
            if any(record.experiment for record in found):
                tables[f"leaderboard-{track.name}.md"] = render_track(found, track.question)
    else:
        finished = [record for record in results.records if record.status == "finished"]
        if any(record.experiment for record in finished):
            tables["leaderboard.md"] = render_leaderboard(finished)
    for name, table in tables.items():
        write_text(store.folder / name, table)
    return list(tables.values())


def _outcome(record: RunRecord) -> str:
    if record.evaluation is None:
        return f"failed: {record.failure.message if record.failure else 'unknown'}"
    ad = record.evaluation.metrics["ad_mean"]
    text = f"AD {ad:.2f}°"
    if record.training is not None:
        text += f", trained {record.training.seconds:.0f} s"
    return text
