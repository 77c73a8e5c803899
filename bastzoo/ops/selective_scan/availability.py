"""Which implementations of the selective scan can run here, which one does, and why the others do not.

Importing this module imports neither torch nor numba. `availability` looks no further than what is
installed; `diagnosis` and `implementation_for` import the implementations and try them on a small scan.
"""

import functools
import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec

from bastzoo.errors import SetupError

#: The environment variable that forces an implementation.
VARIABLE = "BASTZOO_SCAN"

#: The implementations for a type of device, the best one first. Any other device has the reference.
PREFERENCE = {
    "cuda": ("cuda", "triton", "reference"),
    "cpu": ("cpu", "reference"),
}
NAMES = ("cuda", "triton", "cpu", "reference")

log = logging.getLogger("bastzoo")


@dataclass(frozen=True)
class ScanStatus:
    """Whether an implementation can run here, with the reason in words."""

    name: str
    ok: bool
    reason: str


def availability() -> list[ScanStatus]:
    """What is installed, at the cost of looking for files: `ok` promises no more than that."""
    return [_installed(name) for name in NAMES]


def diagnosis() -> list[ScanStatus]:
    """What works: every implementation is imported and tried (the CPU kernel may be compiled now)."""
    return [_tried(name) for name in NAMES]


def implementation_for(device_type: str) -> str:
    """The name of the implementation that scans tensors on `device_type` ("cpu", "cuda", ...).

    Raises:
        SetupError: `BASTZOO_SCAN` names an implementation that does not exist or cannot run here.
    """
    forced = forced_implementation()
    if forced is None:
        return _best(device_type)
    devices = [device for device, names in PREFERENCE.items() if forced in names]
    if forced != "reference" and device_type not in devices:
        raise SetupError(
            f"{VARIABLE}={forced} scans tensors on {' or '.join(devices)}, and these are on "
            f"{device_type}: move them, or unset {VARIABLE}"
        )
    found = _tried(forced)
    if not found.ok:
        raise SetupError(
            f"{VARIABLE}={forced} cannot be used here: {found.reason}. "
            f"Unset {VARIABLE} to use what works"
        )
    return forced


def forced_implementation() -> str | None:
    """What `BASTZOO_SCAN` names, or None where it is unset or empty."""
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    if name not in NAMES:
        raise SetupError(
            f"{VARIABLE}={name} is no implementation of the selective scan: "
            f"set it to {', '.join(NAMES[:-1])} or {NAMES[-1]}, or unset it"
        )
    return name


@functools.cache
def _best(device_type: str) -> str:
    for name in PREFERENCE.get(device_type, ("reference",)):
        found = _tried(name)
        if found.ok:
            break
        log.debug("the %s selective scan is not used: %s", name, found.reason)
    if name == "reference":
        log.warning("on %s the selective scan runs as a slow loop: see bastzoo doctor", device_type)
    return name


# -- what is installed ----------------------------------------------------------------------------


def _installed(name: str) -> ScanStatus:
    missing = [package for package in _NEEDS[name] if find_spec(package) is None]
    if not missing:
        return ScanStatus(name, True, _WHAT[name])
    if missing == ["selective_scan_cuda"]:
        return ScanStatus(name, False, "mamba-ssm is installed without its compiled kernel")
    package = missing[0].replace("_", "-")
    return ScanStatus(name, False, f"{package} is not installed (pip install {package})")


_NEEDS = {
    "cuda": ("mamba_ssm", "selective_scan_cuda"),
    "triton": ("triton",),
    "cpu": ("numba",),
    "reference": (),
}
_WHAT = {
    "cuda": "mamba-ssm's kernel, for CUDA tensors",
    "triton": "compiled by Triton, for CUDA tensors",
    "cpu": "compiled by numba, for CPU tensors",
    "reference": "plain PyTorch, for any tensors; slow",
}


# -- what works -----------------------------------------------------------------------------------


@functools.cache
def _tried(name: str) -> ScanStatus:
    found = _installed(name)
    if not found.ok or name == "reference":
        return found
    from bastzoo.ops.selective_scan.probe import failure

    reason = failure(name)
    return found if reason is None else ScanStatus(name, False, reason)
