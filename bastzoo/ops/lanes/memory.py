"""Lanes from arrays and back, in single, double and half precision; rows that become columns, and sums."""

import functools
from typing import Any, no_type_check

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from bastzoo.ops.lanes.vector import WIDTH, Lanes, broadcast, constant


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
    number = functools.partial(constant, integers)
    bits = builder.bitcast(x, integers)
    sign = builder.and_(bits, number(0x80000000))
    size = builder.xor(bits, sign)
    aligned = builder.fadd(
        builder.bitcast(size, x.type), builder.bitcast(number(_SUBNORMAL), x.type)
    )
    small = builder.sub(builder.bitcast(aligned, integers), number(_SUBNORMAL))
    odd = builder.and_(builder.lshr(size, number(13)), number(1))
    rebased = builder.sub(size, number((127 - 15) << 23))
    rounded = builder.lshr(builder.add(builder.add(rebased, number(0xFFF)), odd), number(13))
    normal = builder.icmp_unsigned(">=", size, number((127 - 14) << 23))
    half = builder.select(normal, rounded, small)
    huge = builder.icmp_unsigned(">=", size, number(0x477FF000))
    half = builder.select(huge, number(0x7C00), half)
    half = builder.or_(half, builder.lshr(sign, number(16)))
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
        return broadcast(context, builder, number, array.dtype, lanes)

    return lanes(array, index), generate


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
