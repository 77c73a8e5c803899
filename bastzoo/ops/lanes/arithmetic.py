"""Arithmetic of lanes: operators, the larger of two, a fused product and sum, a choice by sign."""

import operator
from collections.abc import Callable
from typing import Any, no_type_check

from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic, overload

from bastzoo.ops.lanes.vector import broadcast, constant, fused, widest


def _binary(emit: Callable[[ir.IRBuilder, Any, Any], ir.Value]) -> Any:
    """An intrinsic of two arguments, of which one may be a scalar."""

    @intrinsic
    @no_type_check
    def operation(typing_context, left, right):
        lanes = widest(left, right)

        def generate(context, builder, signature, arguments):
            a, b = (
                broadcast(context, builder, value, of, lanes)
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
        if widest(left, right) is None:
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
    lanes = widest(a, b, c)

    def generate(context, builder, signature, arguments):
        values = (
            broadcast(context, builder, value, of, lanes)
            for value, of in zip(arguments, signature.args, strict=True)
        )
        return fused(builder, *values)

    return lanes(a, b, c), generate


@intrinsic
@no_type_check
def where_positive(typing_context, x, a, b):
    """`a` in the lanes where `x > 0`, else `b`; scalars are spread."""

    def generate(context, builder, signature, arguments):
        condition, *choices = (
            broadcast(context, builder, value, of, x)
            for value, of in zip(arguments, signature.args, strict=True)
        )
        zero = constant(condition.type, 0.0)
        return builder.select(builder.fcmp_ordered(">", condition, zero), *choices)

    return x(x, a, b), generate
