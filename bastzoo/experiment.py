"""What decides a result: a combination of components, a preset, an environment and a seed.

An `Experiment` is resolved (every component's version, every value of the preset, the digest of the
data), and its key is a hash of exactly that: two experiments with one key give one result.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bastzoo.bounds import Count, Depth, Name, Natural, Plain, Seed, Size
from bastzoo.conditions import Condition, DataSource
from bastzoo.errors import CombinationError, PresetError, tellable
from bastzoo.reading import read_text
from bastzoo.registry import Component, Registry

EXPERIMENT_SCHEMA = 1

ELSEWHERE = "import-"
"""How the data's digest begins of what was trained elsewhere, on data that is not known here."""

Sharing = Literal["SP", "NSP"]
SHARINGS: tuple[Sharing, ...] = ("SP", "NSP")

# Kinds of component that a combination chooses, in the order of a clip's way through the model.
MODEL_KINDS = ("frontend", "backbone", "integration", "head")
COMBINATION_KINDS = (*MODEL_KINDS, "loss")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Combination(_Frozen):
    """One choice of every component of a model, its loss, and whether the ear encoders share."""

    backbone: str
    integration: str
    loss: str
    sharing: Sharing
    head: str = "azimuth"
    frontend: str = "spectrogram"

    def __str__(self) -> str:
        parts = [self.backbone, self.integration, self.loss, self.sharing]
        if self.head != "azimuth":
            parts.append(self.head)
        if self.frontend != "spectrogram":
            parts.append(self.frontend)
        return "/".join(parts)

    def components(self, registry: Registry) -> dict[str, Component]:
        """Look up every component by kind. Raises ComponentError for an unknown name and
        CombinationError when the loss needs an output that the head does not give, or the backbone
        something that the frontend does not.
        """
        found = {kind: registry.get(kind, getattr(self, kind)) for kind in COMBINATION_KINDS}
        for reader, giver in (("loss", "head"), ("backbone", "frontend")):
            check_fit(found[reader], found[giver])
        return found

    def canonical(self, registry: Registry) -> Combination:
        """The same combination with every name spelled as its component spells it."""
        found = self.components(registry)
        return self.model_copy(update={kind: found[kind].name for kind in COMBINATION_KINDS})


def check_fit(reader: Component, giver: Component) -> None:
    """Raise CombinationError when the reader needs something that the giver does not give."""
    missing = sorted(set(reader.needs) - set(giver.gives))
    if missing:
        raise CombinationError(
            f"The {reader.kind} {reader.name!r} needs the output {', '.join(map(repr, missing))}, "
            f"which the {giver.kind} {giver.name!r} does not give "
            f"(it gives {', '.join(map(repr, giver.gives)) or 'nothing'}); "
            f"choose another {reader.kind} or another {giver.kind}."
        )


class Tasks(_Frozen):
    """How the losses of several answers are joined.

    cls_weight, elev_weight: factors of the cross-entropy and of the squared error of elevation in
        degrees², beside a localization loss with factor 1 (the defaults of BAST's fork for two tasks).
    weighting: `fixed`, these factors; `learned`, by homoscedastic uncertainty, from these on.
    """

    cls_weight: float = Field(default=1.0, ge=0)
    elev_weight: float = Field(default=0.1, ge=0)
    weighting: Literal["fixed", "learned"] = "fixed"

    def __str__(self) -> str:
        learned = ", learned" if self.weighting == "learned" else ""
        return f"class × {self.cls_weight:g}, elevation × {self.elev_weight:g}{learned}"


class ModelSize(_Frozen):
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


class DataSize(_Frozen):
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


class Recipe(_Frozen):
    """How a model is trained."""

    steps: Count
    batch: Size
    learning_rate: float = Field(gt=0, le=1e3)
    weight_decay: float = Field(default=0.01, ge=0, le=1e3)
    warmup_steps: int = Field(default=0, ge=0, le=10**9, strict=True)
    clip_norm: float = Field(default=1.0, gt=0, le=1e9)
    validate_every: Count
    patience: Count


class Preset(_Frozen):
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


class ResolvedComponent(_Frozen):
    """What of a component decides a result."""

    name: Name
    version: Natural
    target: Name
    parameters: Plain = Field(default_factory=dict)

    @classmethod
    def of(cls, component: Component, preset: Preset) -> ResolvedComponent:
        """Resolve a registered component under a preset."""
        return cls(
            name=component.name,
            version=component.version,
            target=component.target,
            parameters=preset.parameters_of(component),
        )


class Experiment(_Frozen):
    """A resolved experiment: everything that decides the result of one run, and nothing else."""

    schema_version: Natural = EXPERIMENT_SCHEMA
    combination: Combination
    components: dict[str, ResolvedComponent]
    environment: str
    preset: Preset
    source: DataSource = Field(default_factory=DataSource)
    condition: Condition = Field(default_factory=Condition)
    data_digest: str
    precision: str = "no"
    seed: Seed = 0
    tasks: Tasks | None = None
    """For heads with several answers only."""

    @property
    def key(self) -> str:
        """The run's key: 16 hexadecimal digits of the SHA-256 of the resolved experiment."""
        # `parameters` is already resolved, component by component: a value for swin must not change
        # the key of a mamba run. Source and condition say in words what the data's digest decides.
        excluded: Any = {
            "preset": {"name", "summary", "parameters"},
            "source": True,
            "condition": True,
        }
        if (
            self.tasks is None
        ):  # keys of localization alone stay what they were before there were tasks
            excluded["tasks"] = True
        return digest(self.model_dump(mode="json", exclude=excluded))

    @property
    def identity(self) -> str:
        """Hash of what a user asks for, whatever the code and the data are by now.

        A record with this identity and another key is stale. A preset that ships counts by its name,
        since an update changes it; the values in a user's own file are what the user asks for.
        """
        asked = self.model_dump(
            mode="json",
            include={"combination", "environment", "source", "condition", "precision", "seed"},
        )
        ships = self.preset.name in preset_names()
        if self.tasks is not None:
            asked["tasks"] = self.tasks.model_dump(mode="json")
        asked["preset"] = self.preset.name if ships else self.preset.model_dump(mode="json")
        return digest(asked)

    def __str__(self) -> str:
        heard = f", {self.condition}" if str(self.condition) else ""
        return (
            f"{self.combination} on {self.environment}{heard} "
            f"({self.preset.name}, seed {self.seed})"
        )


def resolve(
    combination: Combination,
    *,
    registry: Registry,
    preset: Preset,
    environment: str,
    data_digest: str,
    source: DataSource | None = None,
    condition: Condition | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    precision: str = "no",
    tasks: Tasks | None = None,
) -> Experiment:
    """Resolve a combination into an experiment, with every component's version and parameters.

    environment: a component's name or, for recorded data, what the recordings call it.
    parameters: by kind, what the data decides of a component.
    tasks: for a head with several answers; of no meaning, and left out, for any other.
    """
    combination = combination.canonical(registry)
    has_tasks = has_several_answers(registry.get("head", combination.head))
    preset.check_parameters(registry)
    source = source or DataSource()
    components = {
        kind: ResolvedComponent.of(component, preset)
        for kind, component in combination.components(registry).items()
    }
    for kind, values in (parameters or {}).items():
        fixed = {**components[kind].parameters, **values}
        components[kind] = components[kind].model_copy(update={"parameters": fixed})
    if source.layout == "rendered":
        components["environment"] = ResolvedComponent.of(
            registry.get("environment", environment), preset
        )
        environment = components["environment"].name
    return Experiment(
        combination=combination,
        components=components,
        environment=environment,
        preset=preset,
        source=source,
        condition=condition or Condition(),
        data_digest=data_digest,
        seed=seed,
        precision=precision,
        tasks=(tasks or Tasks()) if has_tasks else None,
    )


def has_several_answers(head: Component) -> bool:
    """Whether a head answers more than a direction: it brings loss terms of its own."""
    return bool(head.terms)


def digest(value: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        file = resources.files("bastzoo") / "assets" / "presets" / f"{name}.toml"
        return _parse_preset(file.read_text("utf-8"), name=name, source=f"The preset {name!r}")
    path = Path(name)
    if path.suffix != ".toml":
        raise PresetError(
            f"There is no preset named {name!r}. Known: {', '.join(preset_names())}; "
            "or give the path of a .toml file."
        )
    try:
        text = read_text(path, 2**20)
    except OSError as error:
        raise PresetError(f"The preset file {name!r} cannot be read: {error.strerror}.") from error
    # A file of one's own is never taken for the preset that ships under its name.
    called = path.name if path.stem in preset_names() else path.stem
    return _parse_preset(text, name=called, source=f"The preset file {name!r}")


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
