"""Who waits for a run that another process has says so, also in a log."""

from __future__ import annotations

import io

from rich.console import Console

from bastzoo.cli.terminal.grid_display import GridDisplay
from bastzoo.harness.executors.local import Local
from bastzoo.harness.jobs import Bench, Job, Outcome, Settings
from bastzoo.harness.stopping import Stopping
from tests.records.made import model_record


class _Answering(Bench):
    """Finds a run busy three times, and then done."""

    def __init__(self) -> None:
        self.asked = 0

    def perform(self, job: Job) -> Outcome:
        self.asked += 1
        if self.asked <= 3:
            return Outcome(job.key, "busy", holder="process 7 on elsewhere")
        return Outcome(job.key, "done")


def test_waiting_for_another_process_is_said_once_where_there_is_no_terminal() -> None:
    job = Job(experiment=model_record().experiment)
    log = io.StringIO()
    display = GridDisplay({job.key: "a row"}, Console(file=log))
    with display, Stopping() as stopping:
        (outcome,) = Local().run(
            [job], Settings(out="runs"), watch=display.watch, stopping=stopping, here=_Answering()
        )
    assert outcome.status == "done"
    said = " ".join(log.getvalue().split())
    assert said == "a row: waiting for process 7 on elsewhere, which works on this run"
