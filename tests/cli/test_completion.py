"""A shell completes names, and long helps have their options under headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from bastzoo.cli import cli
from bastzoo.cli.options import AlsoOut
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
    assert completed("runs", "show", "--runs", "elsewhere", begun="m") == ["mamba-SUB"]
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


def _commands(group: click.Group, context: click.Context) -> Iterator[click.Command]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, click.Context(command, parent=context))
        else:
            yield command


def test_the_same_option_takes_the_same_in_every_command() -> None:
    """Defaults may differ, and what is chosen among."""
    taken: dict[str, set[str]] = {}
    for command in _commands(cli, click.Context(cli)):
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                kind = option.type.name
                of_files = kind in ("path", "file", "directory")
                taken.setdefault(option.opts[0], set()).add("path" if of_files else kind)
    assert "--out" not in taken  # understood, shown nowhere: it was three things
    for words in (["runs", "list", "--out", "nowhere"], ["data", "render", "--out", "tests"]):
        assert words[-1] in str(CliRunner().invoke(cli, words).exception)
    for command in _commands(cli, click.Context(cli)):  # and is one thing where there are both
        assert sum(isinstance(option, AlsoOut) for option in command.params) < 2
    assert taken["--runs"] == {"text"}
    assert taken["--to"] == {"path"}
    several = {name: kinds for name, kinds in taken.items() if len(kinds) > 1}
    # `predict --csv` writes a table of that form; a filter by seed looks for what may not be one.
    assert set(several) == {"--csv", "--seed"}


def test_seeds_are_counted_or_named_and_not_both(tiny_preset: Path) -> None:
    words = ["bench", "--backbone", "vanilla", "--integ", "SUB", "--loss", "AD", "--sharing", "SP"]
    words += ["--preset", str(tiny_preset), "--dry-run", "--json"]
    for more, seeds in (
        (["--seeds", "2"], ["0", "1"]),
        (["--seed", "3", "--seed", "0"], ["3", "0"]),
    ):
        said = CliRunner().invoke(cli, [*words, *more]).stdout
        assert re.findall(r"seed (\d+)", said) == seeds
    both = CliRunner().invoke(cli, [*words, "--seeds", "2", "--seed", "5"])
    assert "--seeds says how many, --seed which" in both.output
