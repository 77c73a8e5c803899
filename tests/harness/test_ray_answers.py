"""What a Ray task sends back from a node that does not see the folder of runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bastzoo.errors import FolderError
from bastzoo.experiment import Combination
from bastzoo.harness.executors.ray import _Answer, _perform, _put, stay_here
from bastzoo.harness.jobs import Bench, Job, Settings
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.records.store import PREDICTIONS_FILE, RECORD_FILE, WEIGHTS_FILE


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    return Workbench(default_registry(), device="cpu")


def test_a_run_comes_back_whole_where_no_folder_is_shared(
    workbench: Workbench, tiny_preset: Path, tmp_path: Path
) -> None:
    experiment = workbench.resolver.experiment(
        Combination(backbone="vanilla", integration="SUB", loss="MSE", sharing="SP"),
        preset=load_preset(str(tiny_preset)),
        environment="RI01",
        seed=0,
    )
    # The folder's name is known on the node, but the token that lies in it is not there.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    settings = Settings(out=str(elsewhere), device="cpu")
    answer = _perform(Job(experiment=experiment), settings, ".token-x", None, 1)
    assert list(elsewhere.iterdir()) == []

    here = Bench(Settings(out=str(tmp_path / "runs")), registry=workbench.session.registry)
    outcome = _put(answer, here)
    assert outcome.status == "ran"
    path = here.store.path(experiment.key)
    assert path is not None
    for name in (RECORD_FILE, WEIGHTS_FILE, PREDICTIONS_FILE, "history.csv"):
        assert (path / name).is_file()
    assert here.store.get(experiment.key) == outcome.record


def test_a_folder_that_a_task_cannot_write_stops_the_grid(
    workbench: Workbench, tmp_path: Path
) -> None:
    here = Bench(
        Settings(out=str(tmp_path)), registry=workbench.session.registry, workbench=workbench
    )
    with pytest.raises(FolderError, match="no space"):
        _put(_Answer(None, folder_error="There is no space left."), here)


@pytest.mark.parametrize(
    ("address", "before", "after"),
    [
        (None, {}, "0"),
        ("local", {}, "0"),
        (None, {"RAY_ADDRESS": "elsewhere:6379"}, None),
        ("elsewhere:6379", {}, None),
        (None, {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}, "1"),
    ],
)
def test_only_a_cluster_of_our_own_stays_on_the_loopback(
    monkeypatch: pytest.MonkeyPatch, address: str | None, before: dict[str, str], after: str | None
) -> None:
    monkeypatch.setattr(os, "environ", dict(before))
    stay_here(address)
    assert os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") == after
