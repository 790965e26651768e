"""Cholesky, QR, eigenvalue and singular value decompositions; every function takes stacks of matrices (…, m, n).

Conventions, as in PyTorch and JAX:

- ``cholesky``, ``eigh`` and ``eigvalsh`` take their argument as Hermitian: the differential is that of the Hermitian part
  (dA + dAᴴ)/2, so gradients are Hermitian, although NumPy reads one triangle only.
- Eigenvectors and singular vectors have a free sign, or phase where they are complex. The differential keeps to the phase with
  vᴴ dv = 0 for eigenvectors; of uᵢᴴ duᵢ and vᵢᴴ dvᵢ the two singular vectors take opposite halves. The columns that
  complete U, V or Q to square matrices turn as little as possible. Functions that do not depend on these choices have the
  right derivative; no other function of them has one.
- Where eigenvalues or singular values coincide, their vectors have no derivative: it is infinite or NaN. Eigenvalues and
  singular values themselves keep their derivative, which is then one among several.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.differential import MultiOutput, Primitive
from gpuad.dispatch import implements
from gpuad.primitives.joining import concatenate
from gpuad.primitives.matrices import conj_transpose, conj_transposing, hermitian_part
from linalg import AxisSum, Diagonal, Gather, Identity, Inverse, LeftProduct, LinearOperator, RealPart, RightProduct, Zero
from linalg.arrays import Array, Shape, namespace

EighResult: Any = type(np.linalg.eigh(np.eye(1)))
QRResult: Any = type(np.linalg.qr(np.eye(1)))
SVDResult: Any = type(np.linalg.svd(np.eye(1)))



def _real(element: LinearOperator, dtype: np.dtype) -> LinearOperator:
    return RealPart(element.out_shape) @ element if dtype.kind == "c" else element


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

def _eigenvalues_rule(shape: Shape, y: tuple[Array, Array], _a: Any, **_options: Any) -> LinearOperator:
    """dλ = Re diag(Vᴴ dA V)."""
    v = y[1]
    product = AxisSum(shape, (-2,)) @ Diagonal(v.conj(), shape) @ RightProduct(v, shape)
    return _real(product @ hermitian_part(shape, v.dtype), v.dtype)


def _eigenvectors_rule(shape: Shape, y: tuple[Array, Array], _a: Any, **_options: Any) -> LinearOperator:
    """dV = V (F ∘ Vᴴ dA V), F_ij = 1/(λ_j − λ_i) and 0 on the diagonal."""
    w, v = y
    gaps = _off_diagonal(1 / _filled_diagonal(w[..., None, :] - w[..., :, None]))
    core = LeftProduct(conj_transpose(v), shape) @ RightProduct(v, shape) @ hermitian_part(shape, v.dtype)
    return LeftProduct(v, shape) @ Diagonal(gaps, shape) @ core


def _filled_diagonal(x: Array) -> Array:
    """X with ones on the diagonal."""
    xp, n = namespace(x), x.shape[-1]
    return xp.where(xp.eye(n, dtype=bool), xp.ones((), dtype=x.dtype), x)


def _off_diagonal(x: Array) -> Array:
    """X with zeros on the diagonal."""
    xp, n = namespace(x), x.shape[-1]
    return xp.where(xp.eye(n, dtype=bool), xp.zeros((), dtype=x.dtype), x)


_eigh = MultiOutput("eigh", np.linalg.eigh, [_eigenvalues_rule], [_eigenvectors_rule])


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
    gaps = _off_diagonal(1 / _filled_diagonal((right - left) * (right + left)))
    g, h = gaps * right, gaps * left
    if dtype.kind == "c":
        xp = namespace(s)
        phase = xp.eye(s.shape[-1], dtype=s.dtype) * (0.25 / right)
        g, h = g + phase, h - phase
    return g, h


def _left_vectors_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
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


def _values_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dS = Re diag(Uᴴ dA V)."""
    u, _, vh = y[:3]
    product = AxisSum(u.shape, (-2,)) @ Diagonal(u.conj(), u.shape) @ RightProduct(conj_transpose(vh), shape)
    return _real(product, u.dtype)


def _right_vectors_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
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


def _left_rest_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dU₂ = −U (U₂ᴴ dA V S⁻¹)ᴴ, where U₂ completes U."""
    u, s, vh, rest, _ = y
    across = _projected(shape, rest, conj_transpose(conj_transpose(vh) / s[..., None, :]))
    turned = conj_transposing(across.out_shape, u.dtype)
    return -LeftProduct(u, turned.out_shape) @ turned @ across


def _right_rest_rule(shape: Shape, y: tuple[Array, ...], _a: Any, **_options: Any) -> LinearOperator:
    """dV₂ᴴ = −(S⁻¹ Uᴴ dA V₂)ᴴ Vᴴ, where V₂ completes V."""
    u, s, vh, _, rest = y
    across = _projected(shape, u / s[..., None, :], rest)
    turned = conj_transposing(across.out_shape, u.dtype)
    return -RightProduct(vh, turned.out_shape) @ turned @ across


def _full_svd_value(a: Array, **options: Any) -> tuple[Array, ...]:
    u, s, vh = np.linalg.svd(a, full_matrices=True, **options)
    k = s.shape[-1]
    return u[..., :k], s, vh[..., :k, :], u[..., k:], vh[..., k:, :]


def _svd_value(a: Array, **options: Any) -> tuple[Array, ...]:
    return np.linalg.svd(a, full_matrices=False, **options)


_svd = MultiOutput("svd", _svd_value, [_left_vectors_rule], [_values_rule], [_right_vectors_rule])
_full_svd = MultiOutput("svd", _full_svd_value, [_left_vectors_rule], [_values_rule], [_right_vectors_rule], [_left_rest_rule],
                        [_right_rest_rule])


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Singular value decomposition a = U S Vᴴ; the values only where ``compute_uv`` is false."""
    options = {"hermitian": True} if hermitian else {}
    if not compute_uv:
        return _svd(a, **options)[1]
    if not full_matrices or a.shape[-1] == a.shape[-2]:
        return SVDResult(*_svd(a, **options))
    u, s, vh, u_rest, vh_rest = _full_svd(a, **options)
    return SVDResult(concatenate([u, u_rest], -1), s, concatenate([vh, vh_rest], -2))


@implements(np.linalg.svdvals)
def singular_values(x: Any, /) -> Any:
    """Singular values in descending order."""
    return _svd(x)[1]


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


def _q_rule(shape: Shape, y: tuple[Array, ...], _a: Any) -> LinearOperator:
    """dQ = Q Ω + (I − Q Qᴴ) dA₁ R₁⁻¹."""
    q, r = y[:2]
    x, turn = _qr_parts(shape, q, r)
    core = turn.out_shape
    if q.shape[-2] == q.shape[-1]:
        return LeftProduct(q, core) @ turn
    return LeftProduct(q, core) @ turn + (Identity(q.shape) - LeftProduct(q, core) @ LeftProduct(conj_transpose(q), q.shape)) @ x


def _r_rule(shape: Shape, y: tuple[Array, ...], _a: Any) -> LinearOperator:
    """dR = Qᴴ dA − Ω R, upper triangular."""
    q, r = y[:2]
    _, turn = _qr_parts(shape, q, r)
    upper = namespace(r).triu(namespace(r).ones(r.shape[-2:], dtype=r.real.dtype))
    return Diagonal(upper, r.shape) @ (LeftProduct(conj_transpose(q), shape) - RightProduct(r, turn.out_shape) @ turn)


def _q_rest_rule(shape: Shape, y: tuple[Array, ...], _a: Any) -> LinearOperator:
    """dQ₂ = −Q (Q₂ᴴ dA₁ R₁⁻¹)ᴴ, where Q₂ completes Q."""
    q, r, rest = y
    if not rest.shape[-1]:
        return Zero(shape, rest.shape)
    across = LeftProduct(conj_transpose(rest), q.shape) @ _qr_parts(shape, q, r)[0]
    turned = conj_transposing(across.out_shape, q.dtype)
    return -LeftProduct(q, turned.out_shape) @ turned @ across


def _complete_qr_value(a: Array) -> tuple[Array, ...]:
    q, r = np.linalg.qr(a, mode="complete")
    k = min(a.shape[-2:])
    return q[..., :k], r[..., :k, :], q[..., k:]


_qr = MultiOutput("qr", np.linalg.qr, [_q_rule], [_r_rule])
_complete_qr = MultiOutput("qr", _complete_qr_value, [_q_rule], [_r_rule], [_q_rest_rule])


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """a = Q R; ``mode`` is "reduced", "complete" or "r". The leading square block of R must not be singular."""
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr expected mode 'reduced', 'complete' or 'r' for traced arrays, got {mode!r}")
    m, n = a.shape[-2:]
    if mode != "complete" or m <= n:
        q, r = _qr(a)
        return r if mode == "r" else QRResult(q, r)
    q, r, rest = _complete_qr(a)
    zeros = namespace(r).zeros((*r.shape[:-2], m - n, n), dtype=r.dtype)
    return QRResult(concatenate([q, rest], -1), concatenate([r, zeros], -2))


__all__ = ["cholesky", "eigh", "eigvalsh", "qr", "singular_values", "svd"]
