"""Random scans, and the reference's answer to them, for the tests of the selective scan."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from bastzoo.ops.selective_scan import reference
from bastzoo.ops.selective_scan.availability import VARIABLE

NAMES = ("u", "delta", "A", "B", "C", "D", "delta_bias")


@dataclass(frozen=True)
class Problem:
    """The arguments of a scan and a gradient of its output."""

    tensors: tuple[Tensor | None, ...]
    dy: Tensor
    softplus: bool = True

    def to(self, dtype: torch.dtype) -> "Problem":
        tensors = tuple(t if t is None else t.to(dtype) for t in self.tensors)
        return replace(self, tensors=tensors, dy=self.dy.to(dtype))

    def answer(self, scan: Callable[..., Tensor]) -> dict[str, Tensor]:
        """`y` and the gradients of the arguments that are there, by name."""
        tensors = [t if t is None else t.detach().requires_grad_() for t in self.tensors]
        y = scan(*tensors, self.softplus)
        given = {name: t for name, t in zip(NAMES, tensors, strict=True) if t is not None}
        gradients = torch.autograd.grad(y, list(given.values()), self.dy)
        return {"y": y.detach(), **dict(zip(given, gradients, strict=True))}


def make_problem(
    batch: int,
    channels: int,
    steps: int,
    state: int,
    *,
    seed: int = 0,
    delta_scale: float = 1.0,
    delta_shift: float = -1.0,
    dtype: torch.dtype = torch.float32,
    with_D: bool = True,
    with_bias: bool = True,
    softplus: bool = True,
    transposed: bool = False,
) -> Problem:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        if not transposed or len(shape) < 3:
            return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        batch, rows, steps = shape
        numbers = torch.randn(batch, steps, rows, generator=generator, dtype=torch.float64)
        return numbers.to(dtype).transpose(1, 2)

    delta = normal(batch, channels, steps) * delta_scale + delta_shift
    tensors = (
        normal(batch, channels, steps),
        delta if softplus else delta.abs(),
        -normal(channels, state).abs() * 2,
        normal(batch, state, steps),
        normal(batch, state, steps),
        normal(channels) if with_D else None,
        normal(channels).abs() if with_bias else None,
    )
    return Problem(tensors, normal(batch, channels, steps), softplus)


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Compare by the largest error of a tensor, relative to its largest number."""
    assert found.keys() == expected.keys()
    for name, theirs in expected.items():
        ours = found[name].to(theirs.dtype)
        assert ours.shape == theirs.shape, name
        scale = max(theirs.abs().max().item(), 1e-6) if theirs.numel() else 1.0
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=tolerance * scale, msg=lambda m, name=name: f"{name}: {m}"
        )


@pytest.fixture(scope="session")
def problem() -> Callable[..., Problem]:
    return make_problem


@pytest.fixture(scope="session")
def check() -> Callable[..., None]:
    """Hold the answer of a scan against the reference in float64."""

    def check(problem: Problem, scan: Callable[..., Tensor], tolerance: float) -> None:
        expected = problem.to(torch.float64).answer(reference.selective_scan)
        assert_close(problem.answer(scan), expected, tolerance)

    return check


@pytest.fixture(autouse=True)
def _nothing_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
