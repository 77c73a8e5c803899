"""Memory that arrays have freed: it stays with the process, and only where nobody said otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from bastzoo.limits.memory import keep_freed_memory
import numpy as np
kept = keep_freed_memory()
np.ones(2**21)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**21)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries allocate otherwise")
def test_an_array_takes_the_memory_of_the_one_before() -> None:
    kept, faults = told({})
    assert kept == "True"
    assert int(faults) < 100  # of 4 kB; each array has 4,096 of them
    kept, faults = told({"MALLOC_TRIM_THRESHOLD_": "1000000"})
    assert kept == "False"
    assert int(faults) > 20_000


def told(environment: dict[str, str]) -> list[str]:
    """What a fresh process says: whether memory is kept, and how often a page was missing."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        # numpy asks for pages of 2 MB for its arrays, of which few are missing.
        env={**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0", **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()
