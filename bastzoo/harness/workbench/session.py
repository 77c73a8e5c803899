"""The session: registry, device and precision of a process, and what is built with them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch
from accelerate.utils import set_seed

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.engine.devices import check_device
from bastzoo.engine.precision import MixedAccelerator
from bastzoo.errors import ComponentError, SetupError
from bastzoo.experiment import Experiment, ResolvedComponent
from bastzoo.harness.grid.axes import READY_MADE
from bastzoo.metrics.registered import metrics_of
from bastzoo.model import BinauralLocalizer
from bastzoo.models.building import build_model, resolved_component
from bastzoo.registry import Component, Registry, accepted
from bastzoo.zoo.losses import Loss

if TYPE_CHECKING:
    from bastzoo.metrics.metric import Metric


class Session:
    """What is the same for all runs of a process, whatever they hear.

    device: `auto`, `cpu`, `cuda` or `mps`; precision: `no`, `bf16` or `fp16`, of training and evaluation.

    Raises SetupError for a device or a precision that is not to be had here.
    """

    def __init__(self, registry: Registry, *, device: str = "auto", precision: str = "no") -> None:
        self.registry = registry
        self.accelerator = _accelerator(device, precision)

    @property
    def precision(self) -> str:
        """`no`, `bf16` or `fp16`."""
        return self.accelerator.precision

    def compute_in(self, precision: Literal["no", "bf16"]) -> None:
        """Go over to another precision, for all runs from now on."""
        self.accelerator.precision = precision

    @property
    def device(self) -> torch.device:
        """The device that models train on and clips are rendered on."""
        return self.accelerator.device

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics that can be had here, in the order of registration; later ones are added."""
        return metrics_of(self.registry)

    def build(self, experiment: Experiment) -> BinauralLocalizer:
        """Build the untrained model of an experiment; its seed decides the weights."""
        set_seed(experiment.seed)
        return build_model(
            self.registry,
            experiment.components,
            sharing=experiment.combination.sharing,
            size=experiment.preset.model.model_dump(),
        )

    def loss(self, experiment: Experiment, model: BinauralLocalizer) -> Loss:
        """Build the loss of an experiment: on directions alone, or as the model's head joins its terms."""
        localization: Loss = self.component("loss", experiment.components["loss"]).build()
        if experiment.tasks is None:
            return localization
        join = getattr(model.head, "loss", None)
        if join is None:
            name = experiment.components["head"].name
            raise ComponentError(
                f"The head {name!r} names loss terms in its record and has no method `loss` that joins them."
            )
        joined: Loss = join(localization, **accepted(join, experiment.tasks.model_dump()))
        return joined.to(self.device) if isinstance(joined, torch.nn.Module) else joined

    def component(self, kind: str, resolved: ResolvedComponent) -> Component:
        """The registered component, with the parameters that an experiment was resolved with."""
        return resolved_component(self.registry, kind, resolved)


def input_shape(experiment: Experiment) -> tuple[int, ...]:
    """The shape of one input of an experiment's model: a clip, or features that come ready-made."""
    shape = experiment.components["frontend"].parameters.get("shape")
    if experiment.combination.frontend == READY_MADE and shape is not None:
        return (2, *shape)
    return (2, CLIP_SAMPLES)


def usual_frontend(registry: Registry) -> ResolvedComponent:
    """The frontend that recorded data is checked and kept with when only its clips are wanted."""
    component = registry.get("frontend", "spectrogram")
    return ResolvedComponent(
        name=component.name,
        version=component.version,
        target=component.target,
        parameters=dict(component.parameters),
    )


def _accelerator(device: str, precision: str) -> MixedAccelerator:
    """Make the accelerator of a device: `auto`, `cpu`, `cuda` or `mps`."""
    check_device(device)
    if precision == "fp16" and (device == "cpu" or not torch.cuda.is_available()):
        raise SetupError("fp16 training needs a CUDA GPU; use --precision bf16 or no.")
    return MixedAccelerator(cpu=device == "cpu", precision=precision)
