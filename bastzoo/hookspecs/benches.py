"""How the bench runs: executors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bastzoo.hookspecs.marks import hookspec

if TYPE_CHECKING:
    from bastzoo.registry import Component


@hookspec
def bastzoo_executors() -> list[Component]:  # type: ignore[empty-body]
    """Where the jobs of a grid run.

    The target is called with those of the keyword arguments `jobs` (how many at a time) and
    `address` (of a cluster) that its signature names, and returns an object with
    `run(jobs, settings, *, watch, stopping, here)`, a generator that performs every job and yields
    its outcome, in whatever order they end. Jobs and settings are data (pydantic) that can be sent
    to another machine, where `bastzoo.harness.jobs.Bench(settings, registry=...).perform(job)` runs
    one; `here` is such a bench in the calling process. `watch(key, progress)` feeds the display;
    `stopping.signal` is not 0 once the user wants an end. An outcome with the status `busy` means
    that another process works on that run: ask again later.

    ```python
    # night_shift/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_executors():
        return [
            Component(
                kind="executor",
                name="night",
                target="night_shift.executor:Night",
                summary="one job after the other, between 22 and 6 o'clock",
                licence="MIT",
            )
        ]
    ```

    ```python
    # night_shift/executor.py
    import time


    class Night:
        def __init__(self, *, clock=time.localtime):
            self.clock = clock

        def run(self, jobs, settings, *, watch, stopping, here):
            for job in jobs:
                while 6 <= self.clock().tm_hour < 22:
                    time.sleep(60)
                yield here.perform(job)
    ```
    """
