"""The selective scan on a CPU, compiled by numba."""

from bastzoo.ops.selective_scan.cpu.scan import backward, forward

__all__ = ["backward", "forward"]
