"""Kills of one of two processes of a training: none waits for ever, nothing has failed, and it goes on."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from bastzoo.records.store import RunStore
from tests.cli.test_harness import ENVIRONMENT, in_two_processes, launched, run

pytestmark = [pytest.mark.soak, pytest.mark.timeout(2400)]

KILLS = 20
GONE_WITHIN = 60.0
"""Seconds from a kill to the end of the other process and of what started them."""


def test_a_training_whose_processes_are_killed_one_by_one_ends_as_if_undisturbed(
    tiny_preset: Path, tmp_path: Path
) -> None:
    preset = tmp_path / "long.toml"
    text = tiny_preset.read_text().replace("steps = 4", "steps = 2000")
    preset.write_text(re.sub("patience = .*", "patience = 1000", text))  # else it ends early
    words = ("train", "--backbone", "vanilla", "--env", "RI01", "--preset", str(preset))
    words = (*words, "--device", "cpu")
    often = (*words, "--checkpoint-every", "0")
    draw = random.Random(2)
    kills = 0
    while kills < KILLS:
        process = subprocess.Popen(
            launched(*often, "--runs", "two"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )
        ranks = _ranks(process)
        time.sleep(draw.uniform(0.0, 20.0))  # while they import, meet, learn and test
        with contextlib.suppress(psutil.NoSuchProcess):  # it had come to its end
            draw.choice(ranks).send_signal(signal.SIGKILL)
            kills += 1
        killed = time.monotonic()
        said, _ = process.communicate(timeout=GONE_WITHIN)
        gone, alive = psutil.wait_procs(ranks, timeout=0)
        print(f"kill {kills}: exit {process.returncode}, {time.monotonic() - killed:.1f} s")  # noqa: T201
        assert not alive, gone
        records, faults = RunStore(tmp_path / "two").records()
        assert faults == []
        assert all(record.status == "finished" for record in records), said
        if records:  # it came to an end: begin with an empty folder again
            shutil.rmtree(tmp_path / "two")
    done = in_two_processes(*words, "--runs", "two", cwd=tmp_path, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    run(*words, "--runs", "one", cwd=tmp_path)
    ((two,), _), ((one,), _) = (RunStore(tmp_path / out).records() for out in ("two", "one"))
    assert two.key == one.key
    assert two.training is not None
    assert one.training is not None
    assert two.training.steps == one.training.steps


def _ranks(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The two processes that train, once both are there."""
    for _ in range(600):
        with contextlib.suppress(psutil.Error):  # one has just ended
            found = psutil.Process(process.pid).children(recursive=True)
            ranks = [one for one in found if "rank.py" in " ".join(one.cmdline())]
            if len(ranks) == 2:
                return ranks
        time.sleep(0.05)
    process.kill()
    raise AssertionError("the processes did not start")
