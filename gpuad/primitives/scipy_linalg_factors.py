"""Factorisations of scipy.linalg: Cholesky, LU, QR, RQ, singular values. Every function takes stacks of matrices.

The conventions are those of ``gpuad.primitives.decompositions``. Permutations, by which LU and QR choose pivots, are constant.
What a factor does not read of its argument, and the rest of an array that holds two factors, is as in SciPy. Singular matrices
have no differentiable LU, matrices whose leading columns lack rank no differentiable QR: LinAlgError.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.linalg

from gpuad.differential import Primitive
from gpuad.primitives.decompositions import cholesky as numpy_cholesky
from gpuad.primitives.decompositions import qr_by, qr_primitives, svd_by, svd_primitives
from gpuad.primitives.matrices import conj_transpose
from gpuad.primitives.scipy_linalg_systems import solve_triangular
from gpuad.primitives.scipy_options import implements_scipy
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import TracedArray, raw
from linalg import Diagonal, Inverse, LeftProduct, LinearOperator, RightProduct, TriangularProduct
from linalg.arrays import Array, Shape, is_cupy, namespace, scipy_module, to_host
from linalg.device import stacked
from linalg.scipy import call_scipy, opaque

# ---- Cholesky

@implements_scipy(scipy.linalg.cholesky)
def cholesky(a: Any, lower: bool = False) -> Any:
    """Upper triangular U with a = Uᴴ U, or lower triangular L with a = L Lᴴ."""
    return numpy_cholesky(a, upper=not lower)


@implements_scipy(scipy.linalg.cho_factor)
def cho_factor(a: Any, lower: bool = False) -> tuple[Any, bool]:
    """The Cholesky factor in one triangle, what a has in the other; and which triangle it is."""
    n, xp = a.shape[-1], namespace(raw(a))
    mask = xp.tri(n, dtype=bool) if lower else xp.tri(n, dtype=bool).T
    return np.where(mask, cholesky(a, lower), a), lower


# ---- LU

def _packed_rule(shape: Shape, y: Array, _a: Any, _lu: Any) -> LinearOperator:
    """dL = L tril(F, −1) and dU = triu(F) U with F = L⁻¹ dA U⁻¹, where L and U are completed to square matrices by 1."""
    xp, (m, n), k = namespace(y), shape[-2:], min(shape[-2:])
    left, right = xp.tril(y, -1), xp.triu(y)
    left = xp.concatenate([left[..., :k], xp.zeros((*shape[:-1], m - k), dtype=y.dtype)], -1)
    right = xp.concatenate([right[..., :k, :], xp.zeros((*shape[:-2], n - k, n), dtype=y.dtype)], -2)
    left, right = left + xp.eye(m, dtype=y.dtype), right + xp.diag(xp.arange(n) >= k).astype(y.dtype)
    strict = xp.tri(m, n, -1, dtype=bool)
    f = Inverse(TriangularProduct(left, shape, True)) @ Inverse(RightProduct(right, shape))
    return (LeftProduct(left, shape) @ Diagonal(strict, shape) + RightProduct(right, shape) @ Diagonal(~strict, shape)) @ f


_packed = Primitive("lu", lambda _a, lu: lu, _packed_rule, None)


def _factored(a: Array) -> tuple[Array, Array, Array]:
    """L and U in one array, LAPACK's pivots, and rows such that a[rows] = L U."""
    if type(a) is not TracedArray:
        return opaque(_pivoted)(a)
    lu, pivots, rows = _factored(a.value)
    return _packed(take_rows(a, rows), lu), pivots, rows


def _pivoted(a: Array) -> tuple[Array, Array, Array]:
    lu, pivots = stacked(partial(scipy_module("linalg", a).lu_factor, check_finite=False), a)
    return lu, pivots, permutation(pivots, a.shape[-2])


def permutation(pivots: Array, m: int) -> Array:
    """The order of the rows that LAPACK's pivots, exchanges with later rows, lead to."""
    swaps = to_host(pivots)
    rows = np.broadcast_to(np.arange(m), (*swaps.shape[:-1], m)).copy()
    for i in range(swaps.shape[-1]):
        j = swaps[..., i, None]
        other = np.take_along_axis(rows, j, -1)
        np.put_along_axis(rows, j, rows[..., i, None], -1)
        rows[..., i] = other[..., 0]
    return namespace(pivots).asarray(rows) if is_cupy(pivots) else rows


def take_rows(a: Any, rows: Any) -> Any:
    """a[rows], for each matrix of a stack."""
    if rows.ndim == 1:
        return np.take(a, rows, -2)
    a = np.broadcast_to(a, (*np.broadcast_shapes(a.shape[:-2], rows.shape[:-1]), *a.shape[-2:]))
    return np.take_along_axis(a, np.expand_dims(rows, -1), -2)


def _unpacked(lu: Any) -> tuple[Any, Any]:
    k, (m, _) = min(lu.shape[-2:]), lu.shape[-2:]
    lower = np.tril(lu, -1)[..., :k] + namespace(raw(lu)).eye(m, k, dtype=lu.dtype)
    return lower, np.triu(lu)[..., :k, :]


@implements_scipy(scipy.linalg.lu_factor)
def lu_factor(a: Any) -> tuple[Any, Any]:
    """L below the diagonal and U above, in one array; and the pivots."""
    return _factored(a)[:2]


@implements_scipy(scipy.linalg.lu)
def lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> tuple[Any, ...]:
    """(P, L, U) with a = P L U, or (P L, U); P is a matrix, or ``p_indices`` the rows p with a = L[p] U."""
    packed, _, rows = _factored(a)
    lower, upper = _unpacked(packed)
    places = np.argsort(rows, axis=-1).astype(np.int32)
    if permute_l:
        return take_rows(lower, places), upper
    if p_indices:
        return places, lower, upper
    one = namespace(raw(a)).arange(a.shape[-2])
    return (np.expand_dims(places, -1) == one).astype(a.real.dtype), lower, upper


@implements_scipy(scipy.linalg.lu_solve)
def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0) -> Any:
    """x with a x = b for the factors that ``lu_factor`` gives of a; aᵀ x = b for ``trans`` 1, aᴴ x = b for 2."""
    packed, pivots = lu_and_piv
    packed, b = arrays_of(packed, b)
    rows = opaque(permutation)(raw(pivots), packed.shape[-1])
    columns = np.expand_dims(b, -1) if b.ndim == 1 else b
    if trans == 0:
        half = solve_triangular(packed, take_rows(columns, rows), lower=True, unit_diagonal=True)
        x = solve_triangular(packed, half)
    else:
        half = solve_triangular(packed, columns, trans)
        x = take_rows(solve_triangular(packed, half, trans, lower=True, unit_diagonal=True), np.argsort(rows, axis=-1))
    return x[..., 0] if b.ndim == 1 else x


# ---- QR and RQ

_qr = qr_primitives(partial(call_scipy, "linalg.qr", mode="economic"), partial(call_scipy, "linalg.qr", mode="full"))


@implements_scipy(scipy.linalg.qr)
def qr(a: Any, mode: str = "full", pivoting: bool = False) -> Any:
    """(Q, R) with a = Q R, or with a[:, p] = Q R and p in the third place; (R,) where ``mode`` is "r"."""
    if mode not in ("full", "qr", "r", "economic"):
        raise ValueError(f"qr expected mode 'full', 'economic' or 'r' for traced arrays, got {mode!r}")
    pivots: tuple[Any, ...] = ()
    if pivoting:
        pivots = (call_scipy("linalg.qr", raw(a), mode="r", pivoting=True)[1],)
        a = np.swapaxes(take_rows(np.swapaxes(a, -1, -2), pivots[0]), -1, -2)
    q, r = qr_by(_qr, a, mode != "economic")
    if mode != "r":
        return q, r, *pivots
    return (r, *pivots) if pivoting or a.ndim == 2 else r  # a stack's, alone, as SciPy has it


@implements_scipy(scipy.linalg.qr_multiply)
def qr_multiply(a: Any, c: Any, mode: str = "right", pivoting: bool = False, conjugate: bool = False) -> Any:
    """(c Q, R), or (Q c, R) where ``mode`` is "left", with a = Q R; with pivots, those in the third place."""
    if mode not in ("left", "right"):
        raise ValueError(f"qr_multiply expected mode 'left' or 'right', got {mode!r}")
    a, c = arrays_of(a, c)
    q, *rest = qr(a, "economic", pivoting)
    q = np.conjugate(q) if conjugate else q
    return (np.matmul(q, c) if mode == "left" else np.matmul(c, q), *rest)


@implements_scipy(scipy.linalg.rq)
def rq(a: Any, mode: str = "full") -> Any:
    """(R, Q) with a = R Q: the QR decomposition of aᴴ, all rows and columns in the opposite order, those of the factors too."""
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"rq expected mode 'full', 'economic' or 'r', got {mode!r}")
    q, r = qr_by(_qr, np.flip(conj_transpose(a), (-2, -1)), mode != "economic")
    r, q = np.flip(conj_transpose(r), (-2, -1)), np.flip(conj_transpose(q), (-2, -1))
    return r if mode == "r" else (r, q)


# ---- singular values

_svd = svd_primitives(partial(call_scipy, "linalg.svd"))


@implements_scipy(scipy.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, lapack_driver: str = "gesdd") -> Any:
    """(U, s, Vᴴ) with a = U S Vᴴ; the singular values only where ``compute_uv`` is false."""
    if not compute_uv:
        return _svd[0](a, lapack_driver=lapack_driver)[1]
    return svd_by(_svd, a, full_matrices, lapack_driver=lapack_driver)


@implements_scipy(scipy.linalg.svdvals)
def svdvals(a: Any) -> Any:
    """Singular values in descending order."""
    return _svd[0](a)[1]


__all__ = ["cho_factor", "cholesky", "lu", "lu_factor", "lu_solve", "qr", "qr_multiply", "rq", "svd", "svdvals"]
