"""Finds the code behind the name of an implementation of the selective scan.

An implementation is a `forward` and a `backward` with the arguments of the operators that `library`
registers. Those that come as one differentiable function are adapted by `Recomputed`.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from bastzoo.ops.selective_scan.arguments import checkpoint_count, precision_of


@runtime_checkable
class Implementation(Protocol):
    """The two passes of a selective scan, without autograd."""

    def forward(self, u: Tensor, *inputs: Any) -> tuple[Tensor, Tensor]:
        """`y`, in the dtype of `u`, and the kept states `[batch, checkpoints, state, channels]`."""

    def backward(self, dy: Tensor, states: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
        """The gradients of u, delta, A, B, C, D and delta_bias, in the precision of the state."""


DIFFERENTIABLE = ("reference", "cuda")
"""Implementations that are one function, which autograd differentiates."""


class Recomputed:
    """A differentiable function as an implementation: the backward pass runs it once more.

    Not by autograd, which is off while an operator runs.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self._function = function

    def forward(self, u: Tensor, *inputs: Any) -> tuple[Tensor, Tensor]:
        """Scan; the states stay empty, for nothing reads them."""
        y = self._function(u, *inputs)
        kept = u.shape[0], checkpoint_count(u.shape[2]), inputs[1].shape[1], u.shape[1]
        return y, u.new_zeros(kept, dtype=precision_of(u))

    def backward(self, dy: Tensor, states: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
        """Scan again, and back."""
        u, delta, A, B, C, D, delta_bias, delta_softplus = inputs
        precision = precision_of(u)
        tensors = [
            u.new_zeros(u.shape[1]) if t is None else t for t in (u, delta, A, B, C, D, delta_bias)
        ]
        tensors = [t.detach().to(precision) for t in tensors]
        pull: Any = torch.func.vjp(lambda *t: self._function(*t, delta_softplus), *tensors)[1]
        return pull(dy.to(precision))


def implementation(name: str) -> Implementation:
    """The implementation of this name, imported now.

    Raises:
        ImportError: what it needs is not installed.
    """
    if name in DIFFERENTIABLE:
        return Recomputed(differentiable(name))
    where = "cpu.scan" if name == "cpu" else name
    module: Any = import_module(f"bastzoo.ops.selective_scan.{where}")
    return module


def differentiable(name: str) -> Callable[..., Tensor]:
    """The function of an implementation that is one, imported now."""
    module: Any = import_module(f"bastzoo.ops.selective_scan.{name}")
    return module.selective_scan
