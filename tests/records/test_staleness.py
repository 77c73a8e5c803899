"""What makes a record stale, and what does not."""

from __future__ import annotations

import pytest

from bastzoo.conditions import Condition, DataSource
from bastzoo.experiment import Combination, Experiment
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.records.record import RunRecord
from bastzoo.records.staleness import Present
from tests.records.made import PROVENANCE, model_record

COMBINATION = Combination(backbone="mamba", integration="SUB", loss="MIX", sharing="SP")


@pytest.fixture(scope="module")
def present() -> Present:
    return Present(default_registry())


@pytest.fixture(scope="module")
def fresh() -> Experiment:
    workbench = Workbench(default_registry(), device="cpu")
    return workbench.resolver.experiment(
        COMBINATION, preset=load_preset("quick"), environment="RI02", seed=3
    )


def reason(present: Present, experiment: Experiment) -> str:
    record = model_record(8.0).model_copy(
        update={"experiment": experiment, "key": experiment.key, "provenance": PROVENANCE}
    )
    return present.reason(RunRecord.model_validate(record.model_dump()))


def test_what_the_workbench_would_run_now_is_fresh(present: Present, fresh: Experiment) -> None:
    assert reason(present, fresh) == ""


def test_noise_and_the_family_of_heads_are_data_too(present: Present) -> None:
    workbench = Workbench(default_registry(), device="cpu")
    heard = Condition(listeners=(0, 3), snr_db=(10.0,))
    experiment = workbench.resolver.experiment(
        COMBINATION, preset=load_preset("quick"), environment="RI", seed=0, condition=heard
    )
    assert reason(present, experiment) == ""
    quieter = heard.model_copy(update={"snr_db": (20.0,)})
    assert "other data" in reason(present, experiment.model_copy(update={"condition": quieter}))


def test_an_older_component_is_named_with_both_versions(
    present: Present, fresh: Experiment
) -> None:
    component = fresh.components["backbone"]
    older = component.model_copy(update={"version": component.version - 1})
    changed = {**fresh.components, "backbone": older}
    assert reason(present, fresh.model_copy(update={"components": changed})) == (
        f"backbone mamba version {older.version}, now {component.version}"
    )


def test_a_component_of_another_package_under_the_same_name_is_another(
    present: Present, fresh: Experiment
) -> None:
    elsewhere = fresh.components["loss"].model_copy(update={"target": "elsewhere:Loss"})
    changed = fresh.model_copy(update={"components": {**fresh.components, "loss": elsewhere}})
    assert "loss MIX of elsewhere:Loss, now of bastzoo" in reason(present, changed)


def test_a_shipped_preset_with_other_values_is_another(present: Present, fresh: Experiment) -> None:
    recipe = fresh.preset.recipe.model_copy(update={"steps": 7})
    preset = fresh.preset.model_copy(update={"recipe": recipe})
    changed = fresh.model_copy(update={"preset": preset})
    assert reason(present, changed) == "the preset quick has another recipe"
    own = fresh.model_copy(update={"preset": preset.model_copy(update={"name": "my-quick"})})
    assert reason(present, own) == "", "a file of the user's own is what it says"


def test_other_data_under_the_same_name_is_stale(present: Present, fresh: Experiment) -> None:
    changed = fresh.model_copy(update={"data_digest": "0" * 16})
    assert reason(present, changed) == "other data under the name RI02"


def test_what_cannot_be_known_here_is_not_called_stale(present: Present, fresh: Experiment) -> None:
    recorded = fresh.model_copy(
        update={"source": DataSource(layout="csv", path="gone.csv"), "data_digest": "0" * 16}
    )
    assert reason(present, recorded) == ""
    foreign = fresh.components["backbone"].model_copy(update={"name": "not-installed"})
    changed = fresh.model_copy(update={"components": {**fresh.components, "backbone": foreign}})
    assert reason(present, changed) == ""
