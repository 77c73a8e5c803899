"""How long does a light command take, as a multiple of `python -c "import click"`?

The bound of the first issue is 3. Every command is measured in turn with `import click`, so that a
busy machine slows both. Run with: make perf (or pytest benchmarks/test_startup.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fake_distributions import Site

ROOT = Path(__file__).parents[1]
ROUNDS = 15
LIMIT = 3.0
COMMANDS = {
    "help": ["-m", "bastzoo", "--help"],
    "list": ["-m", "bastzoo", "list"],
    "plugins": ["-m", "bastzoo", "plugins"],
}


def seconds(args: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *args], check=True, capture_output=True, env=environment)
    return time.perf_counter() - started


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "BASTZOO_LOAD_PLUGINS": ""}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_light_command_beside_import_click(
    benchmark: Any, ratio: Any, environment: dict[str, str], name: str
) -> None:
    click: list[float] = []

    def measure_click() -> None:
        click.append(seconds(["-c", "import click"], environment))

    benchmark.pedantic(
        seconds,
        args=(COMMANDS[name], environment),
        setup=measure_click,
        rounds=ROUNDS,
        warmup_rounds=1,
    )
    if benchmark.stats is None:  # --benchmark-disable
        return
    alone = sorted(click)[len(click) // 2]
    ratio(alone / benchmark.stats.stats.median, "import click")
    assert benchmark.stats.stats.median / alone <= LIMIT


def test_list_with_fifty_plugins_of_ten_components(
    benchmark: Any, ratio: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    site = Site(tmp_path)
    for number in range(50):
        names = [f"b{number}-{component}" for component in range(10)]
        site.install_backbones(f"ears-{number}", *names)
    del environment["BASTZOO_LOAD_PLUGINS"]
    environment["PYTHONPATH"] = os.pathsep.join([str(site.path), str(ROOT)])
    click: list[float] = []
    benchmark.pedantic(
        seconds,
        args=(COMMANDS["list"], environment),
        setup=lambda: click.append(seconds(["-c", "import click"], environment)),
        rounds=ROUNDS,
        warmup_rounds=1,
    )
    if benchmark.stats is not None:
        ratio(sorted(click)[len(click) // 2] / benchmark.stats.stats.median, "import click")
        assert benchmark.stats.stats.median < 0.5
