"""Sums as products that BLAS computes: a sum of a product is a dot product, a sum over rows or columns a product with ones."""
from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import has_dtype, is_float, is_strided
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Spec, Var
from linalg.arrays import Shape, size

LONGEST_ROW = 4096
"""Numbers that a product with ones may add up: BLAS adds in order, so that errors grow with the length."""

LONGEST_DOT = {"f": 2**18, "d": 2**53}
"""The same for dot products, in which OpenBLAS keeps many partial sums."""


def reductions(program: Program) -> Program:
    """The program with dot products for sums of products, and products with ones for sums over the first or the last axes."""
    return rewrite(program, {"reductions": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.function is not functions.reduce or row.kwargs or row.args[1] is not np.add or not is_float(row.out.dtype) \
            or not has_dtype(row.args[0], row.out.dtype, new):
        return None
    x, _add, axes, _keepdims = row.args
    spec = new.spec(x.index)
    if len(axes) == len(spec.shape):
        return _dot(x, row, new) if row.out.kind == "scalar" and axes else None
    length = size(tuple(spec.shape[i] for i in axes))
    if not axes or not 0 < length <= LONGEST_ROW or (len(spec.shape) > 2 and is_strided(x, new)):
        return None
    if axes == tuple(range(len(axes))):
        args = [ones(length, spec.dtype), _as_matrix(x, (length, -1), new)]
    elif axes == tuple(range(len(spec.shape) - len(axes), len(spec.shape))):
        args = [_as_matrix(x, (-1, length), new), ones(length, spec.dtype)]
    else:
        return None
    rest = tuple(n for i, n in enumerate(spec.shape) if i not in axes)
    product = Row(np.matmul, tuple(args), {}, Spec((size(rest),), spec.dtype))
    if row.out.shape == product.out.shape:
        return product
    return Row(functions.reshape, (new.add(product), row.out.shape), {}, row.out)


def _as_matrix(x: Var, shape: Shape, new: Rewriter) -> Var:
    """x as a matrix, one side of which is as long as needed."""
    spec = new.spec(x.index)
    if len(spec.shape) == 2:
        return x
    rows, columns = shape
    shape = (spec.size // columns, columns) if rows < 0 else (rows, spec.size // rows)
    return new.call(functions.reshape, x, shape, out=Spec(shape, spec.dtype))


def _dot(x: Var, row: Row, new: Rewriter) -> Any:
    """sum(a·b) as the dot product of a and b laid out as vectors."""
    product = new.row(x)
    if product is None or not new.read_once(x) or product.function not in (np.multiply, np.square) or product.kwargs \
            or product.errors is not None or new.spec(x.index).size > LONGEST_DOT[row.out.dtype.char]:
        return None
    a, b = product.args if product.function is np.multiply else product.args * 2
    if any(type(v) is not Var or new.spec(v.index) != new.spec(x.index) or is_strided(v, new) for v in (a, b)):
        return None
    first = _raveled(a, new)
    return Row(np.matmul, (first, first if a == b else _raveled(b, new)), {}, row.out)


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
