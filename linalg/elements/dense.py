"""Explicit matrices: dense, sparse, symmetric tridiagonal, and Kronecker products."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, namespace, size, sparse_module
from linalg.operator import LinearOperator


class Dense(LinearOperator):
    """x ↦ M x for a matrix M of shape (m, n), x of shape (n,); or any in_shape and out_shape of n and m entries."""

    __slots__ = ("in_shape", "matrix", "out_shape")

    def __init__(self, matrix: Array, in_shape: Shape | None = None, out_shape: Shape | None = None):
        if matrix.ndim != 2:
            raise ValueError(f"Dense expected a matrix with two axes, got shape {matrix.shape}")
        self.matrix = matrix
        self.in_shape = (matrix.shape[1],) if in_shape is None else in_shape
        self.out_shape = (matrix.shape[0],) if out_shape is None else out_shape
        if (size(self.out_shape), size(self.in_shape)) != matrix.shape:
            raise ValueError(f"Dense expected a matrix of shape {(size(self.out_shape), size(self.in_shape))} for "
                             f"{self.in_shape} -> {self.out_shape}, got {matrix.shape}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.matrix.dtype

    @property
    def flops(self) -> int:
        return 2 * self.out_size * self.in_size

    def _apply(self, x: Array) -> Array:
        rhs = x.shape[: x.ndim - len(self.in_shape)]
        return (x.reshape((*rhs, self.in_size)) @ self.matrix.T).reshape(rhs + self.out_shape)

    def _apply_transpose(self, x: Array) -> Array:
        rhs = x.shape[: x.ndim - len(self.out_shape)]
        return (x.reshape((*rhs, self.out_size)) @ self.matrix).reshape(rhs + self.in_shape)

    def _solve(self, b: Array) -> Array:
        if self.in_size != self.out_size:
            raise np.linalg.LinAlgError(f"singular: {self!r} is not square")
        rhs = b.shape[: b.ndim - len(self.out_shape)]
        columns = b.reshape((size(rhs), self.out_size)).T
        return namespace(self.matrix, b).linalg.solve(self.matrix, columns).T.reshape(rhs + self.in_shape)

    @property
    def T(self) -> Dense:
        return Dense(self.matrix.T, self.out_shape, self.in_shape)

    def conj(self) -> Dense:
        return Dense(self.matrix.conj(), self.in_shape, self.out_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.matrix

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, Dense):
            return Dense(self.matrix @ first.matrix, first.in_shape, self.out_shape)
        return None

    def to_dense(self) -> Array:
        return self.matrix


class Kronecker(LinearOperator):
    """X ↦ A X Bᵀ for X of shape (n_a, n_b): the matrix A ⊗ B on X raveled in C order. A is (m_a, n_a), B is (m_b, n_b)."""

    __slots__ = ("a", "b")

    def __init__(self, a: Array, b: Array):
        if a.ndim != 2 or b.ndim != 2:
            raise ValueError(f"Kronecker expected two matrices, got shapes {a.shape} and {b.shape}")
        self.a, self.b = a, b

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return self.a.shape[1], self.b.shape[1]

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self.a.shape[0], self.b.shape[0]

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return np.result_type(self.a.dtype, self.b.dtype)

    @property
    def flops(self) -> int:
        (ma, na), (mb, nb) = self.a.shape, self.b.shape
        return 2 * na * nb * mb + 2 * ma * na * mb

    def _apply(self, x: Array) -> Array:
        return self.a @ (x @ self.b.T)

    def _apply_transpose(self, x: Array) -> Array:
        return self.a.T @ (x @ self.b)

    def _solve(self, b: Array) -> Array:
        from linalg.elements.matrix import LeftProduct, RightProduct

        half = RightProduct(self.b.T, (self.a.shape[0], self.b.shape[1]))._solve(b)
        return LeftProduct(self.a, self.in_shape)._solve(half)

    @property
    def T(self) -> Kronecker:
        return Kronecker(self.a.T, self.b.T)

    def conj(self) -> Kronecker:
        return Kronecker(self.a.conj(), self.b.conj()) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.a

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, Kronecker):
            return Kronecker(self.a @ first.a, self.b @ first.b)
        return None

    def to_dense(self) -> Array:
        return namespace(self.a, self.b).kron(self.a, self.b)

    def to_sparse(self) -> Any:
        module = sparse_module(self.a)
        return module.kron(module.csr_matrix(self.a), module.csr_matrix(self.b), format="csr")
