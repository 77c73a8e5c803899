"""Where a result comes from: versions, commit, machine, device, threads, scan kernel, memory."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import torch

from bastzoo import __version__
from bastzoo.discovery import BUILT_IN
from bastzoo.limits.cores import available_cores
from bastzoo.ops.selective_scan.choice import expected_for
from bastzoo.records.record import Provenance
from bastzoo.registry import Component

_FOLDER_OPTIONS = ("--runs", "--out")
_PACKAGES = ("torch", "timm", "numpy", "numba", "accelerate", "mamba-ssm")


def provenance(
    *, device: torch.device, seconds: float, components: Iterable[Component] = ()
) -> Provenance:
    """Describe this process, this machine and the run that took `seconds` on `device`.

    components: what the run was made of; the versions of their distributions are named too.
    """
    plugins = sorted({c.distribution for c in components} - {BUILT_IN, ""})
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_line(),
        versions={**versions(), **_installed(plugins)},
        commit=commit(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        device=device_name(device),
        threads=torch.get_num_threads(),
        scan=expected_for(device.type),
        seconds=seconds,
        peak_memory_mb=peak_memory_mb(device),
    )


def command_line() -> str:
    """The command that started this process; "a notebook" for a kernel's, "a program" for a script's.

    Without the path of the program and the folder of the runs: they say where, and not what was made.
    """
    program = Path(sys.argv[0]).name
    if program.startswith(("ipykernel_launcher", "colab_kernel_launcher")):
        return "a notebook"  # whose own command names a file that is gone when it is closed
    if program not in ("bastzoo", "__main__.py") and not program.startswith(("pytest", "python")):
        return f"a program ({program})" if program else "a program"
    words, given = ["bastzoo" if program == "__main__.py" else program], iter(sys.argv[1:])
    for word in given:
        if word in _FOLDER_OPTIONS:
            next(given, None)
        elif not word.startswith(tuple(f"{option}=" for option in _FOLDER_OPTIONS)):
            words.append(word)
    return shlex.join(words)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of Python, bastzoo and the packages that a result may depend on."""
    return {
        "python": platform.python_version(),
        "bastzoo": __version__,
        **_installed(_PACKAGES),
    }


def _installed(names: Iterable[str]) -> dict[str, str]:
    """Versions of those distributions that are installed."""
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The git commit of the source tree, with `+changes` when it is not clean; None outside a clone."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no", "--", "bastzoo")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if dirty else "")
    except (OSError, subprocess.SubprocessError):
        return None


@lru_cache(maxsize=1)
def processor() -> str:
    """The processor's name and the number of cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"{name}, {available_cores()} cores"


def device_name(device: torch.device) -> str:
    """`cpu`, or the accelerator's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def reset_peak_memory(device: torch.device) -> None:
    """Forget the peak so far, where the system lets us: Linux for the process, torch for a GPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory in MB since the reset: allocated on a GPU, resident in the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of either).
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
