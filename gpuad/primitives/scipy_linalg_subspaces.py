"""Ranges and null spaces of matrices, the angles between them, and the polar decomposition; of stacks of matrices too.

They are differentiable where the rank is constant: a matrix that lacks rank raises LinAlgError, but for null spaces, whose
derivative is that of changes that keep the rank. Bases are one of many: see ``gpuad.primitives.decompositions``.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.linalg

from gpuad.differential import MultiOutput, Primitive
from gpuad.primitives.matrices import conj_transpose, conj_transposing
from gpuad.primitives.scipy_linalg_factors import qr, svd, svdvals
from gpuad.primitives.scipy_options import implements_scipy
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw
from linalg import Identity, Inverse, LeftProduct, LinearOperator, RightProduct, Sylvester
from linalg.arrays import Array, Shape, namespace, records
from linalg.scipy import call_scipy, of_scipy

# ---- bases

def _null_rule(_shape: Shape, y: Array, a: Array, rcond: Any = None) -> LinearOperator:
    """dN = −A⁺ dA N, at constant rank: the basis turns as little as possible."""
    rcond = max(a.shape[-2:]) * float(np.finfo(a.dtype).eps) if rcond is None else rcond
    return -(LeftProduct(namespace(a).linalg.pinv(a, rcond), (*a.shape[:-1], y.shape[-1])) @ RightProduct(y, a.shape))


_null_space = Primitive("null_space", partial(call_scipy, "linalg.null_space"), _null_rule)


@implements_scipy(scipy.linalg.null_space)
def null_space(A: Any, rcond: Any = None) -> Any:
    """An orthonormal basis N of the null space, one of many: functions of N Nᴴ have the right derivative, no others have one."""
    return _null_space(A) if rcond is None else _null_space(A, rcond=rcond)


def _check_full_rank(a: Any, rcond: Any) -> None:
    """Raise LinAlgError where a lacks rank; in a plan, whenever it does."""
    values = raw(a)
    if records(values):
        values._record(_require_full_rank, values, rcond, ordered=True)
    else:
        _require_full_rank(values, rcond)


def _require_full_rank(a: Array, rcond: Any) -> None:
    rank, full = of_scipy("linalg.orth")(a, rcond).shape[-1], min(a.shape[-2:])
    if rank < full:
        raise np.linalg.LinAlgError(f"expected a matrix of full rank {full}, got one of rank {rank}, around which its range has "
                                    "no derivative; take the singular vectors that you need by svd")


@implements_scipy(scipy.linalg.orth)
def orth(A: Any, rcond: Any = None) -> Any:
    """An orthonormal basis of the range: the left singular vectors of a matrix of full rank."""
    _check_full_rank(A, rcond)
    return svd(A, full_matrices=False)[0]


@implements_scipy(scipy.linalg.subspace_angles)
def subspace_angles(A: Any, B: Any) -> Any:
    """The angles between the ranges of two matrices, in descending order: small ones by their sines, others by their cosines
    (Björck & Golub, 1973). At an angle of 0 there is a kink.
    """
    A, B = arrays_of(A, B)
    _check_full_rank(A, None)
    _check_full_rank(B, None)
    a, b = (qr(m, "economic")[0] for m in (A, B))
    across = np.matmul(conj_transpose(a), b)
    rest = b - np.matmul(a, across) if a.shape[-1] >= b.shape[-1] else a - np.matmul(b, conj_transpose(across))
    cosines, sines = np.flip(svdvals(across), -1), svdvals(rest)
    near = np.flip(raw(cosines), -1) ** 2 >= 0.5
    return np.where(near, np.arcsin(np.where(near, sines, 0)), np.arccos(np.where(near, 0, cosines)))


# ---- the polar decomposition

def _turn(shape: Shape, u: Array, p: Array) -> LinearOperator:
    """Ω = Uᴴ dU, from Ω P + P Ω = Uᴴ dA − dAᴴ U."""
    inside = LeftProduct(conj_transpose(u), shape)
    return Inverse(Sylvester(p, p, p.shape)) @ (inside - conj_transposing(p.shape, p.dtype) @ inside)


def _unitary_rule(shape: Shape, y: tuple[Array, Array], _a: Any) -> LinearOperator:
    """dU = U Ω + (I − U Uᴴ) dA P⁻¹."""
    u, p = y
    inside = LeftProduct(u, p.shape) @ _turn(shape, u, p)
    if shape[-2] == shape[-1]:
        return inside
    outside = Identity(shape) - LeftProduct(u, p.shape) @ LeftProduct(conj_transpose(u), shape)
    return inside + outside @ Inverse(RightProduct(p, shape))


def _positive_rule(shape: Shape, y: tuple[Array, Array], _a: Any) -> LinearOperator:
    """dP = Uᴴ dA − Ω P."""
    u, p = y
    return LeftProduct(conj_transpose(u), shape) - RightProduct(p, p.shape) @ _turn(shape, u, p)


def _polar_value(a: Array) -> tuple[Array, Array]:
    w, s, vh = namespace(a).linalg.svd(a, full_matrices=False)
    return w @ vh, (conj_transpose(vh) * s[..., None, :]) @ vh


_polar = MultiOutput("polar", partial(call_scipy, "linalg.polar", plain=_polar_value), [_unitary_rule], [_positive_rule])


@implements_scipy(scipy.linalg.polar)
def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """(U, P) with a = U P, or a = P U where ``side`` is "left": U has orthonormal columns or rows, P is positive semidefinite."""
    if side not in ("right", "left"):
        raise ValueError(f"polar expected side 'right' or 'left', got {side!r}")
    tall = a.shape[-2] >= a.shape[-1]
    u, p = _polar(a if tall else conj_transpose(a))
    u = u if tall else conj_transpose(u)
    if (side == "right") is tall:
        return u, p
    return (u, np.matmul(conj_transpose(u), a)) if side == "right" else (u, np.matmul(a, conj_transpose(u)))


@implements_scipy(scipy.linalg.orthogonal_procrustes)
def orthogonal_procrustes(A: Any, B: Any) -> tuple[Any, Any]:
    """The unitary R for which A R is closest to B, and the sum of the singular values of Aᴴ B."""
    A, B = arrays_of(A, B)
    r, p = polar(np.matmul(conj_transpose(A), B))
    return r, np.trace(p, axis1=-2, axis2=-1).real


__all__ = ["null_space", "orth", "orthogonal_procrustes", "polar", "subspace_angles"]
