"""Products with triangular and banded matrices, which solve by substitution."""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from linalg.arrays import Array, Shape, is_cupy, namespace, scipy_module, size, solve_matrices
from linalg.checks import broadcasts, require_array
from linalg.elements.matrix import LeftProduct
from linalg.operator import LinearOperator
from linalg.scipy import call_scipy
from linalg.singular import singular


class TriangularProduct(LeftProduct):
    """X ↦ A X for a triangular A, whose other triangle is zero; solves by substitution, n² operations for each column.

    A has shape (*batch, n, n), X shape (*batch, n, p); the batch axes of A may broadcast to those of X.
    """

    __slots__ = ("lower",)

    def __init__(self, a: Array, in_shape: Shape, lower: bool):
        super().__init__(a, in_shape)
        self.lower = lower

    def _solve(self, b: Array) -> Array:
        return call_scipy("linalg.solve_triangular", self.a, b, 0, self.lower, plain=substitute)

    @property
    def T(self) -> TriangularProduct:
        return TriangularProduct(self.a.swapaxes(-1, -2), self.in_shape, not self.lower)

    def conj(self) -> TriangularProduct:
        return TriangularProduct(self.a.conj(), self.in_shape, self.lower) if self.dtype.kind == "c" else self


def substitute(a: Array, b: Array, trans: int = 0, lower: bool = False, unit_diagonal: bool = False) -> Array:
    """X with T X = b for a triangle T of a (its transpose for trans 1, its adjoint for 2): b has shape (*rhs, *batch, n, p).

    For NumPy's arrays or CuPy's. Raises numpy.linalg.LinAlgError where a diagonal entry is zero.
    """
    extra, n_batch = b.ndim - a.ndim, a.ndim - 1
    if extra > 0:
        columns = b.transpose((*range(extra, b.ndim - 1), *range(extra), b.ndim - 1))
        x = substitute(a, columns.reshape((*columns.shape[:n_batch], size(columns.shape[n_batch:]))), trans, lower, unit_diagonal)
        return x.reshape(columns.shape).transpose((*range(n_batch, b.ndim - 1), *range(n_batch), b.ndim - 1))
    xp, module = namespace(a, b), scipy_module("linalg", a)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (xp.broadcast_to(m, (*batch, *m.shape[-2:])) for m in (a, b))
    x = xp.empty(b.shape, dtype=np.result_type(a.dtype, b.dtype))
    if not x.size:
        return x
    if not unit_diagonal and is_cupy(a) and bool((xp.diagonal(a, 0, -2, -1) == 0).any()):  # CuPy divides by it
        raise singular("triangular matrix", "has a zero on its diagonal")
    for index in np.ndindex(batch):
        x[index] = module.solve_triangular(a[index], b[index], trans=trans, lower=lower, unit_diagonal=unit_diagonal,
                                           check_finite=False)
    return x


class Banded(LinearOperator):
    """X ↦ A X for a banded A with l diagonals below the main one and u above, X of shape (*batch, n, p).

    ``bands`` of shape (*batch, l + u + 1, n) has the diagonals as LAPACK does, A_ij = bands[u + i − j, j]; entries of it that
    are none of A's count for nothing. Solves pivot (LAPACK's gbsv) and take O(n (l + u)²) operations.
    """

    __slots__ = ("bands", "in_shape", "out_shape", "u")

    def __init__(self, bands: Array, u: int, in_shape: Shape):
        self.bands, self.u = bands, u
        self.in_shape = self.out_shape = in_shape

    def _validate(self) -> None:
        super()._validate()
        require_array(self.bands, "Banded", "its diagonals")
        bands, x = self.bands.shape, self.in_shape
        fits = len(bands) >= 2 and len(x) >= 2 and bands[-1] == x[-2] and 0 <= self.u < bands[-2]
        if not fits or not broadcasts(bands[:-2], x[:-2]):
            raise ValueError("Banded expected diagonals of shape (*batch, l + u + 1, n) for arguments of shape (*batch, n, p), "
                             f"got {bands} with u = {self.u} and in_shape {x}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.bands.dtype

    @property
    def flops(self) -> int:
        return 2 * size(self.in_shape) * self.bands.shape[-2]

    def _apply(self, x: Array) -> Array:
        """Σ_d of the diagonals d, above the main one where d > 0: y_i += bands[u − d, i + d] x_{i+d}."""
        return sum(shifted(self.bands[..., self.u - d, :, None] * x, d, -2) for d in self._diagonals())  # type: ignore[return-value]

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    def _diagonals(self) -> range:
        return range(self.u + 1 - self.bands.shape[-2], self.u + 1)

    def _solve(self, b: Array) -> Array:
        return call_scipy("linalg.solve_banded", (self.bands.shape[-2] - 1 - self.u, self.u), self.bands, b, plain=solve_banded)

    @property
    def T(self) -> Banded:
        rows = [shifted(self.bands[..., self.u - d, :], d, -1) for d in self._diagonals()]
        bands = namespace(self.bands).stack(rows, -2)
        return Banded(bands, self.bands.shape[-2] - 1 - self.u, self.in_shape)

    def conj(self) -> Banded:
        return Banded(self.bands.conj(), self.u, self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.bands


def shifted(x: Array, d: int, axis: int) -> Array:
    """y_i = x_{i+d} along one of the last axes, zero where there is no such entry."""
    n = x.shape[axis]
    length = max(n - abs(d), 0)
    start, tail = max(d, 0), (slice(None),) * (-1 - axis)
    kept = x[(Ellipsis, slice(start, start + length), *tail)]
    if length == n:
        return kept
    shape = list(x.shape)
    shape[axis] = n - length
    zeros = namespace(x).zeros(tuple(shape), dtype=x.dtype)
    return namespace(x).concatenate([kept, zeros] if d > 0 else [zeros, kept], axis)


def solve_banded(l_and_u: tuple[int, int], bands: Array, b: Array) -> Array:
    """X with A X = b for A banded: bands (*batch, l + u + 1, n), b (*rhs, *batch, n, p), NumPy's or CuPy's."""
    batch = bands.shape[:-2]
    shape = (*np.broadcast_shapes(b.shape[:-2], batch), *b.shape[-2:])
    b = namespace(b).broadcast_to(b, shape)
    if is_cupy(bands):
        return solve_matrices(full_matrix(bands, l_and_u[1]), b)
    x = np.empty(shape, np.result_type(bands.dtype, b.dtype))
    if not x.size:
        return x
    for index in np.ndindex(batch):
        here = (Ellipsis, *index, slice(None), slice(None))
        x[here] = _solve_one(l_and_u, bands[index], b[here])
    return x


def _solve_one(l_and_u: tuple[int, int], bands: np.ndarray, b: np.ndarray) -> np.ndarray:
    columns = np.moveaxis(b, -2, 0)
    if bands.shape == (1, 1) and not bands.all():  # SciPy divides by it
        raise singular("banded matrix", "has no inverse")
    try:
        x = scipy.linalg.solve_banded(l_and_u, bands, columns.reshape((len(columns), -1)), check_finite=False)
    except np.linalg.LinAlgError as error:
        raise singular("banded matrix", f"has no inverse ({error})") from error
    return np.moveaxis(x.reshape(columns.shape), 0, -2)


def full_matrix(bands: Array, u: int) -> Array:
    """The matrix with these diagonals, of shape (*batch, n, n)."""
    n = bands.shape[-1]
    identity = namespace(bands).eye(n, dtype=bands.dtype)
    return Banded(bands, u, (*bands.shape[:-2], n, n))._apply(identity)


__all__: list[Any] = ["Banded", "TriangularProduct", "full_matrix", "substitute"]
