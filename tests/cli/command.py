"""Runs `bastzoo` as a user does: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def bastzoo(*args: str, site: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command line. Without a `site`, no plugin but the built-in one is loaded."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BASTZOO_")}
    path = [str(ROOT)] if site is None else [str(site), str(ROOT)]
    if site is None:
        env = {"BASTZOO_LOAD_PLUGINS": "", **env}
    return subprocess.run(
        [sys.executable, "-m", "bastzoo", *args],
        capture_output=True,
        text=True,
        timeout=120,
        env={**inherited, "PYTHONPATH": os.pathsep.join(path), **env},
    )


def data(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed as JSON."""
    return json.loads(done.stdout)
