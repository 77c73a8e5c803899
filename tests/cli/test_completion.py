"""A shell completes names, and long helps have their options under headings."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from bastzoo.cli import cli
from bastzoo.presets import preset_names


def completed(*words: str, begun: str = "") -> list[str]:
    shell = ShellComplete(cli, {}, "bastzoo", "_BASTZOO_COMPLETE")
    return [item.value for item in shell.get_completions([*words], begun)]


def test_names_are_completed_whatever_their_case() -> None:
    assert {"mamba", "mamba-stem"} <= set(completed("bench", "--backbone", begun="Ma"))
    assert "vanilla" not in completed("bench", "--backbone", begun="Ma")
    assert completed("train", "--sharing") == ["SP", "NSP"]
    assert completed("tune", "--preset") == preset_names()
    assert {"snr", "RI02"} <= set(completed("bench", "--track"))


def test_runs_of_the_folder_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("runs/vanilla-SUB", "elsewhere/mamba-SUB", "runs/half"):
        (tmp_path / folder).mkdir(parents=True)
    for run in ("runs/vanilla-SUB", "elsewhere/mamba-SUB"):
        (tmp_path / run / "record.json").touch()
    monkeypatch.chdir(tmp_path)
    assert completed("runs", "show") == ["vanilla-SUB"]
    assert completed("runs", "show", "--out", "elsewhere", begun="m") == ["mamba-SUB"]
    assert {"default", "vanilla-SUB"} <= set(completed("evaluate"))


def test_nothing_is_completed_where_plugins_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr("bastzoo.plugins.default_registry", broken)
    assert completed("bench", "--backbone") == []


@pytest.mark.parametrize("name", ["bench", "train", "tune"])
def test_every_option_stands_under_one_heading(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    shown = CliRunner().invoke(cli, [name, "--help"]).output
    shown = shown[shown.index("What to combine:") :]  # after the examples
    headings = [line for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings[0] == "What to combine:"
    assert len(headings) == 6
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert sum(line.split()[:1] == [parameter.opts[0]] for line in shown.splitlines()) == 1
    assert len(shown.split("What is said:")[1].splitlines()) <= 10
