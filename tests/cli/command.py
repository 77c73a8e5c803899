"""Runs `bastzoo` as a user does: in a process of its own, with its own environment and folder.

Starting Python and importing torch takes seconds of processor time, a fork of a process that has done so
a few hundredths of one (tests/cli/preloaded.py). What a start from nothing costs and imports is the
subject of test_startup.py alone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import connection, reduction
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
TIMEOUT = 240
_LOCAL = {  # the server's own environment; its children have that of their command
    "OMP_NUM_THREADS": "1",  # read when torch is imported
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
}


def bastzoo(
    *args: str,
    site: Path | None = None,
    fresh: bool = False,
    stdin: Path | None = None,
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command line. Without a `site`, no plugin but the built-in one is loaded.

    fresh: start from nothing, for what is about imports themselves. stdin: what it can read.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BASTZOO_")}
    path = [str(ROOT)] if site is None else [str(site), str(ROOT)]
    if site is None:
        env = {"BASTZOO_LOAD_PLUGINS": "", **env}
    env = {**inherited, "PYTHONPATH": os.pathsep.join(path), **env}
    if fresh:
        command = [sys.executable, "-m", "bastzoo", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, env=env)
    return Command(*args, env=env, cwd=Path.cwd(), stdin=stdin).complete()


def completed(
    *words: str,
    cwd: Path,
    code: int = 0,
    env: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder, with all plugins; it ends with this code and without a traceback."""
    done = Command(*words, cwd=cwd, env={**os.environ, **(env or {})}).complete(timeout)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def data(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed as JSON."""
    return json.loads(done.stdout)


class Command:
    """A command line at work: what of `subprocess.Popen` the tests use, without a start from nothing."""

    stdout: IO[str]
    stderr: IO[str]

    def __init__(
        self,
        *args: str,
        env: Mapping[str, str],
        cwd: Path,
        stdin: Path | None = None,
    ) -> None:
        self.args = args
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.cli.preloaded"])
        ends = [os.pipe(), os.pipe()]
        with _environment(_LOCAL):
            work = (args, dict(env), str(cwd), stdin, *(_Sent(written) for _, written in ends))
            self._process: ForkServerProcess = context.Process(target=_main, args=work)
            self._process.start()
        for _, written in ends:
            os.close(written)
        self.stdout, self.stderr = (os.fdopen(read, encoding="utf-8") for read, _ in ends)

    @property
    def returncode(self) -> int | None:
        """None while it works; negative, the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float = TIMEOUT) -> int:
        """The exit code. Raises subprocess.TimeoutExpired after having killed it."""
        connection.wait([self._process.sentinel], timeout)
        self._process.join(0)
        if self._process.exitcode is None:
            self.kill()
            self._process.join()
            raise subprocess.TimeoutExpired([*self.args], timeout)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = TIMEOUT) -> tuple[str, str]:
        """The rest of what it says until it, and whatever it has started, has ended."""
        said: dict[str, str] = {}

        def read(name: str, stream: IO[str]) -> None:
            with stream:
                said[name] = stream.read()

        readers = [
            threading.Thread(target=read, args=(name, getattr(self, name)), daemon=True)
            for name in ("stdout", "stderr")
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired([*self.args], timeout)
        return said["stdout"], said["stderr"]

    def complete(self, timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
        out, err = self.communicate(timeout)
        return subprocess.CompletedProcess([*self.args], self.wait(), out, err)


class _Sent:
    """A descriptor that is handed to the process with its arguments."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self.descriptor),)


def _received(sent: Any) -> int:
    descriptor: int = sent.detach()
    return descriptor


def _main(
    args: tuple[str, ...],
    env: dict[str, str],
    cwd: str,
    stdin: Path | None,
    out: int,
    err: int,
) -> None:
    """What `python -m bastzoo` does, with this environment, folder and output."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, number in ((out, 1), (err, 2)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if stdin is not None:
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        sys.stdin = os.fdopen(0, closefd=False)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = env.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["bastzoo", *args]
    sys.modules["__main__"] = types.ModuleType("__main__")  # not pytest's, for what it starts
    # Python does so when it starts.
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", encoding="utf-8", buffering=1 + number // 2, closefd=False)
        for number in (1, 2)
    )
    import torch

    from bastzoo.cli import main

    torch.set_num_threads(int(env.get("OMP_NUM_THREADS", "1")))
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
