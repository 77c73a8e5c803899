"""A timm model behind each ear, and transformer blocks behind both."""

from __future__ import annotations

import math
from typing import Any

import timm
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bastzoo.errors import ComponentError, SetupError
from bastzoo.zoo.backbones.vanilla import Encoder

# Models of a fixed size are made for the next multiple of this, which patches of 8, 14 (with their own
# padding), 16 and 32 and windows of 7 and 8 can be cut from.
_MULTIPLE = 32


class Ear(nn.Module):
    """A timm model without its classifier, and a linear layer from its features to tokens.

    resize: (height, width) that the spectrogram is interpolated to, for models that take nothing else.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        features: int,
        dim: int,
        channels_last: bool,
        resize: tuple[int, int] | None,
    ) -> None:
        super().__init__()
        self.model = model
        self.channels_last = channels_last
        self.resize = resize
        self.norm = nn.LayerNorm(features)
        self.project = nn.Linear(features, dim)

    def forward(self, features: Float[Tensor, "B C F T"]) -> Float[Tensor, "B N D"]:
        """Return one token a cell of the feature map, or as many as the model gives."""
        if self.resize is not None:
            features = nn.functional.interpolate(features, self.resize, mode="bilinear")
        return self.project(self.norm(tokens_of(self.model, features, self.channels_last)))


class Timm(nn.Module):
    """Any model of timm (Wightman 2019) as the encoder of an ear.

    member: the model's name, with or without the tag of its weights. pretrained: whether to begin with
    the weights that timm names; of images, and for one channel summed over their colours.
    input_shape: channels, bands and frames of one ear. dim: width of a token; depth, heads, dim_head,
    mlp_dim: of the transformer that sees both ears, as in the backbone `vanilla`.

    Raises ComponentError for a model that cannot be run on a spectrogram, and SetupError when its
    weights cannot be had here.
    """

    def __init__(
        self,
        *,
        member: str,
        input_shape: tuple[int, int, int],
        dim: int,
        depth: int,
        heads: int,
        mlp_dim: int,
        dim_head: int = 64,
        dropout: float = 0.0,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        self.member, self.input_shape, self.pretrained = member, tuple(input_shape), pretrained
        self.dim, self.depth, self.dropout = dim, depth, dropout
        self.heads, self.dim_head, self.mlp_dim = heads, dim_head, mlp_dim
        self._way = _way_in(member, self.input_shape)

    def embed(self, x: Float[Tensor, "B C F T"]) -> Float[Tensor, "B C F T"]:
        """Return the features as they are: each ear's model begins with them."""
        return x

    def ear_encoder(self) -> nn.Module:
        """Make a new encoder of one ear, from features to tokens `[B, N, dim]`."""
        way = self._way
        return Ear(
            _create(self.member, self.input_shape[0], way["options"], pretrained=self.pretrained),
            features=way["features"],
            dim=self.dim,
            channels_last=way["channels_last"],
            resize=way["resize"],
        )

    def encoder(self, width: int) -> nn.Module:
        """Make a new encoder of tokens `[B, N, width]`: pre-norm transformer blocks."""
        return Encoder(
            width=width,
            depth=self.depth,
            heads=self.heads,
            dim_head=self.dim_head,
            mlp_dim=self.mlp_dim,
            dropout=self.dropout,
        )


def tokens_of(
    model: nn.Module, features: Float[Tensor, "B C F T"], channels_last: bool
) -> Float[Tensor, "B N D"]:
    """Return what a timm model makes of features, before its pooling, as tokens."""
    found: Any = model.forward_features(features)  # type: ignore[operator]
    if isinstance(found, tuple | list):
        found = found[0]
    if found.ndim == 4:
        pattern = "b h w d -> b (h w) d" if channels_last else "b d h w -> b (h w) d"
        found = rearrange(found, pattern)
    tokens: Tensor = found
    return tokens


def _way_in(member: str, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """How a spectrogram gets into a model: as it is, with the model made for its size, or resized.

    The first way that works is taken; it depends on the model and the size alone.
    """
    channels, height, width = input_shape
    padded = tuple(_MULTIPLE * math.ceil(side / _MULTIPLE) for side in (height, width))
    config = timm.get_pretrained_cfg(member, allow_unregistered=True)
    usual = tuple(config.input_size[1:]) if config is not None else (224, 224)
    ways: list[tuple[dict[str, Any], tuple[int, ...] | None]] = [
        ({}, None),
        ({"img_size": padded}, padded),
        ({}, usual),
    ]
    if config is not None and config.fixed_input_size:
        ways = ways[1:]
    problems = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for options, size in ways:
            try:
                model = _create(member, channels, options, pretrained=False).eval()
                probe = torch.zeros(1, channels, *(size or (height, width)))
                found: Any = model.forward_features(probe)  # type: ignore[operator]
                found = found[0] if isinstance(found, tuple | list) else found
                features = int(model.num_features)  # type: ignore[arg-type]
                last = found.ndim == 3 or found.shape[-1] == features != found.shape[1]
                if found.ndim not in (3, 4) or found.shape[-1 if last else 1] != features:
                    raise ValueError(f"its features have the shape {tuple(found.shape)}")
            except (SetupError, KeyboardInterrupt):
                raise
            except Exception as error:  # a model that cannot take this size says so in its own way
                problems.append(f"{type(error).__name__}: {error}".splitlines()[0])
                continue
            return {
                "options": options,
                "resize": size,
                "features": features,
                "channels_last": last and found.ndim == 4,
            }
    raise ComponentError(
        f"The timm model {member!r} cannot encode a spectrogram of {height} × {width} bins "
        f"({problems[-1]}); choose another one: bastzoo list backbone 'timm/*'."
    )


def _create(member: str, channels: int, options: dict[str, Any], *, pretrained: bool) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(
            member, pretrained=pretrained, in_chans=channels, num_classes=0, **options
        )
    except Exception as error:
        if not pretrained:
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SetupError(
            f"The pretrained weights of timm/{member} cannot be had here ({first}); put them into the "
            "cache of huggingface_hub on this machine, or leave --pretrained away."
        ) from error
    return model
