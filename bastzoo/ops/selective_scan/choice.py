"""Which implementation of the selective scan runs on a device: the best one that works there.

Importing this module imports neither torch nor numba; asking it does, and tries them on a small scan.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from bastzoo.errors import SetupError
from bastzoo.ops.selective_scan.availability import (
    NAMES,
    PREFERENCE,
    VARIABLE,
    ScanStatus,
    forced_implementation,
    installed,
)

if TYPE_CHECKING:
    from bastzoo.ops.selective_scan.implementations import Implementation

log = logging.getLogger("bastzoo")


def diagnosis() -> list[ScanStatus]:
    """What works: every implementation is imported and tried (the CPU kernel may be compiled now)."""
    return [_tried(name) for name in NAMES]


def for_device(device_type: str) -> Implementation:
    """The implementation that scans tensors on this type of device."""
    return _for_device(device_type, forced_implementation())


@functools.cache
def _for_device(device_type: str, forced: str | None) -> Implementation:
    from bastzoo.ops.selective_scan.implementations import implementation

    return implementation(implementation_for(device_type))


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


def expected_for(device_type: str) -> str:
    """The name of what scans, or would scan, tensors on `device_type`: nothing is tried for the answer."""
    if name := forced_implementation() or _found.get(device_type):
        return name
    names = PREFERENCE.get(device_type, ("reference",))
    return next(name for name in names if installed(name).ok)


_found: dict[str, str] = {}
"""The best implementation for a type of device, once it was tried."""


def _best(device_type: str) -> str:
    if device_type not in _found:
        for name in PREFERENCE.get(device_type, ("reference",)):
            found = _tried(name)
            if found.ok:
                break
            log.debug("the %s selective scan is not used: %s", name, found.reason)
        if name == "reference":
            log.warning(
                "on %s the selective scan runs as a slow loop: see bastzoo doctor", device_type
            )
        _found[device_type] = name
    return _found[device_type]


@functools.cache
def _tried(name: str) -> ScanStatus:
    found = installed(name)
    if not found.ok or name == "reference":
        return found
    from bastzoo.ops.selective_scan.probe import failure

    reason = failure(name)
    return found if reason is None else ScanStatus(name, False, reason)
