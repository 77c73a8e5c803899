"""The command starts quickly, and ends with the right exit code and a sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from collections.abc import Callable

import click
import pytest

from bastzoo import cli, errors
from bastzoo.plugins import PluginWarning
from tests.cli.command import ROOT, bastzoo

HEAVY = ("torch", "numpy", "pandas", "rich", "scipy", "timm", "numba", "pydantic")


def modules_after(statement: str) -> set[str]:
    """The top-level modules that are loaded once a statement has run."""
    code = (
        f"import sys\ntry:\n    {statement}\nfinally:\n"
        "    sys.stderr.write(' '.join(m.partition('.')[0] for m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "BASTZOO_LOAD_PLUGINS": ""},
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("args", [["--help"], ["list"], ["list", "--json"], ["plugins"]])
def test_a_light_command_imports_nothing_heavy(args: list[str]) -> None:
    loaded = modules_after(f"from bastzoo.cli import main; main({args})")
    assert "click" in loaded
    assert not loaded & set(HEAVY)


def test_help_loads_no_plugin_and_not_even_the_host() -> None:
    loaded = modules_after("from bastzoo.cli import main; main(['--help'])")
    assert not loaded & {"pluggy", "importlib.metadata"}


def test_help_of_every_command_imports_nothing_heavy() -> None:
    lines = "; ".join(f"main([{name!r}, '--help'])" for name in cli.COMMANDS)
    assert not modules_after(f"from bastzoo.cli import main; {lines}") & set(HEAVY)


def test_help_lists_every_command_with_its_summary() -> None:
    done = bastzoo("--help")
    assert done.returncode == 0
    for name, (_, summary) in cli.COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert summary in done.stdout


@pytest.mark.parametrize("args", [["--help"], ["list"], ["plugins", "--json"]])
def test_a_reader_that_leaves_early_meets_no_traceback(args: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "bastzoo", *args],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_an_unknown_command_gets_did_you_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 1
    assert "There is no command 'trian'. Did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.parametrize("args", [["--nonsense"], ["list", "--nonsense"], ["list", "a", "b", "c"]])
def test_a_usage_error_exits_with_1(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(args) == 1
    assert "Usage:" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bastzoo, version ")


Run = Callable[[Callable[[], object]], int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a function as the body of a command."""

    def run(body: Callable[[], object]) -> int:
        command = click.Command("list", callback=body)
        monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: command)
        return cli.main(["list"])

    return run


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (errors.DataError("No such row."), 1, "Error: No such row.\n"),
        (click.ClickException("No."), 1, "Error: No.\n"),
        (KeyboardInterrupt(), 130, "\nInterrupted. What is finished is kept"),
        (OSError(errno.ENOSPC, "x", "/a/b"), 1, "Error: '/a/b': there is no space left"),
        (PermissionError(errno.EACCES, "x", "/a/b"), 1, "Error: '/a/b': permission is denied.\n"),
        (OSError(errno.EROFS, "x"), 1, "Error: the file system is read-only.\n"),
    ],
)
def test_what_a_user_can_meet_is_a_sentence(
    run: Run, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, says: str
) -> None:
    assert run(raising(error)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(says)


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), OSError(errno.EIO, "x")])
def test_a_defect_keeps_its_traceback(run: Run, error: Exception) -> None:
    with pytest.raises(type(error)):
        run(raising(error))


def test_an_error_has_the_exit_code_of_its_class(run: Run) -> None:
    class RunsFailedError(errors.BastzooError):
        exit_code = 2

    assert run(raising(RunsFailedError("Some run failed."))) == 2


def test_a_command_may_return_or_raise_its_exit_code(run: Run) -> None:
    assert run(lambda: click.get_current_context().exit(2)) == 2
    assert run(lambda: None) == 0


def test_a_warning_of_bastzoo_is_a_sentence(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        warnings.simplefilter("always")
        warnings.warn("A plugin is slow.", PluginWarning, stacklevel=1)

    assert run(body) == 0
    assert capsys.readouterr().err == "Warning: A plugin is slow.\n"
