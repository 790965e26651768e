"""Constant operands: arrays that repeat one number become that number; ones, zeros and small powers drop out."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.planning.passes.facts import broadcast_shape, has_dtype, is_elementwise, is_inexact, is_normal, same_spec, uniform
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Var

ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power}
"""ufuncs whose numbers are written as Python's."""


def scalars(program: Program) -> Program:
    """The program with numbers for constant arrays of equal entries, and without operations that change nothing."""
    return rewrite(program, {"scalars": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if not is_elementwise(row):
        return None
    found = numbers(row, new)
    special = ALGEBRA.get(row.function)
    return special(row, new) if found is None and special is not None else found


# ---- constant operands

def numbers(row: Row, new: Rewriter) -> Row | None:
    """The row with a number in place of each constant operand whose entries are all equal, where its result stays as it is."""
    args, found = list(row.args), False
    for k, x in enumerate(args):
        number = _number(x, row, new) if type(x) is not Var else None
        if number is None or type(number) is type(x):
            continue
        others = [*args[:k], number, *args[k + 1:]]
        if broadcast_shape(others, new) == row.out.shape:
            args, found = others, True
    return Row(row.function, tuple(args), {}, row.out) if found else None


def _number(x: Any, row: Row, new: Rewriter) -> Any:
    """A constant operand as a number: Python's where the other operand has the result's dtype, else an array as its entry."""
    number = uniform(x)
    if number is None:
        return None
    dtype = row.out.dtype
    if row.function not in ARITHMETIC or not is_inexact(dtype) or not any(has_dtype(a, dtype, new) for a in row.args):
        return number if type(x) is np.ndarray and x.ndim else None
    if isinstance(number, int) and abs(number) > 2**53:
        return None  # is not to be rounded twice
    return complex(number) if isinstance(number, (complex, np.complexfloating)) else float(number)


# ---- what drops

def _is(x: Any, value: float) -> bool:
    """Whether an operand is a number, with its sign where it is zero."""
    return type(x) in (int, float) and x == value and bool(np.signbit(x) == np.signbit(value))


def _unchanged(row: Row, x: Any, new: Rewriter) -> Any:
    """x, where it can take the row's place; for complex x it cannot: products of infinite ones with 1 are NaN."""
    return x if type(x) is Var and same_spec(x, row.out, new) and row.out.dtype.kind in "iuf" else None


def _multiply(row: Row, new: Rewriter) -> Any:
    a, b = row.args
    if _is(a, 1) or _is(b, 1):
        return _unchanged(row, b if _is(a, 1) else a, new)
    if (_is(a, -1) or _is(b, -1)) and row.out.dtype.kind == "f" and has_dtype(x := b if _is(a, -1) else a, row.out.dtype, new):
        return Row(np.negative, (x,), {}, row.out)
    return None


def _divide(row: Row, new: Rewriter) -> Any:
    a, b = row.args
    if _is(b, 1):
        return _unchanged(row, a, new)
    if type(b) is float and abs(math.frexp(b)[0]) == 0.5 and has_dtype(a, row.out.dtype, new) and row.out.dtype.kind == "f" \
            and is_normal(b, row.out.dtype) and is_normal(1 / b, row.out.dtype):
        return Row(np.multiply, (a, 1 / b), {}, row.out)  # exact, for a power of two, and several times as fast
    return None


def _add(row: Row, new: Rewriter) -> Any:
    a, b = row.args
    if _is(a, -0.0) or _is(b, -0.0):
        return _unchanged(row, b if _is(a, -0.0) else a, new)
    return None


def _subtract(row: Row, new: Rewriter) -> Any:
    a, b = row.args
    return _unchanged(row, a, new) if _is(b, 0) else None


def _negative(row: Row, new: Rewriter) -> Any:
    inner = new.row(row.args[0])
    if inner is not None and inner.function is np.negative and inner.errors is None and not inner.kwargs \
            and same_spec(inner.args[0], row.out, new):
        return inner.args[0]
    return None


def _positive(row: Row, new: Rewriter) -> Any:
    return row.args[0] if same_spec(row.args[0], row.out, new) else None


def _conjugate(row: Row, new: Rewriter) -> Any:
    return _unchanged(row, row.args[0], new)


def _power(row: Row, new: Rewriter) -> Any:
    """x², x³ and x⁴ by multiplications."""
    x, n = row.args
    if type(n) not in (int, float) or not has_dtype(x, row.out.dtype, new) or new.spec(x.index).shape != row.out.shape \
            or row.out.dtype.kind not in "iufc":
        return None
    if n == 1:
        return _unchanged(row, x, new)
    if n == 2:
        return Row(np.square, (x,), {}, row.out)
    if n in (3, 4):
        square = new.call(np.square, x, out=row.out)
        return Row(np.multiply, (square, x), {}, row.out) if n == 3 else Row(np.square, (square,), {}, row.out)
    return None


ALGEBRA: dict[Any, Callable[[Row, Rewriter], Any]] = {
    np.multiply: _multiply, np.divide: _divide, np.negative: _negative, np.add: _add, np.subtract: _subtract,
    np.positive: _positive, np.conjugate: _conjugate, np.power: _power,
}
