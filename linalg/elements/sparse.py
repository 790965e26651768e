"""Explicit sparse matrices, solved by sparse LU."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, entry_dtype, is_traced, namespace, size, sparse_solvers
from linalg.checks import require_shape
from linalg.operator import LinearOperator
from linalg.singular import require_square, singular


class Sparse(LinearOperator):
    """x ↦ M x for a sparse matrix M of shape (m, n), in any format of SciPy or of CuPy; kept as CSR.

    x has shape (n,), or any in_shape and out_shape of n and m entries. A solve factorises M by sparse LU (SuperLU, with partial
    pivoting) and keeps the factors, which serve the transpose too. On a GPU the factors are computed on the host and applied on
    the device.

    Raises TypeError where M is no sparse matrix, ValueError where the shapes do not fit.
    """

    __slots__ = ("_factors", "in_shape", "matrix", "out_shape")

    def __init__(self, csr: Any, in_shape: Shape | None = None, out_shape: Shape | None = None):
        if not hasattr(csr, "tocsr") or len(csr.shape) != 2:
            raise TypeError("Sparse expected a sparse matrix of SciPy or CuPy, with two axes, got "
                            f"{type(csr).__name__} of shape {np.shape(csr)}; a full matrix is a linalg.Dense(matrix)")
        self.matrix = csr.tocsr()
        self.in_shape = (csr.shape[1],) if in_shape is None else in_shape
        self.out_shape = (csr.shape[0],) if out_shape is None else out_shape
        self._factors: dict[np.dtype, Any] = {}
        require_shape(self.in_shape, "Sparse")
        require_shape(self.out_shape, "Sparse")
        if (size(self.out_shape), size(self.in_shape)) != self.matrix.shape:
            raise ValueError(f"Sparse expected a matrix of shape {(size(self.out_shape), size(self.in_shape))} for "
                             f"{self.in_shape} -> {self.out_shape}, got {csr.shape}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.matrix.dtype

    @property
    def flops(self) -> int:
        return 2 * self.matrix.nnz

    def _apply(self, x: Array) -> Array:
        if is_traced(x):
            return x._apply_linear(self)
        return _on_columns(self.matrix.__matmul__, x, self.in_shape, self.out_shape)

    def _apply_transpose(self, x: Array) -> Array:
        if is_traced(x):
            return x._apply_linear(self.T)
        return _on_columns(self.matrix.T.__matmul__, x, self.out_shape, self.in_shape)

    def _solve(self, b: Array) -> Array:
        if is_traced(b):
            from linalg.elements.algebra import Inverse

            return b._apply_linear(Inverse(self))
        return self._substitute(b, "N", self.out_shape, self.in_shape)

    def _solve_transpose(self, b: Array) -> Array:
        if is_traced(b):
            from linalg.elements.algebra import Inverse

            return b._apply_linear(Inverse(self.T))
        return self._substitute(b, "T", self.in_shape, self.out_shape)

    def _substitute(self, b: Array, side: str, in_shape: Shape, out_shape: Shape) -> Array:
        namespace(self.matrix.data, b)  # refuses to mix libraries
        dtype = entry_dtype(self.dtype, b.dtype)
        lu = self._factor(dtype)
        return _on_columns(lambda c: lu.solve(c.astype(dtype, order="F"), side), b, in_shape, out_shape)

    def _factor(self, dtype: np.dtype) -> Any:
        require_square(self)
        if dtype not in self._factors:
            try:
                self._factors[dtype] = sparse_solvers(self.matrix).splu(self.matrix.astype(dtype).tocsc())
            except RuntimeError as error:
                if not bool((self.matrix.data != self.matrix.data).any()):
                    raise singular(self, f"has no inverse ({error})") from error
                self._factors[dtype] = _NoNumbers()
        return self._factors[dtype]

    def __deepcopy__(self, _memo: dict[int, Any]) -> Sparse:
        copied = Sparse(self.matrix.copy(), self.in_shape, self.out_shape)
        copied._factors.update(self._factors)  # no operation changes them
        return copied

    def conj(self) -> Sparse:
        return Sparse(self.matrix.conj(), self.in_shape, self.out_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.matrix.data

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        from linalg.elements.diagonal import Scaling

        if isinstance(first, Scaling):
            return self._scaled(first.c)
        if isinstance(first, Sparse):
            return Sparse(self.matrix @ first.matrix, first.in_shape, self.out_shape)
        return None

    def _scaled(self, c: Any) -> Sparse:
        return Sparse(self.matrix * c, self.in_shape, self.out_shape)

    def _dense(self, _like: Array | None, _dtype: np.dtype) -> Array:
        return self.matrix.toarray()

    def _sparse(self, _like: Array | None, _dtype: np.dtype) -> Any:
        return self.matrix

    def __repr__(self) -> str:
        return f"Sparse({self.in_shape} -> {self.out_shape}, {self.matrix.nnz} entries, {self.dtype})"


class _NoNumbers:
    """The factors of a matrix in which SuperLU finds no pivot because of a NaN: as in dense LU, what they solve is NaN."""

    def solve(self, b: Array, _side: str) -> Array:
        return namespace(b).full_like(b, np.nan)


def _on_columns(map_: Any, x: Array, in_shape: Shape, out_shape: Shape) -> Array:
    """A map of columns (n, k) -> (m, k), applied to x of shape (*rhs, *in_shape)."""
    rhs = x.shape[: x.ndim - len(in_shape)]
    if 0 in rhs:
        return x.reshape(rhs + out_shape)
    return map_(x.reshape((size(rhs), size(in_shape))).T).T.reshape(rhs + out_shape)
