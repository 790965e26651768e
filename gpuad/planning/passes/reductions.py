"""Sums as products that BLAS computes: a sum of a product is a dot product, a sum over rows or columns a product with ones."""
from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import is_float
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Spec, Var

LONGEST_ROW = 4096
"""Numbers that a product with ones may add up: BLAS adds in order, so that errors grow with the length."""

LONGEST_DOT = {"f": 2**18, "d": 2**53}
"""The same for dot products, in which OpenBLAS keeps many partial sums."""


def reductions(program: Program) -> Program:
    """The program with dot products for sums of products, and products with ones for sums over an axis of a matrix."""
    return rewrite(program, {"reductions": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.function is not functions.reduce or row.kwargs or row.args[1] is not np.add or type(row.args[0]) is not Var \
            or row.args[3] or not is_float(row.out.dtype):
        return None
    x, _add, axes, _keepdims = row.args
    spec = new.spec(x.index)
    if spec.kind != "array" or spec.dtype != row.out.dtype:
        return None
    if row.out.kind == "scalar" and len(axes) == len(spec.shape):
        return _dot(x, row, new)
    if len(spec.shape) == 2 and len(axes) == 1 and 0 < spec.shape[axes[0]] <= LONGEST_ROW:
        one = ones(spec.shape[axes[0]], spec.dtype)
        return Row(np.matmul, (one, x) if axes == (0,) else (x, one), {}, row.out)
    return None


def _dot(x: Var, row: Row, new: Rewriter) -> Any:
    """sum(a·b) as the dot product of a and b laid out as vectors."""
    product = new.row(x)
    if product is None or not new.read_once(x) or product.function not in (np.multiply, np.square) or product.kwargs \
            or product.errors is not None or new.spec(x.index).size > LONGEST_DOT[row.out.dtype.char]:
        return None
    a, b = product.args if product.function is np.multiply else product.args * 2
    if any(type(v) is not Var or new.spec(v.index) != new.spec(x.index) or _is_view(v, new) for v in (a, b)):
        return None
    first = _raveled(a, new)
    return Row(np.matmul, (first, first if a == b else _raveled(b, new)), {}, row.out)


def _is_view(x: Var, new: Rewriter) -> bool:
    """Whether laying x out as a vector may copy it."""
    row = new.row(x)
    return row is not None and (row.function is functions.getitem or row.function in functions.VIEWS - {functions.reshape})


def _raveled(x: Var, new: Rewriter) -> Var:
    spec = new.spec(x.index)
    if len(spec.shape) == 1:
        return x
    return new.call(functions.reshape, x, (spec.size,), out=Spec((spec.size,), spec.dtype))


@lru_cache(maxsize=256)
def ones(n: int, dtype: np.dtype) -> np.ndarray:
    """n ones, the same array at each call, which nobody can write to."""
    x = np.ones(n, dtype)
    x.flags.writeable = False
    return x
