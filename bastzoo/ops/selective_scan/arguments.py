"""What the selective scan accepts: shapes, devices and dtypes, and the sentences said when they are wrong."""

from collections.abc import Sequence

import torch
from torch import Tensor

#: Steps between two kept states. Between them the backward pass recomputes the states.
CHECKPOINT_STEPS = 64


def precision_of(u: Tensor) -> torch.dtype:
    """The dtype of the state and of all arithmetic: float64 for float64 inputs, else float32."""
    return torch.float64 if u.dtype == torch.float64 else torch.float32


def checkpoint_count(steps: int | torch.SymInt) -> int | torch.SymInt:
    """How many states a scan of so many steps keeps (the first state, zero, is not kept)."""
    return torch.sym_max(0, (steps - 1) // CHECKPOINT_STEPS)


def check(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
) -> None:
    """Raise a ValueError that names the argument and the expected shape, unless all of them fit."""
    given = {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "delta_bias": delta_bias}
    tensors = {name: value for name, value in given.items() if value is not None}
    for name, tensor in tensors.items():
        if not tensor.dtype.is_floating_point:
            raise ValueError(
                f"{name} must hold real floating-point numbers, and it is {tensor.dtype}"
            )
        if tensor.device != u.device:
            raise ValueError(
                f"{name} is on {tensor.device} and u is on {u.device}: "
                f"move all arguments of selective_scan to one device"
            )
    if u.ndim != 3:
        raise ValueError(f"u must have the shape [batch, channels, steps], not {_text(u.shape)}")
    batch, channels, steps = u.shape
    if A.ndim != 2 or A.shape[0] != channels or A.shape[1] == 0:
        raise ValueError(
            f"A must have the shape [channels, state] = [{channels}, 1 or more], "
            f"not {_text(A.shape)}"
        )
    state = A.shape[1]
    expected = {
        "delta": ("[batch, channels, steps]", (batch, channels, steps)),
        "B": ("[batch, state, steps]", (batch, state, steps)),
        "C": ("[batch, state, steps]", (batch, state, steps)),
        "D": ("[channels]", (channels,)),
        "delta_bias": ("[channels]", (channels,)),
    }
    for name, (words, shape) in expected.items():
        if name in tensors and tuple(tensors[name].shape) != shape:
            raise ValueError(
                f"{name} must have the shape {words} = {_text(shape)}, "
                f"not {_text(tensors[name].shape)}"
            )


def without_group(name: str, tensor: Tensor) -> Tensor:
    """B or C as `[batch, state, steps]`, also from mamba-ssm's `[batch, groups, state, steps]`."""
    if tensor.ndim != 4:
        return tensor
    if tensor.shape[1] != 1:
        raise ValueError(
            f"{name} has {tensor.shape[1]} groups, and selective_scan knows one: "
            f"give it the shape [batch, state, steps] or [batch, 1, state, steps]"
        )
    return tensor.squeeze(1)


def _text(shape: Sequence[int]) -> str:
    return "[" + ", ".join(str(size) for size in shape) + "]"
