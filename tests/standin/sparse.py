"""cupyx.scipy.sparse's matrices, computed by SciPy: CSR, CSC and COO of bool and floating dtypes, in the device's memory."""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from tests.standin import streams
from tests.standin.array import ndarray, put, unsupported

FORMATS = ("csr", "csc", "coo")
DTYPES = "?fdFD"


class spmatrix:
    """A sparse matrix of the stand-in; its class is made for each format."""

    __module__ = "cupyx.scipy.sparse._base"
    __array_priority__ = 101
    __array_ufunc__ = None
    format = ""

    def __init__(self, arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False):
        if isinstance(arg1, spmatrix) or scipy.sparse.issparse(arg1):
            arg1 = getattr(arg1, "_host", arg1)
        elif isinstance(arg1, tuple) and not all(isinstance(n, (int, np.integer)) for n in arg1):
            data = dtype_checked(hosted(arg1[0]))
            arg1 = (data, tuple(map(hosted, arg1[1])) if self.format == "coo" else hosted(arg1[1]),
                    *([hosted(arg1[2])] if len(arg1) > 2 else []))
        elif not isinstance(arg1, tuple):
            arg1 = dtype_checked(hosted(arg1))
        made = getattr(scipy.sparse, f"{self.format}_matrix")(arg1, shape=shape, dtype=dtype, copy=copy)
        refuse()
        if dtype_checked(made).dtype.char not in DTYPES:
            raise ValueError("Only bool, float32, float64, complex64 and complex128 are supported")
        self._host = made

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    nnz = property(lambda self: self._host.nnz)
    ndim = property(lambda _self: 2)
    data = property(lambda self: put(self._host.data))
    indices = property(lambda self: put(self._host.indices))
    indptr = property(lambda self: put(self._host.indptr))
    row = property(lambda self: put(self._host.row))
    col = property(lambda self: put(self._host.col))
    T = property(lambda self: wrapped(self._host.T))

    def get(self) -> Any:
        return self._host.copy()

    def toarray(self, order: Any = None, out: Any = None) -> ndarray:
        assert out is None
        refuse()
        return put(self._host.toarray(order))

    def tocsr(self, copy: bool = False) -> Any:
        return wrapped(self._host.tocsr(copy))

    def tocsc(self, copy: bool = False) -> Any:
        return wrapped(self._host.tocsc(copy))

    def tocoo(self, copy: bool = False) -> Any:
        return wrapped(self._host.tocoo(copy))

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        return wrapped(self._host.astype(dtype, copy=copy))

    def conj(self, copy: bool = True) -> Any:
        return wrapped(self._host.conj(copy))

    def copy(self) -> Any:
        return wrapped(self._host.copy())

    def __neg__(self) -> Any:
        return wrapped(-self._host)

    def __add__(self, other: Any) -> Any:
        return wrapped(self._host + same(other))

    def __sub__(self, other: Any) -> Any:
        return wrapped(self._host - same(other))

    def __mul__(self, other: Any) -> Any:
        return wrapped(self._host * same(other))

    def __rmul__(self, other: Any) -> Any:
        return wrapped(same(other) * self._host)

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, ndarray) and other.ndim > 2:
            raise ValueError("could not interpret dimensions")
        refuse()
        if not isinstance(other, (ndarray, spmatrix, np.ndarray)) and not np.isscalar(other) and not scipy.sparse.issparse(other):
            return NotImplemented
        return wrapped(self._host @ same(other))


def refuse() -> None:
    """Raise as cuSPARSE does while a stream is captured; else wait for what was enqueued before."""
    streams.refuse("cuSPARSE")
    streams.catch_up()


def dtype_checked(data: Any) -> Any:
    if data.dtype.char not in DTYPES:
        raise ValueError("Only bool, float32, float64, complex64 and complex128 are supported")
    return data


def hosted(x: Any) -> Any:
    if not isinstance(x, ndarray):
        raise unsupported(x)
    return x._host


def same(other: Any) -> Any:
    """The other operand, which lies on the device too; an array of no axes is a number."""
    if isinstance(other, spmatrix):
        return other._host
    if isinstance(other, ndarray):
        return other._host if other.ndim else other._host[()]
    if isinstance(other, np.ndarray) or scipy.sparse.issparse(other):
        raise unsupported(other)
    return other


def wrapped(result: Any) -> Any:
    return CLASSES[result.format](result) if scipy.sparse.issparse(result) else put(np.asarray(result))


CLASSES: dict[str, Any] = {f: type(f"{f}_matrix", (spmatrix,), {"format": f, "__module__": f"cupyx.scipy.sparse._{f}"})
                           for f in FORMATS}


def identity(n: int, dtype: Any = "d", format: Any = None) -> Any:  # noqa: A002 (CuPy's name)
    return wrapped(scipy.sparse.identity(n, dtype, format or "csr"))


def kron(A: Any, B: Any, format: Any = None) -> Any:  # noqa: A002 (CuPy's name)
    made = scipy.sparse.kron(A._host, B._host, format or "coo")
    return wrapped(made if A.nnz and B.nnz else made.astype(float))


class SuperLU:
    """cupyx.scipy.sparse.linalg.SuperLU: the right-hand side has one or two axes."""

    def __init__(self, factors: Any):
        self._factors = factors

    def solve(self, rhs: Any, trans: str = "N") -> ndarray:
        if not isinstance(rhs, ndarray) or rhs.ndim not in (1, 2):
            raise TypeError("rhs must be a cupy.ndarray of one or two axes")
        refuse()
        return put(self._factors.solve(rhs._host, trans))


def splu(A: Any) -> SuperLU:
    if A.shape[0] != A.shape[1] or A.dtype.char not in "fdFD":
        raise TypeError(f"A must be square and floating, got {A.shape} {A.dtype}")
    return SuperLU(scipy.sparse.linalg.splu(A.get().tocsc()))
