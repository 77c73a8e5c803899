"""Presets: sizes and recipe under one name, shipped ones and those of a user's own TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bastzoo.errors import CombinationError, PresetError, tellable
from bastzoo.limits.bounds import Count, Depth, Plain, Seed, Size
from bastzoo.limits.reading import read_text
from bastzoo.registry import COMBINATION_KINDS, Component, Registry

_LARGEST_PRESET = 2**20


class Frozen(BaseModel):
    """Data that does not change, has no fields but its own, and no infinite number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSize(Frozen):
    """Sizes that a preset offers to every backbone; each takes those its signature names."""

    dim: Size
    depth: Depth
    heads: Depth
    dim_head: Size
    mlp_dim: Size
    patch: tuple[Depth, Depth]
    stride: tuple[Depth, Depth]
    dropout: float = Field(ge=0, lt=1)
    embed_dropout: float = Field(ge=0, lt=1)


class DataSize(Frozen):
    """How many sounds each split holds, and the grid of azimuths they are heard from."""

    train_sounds: Size
    validation_sounds: Size
    test_sounds: Size
    azimuth_step: Depth = 10
    corpus_seed: Seed = 0

    @model_validator(mode="after")
    def _whole_circle(self) -> DataSize:
        if 360 % self.azimuth_step:
            raise ValueError(f"azimuth_step {self.azimuth_step} does not divide 360")
        return self


class Recipe(Frozen):
    """How a model is trained."""

    steps: Count
    batch: Size
    learning_rate: float = Field(gt=0, le=1e3)
    weight_decay: float = Field(default=0.01, ge=0, le=1e3)
    warmup_steps: int = Field(default=0, ge=0, le=10**9, strict=True)
    clip_norm: float = Field(default=1.0, gt=0, le=1e9)
    validate_every: Count
    patience: Count


class Preset(Frozen):
    """Sizes plus recipe, read from a TOML file.

    `parameters` gives single components values of their own:
    `[parameters."backbone.mamba"]` with `window = 4`.
    """

    name: str
    summary: str
    model: ModelSize
    data: DataSize
    recipe: Recipe
    parameters: dict[str, Plain] = Field(default_factory=dict)

    def parameters_of(self, component: Component) -> dict[str, Any]:
        """Everything that is fixed for this component: by its record, then by the preset."""
        mine = f"{component.kind}.{component.name}".lower()
        own = (values for name, values in self.parameters.items() if name.lower() == mine)
        return {**component.parameters, **next(own, {})}

    def with_recipe(self, *, words: str = "", **changes: int | float | None) -> Preset:
        """The preset with other values in its recipe, under a name that says so.

        words: what to call it; the changes themselves if empty.
        changes: fields of `Recipe`; those that are None stay as they are. Raises PresetError for a value
        that a recipe cannot have.
        """
        changes = {name: value for name, value in changes.items() if value is not None}
        if not changes:
            return self
        words = words or "+".join(f"{name}={value:g}" for name, value in changes.items())
        try:
            recipe = Recipe.model_validate({**self.recipe.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            raise PresetError(f"{first['loc'][0]} {first['input']}: {first['msg']}.") from error
        return self.model_copy(update={"name": f"{self.name}+{words}", "recipe": recipe})

    def with_pretrained(self, backbones: Sequence[Component]) -> Preset:
        """The preset with pretrained weights for these backbones, under a name that says so.

        Raises CombinationError for a backbone that has none: whose record has no parameter `pretrained`.
        """
        without = [c.name for c in backbones if "pretrained" not in c.parameters]
        if without:
            raise CombinationError(
                f"The backbone {without[0]!r} has no pretrained weights; leave --pretrained away, or "
                "choose another backbone (timm/resnet18 of the plugin bastzoo-timm, say)."
            )
        names = [f"backbone.{component.name}" for component in backbones]
        changed = {n: {**self.parameters.get(n, {}), "pretrained": True} for n in names}
        return self.model_copy(
            update={
                "name": f"{self.name}+pretrained",
                "parameters": {**self.parameters, **changed},
            }
        )

    def check_parameters(self, registry: Registry) -> None:
        """Raise PresetError or ComponentError when `[parameters]` names what is not there."""
        kinds = (*COMBINATION_KINDS, "baseline")
        for name in self.parameters:
            kind, dot, component = name.partition(".")
            if not dot or kind not in kinds:
                raise PresetError(
                    f"The preset {self.name!r} gives parameters to {name!r}; write "
                    f'[parameters."KIND.NAME"], with a kind out of {", ".join(kinds)}.'
                )
            registry.get(kind, component)


@cache
def preset_names() -> list[str]:
    """Names of the presets that ship with bastzoo, smallest first."""
    order = {"quick": 0, "standard": 1, "paper": 2}
    folder = resources.files("bastzoo") / "assets" / "presets"
    names = [entry.name.removesuffix(".toml") for entry in folder.iterdir()]
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def load_preset(name: str) -> Preset:
    """Read a preset by name, or from a TOML file of the user's own.

    Raises PresetError, naming the file and the field, when it is unknown or malformed.
    """
    if name in preset_names():
        text = (resources.files("bastzoo") / "assets" / "presets" / f"{name}.toml").read_text(
            "utf-8"
        )
        return _parse_preset(text, name=name, source=f"The preset {name!r}")
    path = Path(name)
    if path.suffix != ".toml":
        raise PresetError(
            f"There is no preset named {name!r}. Known: {', '.join(preset_names())}; "
            "or give the path of a .toml file."
        )
    try:
        text = read_text(path, _LARGEST_PRESET)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise PresetError(f"The preset file {name!r} cannot be read: {why}.") from error
    # A file of a shipped preset's name is another preset: its values are what is asked for.
    own = f"own-{path.stem}" if path.stem in preset_names() else path.stem
    return _parse_preset(text, name=own, source=f"The preset file {name!r}")


def _parse_preset(text: str, *, name: str, source: str) -> Preset:
    try:
        values: Mapping[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of thousands of digits
        raise PresetError(f"{source} is not TOML: {tellable(str(error))}.") from error
    try:
        return Preset.model_validate({**values, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the whole"
        more = f" ({error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
        raise PresetError(f"{source}, {tellable(field)}: {first['msg']}{more}.") from error
