"""Executors: where the jobs of a grid run. One process, several, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from bastzoo.harness.jobs import Bench, Job, Outcome, Settings, Watch
from bastzoo.harness.stopping import Stopping


@runtime_checkable
class Executor(Protocol):
    """Runs jobs somewhere. Built with those of `jobs` and `address` that its signature names."""

    def run(
        self,
        jobs: Sequence[Job],
        settings: Settings,
        *,
        watch: Watch,
        stopping: Stopping,
        here: Bench,
    ) -> Iterator[Outcome]:
        """Perform every job and yield its outcome, in the order in which they end.

        watch: told how far each job is, in the process that called.
        stopping: what signals ask for; after one, jobs keep a checkpoint and Interrupted is raised.
        here: performs jobs in the calling process, for an executor that wants that.

        Raises FolderError when the folder of runs cannot be written.
        """
