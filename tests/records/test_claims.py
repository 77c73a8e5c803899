"""Claims: one holder a run, whatever dies, sleeps or comes late."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bastzoo.records.claims import Claims, Holder

KEY = "0123456789abcdef"


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


def claim_of(folder: Path, **changes: object) -> Path:
    """A claim as another process may have left it."""
    path = folder / ".unfinished" / KEY / "claim-1"
    path.parent.mkdir(parents=True)
    mine = Holder.this_process()
    values = {"host": mine.host, "place": mine.place, "pid": mine.pid, "started": mine.started}
    path.write_text(json.dumps({**values, "state": "working", **changes}))
    return path


def test_a_run_that_is_claimed_cannot_be_claimed_again_until_it_is_given_back(
    tmp_path: Path,
) -> None:
    claims = Claims(tmp_path)
    first = claims.acquire(KEY)
    assert first is not None
    with first:
        assert claims.acquire(KEY) is None
        assert claims.holder(KEY) == Holder.this_process()
    assert claims.holder(KEY) is None
    second = claims.acquire(KEY)
    assert second is not None
    with second:
        assert second.path.name == "claim-2"
        claims.clear(KEY)
    assert not (tmp_path / ".unfinished").exists()


def _try(folder: Path, barrier: object, won: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    claim = Claims(folder).acquire(KEY)
    if claim is not None:
        with won.get_lock():  # type: ignore[attr-defined]
            won.value += 1  # type: ignore[attr-defined]
    barrier.wait()  # type: ignore[attr-defined]
    os._exit(0)  # as a kill would: nothing is given back


@pytest.mark.parametrize("dead", [False, True])
def test_of_many_processes_at_once_exactly_one_gets_the_claim(tmp_path: Path, dead: bool) -> None:
    if dead:
        claim_of(tmp_path, pid=2**22 - 1, started="1")
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        barrier, won = context.Barrier(6), context.Value("i", 0)
        tries = [context.Process(target=_try, args=(tmp_path, barrier, won)) for _ in range(6)]
        for process in tries:
            process.start()
        for process in tries:
            process.join()
        assert won.value == 1


def test_a_claim_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from bastzoo.records.claims import Claims; "
        f"claim = Claims(Path({str(tmp_path)!r})).acquire({KEY!r}); print('mine', flush=True); "
        "time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"
    claims = Claims(tmp_path)
    assert claims.acquire(KEY) is None
    holder.kill()
    holder.communicate()
    taken = claims.acquire(KEY)
    assert taken is not None
    taken.release()


def test_a_process_number_that_was_given_again_does_not_keep_a_dead_claim_alive(
    tmp_path: Path,
) -> None:
    claim_of(tmp_path, started="1")  # our own number, but of a process that was started at boot
    taken = Claims(tmp_path).acquire(KEY)
    assert taken is not None
    taken.release()


def test_a_claim_from_elsewhere_is_dead_when_it_stops_changing_and_not_before(
    tmp_path: Path,
) -> None:
    path = claim_of(tmp_path, host="elsewhere")
    claims = Claims(tmp_path, dead_after=0.3)
    until = time.monotonic() + 1.0
    beat = 0
    while time.monotonic() < until:
        beat += 1
        os.utime(path, ns=(beat, beat))
        assert claims.acquire(KEY) is None
        time.sleep(0.05)
    wait_until(lambda: claims.holder(KEY) is None)
    taken = claims.acquire(KEY)
    assert taken is not None
    taken.release()


@pytest.mark.parametrize("seconds", [-(10**9), 10**9])
def test_where_the_clock_stands_does_not_matter(tmp_path: Path, seconds: int) -> None:
    path = claim_of(tmp_path, host="elsewhere")
    now = time.time() + seconds
    os.utime(path, (now, now))
    assert Claims(tmp_path, dead_after=60).acquire(KEY) is None


def test_a_holder_that_slept_while_another_took_over_finds_out(tmp_path: Path) -> None:
    claim = Claims(tmp_path, heartbeat=0.02).acquire(KEY)
    assert claim is not None
    assert not claim.lost
    claim.path.with_name("claim-2").write_text("{}")
    wait_until(lambda: claim.lost)
    claim.release()
    assert json.loads(claim.path.read_text())["state"] == "working"


def test_a_live_claim_shows_signs_of_life(tmp_path: Path) -> None:
    claim = Claims(tmp_path, heartbeat=0.02).acquire(KEY)
    assert claim is not None
    before = claim.path.stat().st_mtime_ns
    wait_until(lambda: claim.path.stat().st_mtime_ns != before)
    claim.release()


@pytest.mark.parametrize("contents", ["", "{", "[]", '{"pid": 1}'])
def test_a_claim_that_is_cut_short_is_waited_for_and_then_taken(
    tmp_path: Path, contents: str
) -> None:
    claim_of(tmp_path).write_text(contents)
    claims = Claims(tmp_path, dead_after=0.1)
    assert claims.acquire(KEY) is None
    time.sleep(0.2)
    taken = claims.acquire(KEY)
    assert taken is not None
    taken.release()


def test_runs_that_are_not_finished_are_listed_with_holder_and_checkpoint(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    claim = claims.acquire(KEY)
    assert claim is not None
    assert claims.unfinished() == [(KEY, Holder.this_process(), False)]
    claim.release()
    claims.checkpoint(KEY).write_bytes(b"")
    assert claims.unfinished() == [(KEY, None, True)]
