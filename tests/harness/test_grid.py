"""The grid: which combinations an axis means, and what is refused before anything runs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from bastzoo.errors import CombinationError, ComponentError, SetupError
from bastzoo.harness.grid.axes import PAPER_AXES, axis, combinations
from bastzoo.harness.grid.plan import plan
from bastzoo.harness.workbench import Workbench
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset
from bastzoo.records.store import RunStore
from bastzoo.registry import Component, Registry

REGISTRY = default_registry()


def grid(**chosen: tuple[str, ...]) -> list:
    axes = {name: axis(name, chosen.get(name, ()), REGISTRY) for name in PAPER_AXES}
    return combinations(axes, REGISTRY)


def test_no_axis_is_the_papers_grid_of_54() -> None:
    assert len(grid()) == 54


def test_backbone_mamba_with_sub_is_six_rows() -> None:
    rows = grid(backbone=("mamba",), integration=("SUB",))
    assert sorted(map(str, rows)) == [
        "mamba/SUB/AD/NSP",
        "mamba/SUB/AD/SP",
        "mamba/SUB/MIX/NSP",
        "mamba/SUB/MIX/SP",
        "mamba/SUB/MSE/NSP",
        "mamba/SUB/MSE/SP",
    ]


def test_all_means_every_component_there_is() -> None:
    assert axis("loss", ("all",), REGISTRY) == tuple(REGISTRY.names("loss"))


def test_an_axis_repeated_in_another_spelling_counts_once() -> None:
    assert axis("integration", ("sub", "SUB", "add"), REGISTRY) == ("SUB", "ADD")


def test_an_unknown_name_gets_did_you_mean() -> None:
    with pytest.raises(ComponentError, match="Did you mean 'mamba'"):
        axis("backbone", ("mambo",), REGISTRY)


def test_an_unknown_sharing_is_refused() -> None:
    with pytest.raises(CombinationError, match="no sharing 'XP'"):
        axis("sharing", ("XP",), REGISTRY)


def test_a_component_that_cannot_run_is_refused_by_name_and_left_out_of_all() -> None:
    registry = Registry(
        Component(kind="backbone", name=name, target="nowhere:X", summary="-", requires=requires)
        for name, requires in (("here", ()), ("there", ("a_package_that_is_not_there",)))
    )
    with pytest.raises(SetupError, match=r"'there' cannot run here.*pip install"):
        axis("backbone", ("there",), registry)
    assert axis("backbone", ("all",), registry) == ("here",)


def test_a_loss_that_a_head_cannot_feed_is_refused_or_left_out_on_demand() -> None:
    registry = Registry(default_registry())
    common = {"target": "nowhere:X", "summary": "-"}
    registry.add(Component(kind="head", name="sectors", gives=("logits",), **common))
    registry.add(Component(kind="loss", name="entropy", needs=("logits",), **common))
    chosen = {"backbone": ("mamba",), "integration": ("SUB",), "sharing": ("SP",)}
    chosen |= {"loss": ("MSE", "entropy"), "head": ("all",)}
    axes = {name: axis(name, chosen.get(name, ()), registry) for name in PAPER_AXES}
    with pytest.raises(
        CombinationError, match=r"'MSE' needs the output 'vector'.*goes with --head"
    ):
        combinations(axes, registry)
    rows = combinations(axes, registry, skip_misfits=True)
    known = default_registry()
    directions = [name for name in known.names("head") if "vector" in known.get("head", name).gives]
    fitting = [*(("MSE", head) for head in directions), ("entropy", "sectors")]
    assert [(row.loss, row.head) for row in rows] == fitting


def test_a_plan_gives_sizes_and_times_and_knows_what_is_done(
    tiny_preset: Path, tmp_path: Path
) -> None:
    workbench = Workbench(REGISTRY, device="cpu")
    experiments = [
        workbench.resolver.experiment(
            combination, preset=load_preset(str(tiny_preset)), environment="RI01", seed=0
        )
        for combination in islice(grid(backbone=("vanilla",)), 2)
    ]
    rows = plan(experiments, workbench=workbench, store=RunStore(tmp_path))
    assert [row.status for row in rows] == ["to run", "to run"]
    assert all(row.parameters > 1000 and row.seconds > 0 for row in rows)
    assert not any(tmp_path.iterdir())


def test_a_plan_does_not_take_the_first_step_of_a_machine_for_all(
    tiny_preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A step that compiles takes seconds, the next ones milliseconds: 2 minutes were planned as 162 hours.
    steps = iter([13.0, *[0.01] * 50])
    monkeypatch.setattr("bastzoo.harness.grid.plan._time_step", lambda *_: next(steps))
    workbench = Workbench(REGISTRY, device="cpu")
    preset = load_preset(str(tiny_preset))
    chosen = next(iter(grid(backbone=("vanilla",))))
    run = workbench.resolver.experiment(chosen, preset=preset, environment="RI01", seed=0)
    (row,) = plan([run], workbench=workbench, store=RunStore(tmp_path))
    assert row.seconds == pytest.approx(0.01 * preset.recipe.steps, rel=0.01)
