"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Results must not depend on how many threads the machine has, and neither must the suite's time.
# Several workers (pytest-xdist) have one each.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
# Threads that spin at barriers stall for seconds when something else wants the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

TINY_PRESET = """
summary = "seconds, for tests"

[model]
dim = 16
depth = 1
heads = 2
dim_head = 8
mlp_dim = 16
patch = [32, 16]
stride = [32, 16]
dropout = 0.0
embed_dropout = 0.0

[data]
train_sounds = 4
validation_sounds = 1
test_sounds = 3
azimuth_step = 60

[recipe]
steps = 4
batch = 8
learning_rate = 1e-3
validate_every = 2
patience = 2
"""


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a preset that trains in seconds."""
    path = tmp_path_factory.mktemp("presets") / "tiny.toml"
    path.write_text(TINY_PRESET)
    return path


# Files that take longest, by processor time: begun last, one of them is worked on while other workers idle.
LONGEST = (
    *("tests/cli/test_harness.py", "tests/cli/test_models.py", "tests/models/test_export.py"),
    *("tests/cli/test_multitask.py", "plugins/bastzoo-interaural/tests/test_interaural.py"),
    *("tests/ops/selective_scan/test_triton.py", "tests/cli/test_new_plugin.py"),
    *("tests/cli/test_runs.py", "plugins/bastzoo-timm/tests/test_timm.py"),
    *("tests/cli/test_tune.py", "tests/engine/test_checkpoint.py", "tests/cli/test_data.py"),
    *("tests/data/recorded/test_conversion.py", "tests/test_notebooks.py"),
    *("tests/data/recorded/test_cache.py", "tests/cli/test_tracks.py"),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    rank = {str(config.rootpath / name): place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(str(item.path), len(rank)))  # stable: the rest as it was
