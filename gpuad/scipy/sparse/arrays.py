"""SparseArray: a sparse matrix whose entries are under differentiation; where they stand is fixed."""
from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import scipy.sparse

import gpuad.numpy
from gpuad.errors import ArrayConversionError
from gpuad.operands import converts
from gpuad.primitives.sparse import Pattern, constant, is_sparse
from gpuad.program import own
from gpuad.traced import raw, underlying
from linalg import Scatter
from linalg.arrays import is_array, is_cupy, namespace


class SparseArray:
    """A matrix with entries ``data`` (traced, or of a plan) at the places of a fixed pattern, in the order of its format.

    It has the operators and methods of SciPy's sparse arrays that are linear or act entry by entry; ``matrix`` gives * the
    meaning that it has for SciPy's sparse matrices, the matrix product. Results that combine two patterns are in format csr.
    """

    __array_ufunc__ = None  # ndarray @ A is A.__rmatmul__
    __array_priority__ = 2000.0
    ndim = 2

    def __init__(self, data: Any, pattern: Pattern, matrix: bool = False):
        self.data, self.pattern, self.is_matrix = own(data), pattern, matrix

    # ---- what it is

    @property
    def shape(self) -> tuple[int, int]:
        return self.pattern.shape

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def nnz(self) -> int:
        return self.pattern.nnz

    @property
    def format(self) -> str:
        return self.pattern.form

    @property
    def coords(self) -> tuple[np.ndarray, np.ndarray]:
        return self.pattern.rows, self.pattern.columns

    def __getattr__(self, name: str) -> Any:
        if name in ("indices", "indptr") and self.format != "coo":
            return self.pattern.places[name == "indptr"]
        if name in ("row", "col") and self.format == "coo":
            return self.coords[name == "col"]
        known = ", ".join(n for n in dir(type(self)) if not n.startswith("_"))
        raise AttributeError(f"a sparse array under differentiation (format {self.format}) has no attribute {name!r}; it has "
                             f"{known}. Write it with these, with .toarray(), or with A.data and new places")

    def __len__(self) -> NoReturn:
        raise TypeError("sparse array length is ambiguous; use A.nnz or A.shape[0]")

    def __bool__(self) -> NoReturn:
        raise ValueError("the truth value of a sparse array is ambiguous; use A.nnz != 0")

    @converts
    def __array__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise ArrayConversionError("conversion of a sparse array under differentiation to a NumPy array, as SciPy's and NumPy's "
                                   "own functions do it: use A.toarray(), or the operators and methods of A")

    def __repr__(self) -> str:
        return f"SparseArray({self.format}, shape {self.shape}, {self.nnz} entries, {self.data!r})"

    # ---- other forms

    def _with(self, data: Any, pattern: Pattern | None = None) -> SparseArray:
        return SparseArray(data, self.pattern if pattern is None else pattern, self.is_matrix)

    @property
    def T(self) -> SparseArray:
        return self._with(self.data, self.pattern.T)

    mT = T

    def transpose(self, axes: Any = None) -> SparseArray:
        if axes is not None and tuple(axes) != (1, 0):
            raise ValueError(f"transpose expected axes (1, 0), got {axes}")
        return self.T

    def conj(self) -> SparseArray:
        return self._with(np.conjugate(self.data))

    conjugate = conj

    @property
    def real(self) -> SparseArray:
        return self._with(np.real(self.data))

    @property
    def imag(self) -> SparseArray:
        return self._with(np.imag(self.data))

    def copy(self) -> SparseArray:
        return self._with(self.data)

    def astype(self, dtype: Any) -> SparseArray:
        return self._with(self.data.astype(dtype))

    def toarray(self) -> Any:
        """The full matrix."""
        return Scatter(self.shape, self._on(*self.coords)) @ self.data

    todense = toarray

    def tocoo(self) -> SparseArray:
        return self._with(self.data, Pattern("coo", self.coords, self.shape))

    def tocsr(self) -> SparseArray:
        """In format csr, with entries at the same place added up, in order."""
        return self if self.format == "csr" else self._collected(self.data, *self.coords)

    def tocsc(self) -> SparseArray:
        return self if self.format == "csc" else self.T._collected(self.data, *self.coords[::-1]).T

    def asformat(self, format: str | None) -> SparseArray:  # noqa: A002 (SciPy's name)
        return self if format is None else getattr(self, f"to{format}")()

    def _on(self, *places: np.ndarray) -> tuple[Any, ...]:
        """Places where the entries lie."""
        device = raw(self.data)
        return tuple(map(namespace(device).asarray, places)) if is_cupy(underlying(device)) else places

    def _collected(self, data: Any, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int] | None = None) -> SparseArray:
        """The matrix in format csr with data added up at places."""
        shape = self.shape if shape is None else shape
        keys, at = np.unique(rows.astype(np.int64) * shape[1] + columns, return_inverse=True)
        if len(keys) < data.shape[0]:
            data = Scatter((len(keys),), self._on(at)) @ data
        elif data.shape[0]:
            data = data[self._on(np.argsort(at))]
        new_rows, new_columns = np.divmod(keys, max(shape[1], 1))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(new_rows, minlength=shape[0]))])
        return self._with(data, Pattern("csr", (new_columns, indptr), shape))

    # ---- products

    def __matmul__(self, other: Any) -> Any:
        if (sparse := self._sparse(other)) is not None:
            return self._times(sparse)
        if not _is_dense(other):
            return NotImplemented
        x = _array(other, self.data)
        if x.ndim == 0:
            raise ValueError("A @ x expected a vector or a matrix, got a number: write c * A")
        if x.shape[-min(x.ndim, 2)] != self.shape[1]:
            raise ValueError(f"A @ x expected x with {self.shape[1]} rows for A of shape {self.shape}, got shape {x.shape}")
        if x.ndim == 1:
            return self.pattern.product(self.data, x)
        return np.swapaxes(self.pattern.product(self.data, np.swapaxes(x, -1, -2)), -1, -2)

    def __rmatmul__(self, other: Any) -> Any:
        if (sparse := self._sparse(other)) is not None:
            return sparse._times(self)
        if not _is_dense(other):
            return NotImplemented
        x = _array(other, self.data)
        if x.ndim == 0 or x.shape[-1] != self.shape[0]:
            raise ValueError(f"x @ A expected x with {self.shape[0]} columns for A of shape {self.shape}, got shape {x.shape}")
        return self.pattern.T.product(self.data, x)

    def dot(self, other: Any) -> Any:
        return self * other if _is_number(other) else self @ other

    def _times(self, other: SparseArray) -> SparseArray:
        """The product with a sparse matrix: Σ aₑ bₑ′ over pairs of entries with the column of one the row of the other."""
        if self.shape[1] != other.shape[0]:
            raise ValueError(f"A @ B expected as many rows of B as columns of A, got shapes {self.shape} and {other.shape}")
        (rows, inner), (other_rows, columns) = self.coords, other.coords
        order = np.argsort(other_rows, kind="stable")
        counts = np.bincount(other_rows, minlength=other.shape[0])
        first, many = (np.cumsum(counts) - counts)[inner], counts[inner]
        left = np.repeat(np.arange(self.nnz), many)
        within = np.arange(len(left)) - np.repeat(np.cumsum(many) - many, many)
        right = order[first[left] + within]
        data = self.data[self._on(left)] * other.data[self._on(right)]
        return self._collected(data, rows[left], columns[right], (self.shape[0], other.shape[1]))

    # ---- entry by entry

    def __neg__(self) -> SparseArray:
        return self._with(-self.data)

    def __pos__(self) -> SparseArray:
        return self

    def __mul__(self, other: Any) -> Any:
        return self @ other if self.is_matrix and not _is_number(other) else self.multiply(other)

    def __rmul__(self, other: Any) -> Any:
        if _is_number(other) or not (self.is_matrix or _is_spmatrix(other)):
            return self.multiply(other)
        return other @ self

    def __truediv__(self, other: Any) -> Any:
        if not _is_dense(other):
            return NotImplemented
        return self._with(self.data / self._entries_of(other))

    def multiply(self, other: Any) -> Any:
        """Products entry by entry: with a number, with a full array that broadcasts, with a sparse matrix."""
        if (sparse := self._sparse(other)) is not None:
            return self._intersected(sparse)
        return self._with(self.data * self._entries_of(other)) if _is_dense(other) else NotImplemented

    def _entries_of(self, other: Any) -> Any:
        """The entries of a full array, broadcast to the shape, at the places of this one."""
        if _is_number(other):
            return other
        other = _array(other, self.data)
        if np.broadcast_shapes(other.shape, self.shape) != self.shape:
            raise ValueError(f"expected an array that broadcasts to the sparse one's shape {self.shape}, got shape {other.shape}")
        return np.broadcast_to(other, self.shape)[self._on(*self.coords)]

    def _intersected(self, other: SparseArray) -> SparseArray:
        a, b = self._summed(), other._summed()
        _require_shape(a, b)
        _, i, j = np.intersect1d(_keys(a), _keys(b), assume_unique=True, return_indices=True)
        rows, columns = a.coords
        return self._collected(a.data[self._on(i)] * b.data[self._on(j)], rows[i], columns[i])

    def _summed(self) -> SparseArray:
        """With entries at the same place added up."""
        return self if len(np.unique(_keys(self))) == self.nnz else self._collected(self.data, *self.coords)

    def power(self, n: Any) -> SparseArray:
        """Entries to a power, which is positive."""
        if not _is_number(n) or not n > 0:
            raise ValueError(f"power expected a positive number, got {n!r}: zeros would become other numbers")
        return self._with(self._summed().data**n, self._summed().pattern)

    def __pow__(self, n: Any) -> SparseArray:
        if self.is_matrix:
            raise TypeError("A ** n of a sparse matrix is a matrix power: write A @ A, or A.power(n) for that of its entries")
        return self.power(n)

    # ---- sums

    def __add__(self, other: Any) -> Any:
        if (sparse := self._sparse(other)) is not None:
            _require_shape(self, sparse)
            rows, columns = (np.concatenate(both) for both in zip(self.coords, sparse.coords, strict=True))
            return self._collected(np.concatenate([self.data, sparse.data]), rows, columns)
        if _is_number(other):
            if type(other) in (int, float) and other == 0:
                return self
            raise NotImplementedError("adding a nonzero scalar to a sparse array is not supported: write A.toarray() + c")
        return self.toarray() + other if _is_dense(other) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if (sparse := self._sparse(other)) is not None:
            return self + -sparse
        return self + -_array(other, self.data) if _is_dense(other) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def sum(self, axis: Any = None) -> Any:
        """The sum of all entries, or along an axis."""
        if axis is None:
            return np.sum(self.data)
        if axis not in (0, 1, -1, -2):
            raise ValueError(f"sum expected axis None, 0 or 1, got {axis!r}")
        kept = 1 if axis in (0, -2) else 0
        total = Scatter((self.shape[kept],), self._on(self.coords[kept])) @ self.data
        return np.reshape(total, (1, -1) if kept else (-1, 1)) if self.is_matrix else total

    def mean(self, axis: Any = None) -> Any:
        """The mean of all entries, zeros too, or along an axis."""
        return self.sum(axis) / (self.shape[0] * self.shape[1] if axis is None else self.shape[axis])

    def diagonal(self, k: int = 0) -> Any:
        """The k-th diagonal."""
        (m, n), (rows, columns) = self.shape, self.coords
        length = max(0, min(m + min(k, 0), n - max(k, 0)))
        here = np.flatnonzero(columns - rows == k)
        return Scatter((length,), self._on((rows if k >= 0 else columns)[here])) @ self.data[self._on(here)]

    def trace(self, offset: int = 0) -> Any:
        """The sum of a diagonal."""
        return np.sum(self.diagonal(offset))

    def _sparse(self, other: Any) -> SparseArray | None:
        """Another operand as a SparseArray, if it is sparse."""
        return as_sparse(other) if type(other) is SparseArray or is_sparse(other) else None


def as_sparse(matrix: Any) -> SparseArray:
    """A constant matrix of SciPy or CuPy as a SparseArray; one that is one already as it is."""
    if type(matrix) is SparseArray:
        return matrix
    pattern, data = constant(matrix)
    return SparseArray(data, pattern, _is_spmatrix(matrix))


def _keys(a: SparseArray) -> np.ndarray:
    rows, columns = a.coords
    return rows.astype(np.int64) * a.shape[1] + columns


def _require_shape(a: SparseArray, b: SparseArray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"expected sparse arrays of one shape, got {a.shape} and {b.shape}")


def _is_spmatrix(x: Any) -> bool:
    return isinstance(x, scipy.sparse.spmatrix) or type(x).__module__.startswith("cupyx") or getattr(x, "is_matrix", False)


def _is_dense(x: Any) -> bool:
    return is_array(x) or isinstance(x, (bool, int, float, complex, list, tuple))


def _is_number(x: Any) -> bool:
    return isinstance(x, (bool, int, float, complex)) or (is_array(x) and x.ndim == 0)


def _array(x: Any, like: Any) -> Any:
    """Lists and numbers as arrays, where the entries lie."""
    if is_array(x):
        return x
    return gpuad.numpy.asarray(x) if isinstance(x, (list, tuple)) else namespace(raw(like)).asarray(x)
