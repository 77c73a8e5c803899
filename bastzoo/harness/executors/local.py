"""The executor `local`: jobs in this process, or in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from bastzoo.engine.checkpoint import Interrupted
from bastzoo.errors import FolderError
from bastzoo.harness.executors.worker import Ended, Started, main
from bastzoo.harness.jobs import Backlog, Bench, Job, Outcome, Settings, Watch
from bastzoo.harness.stopping import Stopping

_IDLE = 0.2
_ATTEMPTS = 2
"""How often a job is tried whose process dies (killed for its memory, say)."""


class Local:
    """Runs jobs in this process (`jobs` 1) or in that many processes, the threads divided among them.

    On a machine with several GPUs each process has one of them.
    """

    def __init__(self, *, jobs: int = 1) -> None:
        self.jobs = jobs

    def run(
        self,
        jobs: Sequence[Job],
        settings: Settings,
        *,
        watch: Watch,
        stopping: Stopping,
        here: Bench,
    ) -> Iterator[Outcome]:
        """Perform the jobs; see `Executor`."""
        if self.jobs == 1 or len(jobs) <= 1:
            yield from _in_this_process(jobs, here, watch)
            return
        pool = _Pool(min(self.jobs, len(jobs)), settings, watch)
        try:
            with stopping.deferred():
                yield from pool.run(jobs, stopping)
        finally:
            pool.close()


def _in_this_process(jobs: Sequence[Job], bench: Bench, watch: Watch) -> Iterator[Outcome]:
    backlog = Backlog(jobs)
    while backlog:
        job = backlog.take()
        if job is None:
            time.sleep(_IDLE)
            continue
        outcome = bench.perform(job)
        if outcome.status == "busy":
            watch(job.key, outcome.waiting)
            backlog.hold(job)
        else:
            yield outcome


@dataclass(slots=True)
class _Worker:
    """A process, the way to it, and the job it has."""

    number: int
    process: Any
    connection: Connection
    job: Job | None = None


class _Pool:
    """Processes that take one job after the other; one that dies is replaced."""

    def __init__(self, size: int, settings: Settings, watch: Watch) -> None:
        self._size, self._settings, self._watch = size, settings, watch
        self._workers: list[_Worker] = []
        self._attempts: dict[str, int] = {}

    def run(self, jobs: Sequence[Job], stopping: Stopping) -> Iterator[Outcome]:
        backlog = Backlog(jobs)
        while backlog or any(worker.job for worker in self._workers):
            if stopping.signal:
                self._stop(stopping.signal)
            self._give_out(backlog)
            for worker in self._with_news():
                yield from self._hear(worker, backlog)

    def close(self) -> None:
        """End all processes; those that still work are stopped, with a checkpoint."""
        for worker in self._workers:
            if worker.job is not None:
                worker.process.terminate()
            worker.connection.close()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()

    def _stop(self, number: int) -> None:
        self.close()
        raise Interrupted(number)

    def _give_out(self, backlog: Backlog) -> None:
        busy = {worker.number for worker in self._workers}
        for number in range(self._size):
            if number not in busy and backlog:
                self._workers.append(self._start(number))
        for worker in self._workers:
            if worker.job is None and (job := backlog.take()) is not None:
                worker.job = job
                try:
                    worker.connection.send(job)
                except OSError:  # it died while it was idle; its death is heard below
                    continue

    def _with_news(self) -> list[_Worker]:
        ready = wait([worker.connection for worker in self._workers], timeout=_IDLE)
        return [worker for worker in self._workers if worker.connection in ready]

    def _hear(self, worker: _Worker, backlog: Backlog) -> Iterator[Outcome]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(worker, backlog)
            return
        if isinstance(message, Started):
            self._watch(message.key, message.progress)
            return
        assert isinstance(message, Ended)
        job, worker.job = worker.job, None
        assert job is not None
        if message.folder_error:
            raise FolderError(message.folder_error)
        assert message.outcome is not None
        if message.outcome.status == "busy":
            self._watch(job.key, message.outcome.waiting)
            backlog.hold(job)
        else:
            yield message.outcome

    def _bury(self, worker: _Worker, backlog: Backlog) -> Iterator[Outcome]:
        """Give the job of a dead process to another, unless it has killed two of them."""
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)
        if worker.job is None:
            return
        key = worker.job.key
        self._attempts[key] = self._attempts.get(key, 0) + 1
        if self._attempts[key] < _ATTEMPTS:
            backlog.put_back(worker.job)
            return
        how = _death(worker.process.exitcode)
        yield Outcome(
            key,
            "fault",
            faults=[
                f"its process {how}, {_ATTEMPTS} times. If the machine has too little memory, use "
                "fewer --jobs; the same command goes on from the last checkpoint."
            ],
        )

    def _start(self, number: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        with _environment(_divided(number, self._size)):
            process = context.Process(
                target=main,
                args=(its, self._settings, _threads(self._size)),
                name=f"bastzoo-job-{number}",
                daemon=True,
            )
            process.start()
        its.close()
        return _Worker(number, process, mine)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"


def _threads(size: int) -> int:
    import torch

    return max(1, torch.get_num_threads() // size)


def _divided(number: int, size: int) -> dict[str, str]:
    """Environment of one process among several: its share of the threads, and a GPU of its own."""
    import torch

    threads = str(_threads(size))
    share = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }
    gpus = torch.cuda.device_count()
    if gpus > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        names = visible.split(",") if visible else [str(gpu) for gpu in range(gpus)]
        share["CUDA_VISIBLE_DEVICES"] = names[number % len(names)]
    return share


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a process that is started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
