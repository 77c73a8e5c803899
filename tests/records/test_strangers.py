"""A folder of runs that a stranger made: nothing outside is touched, nothing hangs, damage is named."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bastzoo.errors import ClaimLostError, FolderError, RecordError
from bastzoo.limits.reading import (
    MEBIBYTE,
    array_shapes,
    opened,
    read_arrays,
    read_bytes,
    read_text,
)
from bastzoo.limits.writing import new_folder
from bastzoo.records.claims import Claims, Holder
from bastzoo.records.store import RECORD_FILE, RunStore, is_key
from tests.records.made import model_record

KEY = "0123456789abcdef"


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder beside the runs."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "thesis").write_text("years")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def changed(record: str, **values: object) -> str:
    return json.dumps({**json.loads(record), **values})


@pytest.mark.parametrize(
    "key", ["../../precious", "/precious", "..", "", "0123456789ABCDEF", KEY + "\n"]
)
def test_a_record_whose_key_is_none_is_refused_and_leads_nowhere(
    runs: Path, precious: Path, key: str
) -> None:
    store, record = RunStore(runs), model_record()
    file = store.write(record) / RECORD_FILE
    file.write_text(changed(file.read_text(), key=key))
    records, faults = store.records()
    assert not records
    assert "key" in faults[0]
    claims = Claims(runs)
    for harmful in (claims.clear, claims.acquire, claims.checkpoint):
        with pytest.raises(FolderError):
            harmful(str(precious) if key == "/precious" else key.upper())
    assert store.path(key) is None
    assert not is_key(key)
    assert (precious / "thesis").read_text() == "years"


def test_a_run_whose_folder_carries_another_key_is_left_out_and_named(runs: Path) -> None:
    store = RunStore(runs)
    path = store.write(model_record())
    path.rename(path.with_name(f"mine-{KEY}"))
    assert store.runs()[0] == []
    assert f"mine-{KEY}" in store.runs()[1][0]
    with pytest.raises(RecordError, match="rename"):
        store.get(KEY)


@pytest.mark.parametrize("linked", [".unfinished", f".unfinished/{KEY}"])
def test_nothing_is_written_or_removed_through_a_link_in_the_place_of_claims(
    runs: Path, precious: Path, linked: str
) -> None:
    (precious / KEY).mkdir()
    link = runs / linked
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(precious)
    before = sorted(precious.rglob("*"))
    claims = Claims(runs)
    assert claims.unfinished() == []
    for harmful in (claims.acquire, claims.clear):
        with pytest.raises(FolderError, match="link"):
            harmful(KEY)
    assert sorted(precious.rglob("*")) == before


@pytest.mark.parametrize("name", ["claim-²", "claim-x", "claim-", "claim-01", "claim-" + "9" * 200])
def test_claims_of_odd_names_are_none(runs: Path, name: str) -> None:
    folder = runs / ".unfinished" / KEY
    folder.mkdir(parents=True)
    (folder / name).write_text("{}")
    assert Claims(runs).unfinished() == [(KEY, None, False)]
    claim = Claims(runs).acquire(KEY)
    assert claim is not None
    assert not claim.lost
    claim.release()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"pid": [[1]]}',
        json.dumps({"host": 1, "place": 2, "pid": "x", "started": 3}),
    ],
)
def test_a_claim_that_is_none_is_read_as_nobodys(runs: Path, text: str) -> None:
    folder = runs / ".unfinished" / KEY
    folder.mkdir(parents=True)
    (folder / "claim-1").write_text(text)
    assert Claims(runs).holder(KEY) is None


def test_the_name_of_a_host_cannot_write_on_the_terminal() -> None:
    assert str(Holder("\x1b[31mred\n", "", 7, "")) == r"process 7 on \x1b[31mred\n"


def test_pipes_and_devices_in_the_place_of_files_are_named_and_not_waited_for(runs: Path) -> None:
    store, record = RunStore(runs), model_record()
    store.write(record)
    endless = runs / f"endless-{KEY}"
    endless.mkdir()
    (endless / RECORD_FILE).symlink_to("/dev/zero")
    pipes = [
        runs / f"pipe-{KEY}" / RECORD_FILE,
        runs / record.name / "track-snr.json",
        runs / ".unfinished" / KEY / "claim-1",
        runs / ".unfinished" / KEY / "job.json",
    ]
    for pipe in pipes:
        pipe.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(pipe)
    records, faults = store.records()
    assert records == [record]
    assert len(faults) == 2
    assert all("regular file" in fault for fault in faults)
    assert "track-snr.json" in store.track_records()[1][0]
    claims = Claims(runs)
    assert claims.unfinished() == [(KEY, None, False)]
    assert claims.description(KEY) == ""


def test_a_reader_takes_regular_files_of_a_bounded_size_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbfwords")
    assert read_text(file, 8) == "words"
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as large:
        large.truncate(2**40)
    link = tmp_path / "link"
    link.symlink_to(file)
    for path in (sparse, tmp_path, Path("/dev/zero"), tmp_path / "none", "a\0b"):
        with pytest.raises(OSError):  # noqa: PT011 (each says something else)
            read_bytes(path, MEBIBYTE)
    assert read_bytes(link, MEBIBYTE)
    with pytest.raises(OSError, match=r"."), opened(link, MEBIBYTE, follow=False):
        pass


def make_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (2**24,)}
        )
        for _ in range(128):
            file.write(bytes(MEBIBYTE))


def _liar(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
        )


def _objects(path: Path) -> None:
    np.savez(path, a=np.array([{}], dtype=object))


@pytest.mark.parametrize("make", [make_bomb, _liar, _objects])
def test_arrays_that_promise_too_much_are_refused_before_they_are_unpacked(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    import tracemalloc

    path = tmp_path / "predictions.npz"
    make(path)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"unpacks|cut short|objects"):
        read_arrays(path, 64 * MEBIBYTE)
    assert tracemalloc.get_traced_memory()[1] < 8 * MEBIBYTE
    tracemalloc.stop()


def test_arrays_are_measured_and_read(tmp_path: Path) -> None:
    path = tmp_path / "good.npz"
    np.savez_compressed(path, a=np.zeros((3, 2)), b=np.arange(4))
    assert array_shapes(path, MEBIBYTE) == {"a": (3, 2), "b": (4,)}
    assert read_arrays(path, MEBIBYTE)["b"].tolist() == [0, 1, 2, 3]


def test_whoever_slept_while_another_took_over_writes_and_removes_nothing(runs: Path) -> None:
    """The other may have finished, cleared its claims, and a third have begun from number 1 on again."""
    record = model_record()
    mine = Claims(runs).acquire(record.key)
    assert mine is not None
    store = RunStore(runs)
    finished = store.write(model_record())
    Claims(runs).clear(record.key)
    assert mine.lost
    folder = mine.path.parent
    folder.mkdir(parents=True)
    other = {"host": "elsewhere", "place": "x", "pid": 1, "started": "1", "state": "working"}
    mine.path.write_text(json.dumps(other))
    assert mine.lost
    with store.held(record.key, mine.check), pytest.raises(ClaimLostError):
        store.write(model_record(failed=True))
    Claims(runs).clear(record.key, mine)
    mine.release()
    assert json.loads(mine.path.read_text()) == other
    assert store.get(record.key) == record
    assert finished.is_dir()


def test_a_run_that_was_being_replaced_when_its_process_died_is_put_back(runs: Path) -> None:
    store, record = RunStore(runs), model_record()
    path = store.write(record)
    aside = runs / ".writing-old-1"
    aside.mkdir()
    path.rename(aside / path.name)
    assert RunStore(runs).records()[0] == [record]
    assert not aside.exists()


def test_what_is_put_back_never_takes_the_place_of_a_run_or_comes_from_elsewhere(
    runs: Path, precious: Path
) -> None:
    store = RunStore(runs)
    path = store.write(model_record())
    old = runs / ".writing-old-1" / path.name
    old.mkdir(parents=True)
    (old / RECORD_FILE).write_text("old")
    stolen = precious / f"stolen-{KEY}"
    stolen.mkdir()
    (stolen / RECORD_FILE).write_text("{}")
    (runs / ".writing-old-2").symlink_to(precious)
    assert [run.name for run in store.folders()] == [path.name]
    assert stolen.is_dir()


def test_what_is_written_has_the_permissions_of_the_umask(runs: Path) -> None:
    before = os.umask(0o002)
    try:
        path = RunStore(runs).write(model_record())
        claim = Claims(runs).acquire(KEY)
        assert claim is not None
        made = {path: 0o775, path / RECORD_FILE: 0o664, claim.path: 0o664}
        claim.release()
    finally:
        os.umask(before)
    assert {file: stat.S_IMODE(file.stat().st_mode) for file in made} == made


def test_what_is_made_aside_has_the_permissions_of_the_umask_too(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        made = new_folder(tmp_path, "model")
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.stat().st_mode) == 0o750
