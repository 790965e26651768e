"""Linear systems of scipy.linalg: general, triangular, banded and factored ones, and what is made of them.

Where SciPy is told that a matrix is symmetric, Hermitian or positive definite it reads one triangle of it, and so do these
functions; the differential is that of the symmetric or Hermitian part (dA + dAᴴ)/2, so gradients are Hermitian. Of triangular,
diagonal and tridiagonal matrices, and of the other triangle of factors, what SciPy does not read has no derivative. Singular
matrices raise LinAlgError.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.linalg

from gpuad.differential import Primitive
from gpuad.primitives.decompositions import as_hermitian
from gpuad.primitives.implicit import implicit, solution
from gpuad.primitives.inverses import least_squares, pinv_rule
from gpuad.primitives.norms import norm as numpy_norm
from gpuad.primitives.scipy_options import implements_scipy
from gpuad.primitives.shapes import arrays_of, broadcast_to, reshape
from gpuad.traced import raw
from linalg import Banded, TriangularProduct
from linalg.arrays import Array, namespace
from linalg.elements.banded import shifted, substitute
from linalg.elements.banded import solve_banded as banded_plain
from linalg.scipy import call_scipy

# ---- triangular systems

_triangular = implicit("solve_triangular", lambda x, t, lower: TriangularProduct(t, x.shape, lower))


@implements_scipy(scipy.linalg.solve_triangular)
def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """x with T x = b for a triangle T of a; with Tᵀ for ``trans`` 1 or "T", Tᴴ for 2 or "C"."""
    a, b = arrays_of(a, b)
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"solve_triangular expected trans as 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    if trans not in (0, "N"):
        a, lower = np.swapaxes(a, -1, -2), not lower
        a = np.conjugate(a) if trans in (2, "C") else a
    a, x, vector = _broadcast(a, b)
    t = np.tril(a, -1 if unit_diagonal else 0) if lower else np.triu(a, 1 if unit_diagonal else 0)
    t = t + namespace(raw(a)).eye(a.shape[-1], dtype=a.dtype) if unit_diagonal else t
    x0 = solution(partial(_substitute, lower=lower), t, x)
    return _vector(_triangular(np.matmul(t, x0) - x, x0, t, lower=lower), vector)


def _substitute(t: Array, b: Array, lower: bool) -> Array:
    return call_scipy("linalg.solve_triangular", t, b, 0, lower, plain=substitute)


def _broadcast(a: Any, b: Any) -> tuple[Any, Any, bool]:
    """a; b as columns that have the common batch axes; and whether b was a vector."""
    vector = b.ndim == 1
    b = reshape(b, (b.shape[0], 1)) if vector else b
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"expected b with one row for each column of a, got a of shape {a.shape} and b of shape {b.shape}")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return a, broadcast_to(b, (*batch, *b.shape[-2:])), vector


def _vector(x: Any, vector: bool) -> Any:
    return x[..., 0] if vector else x


@implements_scipy(scipy.linalg.cho_solve)
def cho_solve(c_and_lower: Any, b: Any) -> Any:
    """x with L Lᴴ x = b, or Uᴴ U x = b, for the factor that ``cho_factor`` gives."""
    c, lower = c_and_lower
    half = solve_triangular(c, b, 0 if lower else 2, lower)
    return solve_triangular(c, half, 2 if lower else 0, lower)


# ---- banded systems

_banded = implicit("solve_banded", lambda x, bands, u: Banded(bands, u, x.shape))


@implements_scipy(scipy.linalg.solve_banded)
def solve_banded(l_and_u: Any, ab: Any, b: Any) -> Any:
    """x with A x = b for A with l diagonals below the main one and u above, A_ij = ab[u + i − j, j]."""
    below, above = map(int, l_and_u)
    ab, b = arrays_of(ab, b)
    if ab.shape[-2] != below + above + 1:
        raise ValueError(f"solve_banded expected ab with l + u + 1 = {below + above + 1} rows, got shape {ab.shape}")
    ab, b, vector = _broadcast(ab, b)
    x = solution(partial(_solve_banded, l_and_u=(below, above)), ab, b)
    return _vector(_banded(Banded(ab, above, x.shape)._apply(x) - b, x, ab, u=above), vector)


def _solve_banded(ab: Array, b: Array, l_and_u: tuple[int, int]) -> Array:
    return call_scipy("linalg.solve_banded", l_and_u, ab, b, plain=banded_plain)


@implements_scipy(scipy.linalg.solveh_banded)
def solveh_banded(ab: Any, b: Any, lower: bool = False) -> Any:
    """x with A x = b for a Hermitian A, of which ab has the diagonals on one side."""
    ab, b = arrays_of(ab, b)
    width = ab.shape[-2] - 1
    return solve_banded((width, width), hermitian_bands(ab, lower), b)


def hermitian_bands(ab: Any, lower: bool) -> Any:
    """All diagonals of a Hermitian matrix, from those on one side."""
    width = ab.shape[-2] - 1
    conj = np.conjugate(ab)
    main = ab[..., 0 if lower else width, :].real.astype(ab.dtype)
    if lower:
        above = [shifted(conj[..., d, :], -d, -1) for d in range(width, 0, -1)]
        return np.stack([*above, main, *[ab[..., d, :] for d in range(1, width + 1)]], -2)
    below = [shifted(conj[..., width - d, :], d, -1) for d in range(1, width + 1)]
    return np.stack([*[ab[..., d, :] for d in range(width)], main, *below], -2)


@implements_scipy(scipy.linalg.cho_solve_banded)
def cho_solve_banded(cb_and_lower: Any, b: Any) -> Any:
    """x with L Lᴴ x = b, or Uᴴ U x = b, for the banded factor that ``cholesky_banded`` gives."""
    cb, lower = cb_and_lower
    cb, b = arrays_of(cb, b)
    width = cb.shape[-2] - 1
    turned = np.conjugate(Banded(cb, 0 if lower else width, (cb.shape[-1], 1)).T.bands)
    first, second = (cb, turned) if lower else (turned, cb)
    return solve_banded((0, width), second, solve_banded((width, 0), first, b))


# ---- systems of a given structure

STRUCTURES = {"gen": "general", None: "general", "banded": "general", "symmetric": "sym", "hermitian": "her",
              "positive definite": "pos"}
"""Other names of matrix structures; what is found out by looking at values is solved as general."""


def _structure(assume_a: Any) -> str:
    name = STRUCTURES.get(assume_a, assume_a)
    if name not in ("general", "sym", "her", "pos", "diagonal", "tridiagonal", "upper triangular", "lower triangular"):
        raise ValueError(f"{assume_a!r} is not a matrix structure that scipy.linalg knows")
    return name


def _structured(a: Any, name: str, lower: bool) -> Any:
    """The matrix that SciPy reads."""
    if name in ("sym", "her", "pos"):
        return as_hermitian(a, lower=lower, conjugate=name != "sym")
    if name == "general":
        return a
    low, high = {"diagonal": (0, 0), "tridiagonal": (-1, 1), "upper triangular": (0, None), "lower triangular": (None, 0)}[name]
    a = a if low is None else np.triu(a, low)
    return a if high is None else np.tril(a, high)


@implements_scipy(scipy.linalg.solve)
def solve(a: Any, b: Any, lower: bool = False, assume_a: Any = None, transposed: bool = False) -> Any:
    """x with a x = b, or aᵀ x = b where ``transposed``, for an a of a structure that is known."""
    a, b = arrays_of(a, b)
    name = _structure(assume_a)
    if transposed and "c" in (a.dtype.kind, b.dtype.kind):
        raise NotImplementedError("scipy.linalg.solve with transposed=True expected real arrays, got complex ones: transpose a")
    if name.endswith("triangular"):
        return solve_triangular(a, b, 1 if transposed else 0, name == "lower triangular")
    if name in ("diagonal", "tridiagonal"):
        width = int(name == "tridiagonal")
        return solve_banded((width, width), _bands(np.swapaxes(a, -1, -2) if transposed else a, width), b)
    a = _structured(a, name, lower)
    return np.linalg.solve(np.swapaxes(a, -1, -2) if transposed else a, b)


def _bands(a: Any, width: int) -> Any:
    """The diagonals of a matrix up to a distance from the main one, as ``solve_banded`` takes them."""
    n, zeros = a.shape[-1], namespace(raw(a)).zeros
    rows = []
    for d in range(width, -width - 1, -1):
        entries = np.diagonal(a, d, -2, -1)
        gap = zeros((*a.shape[:-2], n - entries.shape[-1]), dtype=a.dtype)
        rows.append(np.concatenate([gap, entries] if d > 0 else [entries, gap], -1))
    return np.stack(rows, -2)


@implements_scipy(scipy.linalg.inv)
def inv(a: Any, *, assume_a: Any = None, lower: bool = False) -> Any:
    """The inverse of a matrix of a structure that is known."""
    return np.linalg.inv(_structured(a, _structure(assume_a), lower))


@implements_scipy(scipy.linalg.det)
def det(a: Any) -> Any:
    """The determinant, in double precision."""
    return np.linalg.det(a.astype(np.result_type(a.dtype, float)))


# ---- least squares, norms

_pinv = Primitive("pinv", partial(call_scipy, "linalg.pinv"), pinv_rule)
_pinvh = Primitive("pinvh", partial(call_scipy, "linalg.pinvh"), pinv_rule)


@implements_scipy(scipy.linalg.pinv)
def pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False) -> Any:
    """The Moore–Penrose inverse. Its differential holds where the rank is constant around a."""
    result = _pinv(a, atol=atol, rtol=rtol)
    return (result, call_scipy("linalg.pinv", raw(a), atol=atol, rtol=rtol, return_rank=True)[1]) if return_rank else result


@implements_scipy(scipy.linalg.pinvh)
def pinvh(a: Any, atol: Any = None, rtol: Any = None, lower: bool = True, return_rank: bool = False) -> Any:
    """The Moore–Penrose inverse of a Hermitian matrix. Its differential holds where the rank is constant around a."""
    a = as_hermitian(a, lower=lower)
    result = _pinvh(a, atol=atol, rtol=rtol)
    return (result, call_scipy("linalg.pinvh", raw(a), atol=atol, rtol=rtol, return_rank=True)[1]) if return_rank else result


@implements_scipy(scipy.linalg.lstsq)
def lstsq(a: Any, b: Any, cond: Any = None, lapack_driver: Any = None) -> Any:
    """(x, residuals, rank, singular values) with x = A⁺ b; see ``numpy.linalg.lstsq`` for what is differentiable."""
    a, b = arrays_of(a, b)
    if a.ndim != 2:
        raise ValueError(f"lstsq expected a matrix with two axes, got shape {a.shape}: take the matrices of a stack one by one")
    cond = float(np.finfo(np.result_type(a.dtype, b.dtype)).eps) if cond is None or cond < 0 else cond
    x, residuals, rank, values = least_squares(a, b, cond)
    residuals = namespace(raw(x)).zeros((0,), dtype=x.dtype) if residuals is None else residuals
    return x, residuals, rank, None if lapack_driver == "gelsy" else values


@implements_scipy(scipy.linalg.norm)
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    """The norm of vectors or matrices, as in NumPy."""
    return numpy_norm(a, ord, axis, keepdims)


__all__ = ["cho_solve", "cho_solve_banded", "det", "hermitian_bands", "inv", "lstsq", "norm", "pinv", "pinvh", "solve",
           "solve_banded", "solve_triangular", "solveh_banded"]
