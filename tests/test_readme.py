"""The README: its plugin installs, conforms and is ranked as printed, its figures are those of the boards."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile

import bastzoo as bz
from bastzoo.cli import cli
from tests.cli.command import bastzoo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed the README's package into."""
    blocks = re.findall(
        r"^```(?:python|toml)\n# (\S+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE
    )
    package, site = tmp_path_factory.mktemp("package"), tmp_path_factory.mktemp("site")
    for name, text in blocks:
        path = package / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    command = [sys.executable, "-m", "pip", "install", *options, str(package)]
    subprocess.run(command, check=True, timeout=120)
    return site


def test_the_backbone_of_the_readme_has_20_lines_and_conforms(installed: Path) -> None:
    code = "".join(path.read_text("utf-8") for path in (installed / "pool_ears").glob("*.py"))
    assert 10 < len([line for line in code.splitlines() if line.strip()]) <= 20
    done = bastzoo("check", "pool-ears", site=installed, BASTZOO_LOAD_PLUGINS="pool-ears")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_the_backbone_of_the_readme_gets_a_row_for_each_integration(
    installed: Path, tiny_preset: Path, tmp_path: Path
) -> None:
    words = ("--integ", "all", "--loss", "MSE", "--sharing", "SP", "--preset", str(tiny_preset))
    done = bastzoo(
        *("bench", "--backbone", "pool", *words, "--env", "RI01", "--runs", str(tmp_path / "runs")),
        site=installed,
        BASTZOO_LOAD_PLUGINS="pool-ears",
    )
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("| pool-SP") for line in done.stdout.splitlines()) == 3


def test_the_first_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    sound = np.random.default_rng(0).normal(size=16_000) / 10
    soundfile.write("recording.wav", np.stack([sound, np.roll(sound, 8) / 2], axis=1), 16_000)
    code = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)[0]
    scope: dict[str, np.ndarray] = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert np.median(scope["azimuth"]) > 30


def test_a_network_of_ones_own_is_tested_as_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(import torch\n.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len([line for line in code.splitlines() if line]) <= 10
    exec(code, {})
    assert "ad_mean" in capsys.readouterr().out
    assert [run.method for run in bz.load_runs("runs")] == ["My net (scored from answers)"]


def test_the_table_of_the_papers_grid_is_that_of_the_leaderboard() -> None:
    table = [line for line in RESULTS.splitlines() if line.startswith("| BAST-")]
    leaderboard = (ROOT / "leaderboards" / "quick.md").read_text(encoding="utf-8").splitlines()
    assert len(table) == 6
    assert set(table) <= set(leaderboard)


@pytest.mark.parametrize("text", [README, RESULTS], ids=["README", "results"])
def test_the_figures_that_hold_outside_are_means_of_their_boards(text: str) -> None:
    rows = re.findall(r"^\|[^|]+((?:\| \d+\.\d+° ){7})\| \[([\w-]+)\]\(", text, re.MULTILINE)
    assert [board for _, board in rows[:3]] == ["measured-rooms", "measured-heads", "unseen-world"]
    for cells, board in rows[:3]:
        lines = (ROOT / "leaderboards" / f"{board}.md").read_text(encoding="utf-8").splitlines()
        means, column = set(), -1
        for cells_of in ([cell.strip() for cell in line.split("|")] for line in lines):
            if "Rank" in cells_of:  # a table of rows of several seeds has columns behind the mean
                column = cells_of.index("Mean") if "Mean" in cells_of else -1
            elif len(cells_of) > column > 0:
                means.add(cells_of[column])
        assert set(re.findall(r"\d+\.\d+°", cells)) <= means


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"^    bastzoo ([\w-]+)", README, flags=re.MULTILINE))
    assert named == set(cli.list_commands(click.Context(cli)))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!http)[^)]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
