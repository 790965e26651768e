"""Special matrices of scipy.linalg, made of vectors and of matrices, and systems with Toeplitz and circulant ones.

Matrices that place entries are placed by SciPy's own functions, of the numbers of the entries. As in SciPy, Levinson's recursion,
by which Toeplitz systems are solved, needs leading principal minors that are regular: LinAlgError.
"""
from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.linalg

from gpuad.dispatch import TABLE, implements
from gpuad.primitives.constants import CONSTANTS
from gpuad.primitives.convolutions import convolution
from gpuad.primitives.implicit import implicit, solution
from gpuad.primitives.scipy_linalg_equations import in_double
from gpuad.primitives.scipy_options import implements_scipy
from gpuad.primitives.shapes import arrays_of, broadcast_to, reshape
from gpuad.traced import raw
from linalg import Toeplitz
from linalg.arrays import Array, namespace, records
from linalg.elements.toeplitz import solve_toeplitz as solve_plain
from linalg.scipy import call_scipy

# ---- matrices that place entries

def _placed(function: Callable[..., Any], *vectors: Any) -> Any:
    """function(*vectors), for a function that puts entries of vectors, and zeros, into a matrix; vectors may be stacks."""
    lines = [np.expand_dims(v, 0) if v.ndim == 0 else v for v in arrays_of(*vectors)]
    ends = np.cumsum([1, *[v.shape[-1] for v in lines]])
    places = function(*[np.arange(a, b) for a, b in pairwise(ends)])
    return _with_zero(lines)[..., places]


def _with_zero(vectors: list[Any]) -> Any:
    """The vectors in a row, behind a zero; batch axes broadcast."""
    batch = np.broadcast_shapes(*[v.shape[:-1] for v in vectors])
    dtype = np.result_type(*[v.dtype for v in vectors])
    zero = namespace(*map(raw, vectors)).zeros((*batch, 1), dtype=dtype)
    return np.concatenate([zero, *[broadcast_to(v, (*batch, v.shape[-1])) for v in vectors]], -1)


@implements_scipy(scipy.linalg.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrix with first column c and first row r, constant along diagonals; r is the conjugate of c by default."""
    return _placed(scipy.linalg.toeplitz, c, np.conjugate(c) if r is None else r)


@implements_scipy(scipy.linalg.circulant)
def circulant(c: Any) -> Any:
    """The matrix whose columns are c, rotated downwards by one more each."""
    return _placed(scipy.linalg.circulant, c)


@implements_scipy(scipy.linalg.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with first column c and last row r, constant along antidiagonals; r is zero by default."""
    c, r = arrays_of(c, namespace(raw(c)).zeros(c.shape, dtype=c.dtype) if r is None else r)
    if c.ndim != 1 or r.ndim != 1:
        raise ValueError(f"hankel expected two vectors, got shapes {c.shape} and {r.shape}")
    return _placed(scipy.linalg.hankel, c, r)


@implements_scipy(scipy.linalg.leslie)
def leslie(f: Any, s: Any) -> Any:
    """The Leslie matrix: f in the first row, s below the diagonal."""
    return _placed(scipy.linalg.leslie, f, s)


@implements_scipy(scipy.linalg.convolution_matrix)
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """The matrix whose product with a vector of length n is the convolution with a."""
    return _placed(lambda v: scipy.linalg.convolution_matrix(v, n, mode), a)


@implements_scipy(scipy.linalg.diagsvd)
def diagsvd(s: Any, M: int, N: int) -> Any:
    """The matrix of M rows and N columns with s on its diagonal."""
    return _placed(lambda v: scipy.linalg.diagsvd(v, M, N), s)


def _companion(function: Callable[..., Any], a: Any) -> Any:
    """A companion matrix: its entries are 0, 1 and −aₖ/a₀."""
    if a.shape[-1] < 2:
        raise ValueError(f"a companion matrix expected at least two coefficients, got shape {a.shape}")
    numbers = function(np.arange(1.0, a.shape[-1] + 1))  # aₖ/a₀ is k + 1
    places = np.where(numbers < 0, -numbers, numbers).astype(int)
    xp, batch = namespace(raw(a)), a.shape[:-1]
    one = xp.ones((*batch, 1), dtype=a.dtype)
    return _with_zero([one, -a[..., 1:] / a[..., :1]])[..., places]


@implements_scipy(scipy.linalg.companion)
def companion(a: Any) -> Any:
    """The companion matrix of a polynomial with coefficients a, the highest first."""
    return _companion(scipy.linalg.companion, a)


@implements_scipy(scipy.linalg.fiedler_companion)
def fiedler_companion(a: Any) -> Any:
    """Fiedler's companion matrix, with five diagonals, of a polynomial with coefficients a, the highest first."""
    return _companion(scipy.linalg.fiedler_companion, a)


@implements_scipy(scipy.linalg.fiedler)
def fiedler(a: Any) -> Any:
    """|a_i − a_j|; where entries coincide the derivative is 0."""
    return np.abs(np.expand_dims(a, -1) - np.expand_dims(a, -2))


@implements(scipy.linalg.block_diag)
def block_diag(*arrs: Any) -> Any:
    """The matrices along the diagonal, zeros elsewhere."""
    arrays = [np.atleast_2d(a) for a in arrays_of(*arrs)]
    xp, dtype = namespace(*map(raw, arrays)), np.result_type(*[a.dtype for a in arrays])
    batch = np.broadcast_shapes(*[a.shape[:-2] for a in arrays])
    width, before, rows = sum(a.shape[-1] for a in arrays), 0, []
    for a in arrays:
        m, n = a.shape[-2:]
        sides = [xp.zeros((*batch, m, k), dtype=dtype) for k in (before, width - before - n)]
        rows.append(np.concatenate([sides[0], broadcast_to(a, (*batch, m, n)), sides[1]], -1))
        before += n
    return np.concatenate(rows, -2)


@implements_scipy(scipy.linalg.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Any:
    """The Kronecker products of the columns of a with those of b."""
    a, b = arrays_of(a, b)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"khatri_rao expected two matrices with as many columns, got shapes {a.shape} and {b.shape}")
    c = np.expand_dims(a, -2) * np.expand_dims(b, -3)
    return reshape(c, (*c.shape[:-3], c.shape[-3] * c.shape[-2], c.shape[-1]))


# ---- products and systems

def _diagonals(c_or_cr: Any, b: Any) -> tuple[Any, Any, int, int]:
    """The diagonals of a Toeplitz matrix from the last entry of its first row on, the other argument, and the matrix's shape."""
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, np.conjugate(c_or_cr))
    c, r, b = map(in_double, arrays_of(c, r, b))
    batch = np.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    n = r.shape[-1]
    if b.shape[-2 if b.ndim > 1 else 0] != n:
        raise ValueError(f"a Toeplitz matrix with {n} columns expected an array with as many rows, got shape {b.shape}")
    row = np.flip(r[..., 1:], -1)
    return np.concatenate([broadcast_to(row, (*batch, n - 1)), broadcast_to(c, (*batch, c.shape[-1]))], -1), b, c.shape[-1], n


@implements_scipy(scipy.linalg.matmul_toeplitz)
def matmul_toeplitz(c_or_cr: Any, x: Any) -> Any:
    """T x for the Toeplitz matrix with first column c and first row r, as a convolution."""
    t, x, m, n = _diagonals(c_or_cr, x)
    if x.ndim == 1:
        return convolution(t, x, start=(n - 1,), length=(m,))
    y = convolution(np.expand_dims(t, -2), np.swapaxes(x, -1, -2), start=(n - 1,), length=(m,))
    return np.swapaxes(y, -1, -2)


_toeplitz = implicit("solve_toeplitz", lambda x, t: Toeplitz(t, x.shape))


@implements_scipy(scipy.linalg.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any) -> Any:
    """x with T x = b for the Toeplitz matrix with first column c and first row r."""
    t, b, m, n = _diagonals(c_or_cr, b)
    if m != n:
        raise ValueError(f"solve_toeplitz expected a column and a row of one length, got {m} and {n}")
    columns = np.expand_dims(b, -1) if b.ndim == 1 else b
    columns = broadcast_to(columns, (*np.broadcast_shapes(t.shape[:-1], columns.shape[:-2]), *columns.shape[-2:]))
    x = solution(_solve_toeplitz, t, columns)
    x = _toeplitz(Toeplitz(t, x.shape)._apply(x) - columns, x, t)
    return x[..., 0] if b.ndim == 1 else x


def _solve_toeplitz(t: Array, b: Array) -> Array:
    n = b.shape[-2]
    return call_scipy("linalg.solve_toeplitz", (t[..., n - 1:], np.flip(t[..., :n], -1)), b, plain=solve_plain)


@implements_scipy(scipy.linalg.solve_circulant)
def solve_circulant(c: Any, b: Any, singular: str = "raise", tol: Any = None, caxis: int = -1, baxis: int = 0,
                    outaxis: int = 0) -> Any:
    """x with C x = b for the circulant matrix with first column c, by Fourier transforms; ``singular`` may be "lstsq"."""
    c, b = arrays_of(c, b)
    real = "c" not in (c.dtype.kind, b.dtype.kind)
    c, b = (np.moveaxis(np.atleast_1d(v), axis, -1) for v, axis in ((c, caxis), (b, baxis)))
    if c.shape[-1] != b.shape[-1]:
        raise ValueError(f"solve_circulant expected c and b of one length, got {c.shape[-1]} and {b.shape[-1]}")
    fc, fb = np.fft.fft(c), np.fft.fft(b)
    size = np.abs(raw(fc))
    least = size.max(axis=-1, keepdims=True) * (c.shape[-1] * float(np.finfo(float).eps)) if tol is None else tol
    zero = size <= least
    if singular == "raise":
        _require_regular(zero)
    q = np.where(zero, 0, fb / np.where(zero, 1, fc))
    x = np.moveaxis(np.fft.ifft(q), -1, outaxis)
    return x.real if real else x


def _require_regular(zero: Any) -> None:
    if records(zero):
        zero._record(_require_regular, zero, ordered=True)
    elif zero.any():
        raise np.linalg.LinAlgError("near singular circulant matrix: for the shortest of the closest solutions pass "
                                    "singular='lstsq'")


# ---- questions about a matrix

def _question(name: str) -> None:
    """Enter a function of one matrix whose answer is constant."""
    function = getattr(scipy.linalg, name)
    TABLE[function] = lambda a, **options: call_scipy(f"linalg.{name}", raw(a), **options)
    CONSTANTS.add(function)


for _name in ("bandwidth", "ishermitian", "issymmetric"):
    _question(_name)

__all__ = ["block_diag", "circulant", "companion", "convolution_matrix", "diagsvd", "fiedler", "fiedler_companion", "hankel",
           "khatri_rao", "leslie", "matmul_toeplitz", "solve_circulant", "solve_toeplitz", "toeplitz"]
