"""The README: its plugin works as printed, its table is that of leaderboards/, its commands exist."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import click
import pytest
import torch

from bastzoo.cli import cli
from bastzoo.model import build_localizer
from bastzoo.plugins import default_registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_plugin_of_the_readme_localizes(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    module = types.ModuleType("my_zoo")
    exec(compile(code, "README.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "my_zoo", module)
    (component,) = module.bastzoo_backbones()
    registry = default_registry()
    components = {
        "backbone": component,
        "frontend": registry.get("frontend", "spectrogram"),
        "integration": registry.get("integration", "CONCAT"),
        "head": registry.get("head", "azimuth"),
    }
    model = build_localizer(components, sharing="SP", size={"dim": 8, "depth": 1})
    outputs = model(torch.randn(3, 2, 8000))
    assert outputs["vector"].shape == (3, 2)
    assert len([line for line in code.splitlines() if line.strip()]) <= 20


def test_the_table_of_the_readme_is_that_of_the_leaderboard() -> None:
    table = [line for line in README.splitlines() if line.startswith("| BAST-")]
    leaderboard = (ROOT / "leaderboards" / "quick.md").read_text(encoding="utf-8").splitlines()
    assert len(table) == 6
    assert set(table) <= set(leaderboard)


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"^    bastzoo ([\w-]+)", README, flags=re.MULTILINE))
    assert named == set(cli.list_commands(click.Context(cli)))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!http)[^)]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
