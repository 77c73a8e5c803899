"""`runs verify` and `runs rm` on what a stranger made: a sentence for each, nothing hangs or is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bastzoo.cli import main
from bastzoo.errors import RecordError
from bastzoo.harness.track_run import load_run
from bastzoo.harness.verification import faults_of
from bastzoo.harness.workbench import Workbench
from bastzoo.limits.reading import MEBIBYTE
from bastzoo.plugins import default_registry
from bastzoo.records.store import (
    HISTORY_FILE,
    PREDICTIONS_FILE,
    RECORD_FILE,
    WEIGHTS_FILE,
    RunStore,
)
from tests.records.made import baseline_record, model_record
from tests.records.test_strangers import make_bomb


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    return Workbench(default_registry(), device="cpu")


def test_pipes_and_bombs_in_a_runs_folder_are_named(tmp_path: Path, workbench: Workbench) -> None:
    store, record = RunStore(tmp_path), model_record()
    path = store.write(record)
    os.mkfifo(path / PREDICTIONS_FILE)
    os.mkfifo(path / HISTORY_FILE)
    os.mkfifo(path / "track-snr.json")
    faults = list(faults_of(record, path, workbench=workbench, is_stale=True))
    assert len(faults) == 3
    for name, fault in zip((PREDICTIONS_FILE, HISTORY_FILE, "track-snr.json"), faults, strict=True):
        assert name in fault
        assert "regular file" in fault


def test_predictions_that_unpack_to_more_than_the_records_clips_are_refused(
    tmp_path: Path, workbench: Workbench
) -> None:
    record = baseline_record()
    path = RunStore(tmp_path).write(record)
    make_bomb(path / PREDICTIONS_FILE)
    (fault,) = faults_of(record, path, workbench=workbench, is_stale=False)
    assert "unpacks to more than" in fault


def test_a_record_that_asks_for_a_model_of_gigabytes_builds_none(
    tmp_path: Path, workbench: Workbench
) -> None:
    record = model_record()
    assert record.experiment is not None
    preset = record.experiment.preset
    size = preset.model.model_copy(update={"dim": 2**20, "mlp_dim": 2**20, "depth": 8})
    huge = record.experiment.model_copy(
        update={"preset": preset.model_copy(update={"model": size})}
    )
    record = record.model_copy(update={"experiment": huge, "key": huge.key})
    path = RunStore(tmp_path).write(record)
    (path / WEIGHTS_FILE).write_bytes(bytes(MEBIBYTE))
    faults = list(faults_of(record, path, workbench=workbench, is_stale=False))
    assert any("far too small" in fault for fault in faults)
    with pytest.raises(
        RecordError, match="far too small"
    ):  # what `evaluate` and `predict` load with
        load_run(path, record, workbench=workbench)


@pytest.mark.parametrize("key", ["../../precious", "/precious"])
def test_rm_removes_nothing_outside_whatever_a_record_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").write_text("years")
    monkeypatch.chdir(tmp_path)
    store = RunStore("runs")
    store.write(model_record(loss="MSE"))
    file = store.write(model_record()) / RECORD_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "key": key}))
    assert main(["runs", "rm", "--status", "finished", "--status", "stale", "--yes"]) == 0
    assert "Removed 1 run." in capsys.readouterr().out
    assert (precious / "thesis").read_text() == "years"
    assert main(["runs", "list"]) == 2
    assert "key" in capsys.readouterr().err
