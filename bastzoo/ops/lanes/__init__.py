"""Sixteen numbers in one variable, for numba: the SIMD vocabulary of the CPU kernels.

numba leaves vectorising to LLVM, which has to prove first that the arrays of a loop do not overlap and
has no vector form of `exp`. `Lanes` says it outright: one variable is one LLVM vector, and LLVM cuts it
to what the processor has (one AVX-512 register, two of AVX2, four of NEON). Nothing here relaxes IEEE
arithmetic, except that a product and a sum may be fused; NaN and infinity behave as in PyTorch.
"""

from bastzoo.ops.lanes.arithmetic import larger, multiply_add, where_positive
from bastzoo.ops.lanes.functions import exp2, log1p_of_fraction, log2
from bastzoo.ops.lanes.memory import load, spread, store, store_half, sum_rows, transpose
from bastzoo.ops.lanes.vector import WIDTH, Lanes

__all__ = [
    "WIDTH",
    "Lanes",
    "exp2",
    "larger",
    "load",
    "log1p_of_fraction",
    "log2",
    "multiply_add",
    "spread",
    "store",
    "store_half",
    "sum_rows",
    "transpose",
    "where_positive",
]
