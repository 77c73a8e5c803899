"""Precision: one for each workbench, and `auto`, which is measured once in a folder of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bastzoo.errors import SetupError
from bastzoo.experiment import Combination, Experiment
from bastzoo.harness.runner import train_run
from bastzoo.harness.workbench import Workbench
from bastzoo.harness.workbench import precision as measuring
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.records.store import PREDICTIONS_FILE, RunStore


def asked(workbench: Workbench, preset: Path, backbone: str = "vanilla") -> Experiment:
    return workbench.resolver.experiment(
        Combination(backbone=backbone, integration="SUB", loss="AD", sharing="SP"),
        preset=load_preset(str(preset)),
        environment="RI01",
        seed=0,
    )


def test_workbenches_of_one_process_compute_in_their_own_precision(
    tiny_preset: Path, tmp_path: Path
) -> None:
    """A notebook tests a run in bfloat16 after one in float32."""
    directions = {}
    store = RunStore(tmp_path)
    benches = {
        name: Workbench(default_registry(), device="cpu", precision=name) for name in ("no", "bf16")
    }
    for name, workbench in benches.items():
        experiment = asked(workbench, tiny_preset)
        assert experiment.precision == workbench.session.precision == name
        record = train_run(experiment, workbench=workbench, store=store)
        assert record.status == "finished", record.failure
        path = store.path(record.key)
        assert path is not None
        directions[name] = np.load(path / PREDICTIONS_FILE)["directions"]
    assert directions["bf16"].dtype == directions["no"].dtype == np.float32
    assert not np.array_equal(directions["bf16"], directions["no"])
    np.testing.assert_allclose(directions["bf16"], directions["no"], atol=0.1)


def test_a_precision_that_is_none_is_refused_in_a_sentence() -> None:
    with pytest.raises(SetupError, match=r"no precision 'bf8'; use no, bf16, fp16\."):
        Workbench(default_registry(), device="cpu", precision="bf8")


@pytest.mark.parametrize(("half", "chosen"), [(1.0, "bf16"), (1.9, "no"), (9.0, "no")])
def test_bfloat16_is_taken_where_it_is_a_tenth_faster_for_all_backbones(
    half: float, chosen: str, tiny_preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = Workbench(default_registry(), device="cpu")
    rows = [asked(workbench, tiny_preset, name) for name in ("vanilla", "swin", "swin")]
    measured = []

    def seconds(experiment: Experiment, _: Workbench) -> tuple[float, float]:
        measured.append(experiment.combination.backbone)
        return 1.0, half if experiment.combination.backbone == "swin" else 0.1

    monkeypatch.setattr(measuring, "_seconds", seconds)

    def choose() -> measuring.Choice:
        return measuring.chosen_precision(rows, workbench=workbench, folder=tmp_path)

    choice = choose()
    assert (choice.precision, measured) == (chosen, ["vanilla", "swin"])
    half = 20 - half  # another moment, another figure: the same command still means the same runs
    assert choose() == choice
    assert measured == ["vanilla", "swin"]
    (tmp_path / measuring.CHOICES_FILE).write_text("[]")
    choose()
    assert len(measured) == 4


def test_what_is_measured_is_a_training_step(tiny_preset: Path) -> None:
    workbench = Workbench(default_registry(), device="cpu")
    choice = measuring.chosen_precision(
        [asked(workbench, tiny_preset)], workbench=workbench, folder=None
    )
    assert choice.precision == ("bf16" if choice.ratio >= measuring.FASTER else "no")
    assert 0.001 < choice.ratio < 100
