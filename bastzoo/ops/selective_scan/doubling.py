"""The selective scan in log2(steps) rounds of standard operators: what an exported network runs.

Each round joins every step with the one that lies 1, 2, 4, ... steps before it (Hillis, Steele, Comm. ACM
29:1170, 1986), so no loop is left in the graph, and any runtime has the operators. It keeps tensors of size
batch × channels × steps × state.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, softplus


def selective_scan(
    u: Float[Tensor, "batch channels steps"],
    delta: Float[Tensor, "batch channels steps"],
    A: Float[Tensor, "channels state"],
    B: Float[Tensor, "batch state steps"],
    C: Float[Tensor, "batch state steps"],
    D: Float[Tensor, " channels"] | None = None,
    delta_bias: Float[Tensor, " channels"] | None = None,
    delta_softplus: bool = True,
) -> Float[Tensor, "batch channels steps"]:
    """Scan as `bastzoo.ops.selective_scan.reference` does, in the precision of `u`."""
    step = delta if delta_bias is None else delta + delta_bias[:, None]
    if delta_softplus:
        step = softplus(step)
    # batch, channels, steps, state
    decay = torch.exp(step[..., None] * A[:, None])
    state = (step * u)[..., None] * B.transpose(1, 2)[:, None]
    distance = 1
    while distance < u.shape[2]:
        before = pad(state[:, :, :-distance], (0, 0, distance, 0))
        state = state + decay * before
        decay = decay * pad(decay[:, :, :-distance], (0, 0, distance, 0), value=1.0)
        distance *= 2
    y = (state * C.transpose(1, 2)[:, None]).sum(-1)
    return y if D is None else y + u * D[:, None]
