"""Experiments: what is refused before anything runs, and what a key depends on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import tomli_w

import bastzoo
from bastzoo.errors import BastzooError, CombinationError, ComponentError, PresetError
from bastzoo.experiment import Combination, Experiment, resolve
from bastzoo.plugins import default_registry
from bastzoo.presets import load_preset, preset_names
from bastzoo.registry import Component, Registry


def combination(**changes: str) -> Combination:
    values = {"backbone": "mamba", "integration": "SUB", "loss": "MIX", "sharing": "SP"}
    return Combination.model_validate({**values, **changes})


def experiment(**changes: object) -> Experiment:
    values = {
        "registry": default_registry(),
        "preset": load_preset("quick"),
        "environment": "RI",
        "data_digest": "d",
    }
    return resolve(combination(), **{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", preset_names())
def test_every_shipped_preset_is_read_and_says_what_it_is(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert preset.summary


def test_presets_are_listed_from_small_to_large() -> None:
    assert preset_names() == ["quick", "standard", "paper"]


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(PresetError, match=r"no preset named 'quik'.*quick, standard, paper"):
        load_preset("quik")


def test_a_preset_file_with_a_wrong_field_names_the_field(
    tiny_preset: Path, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(tiny_preset.read_text().replace("depth = 1", "depht = 1"))
    with pytest.raises(PresetError, match=r"wrong\.toml.*model\.dep"):
        load_preset(str(path))


def test_a_preset_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[model\n")
    with pytest.raises(PresetError, match="is not TOML"):
        load_preset(str(path))


def test_a_file_with_the_name_of_a_shipped_preset_is_another_preset(tmp_path: Path) -> None:
    shipped = Path(bastzoo.__file__).parent / "assets" / "presets" / "quick.toml"
    path = tmp_path / "quick.toml"
    path.write_text("# une première\n" + shipped.read_text("utf-8"), "utf-8-sig")
    own = load_preset(str(path))
    path.write_text(path.read_text("utf-8-sig").replace("validate_every = ", "validate_every = 1"))
    edited = load_preset(str(path))
    assert own.name == edited.name == "own-quick"
    assert own.recipe != edited.recipe
    # Edited, it is asked for anew; it is no older version of the same (a "stale" row).
    assert experiment(preset=own).identity != experiment(preset=edited).identity


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("recipe", "learning_rate = inf"),
        ("recipe", "learning_rate = nan"),
        ("recipe", "steps = true"),
        ("recipe", "clip_norm = inf"),
        ("model", "depth = 1000000000"),
        ("model", "dim = 1e400"),
        ("data", "train_sounds = 1000000000000"),
        ("data", f"corpus_seed = {'9' * 400}"),
    ],
)
def test_a_preset_of_impossible_values_is_refused_and_the_field_named(
    tmp_path: Path, section: str, line: str
) -> None:
    preset = load_preset("quick").model_dump(mode="json", exclude={"name", "parameters"})
    name, _, value = line.partition(" = ")
    preset[section].pop(name)
    text = tomli_w.dumps(preset).replace(f"[{section}]", f"[{section}]\n{name} = {value}")
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(PresetError, match=rf"own\.toml.*{section}\.{name}"):
        load_preset(str(path))


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "9" * 5_000, "\0", "a = 1979-05-27"]
)
def test_whatever_a_preset_file_holds_it_ends_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(PresetError, match=r"own\.toml"):
        load_preset(str(path))


def test_a_preset_is_a_regular_file_in_utf_8_with_or_without_its_mark(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(PresetError, match="regular file"):
        load_preset(str(tmp_path / "pipe.toml"))
    preset = load_preset("quick").model_dump(mode="json", exclude={"name", "parameters"})
    preset["summary"] = "préréglage"
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xef\xbb\xbf" + tomli_w.dumps(preset).encode())
    assert load_preset(str(path)).summary == "préréglage"


def test_a_file_with_the_name_of_a_preset_that_ships_is_not_taken_for_it(tmp_path: Path) -> None:
    shipped = load_preset("quick")
    path = tmp_path / "quick.toml"
    values = shipped.model_dump(mode="json", exclude={"name", "parameters"})
    path.write_text(tomli_w.dumps(values | {"name": "quick"}))
    own = load_preset(str(path))
    assert own.name == "own-quick"
    assert own.recipe == shipped.recipe


def test_a_missing_preset_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"nowhere\.toml"):
        load_preset(str(tmp_path / "nowhere.toml"))


def test_an_azimuth_step_that_does_not_divide_the_circle_is_refused(
    tiny_preset: Path, tmp_path: Path
) -> None:
    path = tmp_path / "steps.toml"
    path.write_text(tiny_preset.read_text().replace("azimuth_step = 60", "azimuth_step = 7"))
    with pytest.raises(PresetError, match="does not divide 360"):
        load_preset(str(path))


def test_the_key_is_the_same_for_the_same_experiment_in_any_spelling() -> None:
    one = resolve(
        combination(backbone="Mamba", integration="sub"),
        registry=default_registry(),
        preset=load_preset("quick"),
        environment="ri",
        data_digest="d",
    )
    assert one.key == experiment().key


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"environment": "RI01"},
        {"data_digest": "other"},
        {"precision": "bf16"},
        {"preset": load_preset("standard")},
    ],
)
def test_the_key_changes_with_everything_that_decides_a_result(changes: dict[str, object]) -> None:
    assert experiment(**changes).key != experiment().key


def test_the_key_changes_with_a_component_version() -> None:
    first = experiment()
    newer = first.components["backbone"].model_copy(update={"version": 2})
    changed = first.model_copy(update={"components": {**first.components, "backbone": newer}})
    assert changed.key != first.key


def test_the_key_ignores_the_presets_name_and_values_for_other_components() -> None:
    preset = load_preset("quick")
    other = preset.model_copy(
        update={
            "name": "mine",
            "parameters": {**preset.parameters, "backbone.swin": {"window": 3}},
        }
    )
    assert experiment(preset=other).key == experiment(preset=preset).key


def test_the_key_follows_values_for_a_component_of_its_own() -> None:
    preset = load_preset("quick")
    other = preset.model_copy(update={"parameters": {"backbone.mamba": {"window": 5}}})
    assert experiment(preset=other).key != experiment(preset=preset).key


def test_a_component_is_given_values_in_any_spelling() -> None:
    lower, upper = (
        experiment(preset=load_preset("quick").model_copy(update={"parameters": parameters}))
        for parameters in ({"backbone.mamba": {"window": 5}}, {"backbone.Mamba": {"window": 5}})
    )
    assert upper.components["backbone"].parameters == {"window": 5}
    assert upper.key == lower.key


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("backbone.mambaa", "Did you mean 'mamba'"),
        ("bakcbone.mamba", "gives parameters to 'bakcbone.mamba'"),
        ("mamba", "gives parameters to 'mamba'"),
    ],
)
def test_values_for_a_component_that_there_is_not_are_refused(name: str, sentence: str) -> None:
    preset = load_preset("quick").model_copy(update={"parameters": {name: {"window": 5}}})
    with pytest.raises(BastzooError, match=sentence):
        experiment(preset=preset)


def test_a_loss_whose_outputs_the_head_does_not_give_is_refused_in_one_sentence() -> None:
    def made(kind: str, name: str, **fields: tuple[str, ...]) -> Component:
        return Component(kind=kind, name=name, target="nowhere:Nothing", summary="-", **fields)

    registry = Registry(
        [
            made("backbone", "mamba"),
            made("integration", "SUB"),
            made("frontend", "spectrogram"),
            made("head", "azimuth", gives=("vector",)),
            made("loss", "classes", needs=("class_logits",)),
        ]
    )
    with pytest.raises(CombinationError, match=r"'classes' needs .*'class_logits'.*'azimuth'"):
        combination(loss="classes").components(registry)


def test_an_unknown_component_gets_did_you_mean() -> None:
    with pytest.raises(ComponentError, match="Did you mean 'vanilla'"):
        combination(backbone="vanila").components(default_registry())
