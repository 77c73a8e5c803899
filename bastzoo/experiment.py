"""What decides a result: a combination of components, a preset, an environment and a seed.

An `Experiment` is resolved (every component's version, every value of the preset, the digest of the
data), and its key is a hash of exactly that: two experiments with one key give one result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from bastzoo.conditions import Condition, DataSource
from bastzoo.errors import CombinationError
from bastzoo.limits.bounds import Name, Natural, Plain, Seed
from bastzoo.presets import DataSize, Frozen, Preset, preset_names
from bastzoo.registry import COMBINATION_KINDS, Component, Registry

EXPERIMENT_SCHEMA = 1

ELSEWHERE = "import-"
"""How the data's digest begins of what was trained elsewhere, on data that is not known here."""

Sharing = Literal["SP", "NSP"]
SHARINGS: tuple[Sharing, ...] = ("SP", "NSP")


class Combination(Frozen):
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
        for reader, giver in _READERS:
            check_fit(found[reader], found[giver], registry)
        return found

    def fits(self, registry: Registry) -> bool:
        """Whether its parts fit each other. Raises ComponentError for an unknown name."""
        return all(
            _fits(
                registry.get(reader, getattr(self, reader)),
                registry.get(giver, getattr(self, giver)),
            )
            for reader, giver in _READERS
        )

    def canonical(self, registry: Registry) -> Combination:
        """The same combination with every name spelled as its component spells it."""
        found = self.components(registry)
        return self.model_copy(update={kind: found[kind].name for kind in COMBINATION_KINDS})


_READERS = (("loss", "head"), ("backbone", "frontend"))
"""Kinds of which the first needs what the second gives."""


def check_fit(reader: Component, giver: Component, registry: Registry) -> None:
    """Raise CombinationError when the reader needs something that the giver does not give.

    registry: knows what would fit, which the sentence names.
    """
    if _fits(reader, giver):
        return
    missing = sorted(set(reader.needs) - set(giver.gives))
    givers = [one.name for one in registry if one.kind == giver.kind and _fits(reader, one)]
    readers = [one.name for one in registry if one.kind == reader.kind and _fits(one, giver)]
    raise CombinationError(
        f"The {reader.kind} {reader.name!r} needs the output {', '.join(map(repr, missing))}, "
        f"which the {giver.kind} {giver.name!r} does not give "
        f"(it gives {', '.join(map(repr, giver.gives)) or 'nothing'}). "
        f"The {reader.kind} {reader.name!r} goes with --{giver.kind} {', '.join(givers) or '(none here)'}; "
        f"the {giver.kind} {giver.name!r} with --{reader.kind} {', '.join(readers) or '(none here)'}."
    )


def _fits(reader: Component, giver: Component) -> bool:
    return set(reader.needs) <= set(giver.gives)


class Tasks(Frozen):
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


class ResolvedComponent(Frozen):
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


class Experiment(Frozen):
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
    def data(self) -> DataSize:
        """How much is heard: as baselines and answers from elsewhere say it too."""
        return self.preset.data

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
