"""The algebra of constants: constant arrays that repeat one number, chains of factors, signs, and small powers."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import NUMBERS, broadcast_shape, is_elementwise, is_inexact, same_spec, uniform
from gpuad.planning.passes.rewriting import Rewriter, first_of, rewrite
from gpuad.planning.program import Program, Row, Spec, Var

ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power}
"""ufuncs whose numbers are written as Python's."""


def scalars(program: Program) -> Program:
    """The program with numbers for constant arrays of equal entries, and one factor for a chain of them."""
    return rewrite(program, "scalars", _rule)


def _rule(row: Row, new: Rewriter) -> Any:
    if row.function is functions.reduce:
        return _factor_of_sum(row, new)
    if row.function is np.matmul:
        return _factor_of_product(row, new)
    if not is_elementwise(row):
        return None
    plain = numbers(row, new)
    algebra = ALGEBRA.get(row.function)
    found = algebra(plain or row, new) if algebra is not None else None
    return plain if found is None else found


# ---- constant operands

def numbers(row: Row, new: Rewriter) -> Row | None:
    """The row with a number in place of each constant operand whose entries are all equal, where its result stays as it is."""
    args = list(row.args)
    for k, x in enumerate(args):
        if type(x) is Var:
            continue
        number = _number(x, row, new)
        if type(number) is type(x) or number is None:
            continue
        others = [*args[:k], number, *args[k + 1:]]
        if row.out.kind == "scalar" or broadcast_shape(others, new) == row.out.shape:
            args = others
    return Row(row.function, tuple(args), {}, row.out) if any(a is not b for a, b in zip(args, row.args, strict=True)) else None


def _number(x: Any, row: Row, new: Rewriter) -> Any:
    """A constant operand as a number: Python's where the result's dtype is that of the other operand, else of its own dtype."""
    number = uniform(x)
    dtype = row.out.dtype
    if number is None or row.function not in ARITHMETIC or not is_inexact(dtype) \
            or not any(type(a) is Var and new.spec(a.index).kind != "number" and new.spec(a.index).dtype == dtype for a in row.args):
        return number if type(x) is np.ndarray and x.ndim else None
    if isinstance(number, int) and abs(number) > 2**53:
        return None
    if dtype.kind == "c" and not isinstance(number, (complex, np.complexfloating)):
        return float(number)
    return (complex if dtype.kind == "c" else float)(number)


# ---- factors

def scaled(x: Any, new: Rewriter) -> tuple[Any, Var] | None:
    """(c, y) where x is a row c·y, y / (1/c) or −y, of y's own shape and dtype, and is read once."""
    row = new.row(x)
    if row is None or row.errors is not None or row.kwargs or not new.read_once(x) or not is_inexact(row.out.dtype):
        return None
    return factor(row, new)


def factor(row: Row, new: Rewriter) -> tuple[Any, Var] | None:
    """(c, y) where a row is c·y, y / (1/c) or −y."""
    f, args = row.function, row.args
    c: Any
    if f is np.negative:
        c, y = -1.0, args[0]
    elif f is np.multiply:
        c, y = args if type(args[1]) is Var else args[::-1]
    elif f is np.divide:
        y, c = args
    else:
        return None
    if type(y) is not Var or type(c) not in NUMBERS or new.spec(y.index)[:2] != row.out[:2] or new.spec(y.index).kind == "number" \
            or not is_normal(c, row.out.dtype):
        return None
    return (1 / c if f is np.divide else c), y


def is_normal(c: Any, dtype: np.dtype) -> bool:
    """Whether a number is neither zero nor infinite nor subnormal in a dtype."""
    limits = np.finfo(dtype)
    return bool(float(limits.tiny) <= abs(c) <= float(limits.max))


def times(c: Any, y: Var, out: Spec, new: Rewriter) -> Any:
    """The value or the row c·y with a given spec."""
    if c == 1 and same_spec(y, out, new):
        return y
    return Row(np.negative, (y,), {}, out) if c == -1 else Row(np.multiply, (y, c), {}, out)


def _joined(row: Row, new: Rewriter) -> Any:
    """c₁·(c₂·y) as (c₁c₂)·y."""
    outer = factor(row, new) if is_inexact(row.out.dtype) else None
    inner = scaled(outer[1], new) if outer is not None else None
    if outer is None or inner is None:
        return None
    c = outer[0] * inner[0]
    return times(c, inner[1], row.out, new) if is_normal(c, row.out.dtype) else None


def _factor_of_sum(row: Row, new: Rewriter) -> Any:
    """sum(c·y) as c·sum(y)."""
    x, ufunc, _axes, _keepdims = row.args
    inner = scaled(x, new) if ufunc is np.add and not row.kwargs else None
    if inner is None or new.spec_of(x).dtype != row.out.dtype or row.out.size >= new.spec_of(x).size \
            or (row.out.shape == () and row.out.kind != "scalar"):
        return None
    c, y = inner
    return times(c, new.add(Row(row.function, (y, *row.args[1:]), {}, row.out)), row.out, new)


def _factor_of_product(row: Row, new: Rewriter) -> Any:
    """(c·A) B as c·(A B), where that is the smaller array."""
    if row.kwargs or not is_inexact(row.out.dtype):
        return None
    for k, x in enumerate(row.args):
        inner = scaled(x, new)
        if inner is not None and new.spec_of(x).dtype == row.out.dtype and row.out.size < new.spec_of(x).size:
            args = (inner[1], row.args[1]) if k == 0 else (row.args[0], inner[1])
            return times(inner[0], new.add(Row(np.matmul, args, {}, row.out)), row.out, new)
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
    if type(b) is float and new.spec_of(a).dtype == row.out.dtype and row.out.dtype.kind == "f" and np.frexp(b)[0] in (0.5, -0.5) and is_inexact(row.out.dtype) \
            and is_normal(b, row.out.dtype) and is_normal(1 / b, row.out.dtype):
        return Row(np.multiply, (a, 1 / b), {}, row.out)  # exact, for a power of two, and several times as fast
    return None


def _negated(x: Any, new: Rewriter) -> Any:
    """y where x is a row −y that is read once."""
    row = new.row(x)
    return row.args[0] if row is not None and row.function is np.negative and new.read_once(x) and row.errors is None \
        and not row.kwargs and new.spec_of(row.args[0])[:2] == row.out[:2] and new.spec_of(row.args[0]).kind != "number" else None


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
    if type(x) is not Var or type(n) not in (int, float) or new.spec(x.index)[:2] != row.out[:2] or row.out.dtype.kind not in "iufc":
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
    np.multiply: first_of((_multiply, _joined)), np.divide: first_of((_divide, _joined)), np.negative: first_of((_negative, _joined)),
    np.add: _add, np.subtract: _subtract, np.positive: _positive, np.conjugate: _conjugate, np.power: _power,
}
