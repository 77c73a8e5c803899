"""A process of the executor `local`: takes jobs from a pipe and says what becomes of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bastzoo.engine.checkpoint import Interrupted
from bastzoo.errors import FolderError
from bastzoo.harness.jobs import Bench, Job, Outcome, Progress, Settings
from bastzoo.harness.stopping import Stopping
from bastzoo.limits.cores import share_cores

_LOOK_FOR_PARENT = 1.0


@dataclass(frozen=True, slots=True)
class Started:
    """How far a job is."""

    key: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a job, or why no job can end well."""

    outcome: Outcome | None
    folder_error: str = ""


def main(connection: Connection, settings: Settings, threads: int) -> None:
    """Perform jobs until the pipe is closed.

    What becomes of a run does not hang on the pipe: when the parent is killed, the run that is worked on
    keeps a checkpoint and is given back, and whoever comes next goes on with it.
    """
    import torch

    from bastzoo.plugins import default_registry

    torch.set_num_threads(threads)
    share_cores(threads)
    origin = multiprocessing.parent_process()
    assert origin is not None and origin.pid is not None  # noqa: PT018
    _follow(parent := origin.pid)

    def say(message: Started | Ended) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more; `stopping` knows that too
            connection.send(message)

    try:
        with Stopping(ignore_interrupt=True, parent=parent) as stopping:
            bench = Bench(
                settings,
                registry=default_registry(),
                watch=lambda key, progress: say(Started(key, progress)),
                stopping=stopping,
            )
            while True:
                try:
                    job: Job = connection.recv()
                except (EOFError, OSError):
                    return  # the parent is done, or gone
                say(_ended(bench, job))
    except Interrupted as interrupted:
        sys.exit(128 + interrupted.signal)


def _ended(bench: Bench, job: Job) -> Ended:
    try:
        return Ended(bench.perform(job))
    except FolderError as error:
        return Ended(None, str(error))


def _follow(parent: int) -> None:
    """Stop, with a checkpoint, when the parent was killed: nobody waits for the result any more."""

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_FOR_PARENT)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="bastzoo-parent", daemon=True).start()
