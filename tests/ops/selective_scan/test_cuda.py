"""The adapter to mamba-ssm, held against a stand-in for that package with its conditions."""

import sys
from types import ModuleType

import pytest
import torch

from bastzoo.ops.selective_scan import dispatch, reference, selective_scan
from bastzoo.ops.selective_scan.implementations import implementation


@pytest.fixture
def calls(monkeypatch):
    """What was handed to the stand-in for `selective_scan_fn`."""
    seen = []

    def selective_scan_fn(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):
        assert {t.dtype for t in (delta, B, C)} == {u.dtype}
        assert all(t is None or t.dtype == torch.float32 for t in (A, D, delta_bias))
        seen.append(u)
        return reference.selective_scan(u, delta, A, B, C, D, delta_bias, delta_softplus)

    interface = ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = selective_scan_fn
    for name in ("mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    return seen


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("weights", [True, False])
def test_both_passes_go_through_the_public_function(calls, problem, dtype, weights):
    scan = problem(2, 3, 5, 4, dtype=dtype, with_D=weights, with_bias=weights)
    cuda = implementation("cuda")
    y, states = cuda.forward(*scan.tensors, True)
    assert y.dtype == dtype
    gradients = cuda.backward(scan.dy, states, *scan.tensors, True)
    assert len(calls) == (0 if dtype == torch.float64 else 2)
    expected = scan.to(torch.float64).answer(reference.selective_scan)
    for found, (name, theirs) in zip(gradients, list(expected.items())[1:], strict=False):
        torch.testing.assert_close(found.double(), theirs, rtol=1e-4, atol=1e-4, msg=name)


def test_training_goes_through_the_public_function_once(calls, problem, monkeypatch):
    """mamba-ssm's own gradient is used: an operator's backward pass would have none."""
    monkeypatch.setattr(dispatch, "implementation_for", lambda device: "cuda")
    scan = problem(2, 3, 5, 4)
    found, expected = scan.answer(selective_scan), scan.answer(reference.selective_scan)
    assert len(calls) == 1
    for name, theirs in expected.items():
        torch.testing.assert_close(found[name], theirs, msg=name)


def test_an_empty_batch_never_reaches_the_kernel(calls, problem):
    y, _ = implementation("cuda").forward(*problem(0, 3, 5, 4).tensors, True)
    assert y.shape == (0, 3, 5)
    assert not calls
