"""Promises of executors."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

from bastzoo.testing.suite import ComponentSuite

TIME_LIMIT = 120.0
"""Seconds in which an executor has to perform three jobs of a moment each."""


class ExecutorSuite(ComponentSuite):
    """Promises of an executor: every job of a real, small grid is performed once."""

    kind = "executor"

    def test_every_job_is_performed_once(self) -> None:
        """A grid of three jobs gives three records and three outcomes."""
        outcomes: list[Any] = []
        problems: list[BaseException] = []

        def work(folder: str) -> None:
            try:
                outcomes.extend(self._perform(folder))
            except BaseException as error:  # it is raised again below, in the caller's thread
                problems.append(error)

        with tempfile.TemporaryDirectory() as folder:
            # A daemon: an executor that never ends must not keep the process from ending.
            thread = threading.Thread(target=work, args=(folder,), daemon=True)
            thread.start()
            thread.join(TIME_LIMIT)
            assert not thread.is_alive(), f"three short jobs are not done after {TIME_LIMIT:.0f} s"
            if problems:
                raise problems[0]
            records = sorted(Path(folder).glob("*/record.json"))
        assert [o.status for o in outcomes] == ["ran"] * 3, f"outcomes: {outcomes}"
        assert len({o.key for o in outcomes}) == 3, "a job has two outcomes"
        assert len(records) == 3, f"three jobs left {len(records)} records"

    def _perform(self, folder: str) -> list[Any]:
        from bastzoo.harness.jobs import Bench, Job, Settings
        from bastzoo.harness.runner import baseline_experiment
        from bastzoo.harness.stopping import Stopping
        from bastzoo.presets import DataSize, load_preset

        size = DataSize(train_sounds=1, validation_sounds=1, test_sounds=1, azimuth_step=90)
        preset = load_preset("quick").model_copy(update={"data": size})
        settings = Settings(out=folder, device="cpu")
        here = Bench(settings, registry=self.registry)
        jobs = [
            Job(
                baseline=baseline_experiment(
                    "chance", workbench=here.workbench, preset=preset, environment=environment
                )
            )
            for environment in ("RI01", "RI02", "RI")
        ]
        executor = self.record.build(jobs=2)
        return list(
            executor.run(
                jobs,
                settings,
                watch=lambda *_: None,
                # Signals belong to the main thread; nobody sends any here.
                stopping=Stopping(),
                here=here,
            )
        )
