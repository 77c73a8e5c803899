"""Imports what commands import. A process that is forked from one that has done so need not.

Modules only: no plugin is loaded, no thread started (so onnxruntime is left out), and none of them
reads the environment when it is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil

import bastzoo

_LIBRARIES = (
    *("accelerate", "h5py", "matplotlib.figure", "numba", "optuna", "pandas", "psutil", "pydantic"),
    *("rich.progress", "safetensors.torch", "scipy.signal", "scipy.spatial", "scipy.special"),
    *("scipy.stats", "soundfile", "soxr", "tabulate", "timm", "tomli_w"),
)

for name in (*_LIBRARIES, *(m.name for m in pkgutil.walk_packages(bastzoo.__path__, "bastzoo."))):
    if not name.endswith("__main__"):
        with contextlib.suppress(ImportError):  # an optional library: who asks for it is told so
            importlib.import_module(name)
