"""The selective scan as a plain PyTorch loop: the yardstick that every other implementation is tested by.

It is written to be read. It runs on any device and dtype and autograd differentiates it (twice, too).
It is slow, and it keeps tensors of size batch × channels × steps × state.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus


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
    """Scan step by step, as in Gu & Dao 2023 (arXiv:2312.00752, algorithm 2).

    Computes in float64 where `u` is float64, else in float32; returns `u`'s dtype.
    """
    precision = torch.float64 if u.dtype == torch.float64 else torch.float32
    x, step, A, B, C = (tensor.to(precision) for tensor in (u, delta, A, B, C))
    if delta_bias is not None:
        step = step + delta_bias.to(precision)[:, None]
    if delta_softplus:
        step = softplus(step)

    decay = torch.exp(torch.einsum("bdl,dn->bdln", step, A))
    drive = torch.einsum("bdl,bnl,bdl->bdln", step, B, x)
    state = x.new_zeros(u.shape[0], *A.shape)
    outputs = []
    for t in range(u.shape[2]):
        state = decay[:, :, t] * state + drive[:, :, t]
        outputs.append(torch.einsum("bdn,bn->bd", state, C[:, :, t]))
    y = torch.stack(outputs, dim=2) if outputs else torch.zeros_like(x)
    if D is not None:
        y = y + x * D.to(precision)[:, None]
    return y.to(u.dtype)
