"""Identity and zero."""
from __future__ import annotations

import numpy as np

from linalg.arrays import Array, Shape, namespace
from linalg.operator import LinearOperator

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


class Zero(LinearOperator):
    """x ↦ 0: the absent block, made visible."""

    __slots__ = ("in_shape", "out_shape")
    dtype = BOOL

    def __init__(self, in_shape: Shape, out_shape: Shape):
        self.in_shape, self.out_shape = in_shape, out_shape

    def _apply(self, x: Array) -> Array:
        rhs = x.shape[: x.ndim - len(self.in_shape)]
        return namespace(x).zeros(rhs + self.out_shape, dtype=x.dtype)

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    @property
    def T(self) -> Zero:
        return Zero(self.out_shape, self.in_shape)

    def _solve(self, b: Array) -> Array:
        raise np.linalg.LinAlgError(f"singular: {self!r} has no inverse")
