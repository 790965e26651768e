"""Scaling and diagonal operators."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, broadcast, is_array, namespace, size, sparse_module
from linalg.elements.identity import Identity
from linalg.operator import LinearOperator


def _refuse_singular(operator: LinearOperator, entries: Any) -> None:
    if bool((entries == 0).any() if is_array(entries) else entries == 0):
        raise np.linalg.LinAlgError(f"singular: {operator!r} has a zero on its diagonal")


class Scaling(LinearOperator):
    """x ↦ c x with one scalar c (a Python number, or an array of shape ())."""

    __slots__ = ("c", "in_shape", "out_shape")

    def __init__(self, c: Any, shape: Shape):
        self.c = c
        self.in_shape = self.out_shape = shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.c.dtype if is_array(self.c) else np.min_scalar_type(self.c)

    @property
    def flops(self) -> int:
        return size(self.in_shape)

    def _apply(self, x: Array) -> Array:
        return self.c * x

    _apply_transpose = _apply

    def _solve(self, b: Array) -> Array:
        _refuse_singular(self, self.c)
        return b / self.c

    @property
    def T(self) -> Scaling:
        return self

    def conj(self) -> Scaling:
        return Scaling(self.c.conjugate(), self.in_shape)

    def _data(self) -> Array | None:
        return self.c if is_array(self.c) else None

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, Scaling):
            return Scaling(self.c * first.c, self.in_shape)
        if isinstance(first, Diagonal):
            return Diagonal(self.c * first.d, self.in_shape)
        return None


class Diagonal(LinearOperator):
    """x ↦ d ∘ x, entry by entry. d has the operator's shape, or one that broadcasts to it."""

    __slots__ = ("d", "in_shape", "out_shape")

    def __init__(self, d: Array, shape: Shape | None = None):
        self.d = d
        self.in_shape = self.out_shape = d.shape if shape is None else shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.d.dtype

    @property
    def flops(self) -> int:
        return size(self.in_shape)

    def _apply(self, x: Array) -> Array:
        return self.d * x

    _apply_transpose = _apply

    def _solve(self, b: Array) -> Array:
        _refuse_singular(self, self.d)
        return b / self.d

    @property
    def T(self) -> Diagonal:
        return self

    def conj(self) -> Diagonal:
        return Diagonal(self.d.conj(), self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.d

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, Scaling):
            return Diagonal(self.d * first.c, self.in_shape)
        if isinstance(first, Diagonal):
            return Diagonal(self.d * first.d, self.in_shape)
        return None

    def to_dense(self) -> Array:
        return namespace(self.d).diag(broadcast(self.d, self.in_shape).ravel())

    def to_sparse(self) -> Any:
        entries = broadcast(self.d, self.in_shape).ravel()
        entries = entries if entries.dtype.kind in "fc" else entries.astype(float)
        return sparse_module(entries).diags(entries).tocsr()


def diagonal(d: Any, shape: Shape) -> LinearOperator:
    """The operator x ↦ d ∘ x of the given shape, with the structure that d has: one, a scalar, or an array."""
    if not is_array(d):
        return Identity(shape) if d == 1 else Scaling(d, shape)
    return Diagonal(d, shape) if d.shape else Scaling(d, shape)
