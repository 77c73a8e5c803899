"""The model of every combination: frontend, ear encoders, integration, fusion encoder, head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, runtime_checkable

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.directions import CREDIBLE_LEVELS as CREDIBLE_LEVELS
from bastzoo.errors import CombinationError, DataError
from bastzoo.registry import Component


@runtime_checkable
class Frontend(Protocol):
    """A module from clips `[B, 2, N]` to features `[B, 2, C, F, T]`."""

    def __call__(self, clips: Tensor, /) -> Tensor:
        """Return the features of both ears."""

    def output_shape(self, samples: int) -> tuple[int, int, int]:
        """Return (C, F, T) for clips of `samples` samples."""


@runtime_checkable
class Backbone(Protocol):
    """A module that makes tokens, and the encoders that change them.

    Where an ear needs another encoder than both ears joined (a convolutional network that makes the
    tokens, say), a method `ear_encoder()` makes it, and `embed` may give it anything that has a row an
    ear. Where the head reads something else than the mean of the fused tokens, a method `pooling(width)`
    makes a module from tokens `[B, N, width]` to `[B, width]`, or gives None for the mean.
    """

    dim: int
    """Width of the tokens that `embed` gives."""

    def embed(self, x: Tensor, /) -> Tensor:
        """Map features of ears `[B, C, F, T]` to tokens `[B, N, dim]`, prefix tokens first."""

    def encoder(self, width: int, /) -> nn.Module:
        """Make a new encoder from tokens to tokens of `width` features."""


@runtime_checkable
class Integration(Protocol):
    """A module that makes one sequence of tokens of two: `(left, right) -> fused`."""

    def __call__(self, left: Tensor, right: Tensor, /) -> Tensor:
        """Return the fused tokens `[B, N, width(D)]` of two ears' `[B, N, D]`."""

    def width(self, dim: int, /) -> int:
        """Return the width of the fused tokens."""


@runtime_checkable
class Head(Protocol):
    """A module from pooled features `[B, D]` to named outputs."""

    def __call__(self, pooled: Tensor, /) -> dict[str, Tensor]:
        """Return the outputs that a loss compares with its targets."""

    def decode(self, outputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return what the outputs mean: `direction` `[B, 3]`, and what else the head answers.

        `class` `[B]`, a position; `radii` `[B, 9]`, degrees: how far from the direction the true one
        lies at most with each of the probabilities `CREDIBLE_LEVELS`, as the head believes.
        """


class BinauralLocalizer(nn.Module):
    """Two ears in, one direction out.

    head: makes the head for pooled features of the given width.
    sharing: "SP", one encoder for both ears, or "NSP", one each.

    Raises CombinationError for any other sharing.

    >>> import torch, bastzoo as bz
    >>> model = bz.create_model("vanilla", integration="CONCAT")
    >>> outputs = model(torch.zeros(3, 2, 8000))  # clips [B, 2, N], channel 0 the left ear
    >>> outputs["vector"].shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        *,
        frontend: Frontend,
        backbone: Backbone,
        integration: Integration,
        head: Callable[[int], Head],
        sharing: str,
    ) -> None:
        super().__init__()
        if sharing not in ("SP", "NSP"):
            raise CombinationError(f"The sharing {sharing!r} is unknown; use SP or NSP.")
        self.sharing = sharing
        self.frontend = frontend
        self.backbone = backbone
        self.integration = integration
        encoders = 1 if sharing == "SP" else 2
        ear_encoder = getattr(backbone, "ear_encoder", partial(backbone.encoder, backbone.dim))
        self.ears = nn.ModuleList(ear_encoder() for _ in range(encoders))
        width = integration.width(backbone.dim)
        self.fusion = backbone.encoder(width)
        make_pool = getattr(backbone, "pooling", None)
        self.pool: nn.Module | None = make_pool(width) if make_pool is not None else None
        self.head = head(width)

    def forward(self, inputs: Float[Tensor, " ..."]) -> dict[str, Tensor]:
        """Return the head's named outputs for clips `[B, 2, N]`, channel 0 the left ear.

        Features `[B, 2, C, F, T]` that were computed before are taken as they are. Raises DataError for
        inputs of another shape.
        """
        if inputs.ndim not in (3, 5) or inputs.shape[1] != 2:
            raise DataError(
                f"A model takes clips [B, 2, N], channel 0 the left ear, or features [B, 2, C, F, T]; the "
                f"inputs are {list(inputs.shape)}."
            )
        is_clip = inputs.ndim == 3
        return self.localize(self.features(inputs) if is_clip else inputs)

    def features(self, clips: Float[Tensor, "B 2 N"]) -> Float[Tensor, "B 2 C F T"]:
        """Return what the ear encoders see of the clips."""
        return self.frontend(clips)

    def localize(self, features: Float[Tensor, "B 2 C F T"]) -> dict[str, Tensor]:
        """Return the head's named outputs for features that are computed already."""
        tokens = self.backbone.embed(rearrange(features, "b ear c f t -> (b ear) c f t"))
        if self.sharing == "SP":
            left, right = _ears(self.ears[0](tokens))
        else:
            left, right = (
                encode(ear) for encode, ear in zip(self.ears, _ears(tokens), strict=True)
            )
        fused = self.fusion(self.integration(left, right))
        return self.head(fused.mean(dim=1) if self.pool is None else self.pool(fused))


def build_localizer(
    components: Mapping[str, Component],
    *,
    sharing: str,
    size: Mapping[str, Any],
    samples: int = 8000,
) -> BinauralLocalizer:
    """Build a model from its components by kind: frontend, backbone, integration and head.

    Each component gets those values of `size` that its signature names. `samples` is the length of
    a clip. Raises ComponentError when a component cannot be built, and SetupError when something
    that it requires is missing.
    """
    frontend = components["frontend"].build(**size)
    backbone = components["backbone"].build(**size, input_shape=frontend.output_shape(samples))
    return BinauralLocalizer(
        frontend=frontend,
        backbone=backbone,
        integration=components["integration"].build(**{**size, "dim": backbone.dim}),
        head=lambda width: components["head"].build(**size, width=width),
        sharing=sharing,
    )


def parameter_count(model: nn.Module) -> int:
    """Return how many numbers the model holds as parameters, trained or frozen."""
    return sum(p.numel() for p in model.parameters())


def _ears(tokens: Float[Tensor, "ears ..."]) -> tuple[Float[Tensor, "B ..."], ...]:
    return tuple(rearrange(tokens, "(b ear) ... -> ear b ...", ear=2))
