"""How many processors this process may use: not those of the machine, but its share of them."""

from __future__ import annotations

import math
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def available_cores(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Cores that this process may run on, by its affinity (`taskset`) and the limits of its control groups.

    groups, own: where Linux tells of control groups, and which this process is in.
    """
    affinity = hasattr(os, "sched_getaffinity")  # Linux
    cores = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([cores, *_quotas(groups, own)]))


_shares: list[int] = []


def share_cores(own: int) -> None:
    """Say that this process works beside others of its kind, and that `own` cores are its own."""
    _shares[:] = [own]


def spare_cores(busy: int) -> int:
    """How many of its cores this process leaves idle while `busy` threads compute."""
    return max(0, min([available_cores(), *_shares]) - busy)


def _quotas(groups: Path, own: Path) -> list[int]:
    """Whole cores that each control group above this process grants, rounded up; none without limits."""
    try:
        lines = own.read_text().splitlines()
    except (OSError, ValueError):  # not Linux
        return []
    found = []
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:  # version 2, one tree for all
            folder, read = groups, _version_2
        elif "cpu" in controllers.split(","):
            folder, read = groups / "cpu", _version_1
        else:
            continue
        inner = folder / path.strip("/")
        # In a container the path is the host's, and the limits lie at the root.
        for each in (inner, *(p for p in inner.parents if p.is_relative_to(folder)), folder):
            quota = read(each)
            if quota is not None:
                found.append(quota)
    return found


def _version_2(folder: Path) -> int | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()[:2]
        return None if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _version_1(folder: Path) -> int | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        return math.ceil(quota / period) if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
