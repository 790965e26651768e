"""Identity and zero."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, namespace, sparse_module
from linalg.checks import require_shape
from linalg.operator import LinearOperator
from linalg.singular import singular
from linalg.sparse import positions, selection

BOOL = np.dtype(bool)  # entries 0 and 1 only: neutral in type promotion


class Identity(LinearOperator):
    """x ↦ x."""

    __slots__ = ("in_shape", "out_shape")
    dtype = BOOL

    def __init__(self, shape: Shape):
        self.in_shape = self.out_shape = shape

    def _apply(self, x: Array) -> Array:
        return x

    _apply_transpose = _apply
    _solve = _apply

    @property
    def T(self) -> Identity:
        return self

    def _sparse(self, like: Array | None, _dtype: np.dtype) -> Any:
        return selection(positions(self.in_shape, like), self.in_size)


class Zero(LinearOperator):
    """x ↦ 0: the absent block, made visible."""

    __slots__ = ("in_shape", "out_shape")
    dtype = BOOL

    def __init__(self, in_shape: Shape, out_shape: Shape):
        self.in_shape, self.out_shape = in_shape, out_shape

    def _validate(self) -> None:
        require_shape(self.in_shape, "Zero")
        require_shape(self.out_shape, "Zero")

    def _apply(self, x: Array) -> Array:
        rhs = x.shape[: x.ndim - len(self.in_shape)]
        return namespace(x).zeros(rhs + self.out_shape, dtype=x.dtype)

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    @property
    def T(self) -> Zero:
        return Zero(self.out_shape, self.in_shape)

    def _solve(self, b: Array) -> Array:
        if self.in_size == 0 == self.out_size:
            return b.reshape(b.shape[: b.ndim - len(self.out_shape)] + self.in_shape)
        raise singular(self, "has no inverse")

    def _sparse(self, like: Array | None, _dtype: np.dtype) -> Any:
        return sparse_module(like).csr_matrix(self.shape, dtype=float)
