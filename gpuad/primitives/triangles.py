"""Diagonals and triangles of matrices."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.aliasing import view
from gpuad.differential import linear
from gpuad.dispatch import TABLE, implements
from gpuad.primitives.elementwise import astype, where
from gpuad.primitives.reductions import sum
from gpuad.primitives.shapes import moveaxis, ravel, refuse_options, reshape
from gpuad.primitives.views import DIAGONAL
from linalg import Reshape, Scatter
from linalg.arrays import namespace


def _places(rows: int, columns: int, offset: int) -> slice:
    """Where a diagonal stands in the raveled matrix."""
    start = offset if offset >= 0 else -offset * columns
    length = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    return slice(start, start + length * (columns + 1), columns + 1) if length else slice(0, 0)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of the matrices that two axes make; it becomes the last axis."""
    axes = normalize_axis_tuple((axis1, axis2), a.ndim)
    matrices = moveaxis(a, axes, (-2, -1))
    m, n = matrices.shape[-2:]
    flat = reshape(matrices, (*matrices.shape[:-2], m * n))
    return view(flat[..., _places(m, n, offset)], a, DIAGONAL, (offset, axis1, axis2))


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """A matrix with v on its diagonal, or the diagonal of the matrix v."""
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"diag expected one or two axes, got shape {v.shape}")
    n = v.size + abs(k)
    return linear(v, operator=Reshape((n * n,), (n, n)) @ Scatter((n * n,), _places(n, n, k)))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """A matrix with the raveled array on its diagonal."""
    return diag(ravel(v), k)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """The sum of a diagonal."""
    refuse_options("trace", out=out)
    return sum(diagonal(a if dtype is None else astype(a, dtype), offset, axis1, axis2), -1)


@implements(np.linalg.diagonal)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonals of a stack of matrices (…, m, n)."""
    return diagonal(x, offset, -2, -1)


@implements(np.linalg.trace)
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The traces of a stack of matrices (…, m, n)."""
    return trace(x, offset, -2, -1, dtype)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """The lower triangle: zeros above the diagonal k."""
    return where(namespace(m).tri(*m.shape[-2:], k=k, dtype=bool), m, 0)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """The upper triangle: zeros below the diagonal k."""
    return where(namespace(m).tri(*m.shape[-2:], k=k - 1, dtype=bool), 0, m)


TABLE[np.linalg.matrix_transpose] = TABLE[np.matrix_transpose]

__all__ = ["diag", "diagflat", "diagonal", "matrix_diagonal", "matrix_trace", "trace", "tril", "triu"]
