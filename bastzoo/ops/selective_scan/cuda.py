"""The selective scan by mamba-ssm's CUDA kernel, where that package and its compiled part are installed.

Only its public function `selective_scan_fn` is used (https://github.com/state-spaces/mamba), which
wants `u`, `delta`, `B` and `C` in one dtype and `A`, `D` and `delta_bias` in float32.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.ops.selective_scan import reference


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
    """Scan as `dispatch.selective_scan` says; autograd differentiates it.

    What the kernel does not do, float64 and tensors without elements, goes to the reference.

    Raises:
        ImportError: mamba-ssm or its compiled part is not installed.
    """
    if u.dtype == torch.float64 or u.numel() == 0:
        return reference.selective_scan(u, delta, A, B, C, D, delta_bias, delta_softplus)
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    return selective_scan_fn(
        u,
        delta.to(u.dtype),
        A.float(),
        B.to(u.dtype),
        C.to(u.dtype),
        None if D is None else D.float(),
        delta_bias=None if delta_bias is None else delta_bias.float(),
        delta_softplus=delta_softplus,
    )
