"""The encoders of one ear, and of both ears joined: one file a backbone.

This module imports no torch, so that listing the zoo stays quick.
"""

from __future__ import annotations

from bastzoo.ops.selective_scan.availability import (
    PREFERENCE,
    availability,
    forced_implementation,
)
from bastzoo.registry import Availability


def mamba_availability() -> Availability:
    """Say which selective scan the mamba backbone has on a CPU and on a GPU, and why no better one.

    There is always one, plain PyTorch at the slowest, so the answer is never no.
    """
    forced = forced_implementation()
    if forced is not None:
        return Availability(True, f"BASTZOO_SCAN asks for the {forced} scan")
    installed = {found.name: found for found in availability()}
    devices = []
    for device, label in (("cpu", "CPU"), ("cuda", "GPU")):
        names = PREFERENCE[device]
        chosen = next(name for name in names if installed[name].ok)
        better = [installed[name].reason for name in names[: names.index(chosen)]]
        because = f" since {' and '.join(better)}" if better else ""
        devices.append(f"on a {label} the {chosen} scan{because}")
    return Availability(True, "; ".join(devices))
