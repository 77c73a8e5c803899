"""Every implementation that can run here gives the reference's values and all seven gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.ops.selective_scan import diagnosis, selective_scan
from bastzoo.ops.selective_scan.availability import VARIABLE

RUNNABLE = [found.name for found in diagnosis() if found.ok]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


@pytest.fixture(params=RUNNABLE, scope="module")
def implementation(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, request.param)
        yield request.param


@pytest.fixture(autouse=True)
def _nothing_forced():
    """Replaces the fixture of the folder: here every test forces an implementation."""


sizes = {
    "batch": st.integers(0, 5),
    "channels": st.integers(1, 40),
    "steps": st.sampled_from([1, 2, 15, 16, 17, 63, 64, 65, 100, 129, 150]),
    "state": st.one_of(st.integers(1, 17), st.just(64)),
    "seed": st.integers(0, 2**16),
    "delta_scale": st.sampled_from([1e-3, 1.0, 10.0]),
    "delta_shift": st.sampled_from([-15.0, -1.0, 5.0, 25.0]),
    "with_D": st.booleans(),
    "with_bias": st.booleans(),
    "softplus": st.booleans(),
    "transposed": st.booleans(),
    "dtype": st.sampled_from([torch.float32, torch.float64]),
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(arguments=st.fixed_dictionaries(sizes))
def test_random_scans(implementation, problem, check, arguments):
    scan = problem(**arguments)
    check(scan, selective_scan, TOLERANCE[arguments["dtype"]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_scanned_in_float32(implementation, problem, dtype):
    half = problem(3, 20, 70, 8).to(dtype)
    single = half.to(torch.float32).answer(selective_scan)
    for name, found in half.answer(selective_scan).items():
        assert found.dtype == dtype
        torch.testing.assert_close(found, single[name].to(dtype), rtol=1e-2, atol=1e-2)


def test_inputs_that_are_slices_of_others(implementation, problem, check):
    scan = problem(3, 40, 90, 8)
    u, delta, A, B, C, D, bias = scan.tensors
    tensors = (u[:, ::2], delta[:, 1::2], A[::2], B[:, :, :], C, D[20:], bias[:20])
    scan = type(scan)(tuple(t[..., 5:75] if t.ndim == 3 else t for t in tensors), u[:, 3:23, :70])
    check(scan, selective_scan, 2e-5)


def test_gradients_that_are_expanded_numbers(implementation, problem, check):
    scan = problem(2, 16, 40, 4)
    check(type(scan)(scan.tensors, torch.ones(()).expand(2, 16, 40)), selective_scan, 2e-5)


@pytest.mark.parametrize(
    ("delta", "rate"),
    [(1e4, -1.0), (1e30, -1e30), (-1e4, -1.0), (-50.0, -1e20), (25.0, -1e-30), (3.0, 0.0)],
)
def test_extreme_values_give_what_the_reference_gives(implementation, problem, delta, rate):
    from bastzoo.ops.selective_scan import reference

    scan = problem(2, 17, 70, 5)
    u, _, A, B, C, D, bias = scan.tensors
    tensors = (u, torch.full_like(u, delta), torch.full_like(A, rate), B, C, D, bias)
    scan = type(scan)(tensors, scan.dy)
    expected = scan.answer(reference.selective_scan)
    for name, found in scan.answer(selective_scan).items():
        assert torch.equal(found.isfinite(), expected[name].isfinite()), name
        scale = expected[name].nan_to_num(0, 0, 0).abs().max().clamp(min=1e-6)
        torch.testing.assert_close(
            found / scale, expected[name] / scale, rtol=1e-4, atol=1e-5, equal_nan=True
        )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_none_stays_visible(implementation, problem, bad):
    scan = problem(1, 4, 70, 3)
    scan.tensors[0][0, 2, 30] = bad
    y = selective_scan(*scan.tensors)
    assert not y[0, 2, 30:].isfinite().any()
    assert y[0, 2, :30].isfinite().all()
    assert y[0, [0, 1, 3]].isfinite().all()
