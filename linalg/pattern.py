"""Sparse matrices of a fixed pattern as functions of their entries: products, entries of dense products, and solves."""
from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np

from linalg.arrays import Array, entry_dtype, is_cupy, namespace, queue, records, size, sparse_module, sparse_solvers, to_host
from linalg.singular import require_square, singular


class SparsePattern:
    """Where the entries of a sparse matrix of some shape stand, in the order of SciPy's formats csr, csc or coo.

    ``places`` is (indices, indptr) for csr and csc, (rows, columns) for coo. Entries at the same place add up. ``P.T`` is the
    pattern of the transpose, with the entries in the same order. The arrays are copied.
    """

    def __init__(self, form: str, places: tuple[Any, Any], shape: tuple[int, int]):
        self.form, self.shape = form, (int(shape[0]), int(shape[1]))
        self.places = _frozen(to_host(places[0])), _frozen(to_host(places[1]))
        self.base, self.flipped = self, False  # of which matrix it is the pattern: of the first one, or of its transpose
        self.solvers: dict[Any, Any] = {}  # which keep factors
        self._on_device: dict[tuple[str, int, int], tuple[Array, Array]] = {}

    @property
    def nnz(self) -> int:
        return len(self.places[0])

    @cached_property
    def rows(self) -> np.ndarray:
        return self._numbers(0)

    @cached_property
    def columns(self) -> np.ndarray:
        return self._numbers(1)

    def _numbers(self, axis: int) -> np.ndarray:
        if self.form == "coo" or (self.form == "csr") == (axis == 1):
            return self.places[axis if self.form == "coo" else 0].astype(np.intp, copy=False)
        return np.repeat(np.arange(self.shape[axis]), np.diff(self.places[1]))

    def numbers(self, like: Array) -> tuple[Array, Array]:
        """The numbers of rows and columns, where an array lies."""
        return self._moved(like, "numbers", self.rows, self.columns)

    @cached_property
    def T(self) -> Self:
        form = {"csr": "csc", "csc": "csr", "coo": "coo"}[self.form]
        turned = type(self)(form, self.places[::-1] if form == "coo" else self.places, self.shape[::-1])
        turned.__dict__["T"], turned.base, turned.flipped = self, self.base, not self.flipped
        return turned

    def stacked(self, k: int) -> Self:
        """The pattern of k such matrices, one below the other."""
        if k == 1:
            return self
        first = np.arange(k)[:, None] * self.shape[0]
        rows, columns = (first + self.rows).ravel(), np.tile(self.columns, k)
        return type(self)("coo", (rows, columns), (k * self.shape[0], self.shape[1]))

    def matrix(self, entries: Array) -> Any:
        """The matrix of SciPy, or of CuPy, that has these entries."""
        places = self.on(entries)
        data = (entries, places) if self.form == "coo" else (entries, *places)
        return getattr(sparse_module(entries), f"{self.form}_matrix")(data, shape=self.shape)

    def on(self, like: Array) -> tuple[Array, Array]:
        """The places, where an array lies."""
        return self._moved(like, "places", *self.places)

    def _moved(self, like: Array, name: str, *arrays: np.ndarray) -> tuple[Array, Array]:
        if not is_cupy(like):
            return arrays[0], arrays[1]
        key = name, *queue()
        if key not in self._on_device:
            xp = namespace(like)
            self._on_device[key] = xp.asarray(arrays[0]), xp.asarray(arrays[1])
        return self._on_device[key]

    # ---- of the entries d, for arrays of any leading axes

    def product(self, d: Array, x: Array) -> Array:
        """A(d) x, for x of shape (*batch, n)."""
        for part in (d, x):
            if records(part):
                return part._record(_product, self, d, x)
        return _product(self, d, x)

    def sampled(self, x: Array, w: Array) -> Array:
        """The entries of Σ w xᵀ at the places of the pattern, for x of shape (*batch, n) and w of shape (*batch, m)."""
        for part in (x, w):
            if records(part):
                return part._record(_sampled, self, x, w)
        return _sampled(self, x, w)

    def solve(self, d: Array, b: Array, solver: Any) -> Array:
        """x with A(d) x = b, for b of shape (*batch, n), by ``solver(pattern, d, b)``."""
        for part in (d, b):
            if records(part):
                return part._record(_solve, self, d, b, solver)
        return solver(self, d, b)

    def __repr__(self) -> str:
        return f"SparsePattern({self.form}, {self.shape}, {self.nnz} entries)"


def _frozen(x: Any) -> np.ndarray:
    """A copy that nobody can change; x itself where it is one."""
    if type(x) is np.ndarray and x.base is None and not x.flags.writeable:
        return x
    x = np.array(x)
    x.flags.writeable = False
    return x


def on_columns(map_: Any, x: Array, n_out: int) -> Array:
    """A map of columns (n, k) -> (m, k), applied to x of shape (*batch, n)."""
    batch = x.shape[:-1]
    if not batch:
        return map_(x)
    return map_(x.reshape((size(batch), x.shape[-1])).T).T.reshape((*batch, n_out))


def _product(pattern: SparsePattern, d: Array, x: Array) -> Array:
    if 0 in x.shape[:-1]:
        return namespace(d, x).zeros((*x.shape[:-1], pattern.shape[0]), dtype=np.result_type(d.dtype, x.dtype))
    return on_columns(pattern.matrix(d).__matmul__, x, pattern.shape[0])


BLOCK = 1 << 17
"""Entries of the arrays in which rows of factors are laid side by side."""


def _sampled(pattern: SparsePattern, x: Array, w: Array) -> Array:
    xp, k = namespace(x, w), size(x.shape[:-1])
    rows, columns = pattern.numbers(x)
    if k == 1:
        return x.ravel().take(columns) * w.ravel().take(rows)
    x, w = (xp.ascontiguousarray(z.reshape((k, z.shape[-1])).T) for z in (x, w))
    step = max(1, BLOCK // max(1, k))
    blocks = [slice(i, i + step) for i in range(0, pattern.nnz, step)] or [slice(0)]
    parts = [xp.einsum("ek,ek->e", x.take(columns[b], axis=0), w.take(rows[b], axis=0)) for b in blocks]
    return parts[0] if len(parts) == 1 else xp.concatenate(parts)


def _solve(pattern: SparsePattern, d: Array, b: Array, solver: Any) -> Array:
    return solver(pattern, d, b)


class SparseLU:
    """Solves by sparse LU (SuperLU), and keeps the factors of the last matrix, which serve its transpose too.

    Raises numpy.linalg.LinAlgError where the matrix is not square or exactly singular.
    """

    def __init__(self, permc_spec: str | None = None) -> None:
        self._options = {} if permc_spec is None else {"permc_spec": permc_spec}
        self._kept: tuple[Array, Any] | None = None

    def __call__(self, pattern: SparsePattern, d: Array, b: Array) -> Array:
        require_square(pattern)
        namespace(d, b)  # refuses to mix libraries
        dtype = entry_dtype(d.dtype, b.dtype)
        if 0 in b.shape:
            return b.astype(dtype)
        if bool(namespace(d).isnan(d).any()):  # as in dense LU, what a NaN stands in is NaN
            return namespace(b).full_like(b, np.nan, dtype=dtype)
        lu, side = self._factors(pattern.base, d.astype(dtype, copy=False)), "T" if pattern.flipped else "N"
        return on_columns(lambda c: lu.solve(c.astype(dtype, order="F"), side), b, pattern.shape[1])

    def _factors(self, pattern: SparsePattern, d: Array) -> Any:
        kept = self._kept
        if kept is not None and kept[0].dtype == d.dtype and is_cupy(kept[0]) == is_cupy(d) and bool((kept[0] == d).all()):
            return kept[1]
        matrix = pattern.matrix(d).tocsc()
        try:
            lu = sparse_solvers(matrix).splu(matrix, **self._options)
        except RuntimeError as error:
            raise singular(pattern, f"has no inverse ({error})") from error
        self._kept = d.copy(), lu
        return lu
