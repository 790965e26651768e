"""The algebra of constants: constant arrays that repeat one number, chains of factors, signs, and small powers."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import broadcast_shape, is_elementwise, is_inexact, same_spec, uniform
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Spec, Var

ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power}
"""ufuncs whose numbers are written as Python's."""


def scalars(program: Program) -> Program:
    """The program with numbers for constant arrays of equal entries, and one factor for a chain of them."""
    return rewrite(program, {"scalars": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.function is np.matmul or row.function is functions.reduce:
        return _factor_outside(row, new)
    if not is_elementwise(row):
        return None
    found = numbers(row, new)
    if found is not None:
        return found
    for algebra in ALGEBRA.get(row.function, ()):
        found = algebra(row, new)
        if found is not None:
            return found
    return None


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
    if row.function not in ARITHMETIC or not is_inexact(dtype) or not any(_has(a, dtype, new) for a in row.args):
        return number if type(x) is np.ndarray and x.ndim else None
    if isinstance(number, int) and abs(number) > 2**53:
        return None  # is not to be rounded twice
    return complex(number) if isinstance(number, (complex, np.complexfloating)) else float(number)


def _has(x: Any, dtype: np.dtype, new: Rewriter) -> bool:
    """Whether x is a variable of a dtype that numbers do not change."""
    return type(x) is Var and new.spec(x.index).kind != "number" and new.spec(x.index).dtype == dtype


# ---- factors

def scaled(x: Any, new: Rewriter) -> tuple[Any, Var] | None:
    """(c, y) where x is a row c·y that nothing else reads."""
    row = new.row(x)
    return factor(row, new) if row is not None and new.read_once(x) and row.errors is None and not row.kwargs else None


def factor(row: Row, new: Rewriter) -> tuple[Any, Var] | None:
    """(c, y) where a row is c·y, y / (1/c) or −y, of y's own shape and dtype."""
    c: Any
    if row.function is np.negative:
        c, y = -1.0, row.args[0]
    elif row.function is np.multiply:
        c, y = row.args if type(row.args[1]) is Var else row.args[::-1]
    elif row.function is np.divide:
        y, c = row.args
    else:
        return None
    if type(c) not in (float, complex) or not _has(y, row.out.dtype, new) or new.spec(y.index).shape != row.out.shape \
            or not is_normal(c, row.out.dtype):
        return None
    return (1 / c if row.function is np.divide else c), y


def is_normal(c: Any, dtype: np.dtype) -> bool:
    """Whether a dtype is float or complex, and a number neither zero nor infinite nor subnormal in it."""
    return is_inexact(dtype) and bool(float(np.finfo(dtype).tiny) <= abs(c) <= float(np.finfo(dtype).max))


def times(c: Any, y: Var, out: Spec, new: Rewriter) -> Any:
    """c·y with a given spec: a row, or y itself."""
    if c == 1 and same_spec(y, out, new):
        return y
    return Row(np.negative, (y,), {}, out) if c == -1 else Row(np.multiply, (y, c), {}, out)


def _joined(row: Row, new: Rewriter) -> Any:
    """c₁·(c₂·y) as (c₁c₂)·y."""
    outer = factor(row, new)
    inner = scaled(outer[1], new) if outer is not None else None
    if outer is None or inner is None or not is_normal(outer[0] * inner[0], row.out.dtype):
        return None
    return times(outer[0] * inner[0], inner[1], row.out, new)


def _factor_outside(row: Row, new: Rewriter) -> Any:
    """sum(c·y) as c·sum(y), and (c·A) B as c·(A B), where that scales the smaller array."""
    if row.kwargs or (row.function is functions.reduce and row.args[1] is not np.add):
        return None
    for k, x in enumerate(row.args[:2] if row.out.shape or row.out.kind == "scalar" else ()):
        inner = scaled(x, new)
        if inner is not None and new.spec(x.index).dtype == row.out.dtype and row.out.size < new.spec(x.index).size:
            args = (*row.args[:k], inner[1], *row.args[k + 1:])
            return times(inner[0], new.call(row.function, *args, out=row.out), row.out, new)
    return None


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
    return None


def _divide(row: Row, new: Rewriter) -> Any:
    a, b = row.args
    if _is(b, 1):
        return _unchanged(row, a, new)
    if type(b) is float and abs(math.frexp(b)[0]) == 0.5 and _has(a, row.out.dtype, new) and row.out.dtype.kind == "f" \
            and is_normal(b, row.out.dtype) and is_normal(1 / b, row.out.dtype):
        return Row(np.multiply, (a, 1 / b), {}, row.out)  # exact, for a power of two, and several times as fast
    return None


def _negated(x: Any, new: Rewriter) -> Any:
    """y where x is a row −y that is read once."""
    row = new.row(x)
    return row.args[0] if row is not None and row.function is np.negative and new.read_once(x) and row.errors is None \
        and not row.kwargs and _has(row.args[0], row.out.dtype, new) else None


def _add(row: Row, new: Rewriter) -> Any:
    a, b = row.args
    if _is(a, -0.0) or _is(b, -0.0):
        return _unchanged(row, b if _is(a, -0.0) else a, new)
    if type(a) is Var and type(b) is Var and a == b and row.out.dtype.kind == "f" and is_inexact(row.out.dtype):
        return Row(np.multiply, (a, 2.0), {}, row.out)
    for x, y in ((a, b), (b, a)):
        z = _negated(y, new)
        if z is not None and is_inexact(row.out.dtype):
            return Row(np.subtract, (x, z), {}, row.out)
    return None


def _subtract(row: Row, new: Rewriter) -> Any:
    a, b = row.args
    if _is(b, 0):
        return _unchanged(row, a, new)
    z = _negated(b, new)
    if z is not None and is_inexact(row.out.dtype):
        return Row(np.add, (a, z), {}, row.out)
    return None


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
    if type(n) not in (int, float) or not _has(x, row.out.dtype, new) or new.spec(x.index).shape != row.out.shape \
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


ALGEBRA: dict[Any, tuple[Callable[[Row, Rewriter], Any], ...]] = {
    np.multiply: (_multiply, _joined), np.divide: (_divide, _joined), np.negative: (_negative, _joined), np.add: (_add,),
    np.subtract: (_subtract,), np.positive: (_positive,), np.conjugate: (_conjugate,), np.power: (_power,),
}
