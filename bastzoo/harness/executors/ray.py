"""The executor `ray`: the jobs of a grid as tasks of a Ray cluster.

Every task claims its run in the shared folder, as any process does, and writes the result there. On a node
that does not see the folder a task works in a folder of its own, and the finished run comes back through
Ray's object store. A task whose node dies is started again on another; with a shared folder it goes on
from the last checkpoint.
"""

from __future__ import annotations

import io
import logging
import os
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastzoo.engine.checkpoint import Interrupted
from bastzoo.errors import FolderError, SetupError
from bastzoo.harness.jobs import Backlog, Bench, Job, Outcome, Settings, Watch
from bastzoo.harness.stopping import Stopping
from bastzoo.limits.cores import share_cores

_RETRIES = 5
_CONNECT_SECONDS = 20
_POLL = 0.5
_TAKES_OTHER_NODES = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a task sends back; `run` is the archive of a run's folder where no folder is shared."""

    outcome: Outcome | None
    run: bytes = b""
    folder_error: str = ""


class Ray:
    """Runs jobs as tasks of a Ray cluster.

    jobs: CPUs that a task asks for are those of a node divided by this; 1 takes whole nodes.
    address: of the cluster (`HOST:6379`, `ray://HOST:10001`, `auto`); None starts one on this machine.
    """

    def __init__(self, *, jobs: int = 1, address: str | None = None) -> None:
        self.jobs = jobs
        self.address = address

    def run(
        self,
        jobs: Sequence[Job],
        settings: Settings,
        *,
        watch: Watch,
        stopping: Stopping,
        here: Bench,
    ) -> Iterator[Outcome]:
        """Perform the jobs; see `Executor`. Raises SetupError when no cluster answers."""
        stay_here(self.address)
        import ray

        mine = not ray.is_initialized()
        _connect(self.address)
        token = _put_token(here.store.folder)
        try:
            with stopping.deferred():
                yield from self._run(jobs, settings, watch=watch, stopping=stopping, here=here)
        finally:
            token.unlink(missing_ok=True)
            if mine:
                ray.shutdown()

    def _run(
        self,
        jobs: Sequence[Job],
        settings: Settings,
        *,
        watch: Watch,
        stopping: Stopping,
        here: Bench,
    ) -> Iterator[Outcome]:
        import ray
        from ray.util.queue import Queue

        folder = here.store.folder.absolute()
        token = next(folder.glob(".token-*")).name
        whole = settings.model_copy(update={"out": str(folder)})
        news = Queue(actor_options={"num_cpus": 0})
        cpus, gpus = _needs(self.jobs)
        task = ray.remote(_perform).options(
            num_cpus=cpus, num_gpus=gpus, max_retries=_RETRIES, retry_exceptions=False
        )
        backlog = Backlog(jobs)
        waiting: dict[Any, Job] = {}
        while backlog or waiting:
            while (job := backlog.take()) is not None:
                waiting[task.remote(job, whole, token, news, max(1, int(cpus)))] = job
            ready, _ = ray.wait([*waiting], timeout=_POLL)
            for key, progress in _heard(news):
                watch(key, progress)
            if stopping.signal:
                for reference in waiting:
                    ray.cancel(reference)
                raise Interrupted(stopping.signal)
            for reference in ready:
                job = waiting.pop(reference)
                outcome = _received(reference, job, here)
                if outcome.status == "busy":
                    watch(job.key, outcome.waiting)
                    backlog.hold(job)
                else:
                    yield outcome


def stay_here(address: str | None) -> None:
    """Let a cluster that is started here listen on the loopback alone, where nobody else reaches it.

    Whoever reaches a cluster's ports can run anything in it. Ray listens on all interfaces, but where it
    takes no other nodes, as on macOS; it looks when it is imported.
    """
    if address in (None, "local") and "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault(_TAKES_OTHER_NODES, "0")


def _connect(address: str | None) -> None:
    """Join the cluster. Raises SetupError when it does not answer."""
    import ray

    if ray.is_initialized():
        return
    if address not in (None, "auto", "local"):
        _check_answers(str(address))
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # Ray raises what its layers raise: grpc's, its own, OSError
        raise SetupError(
            f"The Ray cluster {address or 'of this machine'!r} cannot be joined: "
            f"{' '.join(str(error).split())[:200]}. See that it runs (`ray status`), or leave "
            "--address away to start one here."
        ) from error


def _check_answers(address: str) -> None:
    """Ask for a connection first: Ray itself tries for minutes."""
    import socket

    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise SetupError(
            f"The Ray cluster {address!r} does not answer ({error}). Give HOST:PORT of its head node "
            "(6379, or ray:// and 10001), and see that it runs (`ray status`)."
        ) from error


def _put_token(folder: Path) -> Path:
    """A file by which a task knows that it sees the same folder, and not one of that name."""
    token = folder / f".token-{uuid.uuid4().hex}"
    try:
        token.touch()
    except OSError as error:
        raise FolderError(f"The folder {str(folder)!r} cannot be written: {error}.") from error
    return token


def _needs(jobs: int) -> tuple[float, float]:
    """CPUs and GPUs of one task: a GPU if the cluster has any, and its share of a node's CPUs."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = [node.get("CPU", 0.0) for node in nodes if node.get("CPU", 0.0) >= 1]
    if not cpus:
        raise SetupError("The Ray cluster has no node with a CPU; add one (`ray start`).")
    has_gpu = any(node.get("GPU", 0.0) >= 1 for node in nodes)
    return max(1.0, float(int(min(cpus) / jobs))), 1.0 if has_gpu else 0.0


def _heard(news: Any) -> list[Any]:
    try:
        return list(news.get_nowait_batch(news.qsize()))
    except Exception:  # the queue lives on a node; when that dies the display stands still, no more
        return []


def _received(reference: Any, job: Job, here: Bench) -> Outcome:
    """The outcome of a task that has ended."""
    import ray

    try:
        answer: _Answer = ray.get(reference)
    except ray.exceptions.RayError as error:
        why = " ".join(str(error).split())[:300]
        return Outcome(job.key, "fault", faults=[f"its task was lost: {why}"])
    return _put(answer, here)


def _put(answer: _Answer, here: Bench) -> Outcome:
    """Put a run that came along with an answer into the folder. Raises FolderError."""
    if answer.folder_error:
        raise FolderError(answer.folder_error)
    assert answer.outcome is not None
    if answer.run and answer.outcome.record is not None:

        def fill(folder: Path) -> None:
            with tarfile.open(fileobj=io.BytesIO(answer.run)) as archive:
                archive.extractall(folder, filter="data")

        here.store.write(answer.outcome.record, fill)
    return answer.outcome


def _perform(job: Job, settings: Settings, token: str, news: Any, threads: int) -> _Answer:
    """Run a job in a task: in the shared folder, or in one of its own."""
    import torch

    from bastzoo.plugins import default_registry

    torch.set_num_threads(threads)
    share_cores(threads)
    watch = _Reporter(news)
    shared = (Path(settings.out) / token).is_file()
    with tempfile.TemporaryDirectory() as own:
        if not shared:
            settings = settings.model_copy(update={"out": own})
        with Stopping() as stopping:
            bench = Bench(settings, registry=default_registry(), watch=watch, stopping=stopping)
            try:
                outcome = bench.perform(job)
            except FolderError as error:
                return _Answer(None, folder_error=str(error))
            except Interrupted as interrupted:  # cancelled: the checkpoint is kept
                raise KeyboardInterrupt from interrupted
        archive = b"" if shared else _archive(bench, job)
    return _Answer(outcome, archive)


class _Reporter:
    """Sends progress to the driver; a queue that is gone must not stop a run."""

    def __init__(self, news: Any) -> None:
        self._news = news

    def __call__(self, key: str, progress: Any) -> None:
        try:
            self._news.actor.put_nowait.remote((key, progress))
        except Exception:
            self._news = None


def _archive(bench: Bench, job: Job) -> bytes:
    """The files of a run, but for the record, which the outcome holds."""
    path = bench.store.path(job.key)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in sorted(path.iterdir()) if path is not None else []:
            if file.name != "record.json":
                archive.add(file, file.name)
    return buffer.getvalue()
