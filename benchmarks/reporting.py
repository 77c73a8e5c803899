"""What the written benchmarks share: the machine in words, and tables in markdown."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch


def seconds_of(work: Callable[[], object], rounds: int = 7) -> float:
    """The median of several rounds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return median(times)


def yardstick() -> float:
    """Seconds of a product of two matrices of 768 rows: what stands beside work that has no peer."""
    a, b = torch.ones(768, 768), torch.ones(768, 768)
    return seconds_of(lambda: a @ b, 15)


def beside_a_product(
    benchmark: Any, ratio: Callable[[float, str], None], work: Callable[[], object], *, rounds: int
) -> None:
    """Time work that has no peer, in turns with the yardstick, and note the ratio."""
    others: list[float] = []
    benchmark.pedantic(work, setup=lambda: others.append(yardstick()), rounds=rounds)
    if benchmark.stats is not None:
        ratio(median(others) / benchmark.stats.stats.median, "a product of matrices")


def process(*words: str) -> None:
    """Run a fresh Python."""
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


def machine() -> str:
    """Processor, cores, threads, how busy it was, and versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numba", "numpy"))
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "")
    pressure = Path("/proc/pressure/cpu")
    waiting = re.search(r"avg300=(\S+)", pressure.read_text()) if pressure.exists() else None
    busy = f", processes waiting for a core {waiting[1]} % of the time" if waiting else ""
    return (
        f"Machine: {model or platform.processor()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} torch threads{busy}; "
        f"Python {platform.python_version()}, {packages}."
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
