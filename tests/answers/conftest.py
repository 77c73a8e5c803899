"""One tiny run of a baseline, and the clips of its track."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bastzoo.cli import cli
from bastzoo.errors import BastzooError

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def bastzoo() -> Run:
    """A command of bastzoo in this process; a sentence for a user is its output, with `exit_code` 1."""

    def run(*words: str | Path, code: int = 0) -> Result:
        done = CliRunner().invoke(cli, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, BastzooError | SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output + str(done.exception)
        return done

    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_preset: Path, bastzoo: Run) -> Path:
    """A folder with a trained model and baselines."""
    folder = tmp_path_factory.mktemp("answers") / "runs"
    bastzoo(
        *("bench", "--backbone", "vanilla", "--integ", "SUB", "--loss", "MIX", "--sharing", "SP"),
        *("--preset", tiny_preset, "--runs", folder),
    )
    return folder


@pytest.fixture(scope="session")
def exported(runs: Path, bastzoo: Run) -> Path:
    """The answers of the model to its own test."""
    target = runs.parent / "answers.csv"
    bastzoo("runs", "answers", "vanilla", "--to", target, "--runs", runs)
    return target
