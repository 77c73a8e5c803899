"""The command `bastzoo`: a click group that imports a command's module only when it is called.

So `bastzoo --help` costs what click costs, and no plugin can break it.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click

from bastzoo import __version__
from bastzoo.errors import BastzooError, tellable

COMMANDS = {
    "predict": (
        "bastzoo.cli.models.predict:predict",
        "Say where the sounds of a recording are.",
    ),
    "bench": ("bastzoo.cli.bench.bench:bench", "Train and rank a grid of combinations."),
    "train": ("bastzoo.cli.bench.train:train", "Train one combination."),
    "evaluate": (
        "bastzoo.cli.bench.evaluate:evaluate",
        "Test a run in other environments and on tracks.",
    ),
    "clips": (
        "bastzoo.cli.answers.clips:clips",
        "Write the test clips of a track, to be answered.",
    ),
    "score": (
        "bastzoo.cli.answers.score:score",
        "Score answers to the clips of a track.",
    ),
    "reproduce": (
        "bastzoo.cli.answers.reproduce:reproduce",
        "Make a leaderboard's row again, from its record.",
    ),
    "submit": (
        "bastzoo.cli.answers.submit:submit",
        "Bundle a run, to propose it for a leaderboard.",
    ),
    "submissions": (
        "bastzoo.cli.answers.submit:submissions",
        "Check bundles that were proposed.",
    ),
    "runs": ("bastzoo.cli.boards.runs:runs", "List, show, remove and verify runs."),
    "compare": (
        "bastzoo.cli.boards.compare:compare",
        "Say which of two runs is better, and how surely.",
    ),
    "tune": ("bastzoo.cli.bench.tune:tune", "Search for the best recipe of a combination."),
    "leaderboard": (
        "bastzoo.cli.boards.leaderboard:leaderboard",
        "Write the table of finished runs.",
    ),
    "report": (
        "bastzoo.cli.reports.report:report",
        "Draw runs: a page or files of pictures.",
    ),
    "explain": (
        "bastzoo.cli.reports.explain:explain",
        "Draw what a network listens to.",
    ),
    "package": (
        "bastzoo.cli.models.package:package",
        "Write a run's model into a folder to copy and share.",
    ),
    "push": (
        "bastzoo.cli.models.push:push",
        "Publish a model's folder on Hugging Face's hub.",
    ),
    "export": (
        "bastzoo.cli.models.export:export",
        "Write a model for ONNX runtimes or torch.export.",
    ),
    "import-bast": (
        "bastzoo.cli.models.import_bast:import_bast",
        "Turn a checkpoint of BAST into a run.",
    ),
    "data": (
        "bastzoo.cli.data.data:data",
        "Render clips to disk, convert recordings, describe data.",
    ),
    "list": ("bastzoo.cli.zoo.list:list_components", "List the components: backbones, losses, ..."),
    "plugins": (
        "bastzoo.cli.zoo.plugins:plugins",
        "List the plugins, with what is wrong with them.",
    ),
    "check": (
        "bastzoo.cli.zoo.check:check",
        "Check whether a component keeps its kind's promises.",
    ),
    "new-plugin": (
        "bastzoo.cli.zoo.new_plugin:new_plugin",
        "Write a plugin package to start from.",
    ),
    "doctor": (
        "bastzoo.cli.zoo.doctor:doctor",
        "Check versions, devices, scan kernels and plugins.",
    ),
}
"""Name of each command -> where it lives, and its line in `bastzoo --help`."""

FAILURE = 1  # usage or set-up; a command whose runs failed exits with 2 itself
INTERRUPTED = 130
_LONGEST_LINE = 20_000

_FILE_PROBLEMS = {
    errno.ENOSPC: "there is no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a part of that path is no folder",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the device cannot be read or written",
}
_NAMED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EIO)
"""Of these only those with the name of a file are a user's."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of `COMMANDS`."""
        # Not `list(...)`: once `bastzoo.cli.zoo.list` is imported, that name is the submodule's here.
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module_name), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line. An unknown one gets "did you mean"."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib  # only a mistake pays for it

            close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands from `COMMANDS`, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="bastzoo")
def cli() -> None:
    """Which design of a binaural sound localizer is better, and by how much?"""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code. A user's mistake ends in a sentence."""
    # OpenMP threads that spin at every barrier make a training step of 30 ms last 600 and more when two
    # other processes want the same two cores. A short spin costs nothing on an idle machine and keeps the
    # step under 60 ms on a busy one. Read when torch is imported, so it has to be set before.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    with _user_facing_output():
        try:
            result = cli.main(
                args=args,
                prog_name="bastzoo",
                standalone_mode=False,
                color=False if os.environ.get("NO_COLOR") else None,  # no-color.org
            )
        except click.Abort:
            click.echo(
                "Interrupted. What is finished is kept; give the same command again to go on.",
                err=True,
            )
            return INTERRUPTED
        except click.ClickException as error:  # its own exit code, 2, means "some run failed" here
            error.show()
            return FAILURE
        except BastzooError as error:
            click.echo(f"Error: {_spelled(str(error))}", err=True)
            return error.exit_code
        except BrokenPipeError:  # `| head`, or a terminal that was closed: nobody reads any more
            return _output_closed()
        except OSError as error:
            if error.errno not in _FILE_PROBLEMS or (not error.filename and error.errno in _NAMED):
                raise
            where = f"{str(error.filename)!r}: " if error.filename else ""
            click.echo(f"Error: {where}{_FILE_PROBLEMS[error.errno]}.", err=True)
            return FAILURE
        except BaseException as error:
            # By its name: the class lives beside torch, which a command may never have imported.
            if type(error).__name__ != "Interrupted":
                raise
            usual = "What is finished is kept; give the same command again to go on."
            try:
                click.echo(f"Interrupted. {str(error) or usual}", err=True)
            except BrokenPipeError:
                _output_closed()
            return 128 + int(getattr(error, "signal", 2))
    return result if isinstance(result, int) else 0


def _spelled(text: str) -> str:
    """A message with what a stranger's words in it would write elsewhere on the terminal spelled out."""
    return "\n".join(tellable(line, _LONGEST_LINE) for line in text.split("\n"))


def _output_closed() -> int:
    """Keep Python from writing what is left at its end; the exit code that shells give to SIGPIPE."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return 128 + 13


@contextmanager
def _user_facing_output() -> Iterator[None]:
    """Show bastzoo's warnings as sentences, and never fail on a letter that a terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_warning(
            message: Warning | str, category: type[Warning], *where: Any, **more: Any
        ) -> None:
            if category.__module__.partition(".")[0] == "bastzoo":
                click.echo(f"Warning: {_spelled(str(message))}", err=True)
            else:
                show(message, category, *where, **more)

        warnings.showwarning = show_warning
        yield
