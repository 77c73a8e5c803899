"""Exponentials and logarithms of lanes, which LLVM has no vector form of."""

import math
from typing import Any, no_type_check

from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic

from bastzoo.ops.lanes.vector import WIDTH, constant, fused, polynomial

# 2**x on [-0.5, 0.5]. For float32 a minimax polynomial, rounded (relative error 2e-8; one degree less
# would do but for 2**0, which must be 1: the error of a slow decay adds up over thousands of steps).
# For float64 Taylor's, whose next term is below 1e-17.
_EXP2 = {
    ir.FloatType(): [
        1.534581242594868e-04,
        1.3399930903688073e-03,
        9.618489071726799e-03,
        5.550328642129898e-02,
        2.4022646248340607e-01,
        6.931471824645996e-01,
        1.0,
    ],
    ir.DoubleType(): [math.log(2) ** k / math.factorial(k) for k in range(13, -1, -1)],
}
# Adding this to x rounds x to an integer k and leaves k + bias in the low bits of the sum, where the
# exponent field of 2**k wants it. No conversion to integers is needed, and a NaN stays one.
_ROUND = {ir.FloatType(): 1.5 * 2.0**23 + 127, ir.DoubleType(): 1.5 * 2.0**52 + 1023}
_BITS = {ir.FloatType(): (ir.IntType(32), 23, 128.0), ir.DoubleType(): (ir.IntType(64), 52, 1024.0)}


def _exp2(builder: ir.IRBuilder, x: Any) -> ir.Value:
    vector, element = x.type, x.type.element
    integer, mantissa, limit = _BITS[element]
    high, low = constant(vector, limit), constant(vector, 1 - limit)
    x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    shifted = builder.fadd(x, constant(vector, _ROUND[element]))
    rounded = builder.fsub(shifted, constant(vector, _ROUND[element]))
    fraction = builder.fsub(x, rounded)
    integers = ir.VectorType(integer, WIDTH)
    exponent = builder.shl(builder.bitcast(shifted, integers), constant(integers, mantissa))
    scale = builder.bitcast(exponent, vector)
    return builder.fmul(polynomial(builder, fraction, _EXP2[element]), scale)


@intrinsic
@no_type_check
def exp2(typing_context, x):
    """`2 ** x`. Results below the smallest normal number may be 0; the largest may be infinite."""
    return x(x), lambda context, builder, signature, arguments: _exp2(builder, *arguments)


# log1p(t) = 2 atanh(s) with s = t / (2 + t): this is atanh(s) / s as a polynomial in s * s on [0, 1/9],
# for float32 a minimax one (relative error 8e-9), for float64 Taylor's.
_ATANH = {
    ir.FloatType(): [
        1.408916711807251e-01,
        1.3980300724506378e-01,
        2.0012454688549042e-01,
        3.333315849304199e-01,
        1.0,
    ],
    ir.DoubleType(): [1 / (2 * k + 1) for k in range(17, -1, -1)],
}


@intrinsic
@no_type_check
def log1p_of_fraction(typing_context, t):
    """`log(1 + t)` for t from 0 to 1, exact to the last bits however small `t` is."""

    def generate(context, builder, signature, arguments):
        (t,) = arguments
        s = builder.fdiv(t, builder.fadd(t, constant(t.type, 2.0)))
        series = polynomial(builder, builder.fmul(s, s), _ATANH[t.type.element])
        return builder.fmul(builder.fadd(s, s), series)

    return t(t), generate


# log2(1 + t) / t on [1/sqrt(2) - 1, sqrt(2) - 1], by interpolation in Chebyshev's points (error of the
# logarithm 2e-9).
_LOG2 = [
    -0.10749787736372593,
    0.18476032410990498,
    -0.19138837938002004,
    0.20485764980669258,
    -0.23960812177496527,
    0.2885525612921885,
    -0.36069654180873895,
    0.48089852032801106,
    -0.7213473544789231,
    1.442695039999159,
]
# The bits of 1/sqrt(2): taken away, what is left in the exponent's place is the nearest power of two.
_HALF_ROOT = 0x3F3504F3


@intrinsic
@no_type_check
def log2(typing_context, x):
    """`log2(x)` of positive float32 numbers; of 0, and below the smallest normal one, about -127."""

    def generate(context, builder, signature, arguments):
        (x,) = arguments
        integers = ir.VectorType(ir.IntType(32), WIDTH)
        bits = builder.bitcast(x, integers)
        exponent = builder.ashr(
            builder.sub(bits, constant(integers, _HALF_ROOT)), constant(integers, 23)
        )
        mantissa = builder.sub(bits, builder.shl(exponent, constant(integers, 23)))
        t = builder.fsub(builder.bitcast(mantissa, x.type), constant(x.type, 1.0))
        whole = builder.sitofp(exponent, x.type)
        return fused(builder, polynomial(builder, t, _LOG2), t, whole)

    return x(x), generate
