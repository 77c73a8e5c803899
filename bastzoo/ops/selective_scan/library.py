"""Registers `bastzoo::selective_scan` with torch: one operator, whatever implementation runs behind it.

So autograd, `torch.compile`, `torch.export` and the FLOP counter know it. Under autocast it takes the
half-precision tensors as they come, since every implementation computes in float32 anyway. Beside `y`
the operator returns the states that its backward pass starts from (see `arguments.CHECKPOINT_STEPS`).
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from bastzoo.ops.selective_scan.arguments import checkpoint_count, precision_of
from bastzoo.ops.selective_scan.choice import for_device

_INPUTS = (
    "Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? delta_bias, "
    "bool delta_softplus"
)

# Kept for as long as the process runs: a Library that is collected takes its operators along.
_library = torch.library.Library("bastzoo", "DEF")
_library.define(f"selective_scan({_INPUTS}) -> (Tensor, Tensor)")
_library.define(
    f"selective_scan_backward(Tensor dy, Tensor states, {_INPUTS}) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)
#: The operator, with the arguments of `selective_scan`, all of them given.
scan = torch.ops.bastzoo.selective_scan.default
_scan_backward = torch.ops.bastzoo.selective_scan_backward.default


# -- the passes, on tensors and on fake tensors -----------------------------------------------------


def _forward(u: Tensor, *inputs: Any) -> tuple[Tensor, Tensor]:
    return for_device(u.device.type).forward(u, *inputs)


def _backward(dy: Tensor, states: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
    return for_device(dy.device.type).backward(dy, states, *inputs)


_library.impl("selective_scan", _forward, "CompositeExplicitAutograd")
_library.impl("selective_scan_backward", _backward, "CompositeExplicitAutograd")


@torch.library.register_fake("bastzoo::selective_scan", lib=_library)
def _fake_forward(u: Tensor, delta: Tensor, A: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    batch, channels, steps = u.shape
    kept = batch, checkpoint_count(steps), A.shape[1], channels
    return torch.empty_like(u), u.new_empty(kept, dtype=precision_of(u))


@torch.library.register_fake("bastzoo::selective_scan_backward", lib=_library)
def _fake_backward(dy: Tensor, states: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
    u, delta, A, B, C, *_ = inputs
    precision = precision_of(u)
    like_a_tensor = (torch.empty_like(t, dtype=precision) for t in (u, delta))
    contiguous = (t.new_empty(t.shape, dtype=precision) for t in (A, B, C))
    of_channels = (u.new_empty(u.shape[1], dtype=precision) for _ in range(2))
    return *like_a_tensor, *contiguous, *of_channels


# -- autograd ---------------------------------------------------------------------------------------


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.delta_softplus = inputs
    _, states = output
    ctx.mark_non_differentiable(states)
    ctx.save_for_backward(states, *tensors)


def _differentiate(ctx: Any, dy: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    states, *tensors = ctx.saved_tensors
    gradients = _scan_backward(dy, states, *tensors, ctx.delta_softplus)
    wanted = (
        gradient.to(tensor.dtype) if tensor is not None and needed else None
        for gradient, tensor, needed in zip(
            gradients, tensors, ctx.needs_input_grad[:-1], strict=True
        )
    )
    return *wanted, None


def _refuse(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
    raise NotImplementedError(
        "the gradients of selective_scan cannot be differentiated again: "
        "set BASTZOO_SCAN=reference, whose gradients can"
    )


torch.library.register_autograd(
    "bastzoo::selective_scan", _differentiate, setup_context=_remember, lib=_library
)
torch.library.register_autograd("bastzoo::selective_scan_backward", _refuse, lib=_library)


# -- FLOPs ------------------------------------------------------------------------------------------


@register_flop_formula(torch.ops.bastzoo.selective_scan)
def _flops(u_shape: torch.Size, delta_shape: Any, A_shape: torch.Size, *_: Any, **__: Any) -> int:
    """Count a multiply-add as 2, as torch does for matrix products, and an exponential as 1.

    A state and step: product and exponential of the decay (2), product of the drive (1), multiply-add of
    the state (2) and of the output (2). A channel and step: step × u (1), multiply-add of D × u (2).
    """
    per_channel = u_shape[0] * u_shape[1] * u_shape[2]
    return per_channel * (7 * A_shape[1] + 3)


@register_flop_formula(torch.ops.bastzoo.selective_scan_backward)
def _backward_flops(dy_shape: torch.Size, states_shape: torch.Size, *_: Any, **__: Any) -> int:
    """Count the states once more, without output (5), and the gradients.

    A state and step: six multiply-adds and two products (14). A channel and step: step × u (1), three
    multiply-adds (6), and the product with the slope (1).
    """
    per_channel = dy_shape[0] * dy_shape[1] * dy_shape[2]
    return per_channel * ((5 + 14) * states_shape[2] + 8)
