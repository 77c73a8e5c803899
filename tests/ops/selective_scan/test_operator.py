"""torch sees one operator: its tools know it, and it behaves under autocast, compile and export."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bastzoo.ops.selective_scan import library, selective_scan


class Scan(torch.nn.Module):
    def forward(self, *tensors):
        return selective_scan(*tensors)


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)  # opcheck's
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("steps", [7, 130])
def test_the_registration_holds_what_it_promises(problem, dtype, steps):
    tensors = [t.requires_grad_() for t in problem(2, 17, steps, 3, dtype=dtype).tensors]
    torch.library.opcheck(library.scan, (*tensors, True))


def test_the_registration_holds_for_transposed_tensors_without_skip_and_bias(problem):
    scan = problem(2, 16, 20, 3, transposed=True, with_D=False, with_bias=False)
    torch.library.opcheck(library.scan, (*scan.tensors, False))


def test_gradients_of_gradients_are_refused_in_words(problem):
    scan = problem(1, 2, 3, 2)
    u = scan.tensors[0].requires_grad_()
    (du,) = torch.autograd.grad(selective_scan(*scan.tensors).sum(), u, create_graph=True)
    with pytest.raises(NotImplementedError, match="BASTZOO_SCAN=reference"):
        torch.autograd.grad(du.sum(), u)


def test_compiled_it_gives_the_same_values_and_gradients(problem, check):
    compiled = torch.compile(selective_scan, backend="aot_eager", fullgraph=True)
    check(problem(2, 20, 70, 4), compiled, 2e-5)


def test_exported_it_is_one_node(problem):
    tensors = problem(2, 20, 70, 4).tensors
    exported = torch.export.export(Scan(), tensors)
    calls = [node.target for node in exported.graph.nodes if node.op == "call_function"]
    assert calls.count(library.scan) == 1
    torch.testing.assert_close(exported.module()(*tensors), selective_scan(*tensors))


def test_autocast_leaves_the_dtypes_as_they_come(problem):
    u, delta, A, B, C, D, bias = problem(2, 4, 9, 3).tensors
    expected = selective_scan(u.bfloat16(), delta.bfloat16(), A, B, C, D, bias)
    with torch.autocast("cpu", torch.bfloat16):
        y = selective_scan(u.bfloat16(), delta.bfloat16(), A, B, C, D, bias)
        assert selective_scan(u, delta, A, B, C, D, bias).dtype == torch.float32
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, expected)


def test_only_the_wanted_gradients_come_back(problem):
    tensors = list(problem(2, 4, 9, 3).tensors)
    tensors[2].requires_grad_()
    selective_scan(*tensors).sum().backward()
    assert tensors[2].grad is not None
    assert all(t.grad is None for i, t in enumerate(tensors) if i != 2)


def test_flops_are_counted_for_both_passes(problem):
    tensors = [t.requires_grad_() for t in problem(2, 3, 5, 4).tensors]
    with FlopCounterMode(display=False) as counter:
        y = selective_scan(*tensors)
    assert counter.get_total_flops() == 2 * 3 * 5 * (7 * 4 + 3)
    with FlopCounterMode(display=False) as counter:
        y.sum().backward()
    assert counter.get_total_flops() == 2 * 3 * 5 * (19 * 4 + 8)
