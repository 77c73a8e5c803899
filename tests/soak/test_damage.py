"""Every place of three records, damaged in every way: only sentences, and none takes ten seconds.

`pytest tests/soak/test_damage.py -m soak` takes ten minutes of one core; the suite draws 30 cases of each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bastzoo.records.store import read_record, read_track_record
from tests.records.test_damaged import RECORDS, everything_on_a_track, everything_with, hold

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("folder", "begins", "read", "use"),
    [
        ("quick", "mamba-", read_record, everything_with),
        ("quick", "baseline-", read_record, everything_with),
        ("multitask", "track-", read_track_record, everything_on_a_track),
    ],
)
def test_no_damage_of_a_record_ends_in_a_traceback(
    tmp_path: Path, folder: str, begins: str, read: Callable, use: Callable
) -> None:
    file = sorted((RECORDS / folder).glob(f"{begins}*.json"))[0]
    assert not hold(file, read, use, tmp_path / "damaged.json", None)
