"""A head of a third party brings its outputs, its loss and its figures, and nothing in bastzoo knows them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bastzoo.boards.columns import ColumnChoice
from bastzoo.boards.runs import render_leaderboard, sections
from bastzoo.errors import CombinationError
from bastzoo.experiment import Combination, Tasks
from bastzoo.harness.runner import train_run
from bastzoo.harness.verification import faults_of
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.records.record import RunRecord
from bastzoo.records.store import RunStore
from bastzoo.registry import Registry
from tests.plugins import far_and_near

MINE = Combination(
    backbone="vanilla", integration="SUB", loss="MIX", sharing="SP", head="azimuth+distance"
)


@pytest.fixture(scope="module")
def workbench() -> Workbench:
    registry = Registry(default_registry())
    for hook in ("bastzoo_heads", "bastzoo_environments", "bastzoo_metrics"):
        for component in getattr(far_and_near, hook)():
            registry.add(component, distribution="far-and-near")
    return Workbench(registry, device="cpu")


@pytest.fixture(scope="module")
def trained(
    workbench: Workbench, tiny_preset: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunRecord, Path]:
    store = RunStore(tmp_path_factory.mktemp("distance"))
    experiment = workbench.resolver.experiment(
        MINE, preset=load_preset(str(tiny_preset)), environment="FAR-NEAR", seed=0
    )
    record = train_run(experiment, workbench=workbench, store=store)
    assert record.failure is None, record.failure
    path = store.path(record.key)
    assert path is not None
    return record, path


def test_it_trains_and_is_scored(trained: tuple[RunRecord, Path]) -> None:
    record, path = trained
    assert record.evaluation is not None
    with np.load(path / "predictions.npz") as kept:
        assert set(kept["true_distance"].round(3)) == {np.float32(0.8), np.float32(2.0)}
        error = np.abs(kept["distance"] - kept["true_distance"]).mean()
    assert record.evaluation.metrics["distance_error"] == pytest.approx(error, abs=1e-6)
    by_room = [m["distance_error"] for m in record.evaluation.by_room.values()]
    assert np.mean(by_room) == pytest.approx(error, abs=1e-6)  # type: ignore[arg-type]


def test_its_loss_is_what_training_made_smaller(
    workbench: Workbench, trained: tuple[RunRecord, Path]
) -> None:
    experiment = trained[0].experiment
    assert experiment is not None
    loss = workbench.session.loss(experiment, workbench.session.build(experiment))
    assert [(term.name, term.weight) for term in loss.terms] == [  # type: ignore[attr-defined]
        ("direction", 1.0),
        ("distance", 0.5),
    ]


def test_its_figure_is_on_the_board_from_the_record_alone(
    trained: tuple[RunRecord, Path],
) -> None:
    record = RunRecord.model_validate_json((trained[1] / "record.json").read_text())
    board = render_leaderboard([record])
    assert "Distance error" in board
    assert record.evaluation is not None
    assert f"{record.evaluation.metrics['distance_error']:.3g} m" in board
    (section,) = sections([record], ColumnChoice())
    assert section.rows[0]["distance_error"] == record.evaluation.metrics["distance_error"]


def test_its_run_can_be_verified(workbench: Workbench, trained: tuple[RunRecord, Path]) -> None:
    record, path = trained
    assert list(faults_of(record, path, workbench=workbench, is_stale=False)) == []


def test_figures_of_metrics_that_are_not_here_are_no_faults_of_a_run(
    trained: tuple[RunRecord, Path],
) -> None:
    record, path = trained
    registry = Registry(c for c in default_registry() if c.kind != "metric" or c.name != "sources")
    elsewhere = Workbench(registry, device="cpu")
    assert list(faults_of(record, path, workbench=elsewhere, is_stale=True)) == []
    assert record.evaluation is not None
    metrics = {**record.evaluation.metrics, "ad_mean": 1.0}
    wrong = record.model_copy(
        update={"evaluation": record.evaluation.model_copy(update={"metrics": metrics})}
    )
    (fault,) = faults_of(wrong, path, workbench=elsewhere, is_stale=True)
    assert "metrics.ad_mean is 1.0 in the record" in fault


def test_records_without_own_figures_say_no_more_than_before(
    workbench: Workbench, trained: tuple[RunRecord, Path]
) -> None:
    record = trained[0]
    assert record.evaluation is not None
    told = json.loads(record.evaluation.model_dump_json())
    later = {"azimuth_rmse", "lateral_rmse", "distance_error"}
    later |= {"quadrant_error", "local_polar_error", "lateral_bias", "lateral_precision"}
    assert set(told["definitions"]) == later
    plain = record.evaluation.model_copy(update={"definitions": {}})
    assert "definitions" not in json.loads(plain.model_dump_json())


def test_data_that_does_not_know_the_target_is_refused(
    workbench: Workbench, tiny_preset: Path
) -> None:
    with pytest.raises(CombinationError, match=r"needs the target 'distance'.*RI01 does not give"):
        workbench.resolver.experiment(
            MINE, preset=load_preset(str(tiny_preset)), environment="RI01", seed=0
        )


def test_the_users_weights_of_tasks_reach_the_head(
    workbench: Workbench, trained: tuple[RunRecord, Path]
) -> None:
    experiment = trained[0].experiment
    assert experiment is not None
    learned = experiment.model_copy(update={"tasks": Tasks(weighting="learned")})
    loss = workbench.session.loss(learned, workbench.session.build(learned))
    assert len(list(loss.parameters())) == 1  # type: ignore[attr-defined]
