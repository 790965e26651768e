"""Explicit full matrices, and Kronecker products of them."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, entry_dtype, namespace, size, sparse_module
from linalg.checks import require_array, require_shape
from linalg.elements.diagonal import Scaling
from linalg.operator import LinearOperator
from linalg.singular import solve_matrix


class Dense(LinearOperator):
    """x ↦ M x for a matrix M of shape (m, n), x of shape (n,); or any in_shape and out_shape of n and m entries."""

    __slots__ = ("in_shape", "matrix", "out_shape")

    def __init__(self, matrix: Array, in_shape: Shape | None = None, out_shape: Shape | None = None):
        require_array(matrix, "Dense", "its matrix")
        if matrix.ndim != 2:
            raise ValueError(f"Dense expected a matrix with two axes, got shape {matrix.shape}")
        self.matrix = matrix
        self.in_shape = (matrix.shape[1],) if in_shape is None else in_shape
        self.out_shape = (matrix.shape[0],) if out_shape is None else out_shape
        require_shape(self.in_shape, "Dense")
        require_shape(self.out_shape, "Dense")
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
        rhs = b.shape[: b.ndim - len(self.out_shape)]
        columns = b.reshape((size(rhs), self.out_size)).T
        return solve_matrix(self, self.matrix, columns).T.reshape(rhs + self.in_shape)

    @property
    def T(self) -> Dense:
        return Dense(self.matrix.T, self.out_shape, self.in_shape)

    def conj(self) -> Dense:
        return Dense(self.matrix.conj(), self.in_shape, self.out_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.matrix

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, Scaling):
            return self._scaled(first.c)
        if isinstance(first, Dense) and _pays(self.matrix, first.matrix):
            return Dense(self.matrix @ first.matrix, first.in_shape, self.out_shape)
        return None

    def _scaled(self, c: Any) -> Dense:
        return Dense(c * self.matrix, self.in_shape, self.out_shape)

    def _dense(self, _like: Array | None, _dtype: np.dtype) -> Array:
        return self.matrix


def _pays(a: Array, b: Array) -> bool:
    """Whether the product of two matrices takes no more memory than they do: it is cheaper to apply, then."""
    return a.shape[0] * b.shape[1] <= a.size + b.size


class Kronecker(LinearOperator):
    """X ↦ A X Bᵀ for X of shape (n_a, n_b): the matrix A ⊗ B on X raveled in C order. A is (m_a, n_a), B is (m_b, n_b)."""

    __slots__ = ("a", "b")

    def __init__(self, a: Array, b: Array):
        require_array(a, "Kronecker", "its first matrix")
        require_array(b, "Kronecker", "its second matrix")
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
        half = solve_matrix(self, self.b, b.swapaxes(-1, -2)).swapaxes(-1, -2)
        return solve_matrix(self, self.a, half)

    @property
    def T(self) -> Kronecker:
        return Kronecker(self.a.T, self.b.T)

    def conj(self) -> Kronecker:
        return Kronecker(self.a.conj(), self.b.conj()) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.a

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, Scaling):
            return self._scaled(first.c)
        if isinstance(first, Kronecker) and _pays(self.a, first.a) and _pays(self.b, first.b):
            return Kronecker(self.a @ first.a, self.b @ first.b)
        return None

    def _scaled(self, c: Any) -> Kronecker:
        return Kronecker(c * self.a, self.b) if self.a.size <= self.b.size else Kronecker(self.a, c * self.b)

    def _dense(self, _like: Array | None, dtype: np.dtype) -> Array:
        dtype = np.result_type(self.dtype, dtype)
        return namespace(self.a, self.b).kron(self.a.astype(dtype, copy=False), self.b.astype(dtype, copy=False))

    def _sparse(self, _like: Array | None, dtype: np.dtype) -> Any:
        module, dtype = sparse_module(self.a), entry_dtype(self.dtype, dtype)
        a, b = (module.csr_matrix(factor.astype(dtype, copy=False)) for factor in (self.a, self.b))
        return module.kron(a, b, format="csr").astype(dtype, copy=False)  # CuPy forgets the dtype where nothing is stored
