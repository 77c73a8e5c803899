"""Where the tokens of a vision transformer look: attention rollout, and rollout weighted by gradients.

Rollout: Abnar and Zuidema, arXiv:2005.00928. Weighted: Chefer, Gur and Wolf, arXiv:2103.15679. Both are
followed from the pooled tokens through the fusion encoder and either ear's encoder back to the patches; the
integration joins the tokens of the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.errors import DataError
from bastzoo.explanation.gradients import Maps, check_clips, strength
from bastzoo.model import BinauralLocalizer
from bastzoo.zoo.backbones.patches import PatchEmbedding
from bastzoo.zoo.backbones.pooling import AttendedFrames, FirstToken, WeightedPatches
from bastzoo.zoo.backbones.vanilla import Encoder, Vanilla
from bastzoo.zoo.frontends import Spectrogram

SHARE = "share"


def check_attends(model: BinauralLocalizer) -> None:
    """Raise DataError for a model whose attention says nothing of frequencies."""
    if not isinstance(model.backbone, Vanilla):
        raise DataError(
            f"Rollout follows the attention of `vanilla`; {type(model.backbone).__name__} has none that "
            "reaches from every token to every other. The method gradient works for all."
        )
    if isinstance(model.pool, AttendedFrames):
        raise DataError(
            "Rollout ends at tokens that are weighed alike in every clip, and the pool `frames` weighs each "
            "clip's frames anew. The method gradient works for all."
        )
    if type(model.frontend) is not Spectrogram:  # others add rows that are lags
        raise DataError(
            f"Rollout ends at the frontend's features, and the rows of {type(model.frontend).__name__} are "
            "not frequencies alone. The method gradient goes on to the sound."
        )


def rollout(model: BinauralLocalizer, clips: Tensor) -> Maps:
    """Attention rollout, mean over attention heads: what share of the pooled token comes from where.

    Values sum to 1 over both ears of a clip. Raises DataError for a model that does not attend.
    """
    return _rolled(model, clips, by_gradient=False)


def gradient_rollout(model: BinauralLocalizer, clips: Tensor) -> Maps:
    """Rollout of attention times its gradient, where that is positive: what supports this very answer.

    The gradient is of the strength of the raw outputs. Values sum to 1 over both ears of a clip.
    """
    return _rolled(model, clips, by_gradient=True)


def _rolled(model: BinauralLocalizer, clips: Tensor, *, by_gradient: bool) -> Maps:
    check_attends(model)
    check_clips(clips)
    with torch.enable_grad(), _attention(model) as kept:
        features = model.features(clips).detach().requires_grad_()
        outputs = model.localize(features)
        attention = [tensor for each in kept.values() for tensor in each]
        slopes: Sequence[Tensor | None] = [None] * len(attention)
        if by_gradient:
            slopes = torch.autograd.grad(strength(outputs), attention)
    weighed = iter(zip(attention, slopes, strict=True))
    flow = {name: _flow([next(weighed) for _ in each]) for name, each in kept.items()}
    relevance = torch.einsum("n,bnm->bm", _pooled(model, flow["fusion"].shape[-1]), flow["fusion"])
    if model.sharing == "SP":
        # One encoder heard both ears, which lie next to each other.
        ears = flow["ears.0"].unflatten(0, (-1, 2)).unbind(1)
    else:
        ears = (flow["ears.0"], flow["ears.1"])
    each_ear = torch.stack([torch.einsum("bn,bnm->bm", relevance, ear) for ear in ears], dim=1)
    patches = each_ear[..., Vanilla.prefix_tokens :].detach()
    values = _painted(model, patches, (features.shape[-2], features.shape[-1]))
    values = values / values.sum(axis=(1, 2, 3), keepdims=True)
    frontend = model.frontend
    assert isinstance(frontend, Spectrogram)
    hertz = SAMPLE_RATE / frontend.window_length
    hop = frontend.hop_length / SAMPLE_RATE
    first = frontend.window_length / 2 / SAMPLE_RATE
    return Maps(
        values=values,
        frequencies=np.arange(values.shape[-2]) * hertz,
        times=first + np.arange(values.shape[-1]) * hop,
        unit=SHARE,
    )


@contextmanager
def _attention(model: BinauralLocalizer) -> Iterator[dict[str, list[Tensor]]]:
    """The attention `[B, heads, N, N]` of every block while the model runs, by encoder."""
    kept: dict[str, list[Tensor]] = {}
    hooks: list[Any] = []
    fused: list[tuple[Any, bool]] = []
    encoders = {f"ears.{place}": encoder for place, encoder in enumerate(model.ears)}
    for name, encoder in {**encoders, "fusion": model.fusion}.items():
        assert isinstance(encoder, Encoder)
        kept[name] = []
        for block in encoder.blocks:
            layer: Any = block.attn
            fused.append((layer, layer.fused_attn))
            layer.fused_attn = False  # the fused kernel never writes the matrix down
            hooks.append(layer.attn_drop.register_forward_hook(_keep(kept[name])))
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()
        for layer, was in fused:
            layer.fused_attn = was


def _keep(into: list[Tensor]) -> Callable[[Any, Any, Tensor], None]:
    def hook(_: Any, __: Any, attention: Tensor) -> None:
        into.append(attention)

    return hook


def _flow(blocks: Sequence[tuple[Tensor, Tensor | None]]) -> Float[Tensor, "B N N"]:
    """How much of each token (row) comes from each token before the blocks; rows sum to 1."""
    first = blocks[0][0]
    flow = torch.eye(first.shape[-1], device=first.device).expand(len(first), -1, -1)
    for attention, slope in blocks:
        weight = attention if slope is None else (attention * slope).clamp_min(0)
        passed = weight.mean(dim=1)
        if (
            slope is not None
        ):  # gradients have any size: the largest row weighs as much as what passes by
            passed = passed / passed.sum(dim=-1).amax(dim=-1).clamp_min(1e-12)[:, None, None]
        passed = passed + torch.eye(passed.shape[-1], device=passed.device)
        flow = (passed / passed.sum(dim=-1, keepdim=True)) @ flow
    return flow


def _pooled(model: BinauralLocalizer, tokens: int) -> Float[Tensor, " N"]:
    """What share of the pooled vector each token of the fusion encoder has."""
    share = torch.zeros(tokens, device=next(model.parameters()).device)
    if isinstance(model.pool, FirstToken):
        share[0] = 1.0
    elif isinstance(model.pool, WeightedPatches):
        weights = model.pool.weights.weight.detach()[0].abs()
        share[-len(weights) :] = weights / weights.sum()
    else:
        share += 1 / tokens
    return share


def _painted(
    model: BinauralLocalizer, patches: Float[Tensor, "B 2 N"], size: tuple[int, int]
) -> Float[np.ndarray, "B 2 F T"]:
    """For each bin the mean relevance of the tokens that were made of it."""
    assert isinstance(model.backbone, Vanilla)
    embedding = model.backbone.patches
    rows, columns = embedding.grid
    grid = patches.unflatten(-1, (rows, columns))
    if not isinstance(
        embedding, PatchEmbedding
    ):  # a stem: each token stands for its share of the plane
        whole = torch.nn.functional.interpolate(grid, size=size, mode="nearest")
        return whole.double().cpu().numpy() * rows * columns / (size[0] * size[1])
    flat = grid.flatten(0, 1)
    bins = _unfolded(embedding, flat) / _unfolded(embedding, torch.ones_like(flat[:1]))
    found: np.ndarray = bins.unflatten(0, tuple(grid.shape[:2])).double().cpu().numpy()
    return found


def _unfolded(
    embedding: PatchEmbedding, grid: Float[Tensor, "B rows columns"]
) -> Float[Tensor, "B F T"]:
    """The sum over the patches that hold a bin, their reflected margins folded back."""
    _, right, top, _ = embedding.padding
    spread = torch.nn.functional.conv_transpose2d(
        grid[:, None],
        torch.ones(1, 1, *embedding.projection.kernel_size, device=grid.device),
        stride=embedding.projection.stride,
    )[:, 0]
    bins = spread[:, top:, : spread.shape[-1] - right].clone()
    if top:
        bins[:, 1 : 1 + top] += spread[:, :top].flip(1)
    if right:
        bins[:, :, -1 - right : -1] += spread[:, :, spread.shape[-1] - right :].flip(2)
    return bins
