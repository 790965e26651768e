"""Cholesky, QR, eigenvalue and singular value decompositions; every function takes stacks of matrices (…, m, n).

Conventions, as in PyTorch and JAX:

- ``cholesky``, ``eigh``, ``eigvalsh``, and functions that are told ``hermitian``, take their argument as Hermitian: the
  differential is that of the Hermitian part (dA + dAᴴ)/2, so gradients are Hermitian, although NumPy reads one triangle only.
- Eigenvectors and singular vectors have a free sign, or phase where they are complex. The differential keeps to the phase with
  vᴴ dv = 0 for eigenvectors; of uᵢᴴ duᵢ and vᵢᴴ dvᵢ the two singular vectors take opposite halves. The columns that
  complete U, V or Q to square matrices turn as little as possible. Functions that do not depend on these choices have the
  right derivative; no other function of them has one.
- Where eigenvalues or singular values coincide, their vectors have no derivative: it is infinite or NaN. Eigenvalues and
  singular values themselves keep their derivative, which is then one among several.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.differential import MultiOutput, Primitive
from gpuad.dispatch import implements
from gpuad.primitives.joining import concatenate
from gpuad.primitives.matrices import conj_transpose, conj_transposing, hermitian_part, reciprocals_off_diagonal
from gpuad.traced import TracedArray, underlying
from linalg import AxisSum, Diagonal, Gather, Identity, Inverse, LeftProduct, LinearOperator, RealPart, RightProduct, Zero
from linalg.arrays import Array, Shape, is_cupy, namespace

EighResult: Any = type(np.linalg.eigh(np.eye(1)))
QRResult: Any = type(np.linalg.qr(np.eye(1)))
SVDResult: Any = type(np.linalg.svd(np.eye(1)))


def _real(element: LinearOperator, dtype: np.dtype) -> LinearOperator:
    return RealPart(element.out_shape) @ element if dtype.kind == "c" else element


# ---- Hermitian matrices

def _completed(a: Array, lower: bool = True, conjugate: bool = True) -> Array:
    """The Hermitian matrix that has the lower, or the upper, triangle of a; or the symmetric one."""
    if type(a) is TracedArray:
        return as_hermitian(a, lower=lower, conjugate=conjugate)
    triangle = np.tril(a, -1) if lower else np.triu(a, 1)
    xp, n = namespace(a), a.shape[-1]
    other, diagonal = (conj_transpose(triangle), a.real) if conjugate else (triangle.swapaxes(-1, -2), a)
    return triangle + other + xp.where(xp.eye(n, dtype=bool), diagonal, xp.zeros((), dtype=diagonal.dtype))


def _hermitian_rule(shape: Shape, y: Array, _a: Any, conjugate: bool = True, **_options: Any) -> LinearOperator:
    """(dA + dAᴴ)/2, or (dA + dAᵀ)/2."""
    return hermitian_part(shape, y.dtype if conjugate else y.real.dtype)


as_hermitian = Primitive("as_hermitian", _completed, _hermitian_rule)
"""The Hermitian matrix that one triangle of an argument stands for, with the differential of an argument that is Hermitian."""


# ---- Cholesky

def _cholesky_rule(shape: Shape, y: Array, _a: Any) -> LinearOperator:
    """dL = L Φ(L⁻¹ dA L⁻ᴴ), where Φ takes the lower triangle and half of the diagonal."""
    n, xp = shape[-1], namespace(y)
    half = xp.tri(n, dtype=y.real.dtype) - 0.5 * xp.eye(n, dtype=y.real.dtype)
    inside = Inverse(LeftProduct(y, shape)) @ Inverse(RightProduct(conj_transpose(y), shape)) @ hermitian_part(shape, y.dtype)
    return LeftProduct(y, shape) @ Diagonal(half, shape) @ inside


_cholesky = Primitive("cholesky", np.linalg.cholesky, _cholesky_rule)


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Lower triangular L with a = L Lᴴ, or upper triangular U with a = Uᴴ U."""
    return conj_transpose(_cholesky(conj_transpose(a))) if upper else _cholesky(a)


# ---- eigenvalues of Hermitian matrices

def hermitian_values_rule(shape: Shape, y: tuple[Array, Array], _a: Any, **_options: Any) -> LinearOperator:
    """dλ = Re diag(Vᴴ dA V)."""
    v = y[1]
    product = AxisSum(shape, (-2,)) @ Diagonal(v.conj(), shape) @ RightProduct(v, shape)
    return _real(product @ hermitian_part(shape, v.dtype), v.dtype)


def hermitian_vectors_rule(shape: Shape, y: tuple[Array, Array], _a: Any, **_options: Any) -> LinearOperator:
    """dV = V (F ∘ Vᴴ dA V), F_ij = 1/(λ_j − λ_i) and 0 on the diagonal."""
    w, v = y
    gaps = reciprocals_off_diagonal(w[..., None, :] - w[..., :, None])
    core = LeftProduct(conj_transpose(v), shape) @ RightProduct(v, shape) @ hermitian_part(shape, v.dtype)
    return LeftProduct(v, shape) @ Diagonal(gaps, shape) @ core


_eigh = MultiOutput("eigh", np.linalg.eigh, [hermitian_values_rule], [hermitian_vectors_rule])


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues in ascending order and eigenvectors of Hermitian matrices."""
    return EighResult(*_eigh(a, UPLO=UPLO))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues of Hermitian matrices in ascending order."""
    return _eigh(a, UPLO=UPLO)[0]


# ---- singular values

def _projected(shape: Shape, u: Array, vh: Array) -> LinearOperator:
    """dP = Uᴴ dA V."""
    product = RightProduct(conj_transpose(vh), shape)
    return LeftProduct(conj_transpose(u), product.out_shape) @ product


def _turning(s: Array, dtype: np.dtype) -> tuple[Array, Array]:
    """G, G′ with Uᴴ dU = G ∘ dP + G′ ∘ dPᴴ and Vᴴ dV = G′ ∘ dP + G ∘ dPᴴ: G_ij = s_j/(s_j² − s_i²), G′_ij = s_i/(s_j² − s_i²).

    On the diagonal, where only complex vectors turn: ±1/(4 s_i), half of the phase each.
    """
    right, left = s[..., None, :], s[..., :, None]
    gaps = reciprocals_off_diagonal((right - left) * (right + left))
    g, h = gaps * right, gaps * left
    if dtype.kind == "c":
        xp = namespace(s)
        phase = xp.eye(s.shape[-1], dtype=s.dtype) * (0.25 / right)
        g, h = g + phase, h - phase
    return g, h


def left_vectors_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dU = U (G ∘ dP + G′ ∘ dPᴴ) + (I − U Uᴴ) dA V S⁻¹, with dP = Uᴴ dA V."""
    u, s, vh = y[:3]
    core = (*u.shape[:-2], u.shape[-1], u.shape[-1])
    g, h = _turning(s, u.dtype)
    turned = Diagonal(g, core) + Diagonal(h, core) @ conj_transposing(core, u.dtype)
    inside = LeftProduct(u, core) @ turned @ _projected(shape, u, vh)
    if u.shape[-2] == u.shape[-1]:
        return inside
    outside = Identity(u.shape) - LeftProduct(u, core) @ LeftProduct(conj_transpose(u), u.shape)
    return inside + outside @ RightProduct(conj_transpose(vh) / s[..., None, :], shape)


def singular_values_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dS = Re diag(Uᴴ dA V)."""
    u, _, vh = y[:3]
    product = AxisSum(u.shape, (-2,)) @ Diagonal(u.conj(), u.shape) @ RightProduct(conj_transpose(vh), shape)
    return _real(product, u.dtype)


def right_vectors_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dVᴴ = −(G′ ∘ dP + G ∘ dPᴴ) Vᴴ + S⁻¹ Uᴴ dA (I − V Vᴴ), with dP = Uᴴ dA V."""
    u, s, vh = y[:3]
    core = (*u.shape[:-2], u.shape[-1], u.shape[-1])
    g, h = _turning(s, u.dtype)
    turned = Diagonal(h, core) + Diagonal(g, core) @ conj_transposing(core, u.dtype)
    inside = -RightProduct(vh, core) @ turned @ _projected(shape, u, vh)
    if vh.shape[-1] == vh.shape[-2]:
        return inside
    outside = Identity(vh.shape) - RightProduct(vh, core) @ RightProduct(conj_transpose(vh), vh.shape)
    return inside + outside @ LeftProduct(conj_transpose(u / s[..., None, :]), shape)


def left_rest_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dU₂ = −U (U₂ᴴ dA V S⁻¹)ᴴ, where U₂ completes U."""
    u, s, vh, rest, _ = y
    across = _projected(shape, rest, conj_transpose(conj_transpose(vh) / s[..., None, :]))
    turned = conj_transposing(across.out_shape, u.dtype)
    return -LeftProduct(u, turned.out_shape) @ turned @ across


def right_rest_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dV₂ᴴ = −(S⁻¹ Uᴴ dA V₂)ᴴ Vᴴ, where V₂ completes V."""
    u, s, vh, _, rest = y
    across = _projected(shape, u / s[..., None, :], rest)
    turned = conj_transposing(across.out_shape, u.dtype)
    return -RightProduct(vh, turned.out_shape) @ turned @ across


def svd_primitives(function: Callable[..., Any]) -> tuple[MultiOutput, MultiOutput]:
    """(U, S, Vᴴ) of a library's ``svd``; and (U, S, Vᴴ, U₂, V₂ᴴ), where U₂ and V₂ complete U and V to square matrices."""
    def thin(a: Array, **options: Any) -> tuple[Array, ...]:
        return function(a, full_matrices=False, **options)

    def full(a: Array, **options: Any) -> tuple[Array, ...]:
        u, s, vh = function(a, full_matrices=True, **options)
        k = s.shape[-1]
        return u[..., :k], s, vh[..., :k, :], u[..., k:], vh[..., k:, :]

    rules: list[list[Any]] = [[left_vectors_rule], [singular_values_rule], [right_vectors_rule]]
    return MultiOutput("svd", thin, *rules), MultiOutput("svd", full, *rules, [left_rest_rule], [right_rest_rule])


def svd_by(primitives: tuple[MultiOutput, MultiOutput], a: Any, full_matrices: bool, **options: Any) -> tuple[Any, Any, Any]:
    """U, S and Vᴴ, where wanted with U and V square."""
    thin, full = primitives
    if not full_matrices or a.shape[-1] == a.shape[-2]:
        u, s, vh = thin(a, **options)
        return u, s, vh
    u, s, vh, u_rest, vh_rest = full(a, **options)
    return concatenate([u, u_rest], -1), s, concatenate([vh, vh_rest], -2)


_svd = svd_primitives(np.linalg.svd)


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Singular value decomposition a = U S Vᴴ; the values only where ``compute_uv`` is false."""
    a = as_hermitian(a) if hermitian else a
    options = {"hermitian": True} if hermitian and not is_cupy(underlying(a)) else {}  # CuPy has one algorithm
    return SVDResult(*svd_by(_svd, a, full_matrices, **options)) if compute_uv else _svd[0](a, **options)[1]


@implements(np.linalg.svdvals)
def singular_values(x: Any, /) -> Any:
    """Singular values in descending order."""
    return _svd[0](x)[1]


# ---- QR

def _qr_parts(shape: Shape, q: Array, r: Array) -> tuple[LinearOperator, LinearOperator]:
    """X = dA₁ R₁⁻¹ for the leading columns of A, and Ω = Qᴴ dQ = C − Cᴴ, where C is Qᴴ X below the diagonal, half of it on it."""
    k, xp = q.shape[-1], namespace(q)
    leading = Identity(shape) if shape[-1] == k else Gather(shape, (Ellipsis, slice(0, k)))
    x = Inverse(RightProduct(r[..., :k], q.shape)) @ leading
    core = (*q.shape[:-2], k, k)
    lower = Diagonal(xp.tri(k, dtype=q.real.dtype) - 0.5 * xp.eye(k, dtype=q.real.dtype), core)
    c = lower @ LeftProduct(conj_transpose(q), q.shape)
    return x, (c - conj_transposing(core, q.dtype) @ c) @ x


def q_rule(shape: Shape, y: tuple[Array, ...], _a: Any) -> LinearOperator:
    """dQ = Q Ω + (I − Q Qᴴ) dA₁ R₁⁻¹."""
    q, r = y[:2]
    x, turn = _qr_parts(shape, q, r)
    core = turn.out_shape
    if q.shape[-2] == q.shape[-1]:
        return LeftProduct(q, core) @ turn
    return LeftProduct(q, core) @ turn + (Identity(q.shape) - LeftProduct(q, core) @ LeftProduct(conj_transpose(q), q.shape)) @ x


def r_rule(shape: Shape, y: tuple[Array, ...], _a: Any) -> LinearOperator:
    """dR = Qᴴ dA − Ω R, upper triangular."""
    q, r = y[:2]
    _, turn = _qr_parts(shape, q, r)
    upper = namespace(r).triu(namespace(r).ones(r.shape[-2:], dtype=r.real.dtype))
    return Diagonal(upper, r.shape) @ (LeftProduct(conj_transpose(q), shape) - RightProduct(r, turn.out_shape) @ turn)


def q_rest_rule(shape: Shape, y: tuple[Array, ...], _a: Any) -> LinearOperator:
    """dQ₂ = −Q (Q₂ᴴ dA₁ R₁⁻¹)ᴴ, where Q₂ completes Q."""
    q, r, rest = y
    if not rest.shape[-1]:
        return Zero(shape, rest.shape)
    across = LeftProduct(conj_transpose(rest), q.shape) @ _qr_parts(shape, q, r)[0]
    turned = conj_transposing(across.out_shape, q.dtype)
    return -LeftProduct(q, turned.out_shape) @ turned @ across


def qr_primitives(reduced: Callable[..., Any], complete: Callable[..., Any]) -> tuple[MultiOutput, MultiOutput]:
    """(Q, R) by a library's ``qr``; and (Q, R, Q₂), where Q₂ completes Q to a square matrix."""
    def split(a: Array) -> tuple[Array, ...]:
        q, r = complete(a)
        k = min(a.shape[-2:])
        return q[..., :k], r[..., :k, :], q[..., k:]

    return MultiOutput("qr", reduced, [q_rule], [r_rule]), MultiOutput("qr", split, [q_rule], [r_rule], [q_rest_rule])


def qr_by(primitives: tuple[MultiOutput, MultiOutput], a: Any, complete: bool) -> tuple[Any, Any]:
    """Q and R, where wanted with Q square."""
    m, n = a.shape[-2:]
    if not complete or m <= n:
        q, r = primitives[0](a)
        return q, r
    q, r, rest = primitives[1](a)
    zeros = namespace(r).zeros((*r.shape[:-2], m - n, n), dtype=r.dtype)
    return concatenate([q, rest], -1), concatenate([r, zeros], -2)


_qr = qr_primitives(np.linalg.qr, lambda a: np.linalg.qr(a, mode="complete"))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """a = Q R; ``mode`` is "reduced", "complete" or "r". The leading square block of R must not be singular."""
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr expected mode 'reduced', 'complete' or 'r' for traced arrays, got {mode!r}")
    q, r = qr_by(_qr, a, mode == "complete")
    return r if mode == "r" else QRResult(q, r)


__all__ = ["as_hermitian", "cholesky", "eigh", "eigvalsh", "hermitian_values_rule", "hermitian_vectors_rule", "qr", "qr_by",
           "qr_primitives", "singular_values", "svd", "svd_by", "svd_primitives"]
