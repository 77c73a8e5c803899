"""The Triton kernels without a GPU: run by Triton's interpreter, and compiled for one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

AGAINST_THE_REFERENCE = """
import sys
import torch
sys.path.insert(0, sys.argv[1])
from conftest import make_problem, assert_close, NAMES
from bastzoo.ops.selective_scan import reference, triton

for sizes, options, tolerance in [
    ((2, 5, 7, 3), {}, 2e-5),
    ((1, 17, 66, 1), {"transposed": True, "with_D": False, "with_bias": False}, 2e-5),
    ((1, 3, 129, 2), {"dtype": torch.float64, "softplus": False, "delta_shift": 0.0}, 1e-12),
    ((2, 2, 1, 5), {"delta_shift": 25.0}, 2e-5),
    ((1, 2, 9, 2), {"delta_shift": -18.0}, 2e-5),
    ((0, 2, 9, 2), {}, 2e-5),
]:
    scan = make_problem(*sizes, **options)
    y, states = triton.forward(*scan.tensors, scan.softplus)
    gradients = triton.backward(scan.dy, states, *scan.tensors, scan.softplus)
    expected = scan.to(torch.float64).answer(reference.selective_scan)
    found = {"y": y, **dict(zip(NAMES, gradients))}
    assert_close({name: found[name] for name in expected}, expected, tolerance)

half = make_problem(1, 4, 9, 2).to(torch.bfloat16)
y, states = triton.forward(*half.tensors, True)
assert y.dtype == torch.bfloat16 and states.dtype == torch.float32
exact = half.to(torch.float32).answer(reference.selective_scan)["y"]
torch.testing.assert_close(y.float(), exact, rtol=1e-2, atol=1e-2)
print("agrees")
"""

FOR_A_GPU = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from bastzoo.ops.selective_scan import triton as scan

constants = {"SOFTPLUS": True, "CHUNK": 64, "CHANNELS": 16, "ORDER": 8}
inputs = {"u", "delta", "B", "C", "y", "dy"}
sums = {"A", "D", "bias", "states", "du", "ddelta", "dA", "dB", "dC", "dD", "dbias"}
for kernel in (scan._forward_kernel, scan._backward_kernel):
    kinds = {}
    for name in kernel.arg_names:
        kinds[name] = "*bf16" if name in inputs else "*fp32" if name in sums else "i32"
        if name in constants:
            kinds[name] = "constexpr"
    try:
        source = ASTSource(kernel, signature=kinds, constexprs=constants)
    except TypeError:  # triton 3.2 calls them otherwise
        source = ASTSource(kernel, signature=kinds, constants=constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32))
    assert ".visible .entry" in compiled.asm["ptx"]
print("compiles")
"""


def run(code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_interpreted_the_kernels_give_the_values_and_gradients_of_the_reference():
    output = run(AGAINST_THE_REFERENCE, str(Path(__file__).parent), TRITON_INTERPRET="1")
    assert "agrees" in output


def test_the_kernels_compile_for_a_gpu_that_is_not_here(tmp_path):
    assert "compiles" in run(FOR_A_GPU, TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0")
