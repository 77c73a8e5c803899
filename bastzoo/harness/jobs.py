"""A job: one row of a grid, to be run by whichever process or machine takes it.

Jobs and what they need are data (pydantic), so that an executor can send them anywhere; `perform` is what
runs one: claim, train, test on tracks, record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from bastzoo.conditions import DataSource
from bastzoo.errors import BastzooError, ClaimLostError, FolderError, RecordError
from bastzoo.records.claims import Claim, Claims
from bastzoo.records.job import Job
from bastzoo.records.record import RunRecord, TrackRecord
from bastzoo.records.store import RunStore, in_sentences

if TYPE_CHECKING:
    from bastzoo.harness.stopping import Stopping
    from bastzoo.harness.workbench import Workbench
    from bastzoo.registry import Registry


_WAIT = 0.5


class Settings(BaseModel):
    """What all jobs of a grid share: where runs go, and how a process makes its workbench.

    out: the folder of runs; checkpoint_every: seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: str
    device: str = "auto"
    precision: str = "no"
    source: DataSource = Field(default_factory=DataSource)
    cache: str | None = None
    cache_dtype: str = "float16"
    checkpoint_every: float = 20.0

    def workbench(self, registry: Registry) -> Workbench:
        """Make the workbench of a process."""
        from bastzoo.harness.workbench import Workbench

        return Workbench(
            registry,
            device=self.device,
            precision=self.precision,
            source=self.source,
            cache=Path(self.cache) if self.cache else None,
            cache_dtype=self.cache_dtype,
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    loss: of the last step; ad: of the last validation, degrees; waits: for another process that has the run.
    """

    doing: str
    device: str = ""
    step: int = 0
    steps: int = 0
    epoch: float = 0.0
    loss: float | None = None
    ad: float | None = None
    best_ad: float | None = None
    waits: bool = False


Watch = Callable[[str, Progress], None]
"""Told how far a job (its key) is."""


@dataclass(slots=True)
class Outcome:
    """What came of a job.

    status: `ran`; `done` before; `busy` while another process holds the run; `fault` when something
        could not be read. A run that failed has run: its record says so.
    faults: sentences about what could not be read or tested.
    """

    key: str
    status: Literal["ran", "done", "busy", "fault"]
    record: RunRecord | None = None
    on_tracks: list[TrackRecord] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    holder: str = ""

    @property
    def waiting(self) -> Progress:
        """What to show of a job that another process holds."""
        who = self.holder or "another process"
        return Progress(f"waiting for {who}, which works on this run", waits=True)


class Bench:
    """A process that performs jobs, one after the other.

    watch: told how far each is; stopping: what signals ask for.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry,
        workbench: Workbench | None = None,
        watch: Watch = lambda key, progress: None,
        stopping: Stopping | None = None,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.workbench = workbench or settings.workbench(registry)
        self.store = RunStore(settings.out)
        self.claims = Claims(self.store.folder)
        self._shown_by = watch
        self._stopping = stopping
        self._claimed: Claim | None = None

    def perform(self, job: Job) -> Outcome:
        """Run a job unless it is done, and test it on its tracks.

        The processes of one training (`accelerate launch`) call it together; the first of them looks,
        claims and writes.

        Raises FolderError when the folder cannot be written and Interrupted when a signal came.
        """
        accelerator = self.workbench.session.accelerator
        found = self._claim(job) if accelerator.is_main_process else None
        outcome = found if isinstance(found, Outcome) else None
        if accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            from bastzoo.engine.processes import together

            with together():
                (outcome,) = broadcast_object_list([outcome])
        if outcome is None:
            outcome = self._held(job, found) if isinstance(found, Claim) else self._work(job)
        return outcome if not job.tracks else self._with_tracks(job, outcome)

    def _held(self, job: Job, claim: Claim) -> Outcome:
        """Work on a run that is claimed, for as long as the claim is ours.

        A process that stood still (a laptop asleep, SIGSTOP) was taken for dead, and another has the run:
        it is busy, and nothing of it is written or removed.
        """
        self._claimed = claim
        try:
            with claim, self.store.held(job.key, claim.check):
                outcome = self._work(job)
                self.claims.clear(job.key, claim)
                return outcome
        except ClaimLostError:
            return Outcome(job.key, "busy", holder=str(self.claims.holder(job.key) or ""))
        finally:
            self._claimed = None

    def _claim(self, job: Job) -> Claim | Outcome:
        """The claim of a run that has to be worked on; otherwise what there is to say of it."""
        try:
            record = self.store.get(job.key)
            if record is not None and not job.again and not self._untested(job, record):
                self._forget(job.key)
                return Outcome(job.key, "done", record)
            with in_sentences(self.store.folder, "--runs"):
                claim = self.claims.acquire(job.key)
                if claim is not None:
                    self.claims.describe(job.key, job.model_dump_json())
            if claim is None:
                return Outcome(job.key, "busy", holder=str(self.claims.holder(job.key) or ""))
            return claim
        except RecordError as error:
            return Outcome(job.key, "fault", faults=[str(error)])

    def wait_for(self, job: Job, *, say: Callable[[str], None]) -> Outcome:
        """Perform a job, and wait for it where another process is at it already."""
        outcome = self.perform(job)
        if outcome.status == "busy":
            say(f"{outcome.holder or 'Another process'} works on this run; waiting for it.")
        while outcome.status == "busy":
            time.sleep(_WAIT)
            outcome = self.perform(job)
        return outcome

    def _work(self, job: Job) -> Outcome:
        """Run what still has to be run, now that nobody else does."""
        record = self.store.get(job.key)
        if record is not None and not job.again:  # another process has finished it meanwhile
            outcome = Outcome(job.key, "done", record)
        else:
            outcome = Outcome(job.key, "ran", self._run(job))
        assert outcome.record is not None
        for name in self._untested(job, outcome.record):
            self._test(job, outcome, name)
        return outcome

    def _watch(self, key: str, progress: Progress) -> None:
        """Show how far a job is. A display whose reader is gone ends the work, with a checkpoint."""
        try:
            self._shown_by(key, progress)
        except BrokenPipeError:
            from bastzoo.harness.stopping import OUTPUT_CLOSED, Interrupted

            if self._stopping is None:
                raise Interrupted(OUTPUT_CLOSED) from None
            self._stopping.ask(OUTPUT_CLOSED)

    def _run(self, job: Job) -> RunRecord:
        from bastzoo.engine.checkpoint import Checkpoints
        from bastzoo.harness.runner import baseline_run, train_run

        if job.baseline is not None:
            self._watch(job.key, Progress("fitting", str(self.workbench.session.device)))
            return baseline_run(
                job.baseline,
                workbench=self.workbench,
                store=self.store,
                stopping=self._stopping,
            )
        assert job.experiment is not None
        watch = _Watched(job, self._watch, self.workbench)
        return train_run(
            job.experiment,
            workbench=self.workbench,
            store=self.store,
            observer=watch,
            checkpoints=Checkpoints(
                self.claims.checkpoint(job.key),
                every=self.settings.checkpoint_every,
                stop=lambda: self._stopping.signal if self._stopping else 0,
                check=None if self._claimed is None else self._claimed.check,
            ),
            stopping=self._stopping,
        )

    def _untested(self, job: Job, record: RunRecord) -> tuple[str, ...]:
        """The tracks on which a run has no current results."""
        from bastzoo.harness.track_run import is_current
        from bastzoo.harness.tracks import find_track

        if record.status != "finished":
            return ()
        missing = []
        for name in job.tracks:
            try:
                found = self.store.track(record.key, name)
                track = find_track(name, self.registry)
                if found is None or not is_current(found, track, workbench=self.workbench):
                    missing.append(name)
            except BastzooError:
                missing.append(name)
        return tuple(missing)

    def _test(self, job: Job, outcome: Outcome, name: str) -> None:
        from bastzoo.harness.track_run import track_run
        from bastzoo.harness.tracks import find_track

        assert outcome.record is not None
        self._watch(job.key, Progress(f"testing on {name}", str(self.workbench.session.device)))
        track = find_track(name, self.registry)
        try:
            track_run(outcome.record, track, workbench=self.workbench, store=self.store)
        except (FolderError, ClaimLostError):
            raise
        except BastzooError as error:
            outcome.faults.append(f"track {name}: left out. {error}")
        except Exception as error:  # third-party code: the other runs and tracks go on
            told = f"{type(error).__name__}: {' '.join(str(error).split())}"
            outcome.faults.append(f"track {name}: left out. Testing the run raised {told}.")
        else:
            outcome.tested.append(name)

    def _with_tracks(self, job: Job, outcome: Outcome) -> Outcome:
        """Add the results on tracks that are kept beside the run."""
        for name in job.tracks:
            try:
                found = self.store.track(job.key, name)
            except RecordError as error:
                outcome.faults.append(f"track {name}: left out. {error}")
                continue
            if found is not None:
                outcome.on_tracks.append(found)
        return outcome

    def _forget(self, key: str) -> None:
        """Remove what a process left that was killed between writing a run and clearing its claim."""
        if (self.claims.folder / key).is_dir() and self.claims.holder(key) is None:
            self.claims.clear(key)


class _Watched:
    """Passes on what training reports, not more often than somebody can read it."""

    _PAUSE = 0.2

    def __init__(self, job: Job, watch: Watch, workbench: Workbench) -> None:
        assert job.experiment is not None
        self._key, self._watch = job.key, watch
        self._experiment, self._workbench = job.experiment, workbench
        self._said = 0.0
        self._now = Progress("preparing", str(workbench.session.device))
        watch(self._key, self._now)

    def training_started(self, steps: int) -> None:
        """Begin."""
        self._say(replace(self._now, doing="training", steps=steps))

    def step(self, step: int, loss: float) -> None:
        """Pass on a step, if the last was long enough ago."""
        if time.monotonic() - self._said >= self._PAUSE:
            clips = len(self._workbench.data.of(self._experiment).split("train"))
            epoch = step * self._experiment.preset.recipe.batch / clips
            self._say(replace(self._now, step=step, loss=loss, epoch=epoch))

    def validated(self, step: int, ad: float, best: bool) -> None:
        """Pass on a validation."""
        lowest = ad if best else self._now.best_ad
        self._say(replace(self._now, step=step, ad=ad, best_ad=lowest))

    def training_ended(self, reason: str) -> None:
        """Go on to the test."""
        self._say(replace(self._now, doing="testing"))

    def _say(self, progress: Progress) -> None:
        self._now, self._said = progress, time.monotonic()
        self._watch(self._key, progress)


class Backlog:
    """Jobs that wait; those that another process holds come back later.

    pause: seconds until a held run is asked for again.
    """

    def __init__(self, jobs: Sequence[Job], *, pause: float = 0.5) -> None:
        self._jobs = list(jobs)
        self._held: list[tuple[float, Job]] = []
        self._pause = pause

    def __bool__(self) -> bool:
        return bool(self._jobs or self._held)

    def take(self) -> Job | None:
        """The next job; None while all that are left are held by others."""
        if self._jobs:
            return self._jobs.pop(0)
        if self._held and self._held[0][0] <= time.monotonic():
            return self._held.pop(0)[1]
        return None

    def put_back(self, job: Job) -> None:
        """Try a job first again: the process that had it is gone."""
        self._jobs.insert(0, job)

    def hold(self, job: Job) -> None:
        """Try a job again later: another process works on it."""
        self._held.append((time.monotonic() + self._pause, job))
