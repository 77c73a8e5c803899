"""The public function: it checks its arguments and hands them to the operator `bastzoo::selective_scan`."""

from typing import no_type_check

import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.ops.selective_scan import library
from bastzoo.ops.selective_scan.arguments import check, without_group
from bastzoo.ops.selective_scan.choice import implementation_for
from bastzoo.ops.selective_scan.implementations import DIFFERENTIABLE, differentiable


@no_type_check  # the checks below come with sentences, and must be the first to speak
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
    """Run the linear recurrence of a selective state space over time.

    For each batch and channel, with a state h of `state` numbers that starts at zero::

        step = softplus(delta + delta_bias)          (without softplus: delta + delta_bias)
        h[t] = exp(step[t] * A) * h[t-1] + step[t] * u[t] * B[t]
        y[t] = sum(h[t] * C[t]) + D * u[t]

    Arguments and result are those of mamba-ssm's `selective_scan_fn` with real `A` and with `B` and
    `C` that vary in time (Gu & Dao 2023, arXiv:2312.00752). `B` and `C` may carry mamba-ssm's group
    axis, `[batch, 1, state, steps]`, of one group.

    All arithmetic is in float32 (float64 where `u` is float64), also for half-precision inputs and
    under autocast; `y` has the dtype of `u`. Gradients flow to all seven tensors. The environment
    variable `BASTZOO_SCAN` (`reference`, `cpu`, `triton` or `cuda`) forces an implementation.

    Raises:
        ValueError: a shape, dtype or device that does not fit, naming the argument.
        SetupError: `BASTZOO_SCAN` names an implementation that does not exist or cannot run here.
    """
    B, C = without_group("B", B), without_group("C", C)
    check(u, delta, A, B, C, D, delta_bias)
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        name = implementation_for(u.device.type)
        if name in DIFFERENTIABLE:
            # Not through the operator, whose backward pass would have to run the function a second time, and
            # without autograd, which is the only one that differentiates mamba-ssm's.
            return differentiable(name)(u, delta, A, B, C, D, delta_bias, delta_softplus)
    y, _ = library.scan(u, delta, A, B, C, D, delta_bias, delta_softplus)
    return y
