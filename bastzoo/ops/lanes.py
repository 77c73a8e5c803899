"""Sixteen numbers in one variable, for numba: the SIMD vocabulary of the CPU kernels.

numba leaves vectorising to LLVM, which has to prove first that the arrays of a loop do not overlap and
has no vector form of `exp`. `Lanes` says it outright: one variable is one LLVM vector, and LLVM cuts it
to what the processor has (one AVX-512 register, two of AVX2, four of NEON). Nothing here relaxes IEEE
arithmetic, except that a product and a sum may be fused; NaN and infinity behave as in PyTorch.
"""

import functools
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, no_type_check

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

WIDTH = 16


class Lanes(types.Type):
    """The numba type of a vector of `WIDTH` floats."""

    def __init__(self, element: types.Float) -> None:
        self.element = element
        super().__init__(name=f"Lanes({element})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        element = manager.lookup(lanes.element).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(element, WIDTH))


def _constant(vector: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(vector, [value] * WIDTH)


def _spread(context: Any, builder: ir.IRBuilder, value: ir.Value, of: Any, lanes: Lanes) -> Any:
    """A scalar of numba type `of` in every lane; lanes as they are."""
    if isinstance(of, Lanes):
        return value
    scalar = context.cast(builder, value, of, lanes.element)
    vector = context.get_value_type(lanes)
    start = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(start, start, ir.VectorType(ir.IntType(32), WIDTH)([0] * WIDTH))


def _multiply_add(builder: ir.IRBuilder, a: Any, b: Any, c: Any) -> ir.Value:
    letter = "f32" if isinstance(a.type.element, ir.FloatType) else "f64"
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(a.type, [a.type] * 3),
        f"llvm.fmuladd.v{WIDTH}{letter}",
    )
    return builder.call(function, [a, b, c])


def _polynomial(builder: ir.IRBuilder, x: Any, coefficients: Iterable[float]) -> ir.Value:
    """Horner's scheme; the coefficient of the highest power comes first."""
    highest, *others = (_constant(x.type, c) for c in coefficients)
    total = highest
    for coefficient in others:
        total = _multiply_add(builder, total, x, coefficient)
    return total


# -- arithmetic -----------------------------------------------------------------------------------


def _widest(*arguments: Any) -> Lanes | None:
    return next((a for a in arguments if isinstance(a, Lanes)), None)


def _binary(emit: Callable[[ir.IRBuilder, Any, Any], ir.Value]) -> Any:
    """An intrinsic of two arguments, of which one may be a scalar."""

    @intrinsic
    @no_type_check
    def operation(typing_context, left, right):
        lanes = _widest(left, right)

        def generate(context, builder, signature, arguments):
            a, b = (
                _spread(context, builder, value, of, lanes)
                for value, of in zip(arguments, signature.args, strict=True)
            )
            return emit(builder, a, b)

        return lanes(left, right), generate

    return operation


def _select_larger(builder: ir.IRBuilder, a: Any, b: Any) -> ir.Value:
    return builder.select(builder.fcmp_ordered("<", a, b), b, a)


_operations = {
    operator.add: _binary(lambda builder, a, b: builder.fadd(a, b)),
    operator.sub: _binary(lambda builder, a, b: builder.fsub(a, b)),
    operator.mul: _binary(lambda builder, a, b: builder.fmul(a, b)),
    operator.truediv: _binary(lambda builder, a, b: builder.fdiv(a, b)),
}


def _overload_operator(symbol: Any, operation: Any) -> None:
    @overload(symbol)
    @no_type_check
    def choose(left, right):
        if _widest(left, right) is None:
            return None
        return lambda left, right: operation(left, right)


for _symbol, _operation in _operations.items():
    _overload_operator(_symbol, _operation)

#: `larger(a, b)`: lane by lane; NaN where `a` is NaN.
larger = _binary(_select_larger)


@intrinsic
@no_type_check
def multiply_add(typing_context, a, b, c):
    """`a * b + c`, fused where the processor can; scalars are spread."""
    lanes = _widest(a, b, c)

    def generate(context, builder, signature, arguments):
        values = (
            _spread(context, builder, value, of, lanes)
            for value, of in zip(arguments, signature.args, strict=True)
        )
        return _multiply_add(builder, *values)

    return lanes(a, b, c), generate


@intrinsic
@no_type_check
def where_positive(typing_context, x, a, b):
    """`a` in the lanes where `x > 0`, else `b`; scalars are spread."""

    def generate(context, builder, signature, arguments):
        condition, *choices = (
            _spread(context, builder, value, of, x)
            for value, of in zip(arguments, signature.args, strict=True)
        )
        zero = _constant(condition.type, 0.0)
        return builder.select(builder.fcmp_ordered(">", condition, zero), *choices)

    return x(x, a, b), generate


# -- functions ------------------------------------------------------------------------------------

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
    high, low = _constant(vector, limit), _constant(vector, 1 - limit)
    x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    shifted = builder.fadd(x, _constant(vector, _ROUND[element]))
    rounded = builder.fsub(shifted, _constant(vector, _ROUND[element]))
    fraction = builder.fsub(x, rounded)
    integers = ir.VectorType(integer, WIDTH)
    exponent = builder.shl(builder.bitcast(shifted, integers), _constant(integers, mantissa))
    scale = builder.bitcast(exponent, vector)
    return builder.fmul(_polynomial(builder, fraction, _EXP2[element]), scale)


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
        s = builder.fdiv(t, builder.fadd(t, _constant(t.type, 2.0)))
        series = _polynomial(builder, builder.fmul(s, s), _ATANH[t.type.element])
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
            builder.sub(bits, _constant(integers, _HALF_ROOT)), _constant(integers, 23)
        )
        mantissa = builder.sub(bits, builder.shl(exponent, _constant(integers, 23)))
        t = builder.fsub(builder.bitcast(mantissa, x.type), _constant(x.type, 1.0))
        whole = builder.sitofp(exponent, x.type)
        return _multiply_add(builder, _polynomial(builder, t, _LOG2), t, whole)

    return x(x), generate


# -- memory ---------------------------------------------------------------------------------------


def _address(context: Any, builder: ir.IRBuilder, array: Any, of: Any, index: Any, by: Any) -> Any:
    """The address of one number of an array; the index must be in range and not negative."""
    indices = [
        context.cast(builder, value, kind, types.intp)
        for value, kind in zip(cgutils.unpack_tuple(builder, index), by, strict=True)
    ]
    view = context.make_array(of)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, of, view, indices)


def _vector(context: Any, array: Any) -> ir.VectorType:
    return context.get_value_type(Lanes(array.dtype))


def _read(builder: ir.IRBuilder, address: Any, vector: ir.VectorType) -> ir.Value:
    pointer = builder.bitcast(address, vector.as_pointer())
    return builder.load(pointer, align=_ALIGNMENT[vector.element], typ=vector)


def _write(builder: ir.IRBuilder, address: Any, lanes: Any) -> None:
    pointer = builder.bitcast(address, lanes.type.as_pointer())
    builder.store(lanes, pointer, align=_ALIGNMENT[lanes.type.element])


_ALIGNMENT = {ir.FloatType(): 4, ir.DoubleType(): 8}


@intrinsic
@no_type_check
def load(typing_context, array, index):
    """The `WIDTH` numbers that lie side by side in memory from `array[index]` on."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, arguments[0], array, arguments[1], index)
        return _read(builder, address, _vector(context, array))

    return Lanes(array.dtype)(array, index), generate


@intrinsic
@no_type_check
def store(typing_context, array, index, lanes):
    """Write the lanes side by side in memory from `array[index]` on."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, arguments[0], array, arguments[1], index)
        _write(builder, address, arguments[2])
        return context.get_dummy_value()

    return types.void(array, index, lanes), generate


# Half precision by whole numbers, since not every processor (nor every runtime) has a conversion: below
# its smallest normal number, adding this one aligns a float's last bits with those of a half.
_SUBNORMAL = (127 - 15 + 23 - 10 + 1) << 23


def _half(builder: ir.IRBuilder, x: Any) -> ir.Value:
    """Float32 lanes rounded to half precision, to even, as 16-bit integers; beyond its range infinite."""
    integers = ir.VectorType(ir.IntType(32), WIDTH)
    constant = functools.partial(_constant, integers)
    bits = builder.bitcast(x, integers)
    sign = builder.and_(bits, constant(0x80000000))
    size = builder.xor(bits, sign)
    aligned = builder.fadd(
        builder.bitcast(size, x.type), builder.bitcast(constant(_SUBNORMAL), x.type)
    )
    small = builder.sub(builder.bitcast(aligned, integers), constant(_SUBNORMAL))
    odd = builder.and_(builder.lshr(size, constant(13)), constant(1))
    rebased = builder.sub(size, constant((127 - 15) << 23))
    rounded = builder.lshr(builder.add(builder.add(rebased, constant(0xFFF)), odd), constant(13))
    normal = builder.icmp_unsigned(">=", size, constant((127 - 14) << 23))
    half = builder.select(normal, rounded, small)
    huge = builder.icmp_unsigned(">=", size, constant(0x477FF000))
    half = builder.select(huge, constant(0x7C00), half)
    half = builder.or_(half, builder.lshr(sign, constant(16)))
    return builder.trunc(half, ir.VectorType(ir.IntType(16), WIDTH))


@intrinsic
@no_type_check
def store_half(typing_context, array, index, lanes):
    """Write float32 lanes in half precision, side by side from `array[index]` (16-bit integers) on."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, arguments[0], array, arguments[1], index)
        half = _half(builder, arguments[2])
        pointer = builder.bitcast(address, half.type.as_pointer())
        builder.store(half, pointer, align=2)
        return context.get_dummy_value()

    return types.void(array, index, lanes), generate


@intrinsic
@no_type_check
def spread(typing_context, array, index):
    """`array[index]` in every lane."""
    lanes = Lanes(array.dtype)

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, arguments[0], array, arguments[1], index)
        number = builder.load(address, typ=_vector(context, array).element)
        return _spread(context, builder, number, array.dtype, lanes)

    return lanes(array, index), generate


# -- across lanes ---------------------------------------------------------------------------------


def _shuffle(builder: ir.IRBuilder, a: Any, b: Any, order: list[int]) -> ir.Value:
    return builder.shuffle_vector(a, b, ir.VectorType(ir.IntType(32), WIDTH)(order))


def _rows(builder: ir.IRBuilder, address: Any, vector: ir.VectorType, stride: Any) -> list[Any]:
    """The addresses of `WIDTH` rows that lie `stride` numbers apart."""
    return [
        builder.gep(address, [builder.mul(stride, stride.type(row))], source_etype=vector.element)
        for row in range(WIDTH)
    ]


@intrinsic
@no_type_check
def transpose(typing_context, source, at, apart, target, to, spaced):
    """Copy a square of `WIDTH` × `WIDTH` numbers with rows and columns exchanged.

    The rows are contiguous; they start at `source[at]` and `target[to]`, `apart` and `spaced` numbers
    from one to the next.
    """

    def generate(context, builder, signature, arguments):
        reads = _address(context, builder, arguments[0], source, arguments[1], at)
        writes = _address(context, builder, arguments[3], target, arguments[4], to)
        apart_, spaced_ = (
            context.cast(builder, arguments[i], signature.args[i], types.intp) for i in (2, 5)
        )
        vector = _vector(context, source)
        rows = [_read(builder, row, vector) for row in _rows(builder, reads, vector, apart_)]
        half = WIDTH // 2
        while half:  # exchange ever smaller off-diagonal squares
            lanes = range(WIDTH)
            upper = [lane if not lane & half else WIDTH + lane - half for lane in lanes]
            lower = [lane + half if not lane & half else WIDTH + lane for lane in lanes]
            for i in (i for i in lanes if not i & half):
                a, b = rows[i], rows[i + half]
                rows[i] = _shuffle(builder, a, b, upper)
                rows[i + half] = _shuffle(builder, a, b, lower)
            half //= 2
        places = _rows(builder, writes, vector, spaced_)
        for row, place in zip(rows, places, strict=True):
            _write(builder, place, row)
        return context.get_dummy_value()

    return types.void(source, at, apart, target, to, spaced), generate


@intrinsic
@no_type_check
def sum_rows(typing_context, array, index):
    """The sums of `WIDTH` adjacent rows of `WIDTH` numbers each, one sum a lane."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, arguments[0], array, arguments[1], index)
        vector = _vector(context, array)
        places = _rows(builder, address, vector, ir.IntType(64)(WIDTH))
        rows = [_read(builder, place, vector) for place in places]
        segment = WIDTH
        while segment > 1:  # fold every segment of a row, and put two rows into one
            half, count = segment // 2, len(rows) // 2
            low = [
                start + side + lane
                for start in range(0, WIDTH, segment)
                for side in (0, WIDTH)
                for lane in range(half)
            ]
            high = [lane + half for lane in low]
            rows = [
                builder.fadd(
                    _shuffle(builder, rows[i], rows[i + count], low),
                    _shuffle(builder, rows[i], rows[i + count], high),
                )
                for i in range(count)
            ]
            segment = half
        return rows[0]

    return Lanes(array.dtype)(array, index), generate
