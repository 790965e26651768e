"""Products with sparse matrices of a fixed pattern, as maps of the vector and as maps of the entries."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, namespace, size
from linalg.checks import require_array
from linalg.operator import LinearOperator
from linalg.pattern import SparseLU, SparsePattern
from linalg.sparse import csr, positions


class SparseProduct(LinearOperator):
    """x ↦ A x along the last axis: (*batch, n) to (*batch, m), for A with entries d at the places of a pattern.

    Unlike those of ``Sparse``, the entries may be traced. ``solver(pattern, d, b)`` solves A x = b, and is called with the
    transposed pattern for Aᵀ; sparse LU by default.
    """

    __slots__ = ("d", "in_shape", "pattern", "solver")

    def __init__(self, pattern: SparsePattern, d: Array, in_shape: Shape, solver: Any = None):
        self.pattern, self.d, self.in_shape, self.solver = pattern, d, in_shape, SparseLU() if solver is None else solver

    def _validate(self) -> None:
        super()._validate()
        require_array(self.d, "SparseProduct", "its entries")
        if self.d.shape != (self.pattern.nnz,) or self.in_shape[-1:] != self.pattern.shape[1:]:
            raise ValueError(f"SparseProduct expected {self.pattern.nnz} entries and arguments (*batch, {self.pattern.shape[1]}) "
                             f"for {self.pattern!r}, got entries of shape {self.d.shape} and in_shape {self.in_shape}")

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return (*self.in_shape[:-1], self.pattern.shape[0])

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.d.dtype

    @property
    def flops(self) -> int:
        return 2 * self.pattern.nnz * size(self.in_shape[:-1])

    def _apply(self, x: Array) -> Array:
        return self.pattern.product(self.d, x)

    def _apply_transpose(self, x: Array) -> Array:
        return self.pattern.T.product(self.d, x)

    @property
    def T(self) -> SparseProduct:
        return SparseProduct(self.pattern.T, self.d, self.out_shape, self.solver)

    def _solve(self, b: Array) -> Array:
        return self.pattern.solve(self.d, b, self.solver)

    def conj(self) -> SparseProduct:
        return SparseProduct(self.pattern, self.d.conj(), self.in_shape, self.solver) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.d

    def _sparse(self, _like: Array | None, _dtype: np.dtype) -> Any:
        """One copy of the entries for each of the batch."""
        xp, batch = namespace(self.d), np.arange(size(self.in_shape[:-1]))[:, None]
        rows, columns = (xp.asarray(batch * n + at) for n, at in zip(
            self.pattern.shape, (self.pattern.rows, self.pattern.columns), strict=True))
        return csr(self.d, rows, columns, self.shape)


class SampledProduct(LinearOperator):
    """d ↦ A(d) x for entries d at the places of a pattern, and a fixed x of shape (*batch, n).

    Its transpose takes w to the entries of Σ w xᵀ at those places.
    """

    __slots__ = ("pattern", "x")

    def __init__(self, pattern: SparsePattern, x: Array):
        self.pattern, self.x = pattern, x

    def _validate(self) -> None:
        require_array(self.x, "SampledProduct", "its factor")
        if self.x.shape[-1:] != self.pattern.shape[1:]:
            raise ValueError(f"SampledProduct expected a factor (*batch, {self.pattern.shape[1]}) for {self.pattern!r}, got "
                             f"shape {self.x.shape}")

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return (self.pattern.nnz,)

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return (*self.x.shape[:-1], self.pattern.shape[0])

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.x.dtype

    @property
    def flops(self) -> int:
        return 2 * self.pattern.nnz * size(self.x.shape[:-1])

    def _apply(self, x: Array) -> Array:
        """One matrix for each right-hand side: a matrix of matrices, one below the other."""
        rhs, (*batch, _), m = x.shape[:-1], self.x.shape, self.pattern.shape[0]
        if not rhs:
            return self.pattern.product(x, self.x)
        k = size(rhs)
        y = self.pattern.stacked(k).product(x.reshape((k * self.pattern.nnz,)), self.x)
        axes = len(batch)
        return y.reshape((*batch, *rhs, m)).transpose((*range(axes, axes + len(rhs)), *range(axes), axes + len(rhs)))

    def _apply_transpose(self, x: Array) -> Array:
        batch, m = self.x.shape[:-1], self.pattern.shape[0]
        rhs = x.shape[: x.ndim - 1 - len(batch)]
        if not rhs:
            return self.pattern.sampled(self.x, x)
        k, n = size(rhs), len(rhs)
        turned = x.transpose((*range(n, x.ndim - 1), *range(n), x.ndim - 1)).reshape((*batch, k * m))
        return self.pattern.stacked(k).sampled(self.x, turned).reshape((*rhs, self.pattern.nnz))

    def conj(self) -> SampledProduct:
        return SampledProduct(self.pattern, self.x.conj()) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.x

    def _sparse(self, _like: Array | None, _dtype: np.dtype) -> Any:
        xp, (*batch, _) = namespace(self.x), self.x.shape
        k = size(tuple(batch))
        rows = np.arange(k)[:, None] * self.pattern.shape[0] + self.pattern.rows
        data = self.x[..., xp.asarray(self.pattern.columns)].reshape((k, self.pattern.nnz))
        return csr(data, xp.asarray(rows), positions((1, self.pattern.nnz), self.x), self.shape)
