"""Runs `bastzoo` as a user does: in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMEOUT = 120

# Commands that import torch whatever they are asked: two seconds of processor time each, which a process
# that is forked from one that has done so does not pay. The others start from nothing.
_HEAVY = (
    *("bench", "train", "evaluate", "runs", "compare", "tune", "data"),
    *("predict", "package", "import-bast", "export", "push"),
)
_PRELOADED = ("torch", "accelerate", "scipy.special", "pandas", "timm", "tabulate", "pydantic")


def bastzoo(*args: str, site: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command line. Without a `site`, no plugin but the built-in one is loaded."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BASTZOO_")}
    path = [str(ROOT)] if site is None else [str(site), str(ROOT)]
    if site is None:
        env = {"BASTZOO_LOAD_PLUGINS": "", **env}
    env = {**inherited, "PYTHONPATH": os.pathsep.join(path), **env}
    if args and args[0] in _HEAVY:
        return _forked(args, path, env)
    return subprocess.run(
        [sys.executable, "-m", "bastzoo", *args],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=env,
    )


def data(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed as JSON."""
    return json.loads(done.stdout)


def _forked(
    args: tuple[str, ...], path: list[str], env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command line in a fork of a process that has imported the heavy libraries and done nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED])
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "stdout", Path(folder) / "stderr"
        work = (args, path, dict(env), os.getcwd(), str(out), str(err))
        process: ForkServerProcess = context.Process(target=_main, args=work)
        process.start()
        process.join(TIMEOUT)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(args), TIMEOUT, out.read_bytes(), err.read_bytes())
        code = process.exitcode
        return subprocess.CompletedProcess(
            [*args], -1 if code is None else code, out.read_text(), err.read_text()
        )


def _main(
    args: tuple[str, ...], path: list[str], env: dict[str, str], cwd: str, out: str, err: str
) -> None:
    """What `python -m bastzoo` does, with this environment, folder and output."""
    for file, descriptor in ((out, 1), (err, 2)):
        opened = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = path
    sys.argv = ["bastzoo", *args]
    # Nothing of the plugins or of bastzoo itself was imported before the fork.
    from bastzoo.cli import main

    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
