"""`bastzoo bench`: a grid of combinations, trained, tested, and written as leaderboards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from bastzoo.cli.data_options import Heard, data_options
from bastzoo.cli.options import (
    TRACK_NAMES,
    Command,
    as_json,
    check_tasks,
    checkpoint_option,
    no_color,
    pretrained_option,
    task_options,
    training_options,
    usual_head,
    where_and_how,
)

if TYPE_CHECKING:
    from bastzoo.bench.jobs import Job, Outcome
    from bastzoo.bench.tracks import Track
    from bastzoo.bench.workbench import Workbench
    from bastzoo.cli.terminal.grid_display import GridDisplay
    from bastzoo.conditions import Condition
    from bastzoo.experiment import Combination, Experiment, Preset, Tasks
    from bastzoo.records.record import RunRecord, TrackRecord
    from bastzoo.records.store import RunStore


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
    help=f"Question to answer: {TRACK_NAMES}, or an environment; repeatable.",
)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), metavar="N")
@click.option(
    "--rerun",
    default="missing",
    show_default=True,
    type=click.Choice(["missing", "failed", "stale", "all"]),
    help="What to run beside rows without a record: failed ones, stale ones, or all.",
)
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs at a time; the threads are divided among them.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="NAME",
    help="Where to run: local, ray.",
)
@click.option("--address", metavar="ADDRESS", help="Of the cluster, for --executor ray.")
@pretrained_option
@task_options
@checkpoint_option
@training_options
@data_options
@where_and_how
@click.option("--dry-run", is_flag=True, help="Print the plan and run nothing.")
@as_json
@no_color
@click.pass_context
def bench(
    context: click.Context,
    tracks: tuple[str, ...],
    seeds: int,
    rerun: str,
    jobs: int,
    executor: str,
    address: str | None,
    pretrained: bool,
    tasks: Tasks | None,
    checkpoint_every: float,
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
    What is done is not done again, and what was stopped goes on. Exit code 2 when some run failed.

    Example: bastzoo bench --backbone mamba --integ SUB
    """
    # What can be refused is refused before torch is imported.
    from bastzoo.bench.grid import axes_of, combinations, is_all
    from bastzoo.bench.tracks import check_track, find_track, plain_track, with_conditions
    from bastzoo.cli.terminal.progress import warn
    from bastzoo.cli.terminal.results import print_plan, print_records
    from bastzoo.experiment import load_preset
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import RunStore

    started = time.perf_counter()
    registry = default_registry()
    where = registry.get("executor", executor)
    where.require()
    named = [find_track(name, registry) for name in dict.fromkeys(tracks)]
    grids: list[_Grid] = []
    for track in named or [plain_track()]:
        check_track(track, heard.source)
        axes = axes_of(
            chosen, registry, layout=heard.source.layout, usual_head=_usual_head(track, tasks)
        )
        check_tasks(tasks, axes["head"], registry)
        several = any(is_all(chosen[kind]) for kind in ("head", "loss", "backbone", "frontend"))
        grid = combinations(axes, registry, skip_misfits=several)
        track = with_conditions(track, conditions)
        grids.append((track, track.environments or axes["environment"], grid))
    values = load_preset(preset)
    values.check_parameters(registry)
    if pretrained:
        backbones = {c.backbone for _, _, grid in grids for c in grid}
        values = values.with_pretrained([registry.get("backbone", n) for n in sorted(backbones)])
    store = RunStore(out)
    if not dry_run:
        store.prepare()

    from bastzoo.bench.jobs import Bench, Settings
    from bastzoo.bench.stopping import Stopping
    from bastzoo.bench.workbench import Workbench
    from bastzoo.cli.terminal.boards import is_shown, print_boards, write_boards
    from bastzoo.cli.terminal.grid_display import GridDisplay

    settings = Settings(
        out=out,
        device=device,
        precision=precision,
        checkpoint_every=checkpoint_every,
        **heard.settings(),
    )
    workbench = Workbench(registry, device=device, precision=precision, **heard.workbench_options())
    experiments = _experiments(grids, bool(named), seeds, values, workbench, tasks)
    warn(one for found, _ in experiments.values() for one in workbench.task_warnings(found))
    if dry_run:
        listed = [experiment for experiment, _ in experiments.values()]
        print_plan(listed, workbench=workbench, store=store, as_json=json_)
        return
    baselines = dict(_baselines(grids, bool(named), values, workbench))
    rows, results = _rows(baselines, experiments, rerun, store)
    titles = {row.key: _title(row, rows) for row in rows}
    runner = where.build(jobs=jobs, address=address)
    with Stopping() as stopping, GridDisplay(titles) as display:
        here = Bench(
            settings,
            registry=registry,
            workbench=workbench,
            watch=display.watch,
            stopping=stopping,
        )
        try:
            for outcome in runner.run(
                rows, settings, watch=display.watch, stopping=stopping, here=here
            ):
                _take(outcome, results, display)
        finally:  # an interrupt or a full disk in the tenth run does not take the table of nine away
            tables, sections = write_boards(results.records, results.on_tracks, named, store)
    if json_:
        print_records(results.records, results.on_tracks)
    elif tables and is_shown():
        print_boards(sections)
    elif tables:
        click.echo("\n".join(tables))
    _summary(results, rows, bool(tables), store, time.perf_counter() - started)
    if results.failed or results.faults:
        context.exit(2)


_Grid = tuple["Track", tuple[str, ...], list["Combination"]]


@dataclass
class _Results:
    """What came of the rows so far; `faults` counts what could not be read or tested."""

    records: list[RunRecord] = field(default_factory=list)
    on_tracks: list[TrackRecord] = field(default_factory=list)
    stale: int = 0
    faults: int = 0

    @property
    def failed(self) -> list[RunRecord]:
        """Records of runs that failed, now or before."""
        return [record for record in self.records if record.status == "failed"]


def _usual_head(track: Track, tasks: Tasks | None) -> str:
    """The head that a track needs; where it needs none, that of the tasks."""
    return usual_head(tasks) if track.head == "azimuth" else track.head


def _experiments(
    grids: list[_Grid],
    tested: bool,
    seeds: int,
    preset: Preset,
    workbench: Workbench,
    tasks: Tasks | None,
) -> dict[str, tuple[Experiment, tuple[str, ...]]]:
    """Every experiment of the grids by key, with the tracks that its run is tested on."""
    found: dict[str, tuple[Experiment, tuple[str, ...]]] = {}
    for track, environments, grid in grids:
        for condition in track.conditions:
            for environment in environments:
                for combination in grid:
                    for seed in range(seeds):
                        experiment = workbench.experiment(
                            combination,
                            preset=preset,
                            environment=environment,
                            seed=seed,
                            condition=condition,
                            tasks=tasks,
                        )
                        _, before = found.get(experiment.key, (experiment, ()))
                        found[experiment.key] = experiment, (*before, *[track.name] * tested)
    return found


def _baselines(
    grids: list[_Grid], tested: bool, preset: Preset, workbench: Workbench
) -> Iterator[tuple[str, Job]]:
    from bastzoo.bench.jobs import Job
    from bastzoo.bench.runner import baseline_experiment
    from bastzoo.cli.terminal.progress import say

    if workbench.source.layout == "csv":
        say("Baselines are left out: they need clips, and a CSV index holds spectrograms.")
        return
    if any(
        max(condition.sources) > 1
        for track, _, _ in grids
        for condition in (*track.conditions, *(case.condition for case in track.cases))
    ):
        say("Baselines are left out: they answer one source, and clips have several.")
        return
    asked: dict[str, list[str]] = {}
    for name in workbench.registry.names("baseline"):
        available = workbench.registry.get("baseline", name).availability()
        if not available.ok:
            say(f"The baseline {name!r} is left out: it {available.reason or 'cannot run here'}.")
            continue
        for track, environments, _ in grids:
            for environment in environments:
                for condition in track.conditions:
                    found = baseline_experiment(
                        name,
                        workbench=workbench,
                        preset=preset,
                        environment=environment,
                        condition=condition,
                    )
                    asked.setdefault(found.key, []).extend([track.name] * tested)
                    yield found.key, Job(baseline=found, tracks=tuple(asked[found.key]))


def _rows(
    baselines: dict[str, Job],
    experiments: dict[str, tuple[Experiment, tuple[str, ...]]],
    rerun: str,
    store: RunStore,
) -> tuple[list[Job], _Results]:
    """The jobs of a grid. A row that is stale is left out unless it is to be run again."""
    from bastzoo.bench.jobs import Job
    from bastzoo.cli.terminal.progress import say

    results = _Results()
    statuses, identities = _known(store)

    def again(key: str) -> bool:
        return rerun == "all" or (rerun == "failed" and statuses.get(key) == "failed")

    jobs = [job.model_copy(update={"again": again(key)}) for key, job in baselines.items()]
    for key, (experiment, tracks) in experiments.items():
        is_stale = key not in statuses and experiment.identity in identities
        if is_stale and rerun not in ("stale", "all"):
            results.stale += 1
            say(f"{experiment}: stale. Its record is of other code, preset or data than now.")
            continue
        jobs.append(Job(experiment=experiment, tracks=tracks, again=again(key)))
    return jobs, results


def _known(store: RunStore) -> tuple[dict[str, str], set[str]]:
    """Status of every record by key, and what finished records are records of."""
    records, _ = store.records()  # one that cannot be read is named when its turn comes
    statuses: dict[str, str] = {record.key: record.status for record in records}
    done = {r.experiment.identity for r in records if r.experiment and r.status == "finished"}
    return statuses, done


def _title(job: Job, jobs: list[Job]) -> str:
    if job.baseline is not None:
        return str(job)
    models = [other.key for other in jobs if other.experiment is not None]
    return f"[{models.index(job.key) + 1}/{len(models)}] {job}"


def _take(outcome: Outcome, results: _Results, display: GridDisplay) -> None:
    """Put what came of a job into the results, and say it."""
    results.faults += len(outcome.faults)
    record = outcome.record
    if record is None:
        display.ended(outcome.key, f"left out. {' '.join(outcome.faults)}", failed=True)
        return
    results.records.append(record)
    results.on_tracks += outcome.on_tracks
    done = outcome.status == "done"
    failed = record.status == "failed"
    line = f"{'done before, ' if done else ''}{_words(record)}"
    display.ended(outcome.key, line, failed=failed, worked=not done)
    title = display.titles[outcome.key]
    for found in outcome.on_tracks:
        errors = ", ".join(
            f"{case.label} {case.evaluation.metrics['ad_mean']:.2f}°" for case in found.cases
        )
        before = "" if found.track in outcome.tested else "done before, "
        display.say(f"{title}, track {found.track}: {before}AD {errors}")
    for fault in outcome.faults:
        display.say(f"{title}, {fault}")


def _summary(
    results: _Results, rows: list[Job], has_tables: bool, store: RunStore, seconds: float
) -> None:
    from bastzoo.cli.terminal.progress import say

    for record in results.failed:
        say(f"Failed: {record.name}: {record.failure.message if record.failure else ''}")
    say(
        f"{len(results.records) - len(results.failed)} of {len(rows)} rows finished in "
        f"{seconds:.0f} s; {'leaderboard and runs' if has_tables else 'runs'} are in {store.folder}/"
    )
    if results.failed:
        say("--rerun failed runs those that failed again.")
    if results.stale:
        say(
            f"{results.stale} rows are left out: their records are stale (of other code, preset or "
            "data). --rerun stale runs them again; `bastzoo runs list --status stale` says why."
        )


def _words(record: RunRecord) -> str:
    if record.evaluation is None:
        return f"failed: {record.failure.message if record.failure else 'unknown'}"
    ad = record.evaluation.metrics["ad_mean"]
    text = f"AD {ad:.2f}°"
    if record.training is not None:
        text += f", trained {record.training.seconds:.0f} s"
    return text
