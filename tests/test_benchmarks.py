"""The benchmarks can be run, and what got slower is named."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_all_benchmarks_are_collected() -> None:
    """A module of theirs that hides an installed one, say, breaks all of them and nothing else."""
    words = (
        "-m",
        "pytest",
        "benchmarks",
        "--collect-only",
        "-q",
        "-o",
        "addopts=",
        "-p",
        "no:xdist",
    )
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env=alone
    )
    assert done.returncode == 0, done.stdout
    assert "test_training.py::test_step[mamba-paper]" in done.stdout


def test_what_got_slower_by_more_than_a_fifth_is_named_the_worst_first() -> None:
    slower = runpy.run_path(str(ROOT / "benchmarks" / "check.py"))["slower"]
    then = {"same": 2.0, "a bit": 2.0, "slow": 2.0, "slowest": 2.0, "faster": 1.0, "gone": 1.0}
    now = {"same": 2.0, "a bit": 1.7, "slow": 1.5, "slowest": 0.2, "faster": 3.0, "new": 1.0}
    assert slower(then, now) == [
        "-90 %  slowest: 2 × then, 0.2 × now",
        "-25 %  slow: 2 × then, 1.5 × now",
    ]


@pytest.mark.soak
def test_the_benchmark_of_a_gpu_runs_on_a_processor_and_says_so() -> None:
    page = ROOT / "benchmarks" / "gpu.md"
    before = page.read_text() if page.exists() else None
    words = (str(page.with_suffix(".py")), "--device", "cpu", "--preset", "quick")
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Card: no GPU: this processor" in done.stdout
    assert done.stdout.count("bfloat16 | as it is | 64 |") >= 3
    assert (page.read_text() if page.exists() else None) == before
