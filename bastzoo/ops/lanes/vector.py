"""The type: sixteen numbers in one LLVM vector, and what its operations are made of."""

from collections.abc import Iterable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import models, register_model

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


def constant(vector: ir.VectorType, value: float) -> ir.Constant:
    """The same number in every lane."""
    return ir.Constant(vector, [value] * WIDTH)


def broadcast(context: Any, builder: ir.IRBuilder, value: ir.Value, of: Any, lanes: Lanes) -> Any:
    """A scalar of numba type `of` in every lane; lanes as they are."""
    if isinstance(of, Lanes):
        return value
    scalar = context.cast(builder, value, of, lanes.element)
    vector = context.get_value_type(lanes)
    start = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(start, start, ir.VectorType(ir.IntType(32), WIDTH)([0] * WIDTH))


def fused(builder: ir.IRBuilder, a: Any, b: Any, c: Any) -> ir.Value:
    """`a * b + c` of vectors, fused where the processor can."""
    letter = "f32" if isinstance(a.type.element, ir.FloatType) else "f64"
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(a.type, [a.type] * 3),
        f"llvm.fmuladd.v{WIDTH}{letter}",
    )
    return builder.call(function, [a, b, c])


def polynomial(builder: ir.IRBuilder, x: Any, coefficients: Iterable[float]) -> ir.Value:
    """Horner's scheme; the coefficient of the highest power comes first."""
    highest, *others = (constant(x.type, c) for c in coefficients)
    total = highest
    for coefficient in others:
        total = fused(builder, total, x, coefficient)
    return total


def widest(*arguments: Any) -> Lanes | None:
    """The type of the first argument that is lanes; None where all are scalars."""
    return next((a for a in arguments if isinstance(a, Lanes)), None)
