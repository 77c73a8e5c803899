"""The run of a grid: its experiments become jobs, an executor performs them, records become boards.

`bastzoo bench` and `bz.bench` are thin layers over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bastzoo.boards import runs as main_table
from bastzoo.boards import tracks as track_tables
from bastzoo.boards.formats import Section
from bastzoo.boards.runs import render_leaderboard
from bastzoo.boards.tracks import render_track
from bastzoo.conditions import left_out
from bastzoo.engine.checkpoint import Interrupted
from bastzoo.errors import TrainingError
from bastzoo.experiment import Experiment
from bastzoo.harness.grid.asked import Grid
from bastzoo.harness.jobs import Bench, Job, Outcome, Settings, Watch
from bastzoo.harness.runner import baseline_experiment
from bastzoo.harness.stopping import Stopping
from bastzoo.harness.workbench import Workbench
from bastzoo.records.record import RunRecord, TrackRecord
from bastzoo.records.store import RunStore, write_text

if TYPE_CHECKING:
    from bastzoo.harness.executors import Executor
    from bastzoo.registry import Registry

Say = Callable[[str], None]
"""Told a sentence that a user should read."""


@dataclass
class Results:
    """What came of the rows so far.

    stale: rows that were left out, since their records are of other code, preset or data than now.
    faults: a sentence for each that could not be read or tested.
    """

    records: list[RunRecord] = field(default_factory=list)
    on_tracks: list[TrackRecord] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[RunRecord]:
        """Records of runs that failed, now or before."""
        return [record for record in self.records if record.status == "failed"]

    def take(self, outcome: Outcome) -> None:
        """Add what came of a job."""
        self.faults += outcome.faults
        if outcome.record is not None:
            self.records.append(outcome.record)
            self.on_tracks += outcome.on_tracks


@dataclass
class Boards:
    """Leaderboards: as text in markdown, and as what a terminal shows of them."""

    texts: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)


class GridRun:
    """A grid on a workbench, with a folder for its runs.

    say: told what is left out, and why.

    Raises a BastzooError, before anything runs, for an experiment that the data does not allow.
    """

    def __init__(
        self,
        grid: Grid,
        *,
        workbench: Workbench,
        store: RunStore,
        say: Say = lambda sentence: None,
    ) -> None:
        self.grid, self.store = grid, store
        self._workbench, self._say = workbench, say
        self._models = self._asked_models()
        self.results = Results()

    @property
    def experiments(self) -> list[Experiment]:
        """Every experiment of the grid, each once."""
        return [job.experiment for job in self._models.values() if job.experiment is not None]

    def warnings(self) -> list[str]:
        """What the data cannot teach, in sentences, each once."""
        found = (self._workbench.resolver.task_warnings(each) for each in self.experiments)
        return list(dict.fromkeys(sentence for some in found for sentence in some))

    def jobs(self, rerun: str = "missing") -> list[Job]:
        """Baselines, then models. A row that is stale is left out unless it is to be run again.

        rerun: what to run beside rows without a record: `failed` ones, `stale` ones, or `all`.
        """
        records, _ = self.store.records()  # one that cannot be read is named when its turn comes
        statuses = {record.key: record.status for record in records}
        done = {r.experiment.identity for r in records if r.experiment and r.status == "finished"}

        def again(key: str) -> bool:
            return rerun == "all" or (rerun == "failed" and statuses.get(key) == "failed")

        jobs = []
        for key, job in (self._baselines() | self._models).items():
            model = job.experiment
            is_stale = model is not None and key not in statuses and model.identity in done
            if is_stale and rerun not in ("stale", "all"):
                self.results.stale.append(str(model))
                self._say(f"{model}: stale. Its record is of other code, preset or data than now.")
                continue
            jobs.append(job.model_copy(update={"again": again(key)}))
        return jobs

    def perform(
        self,
        jobs: list[Job],
        executor: Executor,
        settings: Settings,
        *,
        stopping: Stopping,
        watch: Watch = lambda key, progress: None,
    ) -> Iterator[Outcome]:
        """Run the jobs and yield what comes of each, which `results` has then taken.

        Raises FolderError when the folder cannot be written, and Interrupted after a signal.
        """
        workbench = self._workbench
        here = Bench(
            settings,
            registry=workbench.session.registry,
            workbench=workbench,
            watch=watch,
            stopping=stopping,
        )
        for outcome in executor.run(jobs, settings, watch=watch, stopping=stopping, here=here):
            self.results.take(outcome)
            yield outcome

    def write_leaderboards(self) -> Boards:
        """Write the folder's tables and return them, the rows of this grid marked in what is returned.

        They hold all finished runs of the folder, not of this grid alone; none when no model of this
        grid has finished.
        """
        mine = {record.key for record in self.results.records if record.status == "finished"}
        boards = Boards()
        if self.grid.tracks:
            on_tracks, _ = self.store.track_records()
            for track in self.grid.tracks:
                if not any(r.track == track.name and r.experiment for r in self.results.on_tracks):
                    continue
                found = [r for r in on_tracks if r.track == track.name]
                path = self.store.folder / f"leaderboard-{track.name}.md"
                write_text(path, render_track(found, track.question))
                boards.texts.append(render_track(found, track.question, highlighted=mine))
                boards.sections += track_tables.sections(found, highlighted=mine)
        elif any(record.experiment for record in self.results.records if record.key in mine):
            records, _ = self.store.records()
            finished = [record for record in records if record.status == "finished"]
            write_text(self.store.folder / "leaderboard.md", render_leaderboard(finished))
            boards.texts.append(render_leaderboard(finished, highlighted=mine))
            boards.sections += main_table.sections(finished, highlighted=mine)
        return boards

    def _asked_models(self) -> dict[str, Job]:
        """Every experiment of the grid by key, with the tracks that its run is tested on."""
        found: dict[str, Job] = {}
        for part in self.grid.parts:
            tracks = (part.track.name,) if self.grid.tracks else ()
            for condition in part.track.conditions:
                for environment in part.environments:
                    for combination in part.combinations:
                        for seed in self.grid.seeds:
                            experiment = self._workbench.resolver.experiment(
                                combination,
                                preset=self.grid.preset,
                                environment=environment,
                                seed=seed,
                                condition=condition,
                                tasks=self.grid.tasks,
                            )
                            before = found.get(experiment.key)
                            tested = (*(before.tracks if before else ()), *tracks)
                            found[experiment.key] = Job(experiment=experiment, tracks=tested)
        return found

    def _baselines(self) -> dict[str, Job]:
        """The baselines that can answer the grid's questions, by key."""
        workbench, parts = self._workbench, self.grid.parts
        if workbench.data.source.layout == "csv":
            self._say(
                "Baselines are left out: they need clips, and a CSV index holds spectrograms."
            )
            return {}
        heard = [
            condition
            for part in parts
            for condition in (*part.track.conditions, *(c.condition for c in part.track.cases))
        ]
        if any(max(condition.sources) > 1 for condition in heard):
            self._say("Baselines are left out: they answer one source, and clips have several.")
            return {}
        found: dict[str, Job] = {}
        for name in workbench.session.registry.names("baseline"):
            available = workbench.session.registry.get("baseline", name).availability()
            if not available.ok:
                why = available.reason or "cannot run here"
                self._say(f"The baseline {name!r} is left out: it {why}.")
                continue
            for part in parts:
                tracks = (part.track.name,) if self.grid.tracks else ()
                for environment in part.environments:
                    for condition in part.track.conditions:
                        # What each ingredient is worth is asked of the models: one fit serves all.
                        if left_out(condition) and condition != part.track.conditions[0]:
                            continue
                        baseline = baseline_experiment(
                            name,
                            workbench=workbench,
                            preset=self.grid.preset,
                            environment=environment,
                            condition=condition,
                        )
                        before = found.get(baseline.key)
                        tested = (*(before.tracks if before else ()), *tracks)
                        found[baseline.key] = Job(baseline=baseline, tracks=tested)
        return found


def run_grid(
    grid: Grid,
    settings: Settings,
    *,
    registry: Registry,
    executor: Executor,
    rerun: str = "missing",
    on_failure: Literal["raise", "record"] = "raise",
    say: Say = lambda sentence: None,
) -> Results:
    """Run a whole grid and write its leaderboards.

    Raises TrainingError at the first run that fails, unless `on_failure` is "record"; what is finished by
    then is kept, and so is the failed run's record. An interrupt leaves a checkpoint to go on from.
    """
    store = RunStore(settings.out)
    store.prepare()
    run = GridRun(grid, workbench=settings.workbench(registry), store=store, say=say)
    for sentence in run.warnings():
        say(sentence)
    try:
        with Stopping() as stopping:
            jobs = run.jobs(rerun)
            try:
                for outcome in run.perform(jobs, executor, settings, stopping=stopping):
                    if on_failure == "raise":
                        _raise_failure(outcome)
            finally:
                run.write_leaderboards()
    except Interrupted as stopped:
        raise KeyboardInterrupt from stopped  # what an interpreter and a notebook know
    return run.results


def _raise_failure(outcome: Outcome) -> None:
    record = outcome.record
    if record is None:
        raise TrainingError(f"The run {outcome.key} was left out: {' '.join(outcome.faults)}")
    if record.failure is not None:
        raise TrainingError(f"The run {record.name} failed: {record.failure.message}")
    if outcome.faults:
        raise TrainingError(f"The run {record.name}, {' '.join(outcome.faults)}")
