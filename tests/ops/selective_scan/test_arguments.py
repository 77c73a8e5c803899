"""Wrong arguments are refused in a sentence that names the argument and the expected shape."""

import pytest
import torch

from bastzoo.ops.selective_scan import selective_scan

POSITION = {"u": 0, "delta": 1, "A": 2, "B": 3, "C": 4, "D": 5, "delta_bias": 6}


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("u", (2, 4), "[batch, channels, steps]"),
        ("delta", (2, 4, 6), "[2, 4, 5]"),
        ("A", (3, 3), "[4, 1 or more]"),
        ("A", (4, 0), "[4, 1 or more]"),
        ("B", (2, 5, 3), "[2, 3, 5]"),
        ("C", (3, 5), "[2, 3, 5]"),
        ("D", (4, 1), "[4]"),
        ("delta_bias", (3,), "[4]"),
    ],
)
def test_a_wrong_shape(problem, name, shape, expected):
    tensors = list(problem(2, 4, 5, 3).tensors)
    tensors[POSITION[name]] = torch.zeros(shape)
    with pytest.raises(ValueError, match=f"^{name} must have the shape") as caught:
        selective_scan(*tensors)
    assert expected in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("name", POSITION)
def test_numbers_that_are_not_real_floats(problem, name, dtype):
    tensors = list(problem(2, 4, 5, 3).tensors)
    tensors[POSITION[name]] = tensors[POSITION[name]].to(dtype)
    with pytest.raises(ValueError, match=f"^{name} must hold real floating-point numbers"):
        selective_scan(*tensors)


@pytest.mark.parametrize("name", [name for name in POSITION if name != "u"])
def test_devices_that_differ(problem, name):
    tensors = list(problem(2, 4, 5, 3).tensors)
    tensors[POSITION[name]] = tensors[POSITION[name]].to("meta")
    with pytest.raises(ValueError, match=f"^{name} is on meta and u is on cpu"):
        selective_scan(*tensors)


def test_one_group_is_taken_and_more_are_refused(problem):
    u, delta, A, B, C, *others = problem(2, 4, 5, 3).tensors
    grouped = selective_scan(u, delta, A, B[:, None], C[:, None], *others)
    assert torch.equal(grouped, selective_scan(u, delta, A, B, C, *others))
    with pytest.raises(ValueError, match="B has 2 groups"):
        selective_scan(u, delta, A, torch.stack([B, B], 1), C, *others)
