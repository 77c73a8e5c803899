"""Counting processors: what this process may use, whatever the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bastzoo.limits import cores
from bastzoo.limits.cores import available_cores, share_cores, spare_cores


def test_what_the_affinity_leaves_counts(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores(tmp_path, tmp_path / "none") == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000"}, 2),
        ("0::/of/the/host", {"cpu.max": "300000 100000"}, 3),
        (
            "4:cpu,cpuacct:/a",
            {"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"},
            1,
        ),
        ("4:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, 8),
        ("0::/a", {"a/cpu.max": "what"}, 8),
        ("", {}, 8),
    ],
)
def test_the_limits_of_control_groups_count(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    files: dict[str, str],
    expected: int,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8))
    mine = tmp_path / "mine"
    mine.write_text(own + "\n")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_cores(tmp_path, mine) == expected


def test_a_process_beside_others_has_its_share_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "available_cores", lambda: 8)
    monkeypatch.setattr(cores, "_shares", [])
    assert [spare_cores(busy) for busy in (1, 8, 9)] == [7, 0, 0]
    share_cores(2)
    assert [spare_cores(busy) for busy in (1, 2)] == [1, 0]
