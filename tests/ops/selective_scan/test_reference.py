"""The yardstick itself: its gradients, and its values on scans that can be done by hand."""

import math

import torch

from bastzoo.ops.selective_scan import reference


def test_gradients_are_the_slopes_of_the_values(problem):
    for softplus in (True, False):
        scan = problem(2, 3, 5, 2, dtype=torch.float64, softplus=softplus)
        tensors = [t.requires_grad_() for t in scan.tensors]
        assert torch.autograd.gradcheck(
            lambda *t, softplus=softplus: reference.selective_scan(*t, softplus), tensors
        )


def test_a_scan_done_by_hand():
    u = torch.tensor([[[1.0, 2.0, 0.0]]])
    delta = torch.tensor([[[1.0, 0.5, 2.0]]])
    A, B, C = torch.tensor([[-1.0]]), torch.full((1, 1, 3), 3.0), torch.full((1, 1, 3), 0.5)
    first = 1.0 * 1.0 * 3.0
    second = math.exp(-0.5) * first + 0.5 * 2.0 * 3.0
    third = math.exp(-2.0) * second
    y = reference.selective_scan(u, delta, A, B, C, torch.tensor([10.0]), delta_softplus=False)
    expected = [0.5 * first + 10.0, 0.5 * second + 20.0, 0.5 * third]
    torch.testing.assert_close(y, torch.tensor([[expected]]))


def test_half_precision_is_scanned_in_float32(problem):
    scan = problem(2, 4, 9, 3).to(torch.bfloat16)
    y = reference.selective_scan(*scan.tensors)
    assert y.dtype == torch.bfloat16
    exact = reference.selective_scan(*scan.to(torch.float64).tensors)
    torch.testing.assert_close(y, exact.bfloat16())
