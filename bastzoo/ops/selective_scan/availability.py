"""Which implementations of the selective scan are installed, and which one is asked for.

Importing this module imports neither torch nor numba; `choice` tries what is installed.
"""

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


@dataclass(frozen=True)
class ScanStatus:
    """Whether an implementation can run here, with the reason in words."""

    name: str
    ok: bool
    reason: str


def availability() -> list[ScanStatus]:
    """What is installed, at the cost of looking for files: `ok` promises no more than that."""
    return [installed(name) for name in NAMES]


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


def installed(name: str) -> ScanStatus:
    """Whether what an implementation needs is installed."""
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
