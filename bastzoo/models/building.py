"""From what an experiment or a package names to a network: nothing here knows benches or trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.model import BinauralLocalizer, build_localizer
from bastzoo.ops.dropout import with_fast_dropout
from bastzoo.registry import MODEL_KINDS

if TYPE_CHECKING:
    from bastzoo.experiment import ResolvedComponent
    from bastzoo.registry import Component, Registry


def resolved_component(registry: Registry, kind: str, resolved: ResolvedComponent) -> Component:
    """The registered component, with the parameters that it was resolved with.

    Raises ComponentError for a name that nobody registers.
    """
    return replace(registry.get(kind, resolved.name), parameters=resolved.parameters)


def build_model(
    registry: Registry,
    components: Mapping[str, ResolvedComponent],
    *,
    sharing: str,
    size: Mapping[str, Any],
    samples: int = CLIP_SAMPLES,
) -> BinauralLocalizer:
    """Build an untrained network; torch's generator decides the weights.

    components: resolved, by kind, `MODEL_KINDS` at least. size: what a preset offers (`ModelSize`).
    Raises ComponentError when a component is unknown or cannot be built, SetupError when something that
    it requires is missing.
    """
    model = build_localizer(
        {kind: resolved_component(registry, kind, components[kind]) for kind in MODEL_KINDS},
        sharing=sharing,
        size=size,
        samples=samples,
    )
    with_fast_dropout(model)
    return model
