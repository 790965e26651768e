"""One row of a program as a CUDA C++ expression: NumPy's promotion as casts, NumPy's arithmetic as mathematics.py has it.

An expression is of its row's compute type (see dtypes.py), and rounded to the row's dtype where that is narrower. Kernels
write their texts first; then ``prelude(text)`` gives the definitions that the text calls, to stand before it.
"""
from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.definitions import prelude
from gpuad.planning.device.dtypes import (
    SHORT,
    compute_type,
    converted,
    ctype,
    is_known,
    literal,
    load,
    rounded,
    store,
)
from gpuad.planning.device.mathematics import ROUNDED_APART, TABLE, template
from gpuad.planning.program import Program, Row, Spec, Var, spec_of

__all__ = ["arguments", "compute_type", "ctype", "expression", "is_supported", "literal", "load", "prelude", "store"]

OF_NUMBERS = {operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply, operator.truediv: np.divide,
              operator.neg: np.negative, operator.pos: np.positive, operator.abs: np.absolute, operator.pow: np.power,
              operator.floordiv: np.floor_divide, operator.mod: np.remainder, operator.lt: np.less, operator.le: np.less_equal,
              operator.gt: np.greater, operator.ge: np.greater_equal, operator.eq: np.equal, operator.ne: np.not_equal}
"""Operators of Python's numbers and the ufuncs that do the same."""

WEAK: dict[str, type] = {"i": int, "f": float, "c": complex}
CONVERSIONS = {np.asarray, np.array, bool, int, float, complex}
COMPARISONS = {np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal}


def arguments(row: Row) -> tuple[Any, ...]:
    """The arguments of an elementwise row that hold values, each a Var or a constant: for these expressions take operands."""
    if row.function is functions.call_where:
        return row.args[1:]
    if row.function in (functions.cast, functions.convert, functions.real, functions.imaginary):
        return row.args[:1]
    return row.args


def is_supported(program: Program, row: Row) -> bool:
    """Whether a row acts entry by entry and has an expression."""
    specs = [_spec(program, x) for x in arguments(row)]
    if not specs or not is_known(row.out.dtype) or row.ordered or not all(is_known(s.dtype) for s in specs):
        return False
    try:
        return _text(program, row, ["x"] * len(specs)) is not None
    except (TypeError, ValueError, OverflowError):
        return False


def expression(program: Program, row: Row, operands: Sequence[str]) -> str:
    """The value of a row for operands that are expressions of their own compute types, one for each of ``arguments(row)``.

    Operands of scalar constants are not looked at. Raises ValueError where ``is_supported`` is False.
    """
    text = _text(program, row, operands)
    if text is None:
        raise ValueError(f"{row.function} has no expression for {[_spec(program, x).dtype for x in arguments(row)]}")
    return text


def _spec(program: Program, x: Any) -> Spec:
    return program.spec(x.index) if type(x) is Var else spec_of(x)


def _text(program: Program, row: Row, operands: Sequence[str]) -> str | None:
    f, out, args = row.function, row.out.dtype, arguments(row)
    values = [_Operand(x, _spec(program, x), text) for x, text in zip(args, operands, strict=True)]
    if f is functions.select and not row.kwargs:
        condition, a, b = values
        return f"({condition.as_dtype(np.dtype(bool))} ? {a.as_dtype(out)} : {b.as_dtype(out)})"
    if f is functions.cast or f is functions.convert:
        return values[0].as_dtype(out) if f is functions.cast or _converts(row.args[1]) else None
    if f is functions.real:
        return values[0].as_dtype(out)
    if f is functions.imaginary:
        return f"({values[0].text}).im" if values[0].spec.dtype.kind == "c" else literal(0, out)
    if f is functions.call_where:
        called = None if row.kwargs else _call(row.args[0], values[2:], None)
        if called is None:
            return None
        mask, old = values[:2]
        return f"({mask.as_dtype(np.dtype(bool))} ? {converted(*called, out)} : {old.as_dtype(out)})"
    if set(row.kwargs) - {"dtype"}:
        return None
    called = _call(OF_NUMBERS.get(f, f), values, row.kwargs.get("dtype"))
    return None if called is None or (called[1] != out and row.out.kind != "number") else converted(*called, out)


def _converts(kind: Any) -> bool:
    return kind in CONVERSIONS or (isinstance(kind, type) and issubclass(kind, np.generic))


class _Operand:
    """An argument and its text."""

    def __init__(self, x: Any, spec: Spec, text: str):
        self.x, self.spec, self.text = x, spec, text

    @property
    def is_constant(self) -> bool:
        return type(self.x) is not Var and self.spec.size == 1

    def as_dtype(self, dtype: np.dtype) -> str:
        """The text converted to a dtype; a constant is converted at once."""
        if self.is_constant:
            x = self.x if self.spec.kind == "number" else np.asarray(self.x).reshape(()).astype(dtype)[()]
            return literal(x, dtype)
        return converted(self.text, self.spec.dtype, dtype)

    @property
    def weak_dtype(self) -> Any:
        """What NumPy resolves a ufunc's loop by: int, float or complex for Python's numbers, otherwise the dtype."""
        return WEAK.get(self.spec.dtype.kind, self.spec.dtype) if self.spec.kind == "number" else self.spec.dtype

    def fits(self, dtype: np.dtype) -> bool:
        """Whether a constant integer is one of the loop's dtype, to which NumPy would not convert it otherwise."""
        if not (self.is_constant and type(self.x) is int and dtype.kind in "iu"):
            return True
        return np.iinfo(dtype).min <= self.x <= np.iinfo(dtype).max


@lru_cache(4096)
def _loop(ufunc: Any, dtypes: tuple[Any, ...], result: Any) -> tuple[np.dtype, ...]:
    """The dtypes of the loop that NumPy takes: inputs and output. Raises TypeError where it has none."""
    if all(isinstance(d, type) for d in dtypes):  # Python's numbers alone
        dtypes = tuple(np.dtype(d) for d in dtypes)
    given = {} if result is None else {"signature": (None,) * len(dtypes) + (np.dtype(result),)}
    return tuple(ufunc.resolve_dtypes((*dtypes, None), **given))


def _call(ufunc: Any, values: Sequence[_Operand], result: Any) -> tuple[str, np.dtype] | None:
    """The call of a ufunc and its dtype; None where there is no expression for the loop."""
    if ufunc not in TABLE or len(values) != ufunc.nin:
        return None
    *inputs, out = _loop(ufunc, tuple(v.weak_dtype for v in values), result)
    if not all(map(is_known, (*inputs, out))) or not all(v.fits(d) for v, d in zip(values, inputs, strict=True)):
        return None
    if ufunc in ROUNDED_APART and out.name in SHORT:
        return None
    kind = "f" if inputs[0].name in SHORT else inputs[0].kind
    pattern = template(ufunc, kind)
    if pattern is None:
        return None
    texts = [v.as_dtype(d) for v, d in zip(values, inputs, strict=True)]
    if ufunc in COMPARISONS and inputs[0] != inputs[1]:  # int64 with uint64: neither holds the other
        return pattern.format(f"compare({texts[0]}, {texts[1]})", "0"), out
    kinds = {"T": compute_type(inputs[0]), "O": compute_type(out)}
    suffix = "f" if kinds["T"] == "float" else ""
    return rounded(pattern.format(*texts, **kinds, f=suffix), out), out
