"""Every benchmark compares two things in one run; the ratios are gathered, shown and kept.

A ratio is the other's time over ours: the larger, the better for us, and a busy machine slows both. They go
to `build/ratios.json`, which `make perf-check` holds against `baseline.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

RATIOS = pytest.StashKey[dict[str, tuple[float, str]]]()
KEPT = Path(__file__).parents[1] / "build" / "ratios.json"

Note = Callable[[float, str], None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RATIOS] = {}
    config.addinivalue_line("markers", "thorough: takes long; `make perf-all` runs it too")


@pytest.fixture
def ratio(request: pytest.FixtureRequest) -> Note:
    """Note how much longer another thing takes than ours, and what it is."""

    def note(value: float, other: str) -> None:
        name = request.node.nodeid.removeprefix("benchmarks/")
        request.config.stash[RATIOS][name] = (value, other)
        if "benchmark" in request.fixturenames:
            request.getfixturevalue("benchmark").extra_info["ratio"] = round(value, 3)

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    found = config.stash[RATIOS]
    if not found:
        return
    terminalreporter.section("ratios: the other's time over ours")
    for name, (value, other) in sorted(found.items()):
        terminalreporter.write_line(f"{value:9.3g} × {name}: {other}")
    KEPT.parent.mkdir(exist_ok=True)
    # Kept beside those of earlier calls, so that parts can be run one after the other.
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    known |= {name: round(value, 4) for name, (value, _) in found.items()}
    KEPT.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
