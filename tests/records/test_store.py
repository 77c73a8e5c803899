"""The run store: whole runs or none, found again by key, and sentences when the disk refuses."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bastzoo.errors import RecordError, SetupError
from bastzoo.records.store import RECORD_FILE, RunStore, read_record, read_records, write_text
from tests.records.made import baseline_record, model_record


def test_a_record_written_is_read_back_equal(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for record in (model_record(), baseline_record(), model_record(failed=True, loss="MSE")):
        store.write(record)
        assert store.get(record.key) == record


def test_a_record_that_a_newer_bastzoo_wrote_is_not_taken_for_missing(tmp_path: Path) -> None:
    store, record = RunStore(tmp_path), model_record()
    assert store.get(record.key) is None
    file = store.write(record) / RECORD_FILE
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 99', 1))
    with pytest.raises(RecordError, match="newer bastzoo"):
        store.get(record.key)


def test_files_are_put_beside_the_record(tmp_path: Path) -> None:
    path = RunStore(tmp_path).write(
        model_record(), lambda folder: (folder / "history.csv").write_text("step\n1\n") and None
    )
    assert (path / "history.csv").read_text() == "step\n1\n"


def test_a_run_that_failed_is_replaced_by_one_that_finished(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(model_record(failed=True))
    store.write(model_record())
    records, faults = store.records()
    assert [record.status for record in records] == ["finished"]
    assert not faults


def test_a_write_that_breaks_off_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(model_record(failed=True))
    before = sorted(path.name for path in tmp_path.rglob("*"))

    def full(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SetupError, match=r"no space left .* Finished runs are kept"):
        store.write(model_record(), full)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(SetupError, match=r"cannot be written.*--runs"):
        RunStore(file / "runs").prepare()


@pytest.mark.parametrize("reference", ["mamba-SUB-MIX-SP", "key", "path"])
def test_a_run_is_found_by_the_beginning_of_its_name_by_key_and_by_path(
    tmp_path: Path, reference: str
) -> None:
    store, record = RunStore(tmp_path), model_record()
    path = store.write(record)
    given = {"key": record.key[:6], "path": str(path)}.get(reference, reference)
    assert store.find(given) == path


def test_a_reference_that_fits_no_run_or_several_is_a_sentence(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with pytest.raises(RecordError, match="no run 'mamba'"):
        store.find("mamba")
    store.write(model_record())
    store.write(model_record(loss="MSE"))
    with pytest.raises(RecordError, match="fits 2 runs"):
        store.find("mamba")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "is not JSON, or was cut short"),
        ('{"schema_version": 99}', "newer bastzoo"),
        ("\xff", "is not JSON"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_the_rest_goes_on(
    tmp_path: Path, text: str, expected: str
) -> None:
    store = RunStore(tmp_path)
    store.write(model_record())
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / RECORD_FILE).write_text(text)
    records, faults = store.records()
    assert len(records) == 1
    assert len(faults) == 1
    assert "broken" in faults[0]
    assert expected in faults[0]


def test_an_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    text = model_record().model_dump_json()
    path.write_text(text[:-1] + ',"extra":1}')
    with pytest.raises(RecordError, match="extra"):
        read_record(path)


def test_records_are_read_from_plain_files_too(tmp_path: Path) -> None:
    write_text(tmp_path / "one.json", model_record().model_dump_json())
    records, faults = read_records(tmp_path)
    assert records == [model_record()]
    assert not faults
