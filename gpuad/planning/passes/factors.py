"""Constant factors and signs: chains of factors are one, −(−x) is x, like terms add up, and y (1/x) is a quotient."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import has_dtype, is_elementwise, is_inexact, is_normal, same_spec
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Spec, Var
from linalg.arrays import size

DEEPEST = 4
"""Products that a factor is looked for in, one inside the other; more would make the search more than linear."""


class Scaled(NamedTuple):
    """A value c·y; y is made on demand."""

    c: Any
    make: Callable[[], Any]


def factors(program: Program) -> Program:
    """The program with fewer multiplications by constants, fewer changes of sign and fewer divisions.

    Constants join only where their product is a normal number of the dtype. Integers are left as they are.
    """
    return rewrite(program, {"factors": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.kwargs or not is_inexact(row.out.dtype):
        return None
    for special in RULES.get(id(row.function), ()):
        found = special(row, new)
        if found is not None:
            return found
    return None


# ---- where constant factors are

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
    if type(c) not in (float, complex) or not has_dtype(y, row.out.dtype, new) or new.spec(y.index).shape != row.out.shape \
            or not is_normal(c, row.out.dtype) or row.kwargs or row.errors is not None:
        return None
    return (1 / c if row.function is np.divide else c), y


def scaled(x: Any, new: Rewriter, depth: int = DEEPEST) -> Scaled | None:
    """x as c·y, where a constant factor is in x or in a factor of x, and nothing else reads what it is in."""
    row = new.row(x)
    if row is None or not new.read_once(x) or row.errors is not None or row.kwargs or not is_inexact(row.out.dtype):
        return None
    found = factor(row, new)
    if found is not None:
        return Scaled(found[0], lambda: found[1])
    for k in INSIDE.get(id(row.function), ()) if depth else ():
        inner = scaled(row.args[k], new, depth - 1) if has_dtype(row.args[k], row.out.dtype, new) else None
        if inner is not None:
            return Scaled(inner.c, partial(_with_operand, row, k, inner, new))
    return None


def _with_operand(row: Row, k: int, operand: Scaled, new: Rewriter) -> Var:
    """A row like another one, with the y of c·y for its operand k."""
    return new.add(Row(row.function, (*row.args[:k], operand.make(), *row.args[k + 1:]), {}, row.out))


INSIDE = {id(np.multiply): (0, 1), id(np.divide): (0,), id(functions.reshape): (0,), id(functions.transpose): (0,)}
"""Functions that are linear in operands: their positions."""


def times(c: Any, y: Any, out: Spec, new: Rewriter) -> Any:
    """c·y with a given spec: a row, or y itself."""
    if c == 1 and same_spec(y, out, new):
        return y
    return Row(np.negative, (y,), {}, out) if c == -1 else Row(np.multiply, (y, c), {}, out)


# ---- chains

def _joined(row: Row, new: Rewriter) -> Any:
    """c₁·(c₂·y) as (c₁c₂)·y, and c₁·(c₂ / y) as (c₁c₂) / y."""
    outer = factor(row, new)
    if outer is None:
        return None
    c, x = outer
    inner = scaled(x, new)
    if inner is not None:
        return times(c * inner.c, inner.make(), row.out, new) if is_normal(c * inner.c, row.out.dtype) else None
    quotient = _quotient(x, new)
    if quotient is None or not new.read_once(x) or not is_normal(c * quotient[0], row.out.dtype):
        return None
    return Row(np.divide, (c * quotient[0], quotient[1]), {}, row.out)


def _outside(row: Row, new: Rewriter) -> Any:
    """sum(c·y) as c·sum(y), and (c·A) B as c·(A B), where that scales the smaller array."""
    if (row.function is functions.reduce and row.args[1] is not np.add) or not (row.out.shape or row.out.kind == "scalar"):
        return None
    for k, x in enumerate(row.args[:2]):
        if has_dtype(x, row.out.dtype, new) and size(row.out.shape) < size(new.spec(x.index).shape):
            inner = scaled(x, new)
            if inner is not None:
                args = (*row.args[:k], inner.make(), *row.args[k + 1:])
                return times(inner.c, new.call(row.function, *args, out=row.out), row.out, new)
    return None


# ---- sums

def _sum(row: Row, new: Rewriter) -> Any:
    """a + (−1)·b as a − b, and the like; c·a ± c·b as c·(a ± b)."""
    sign = 1 if row.function is np.add else -1
    a, b = row.args
    second = scaled(b, new)
    if second is not None and second.c == -1:
        return Row(np.subtract if sign == 1 else np.add, (a, second.make()), {}, row.out)
    first = scaled(a, new)
    if first is not None and first.c == -1 and sign == 1:
        return Row(np.subtract, (b, first.make()), {}, row.out)
    if first is None or second is None or first.c not in (second.c, -second.c) or a == b \
            or not new.spec_of(a)[:2] == new.spec_of(b)[:2] == row.out[:2]:
        return None
    add = (first.c == second.c) == (sign == 1)
    return times(first.c, new.call(np.add if add else np.subtract, first.make(), second.make(), out=row.out), row.out, new)


def _like_terms(row: Row, new: Rewriter) -> Any:
    """c₁·y + c₂·y as (c₁ + c₂)·y, for constants of one sign, and any order of the factors in y."""
    if row.out.dtype.kind != "f" or not all(has_dtype(x, row.out.dtype, new) and new.spec(x.index).shape == row.out.shape
                                            for x in row.args):
        return None
    a, b = row.args
    ratio = _ratio(a, b, new)  # a = ratio · b
    if ratio is None or ratio <= 0:
        return None
    for x, total in ((b, 1 + ratio), (a, 1 + 1 / ratio)):
        made = new.row(x)
        inner = factor(made, new) if made is not None else None
        if inner is not None and is_normal(total * inner[0], row.out.dtype):
            return times(total * inner[0], inner[1], row.out, new)
    return times(1 + ratio, b, row.out, new) if is_normal(1 + ratio, row.out.dtype) else None


def _ratio(a: Var, b: Var, new: Rewriter) -> float | None:
    """c where a = c·b, as far as a few of their factors tell; None otherwise."""
    c = 1.0
    sides = ([a.index], [b.index])  # factors that have not been found on the other side
    for _ in range(2 * DEEPEST):
        for j in [j for j in sides[0] if j in sides[1]]:
            if j in sides[0] and j in sides[1]:
                sides[0].remove(j)
                sides[1].remove(j)
        if not sides[0] and not sides[1]:
            return c
        side = max((0, 1), key=lambda k: max(sides[k], default=-1))  # what was computed last may be made of the others
        latest = max(sides[side])
        product = _product(Var(latest), new)
        if product is None:
            return None
        sides[side].remove(latest)
        sides[side].extend(v.index for v in product[1])
        c = c * product[0] if side == 0 else c / product[0]
    return None


def _product(x: Var, new: Rewriter) -> tuple[float, tuple[Var, ...]] | None:
    """(c, factors) where x is a row that multiplies by a constant, or multiplies arrays of its own shape."""
    row = new.row(x)
    if row is None or row.errors is not None or row.kwargs or not is_elementwise(row):
        return None
    inner = factor(row, new)
    if inner is not None:
        return inner[0], (inner[1],)
    if row.function not in (np.multiply, np.square) or not all(
            has_dtype(v, row.out.dtype, new) and new.spec(v.index).shape == row.out.shape for v in row.args):
        return None
    return 1.0, row.args * (2 if row.function is np.square else 1)


# ---- quotients

def _quotient(x: Any, new: Rewriter) -> tuple[float, Var] | None:
    """(c, y) where x is a row c / y."""
    row = new.row(x)
    if row is None or row.function is not np.divide or row.kwargs or row.errors is not None:
        return None
    c, y = row.args
    if type(c) is not float or not has_dtype(y, row.out.dtype, new) or not is_normal(c, row.out.dtype):
        return None
    return c, y


def _by_reciprocal(row: Row, new: Rewriter) -> Any:
    """(1 / x)·y as y / x, where only the product reads the reciprocal, and x is as large as the result."""
    for k, r in enumerate(row.args):
        found = _quotient(r, new) if new.read_once(r) else None
        if found is not None and found[0] == 1 and new.spec(found[1].index).shape == row.out.shape:
            return Row(np.divide, (row.args[1 - k], found[1]), {}, row.out)
    return None


def _reciprocal_again(row: Row, new: Rewriter) -> Any:
    """c·(1 / x) / x as c·(1 / x)²: derivatives of quotients have it."""
    r, x = row.args
    made = new.row(r)
    inner = factor(made, new) if made is not None and new.read_once(r) else None
    c, r = inner or (1.0, r)
    found = _quotient(r, new)
    if found is None or type(x) is not Var or found != (1.0, x) or new.spec(r.index)[:2] != row.out[:2]:
        return None
    return Row(np.square, (r,), {}, row.out) if c == 1 else times(c, new.call(np.square, r, out=row.out), row.out, new)


RULES: dict[int, tuple[Callable[[Row, Rewriter], Any], ...]] = {
    id(np.multiply): (_joined, _by_reciprocal), id(np.divide): (_joined, _reciprocal_again), id(np.negative): (_joined,),
    id(np.add): (_like_terms, _sum), id(np.subtract): (_sum,), id(np.matmul): (_outside,), id(functions.reduce): (_outside,),
}
