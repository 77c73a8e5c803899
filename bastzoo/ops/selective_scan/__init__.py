"""The selective scan of Mamba, fast wherever bastzoo runs.

`selective_scan` is the one function to call. Which implementation runs behind it (mamba-ssm's CUDA
kernel, a Triton kernel, a CPU kernel compiled by numba, or plain PyTorch) is told by
`implementation_for` and, with reasons, by `availability`. Importing this package imports neither
torch nor numba.
"""

from typing import TYPE_CHECKING, Any

from bastzoo.ops.selective_scan.availability import ScanStatus, availability
from bastzoo.ops.selective_scan.choice import diagnosis, implementation_for

if TYPE_CHECKING:
    from bastzoo.ops.selective_scan.dispatch import selective_scan

__all__ = [
    "ScanStatus",
    "availability",
    "diagnosis",
    "implementation_for",
    "selective_scan",
]


def __getattr__(name: str) -> Any:
    """Import the function, and torch with it, when it is first asked for."""
    if name != "selective_scan":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bastzoo.ops.selective_scan.dispatch import selective_scan

    globals()[name] = selective_scan
    return selective_scan
