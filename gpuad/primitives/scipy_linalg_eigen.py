"""Eigenvalue problems of scipy.linalg: general, Hermitian, tridiagonal and banded matrices, generalised ones too.

The conventions are those of ``gpuad.primitives.eigenvalues`` for general matrices, of ``gpuad.primitives.decompositions`` for
Hermitian ones: both matrices of a generalised problem are taken as Hermitian. Where eigenvalues coincide their vectors have no
derivative: it is infinite or NaN. Eigenvalues that are selected by value cannot be planned: their number depends on values.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.linalg

from gpuad.differential import MultiOutput
from gpuad.primitives.decompositions import hermitian_values_rule, hermitian_vectors_rule
from gpuad.primitives.eigenvalues import values_rule, values_rule_of_b, vectors_rule, vectors_rule_of_b
from gpuad.primitives.implicit import solution
from gpuad.primitives.matrices import conj_transpose, conj_transposing, hermitian_part, reciprocals_off_diagonal
from gpuad.primitives.scipy_linalg_systems import hermitian_bands
from gpuad.primitives.scipy_options import implements_scipy
from gpuad.primitives.shapes import arrays_of, broadcast_to
from gpuad.traced import raw
from linalg import Diagonal, LeftProduct, LinearOperator, RightProduct
from linalg.arrays import Array, Shape, namespace
from linalg.elements.banded import full_matrix
from linalg.scipy import call_scipy

# ---- general matrices

def _eig_value(a: Array, b: Array | None) -> tuple[Array, ...]:
    w, left, right = call_scipy("linalg.eig", a, b, left=True)
    return w, right, left


def _left_vectors(rule: Any) -> Any:
    """The rule for left eigenvectors: the right ones of Aᴴ and Bᴴ, with the conjugate eigenvalues."""
    def turned(shape: Shape, y: tuple[Array, ...], _a: Any, b: Any) -> LinearOperator:
        w, _, left = y
        turning = conj_transposing(shape, left.dtype)
        return rule(shape, (w.conj(), left), None, None if b is None else conj_transpose(b)) @ turning

    return turned


_eig = MultiOutput("eig", partial(call_scipy, "linalg.eig"), [values_rule, values_rule_of_b], [vectors_rule, vectors_rule_of_b])
_eig_both = MultiOutput("eig", _eig_value, [values_rule, values_rule_of_b], [vectors_rule, vectors_rule_of_b],
                        [_left_vectors(vectors_rule), _left_vectors(vectors_rule_of_b)])


@implements_scipy(scipy.linalg.eig)
def eig(a: Any, b: Any = None, left: bool = False, right: bool = True, homogeneous_eigvals: bool = False) -> Any:
    """Eigenvalues w with a v = w b v; left eigenvectors, uᴴ a = w uᴴ b; right ones v, as columns of length 1."""
    if homogeneous_eigvals:
        raise TypeError("eig expected homogeneous_eigvals=False for traced arrays: eigenvalues as quotients, not as pairs")
    a, b = _one_batch(a, b)
    if not left:
        w, v = _eig(a, b)
        return (w, v) if right else w
    w, v, u = _eig_both(a, b)
    return (w, u, v) if right else (w, u)


def _one_batch(a: Any, b: Any) -> tuple[Any, Any]:
    if b is None:
        return a, None
    a, b = arrays_of(a, b)
    if a.shape[-2:] != b.shape[-2:]:
        raise ValueError(f"a generalised eigenvalue problem expected matrices of one shape, got {a.shape} and {b.shape}")
    shape = np.broadcast_shapes(a.shape, b.shape)
    return broadcast_to(a, shape), broadcast_to(b, shape)


@implements_scipy(scipy.linalg.eigvals)
def eigvals(a: Any, b: Any = None, homogeneous_eigvals: bool = False) -> Any:
    """Eigenvalues w with a v = w b v, in no order."""
    return eig(a, b, right=False, homogeneous_eigvals=homogeneous_eigvals)


# ---- Hermitian matrices

def _values_rule_of_b(shape: Shape, y: tuple[Array, ...], _a: Any, _b: Any, **_options: Any) -> LinearOperator:
    """dλ = −λ Re diag(Vᴴ dB V), where Vᴴ B V = I."""
    return Diagonal(-y[0], y[0].shape) @ hermitian_values_rule(shape, y, None)  # type: ignore[arg-type]


def _vectors_rule_of_b(shape: Shape, y: tuple[Array, ...], _a: Any, _b: Any, **_options: Any) -> LinearOperator:
    """dV = −V ((F Λ + I/2) ∘ Vᴴ dB V), F_ij = 1/(λ_j − λ_i) and 0 on the diagonal."""
    w, v = y
    xp = namespace(w)
    gaps = reciprocals_off_diagonal(w[..., None, :] - w[..., :, None]) * w[..., None, :]
    gaps = gaps + 0.5 * xp.eye(w.shape[-1], dtype=w.dtype)
    core = LeftProduct(conj_transpose(v), shape) @ RightProduct(v, shape) @ hermitian_part(shape, v.dtype)
    return LeftProduct(-v, shape) @ Diagonal(gaps, shape) @ core


def _values_rule(shape: Shape, y: Any, a: Any, _b: Any, **options: Any) -> LinearOperator:
    return hermitian_values_rule(shape, y, a, **options)


def _vectors_rule(shape: Shape, y: Any, a: Any, _b: Any, **options: Any) -> LinearOperator:
    return hermitian_vectors_rule(shape, y, a, **options)


_eigh = MultiOutput("eigh", partial(call_scipy, "linalg.eigh"), [_values_rule, _values_rule_of_b],
                    [_vectors_rule, _vectors_rule_of_b])


@implements_scipy(scipy.linalg.eigh)
def eigh(a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False, type: int = 1,  # noqa: A002
         subset_by_index: Any = None, subset_by_value: Any = None, driver: Any = None) -> Any:
    """Eigenvalues w in ascending order with a v = w b v, and eigenvectors v as columns, vᴴ b v = 1."""
    if type != 1 and b is not None:
        raise ValueError(f"eigh expected type=1 for traced arrays, a v = w b v, got type={type}: the eigenvalues of types 2 and 3"
                         " are those of eigh(a, inv(b))")
    a, b = _one_batch(a, b)
    options = {} if driver is None or subset_by_index is not None or subset_by_value is not None else {"driver": driver}
    w, v = _eigh(a, b, lower=lower, **options)
    which = _selected(w, "a" if subset_by_index is subset_by_value else "i" if subset_by_value is None else "v",
                      subset_by_value if subset_by_index is None else subset_by_index)
    return w[..., which] if eigvals_only else (w[..., which], v[..., which])


def _selected(w: Any, select: Any, limits: Any) -> slice:
    """Which of the eigenvalues, in ascending order, are asked for: all, those between two numbers of order, or two values."""
    if select in ("a", "all", 0):
        return slice(None)
    low, high = limits
    if select in ("i", "index", 2):
        return slice(int(low), int(high) + 1)
    if w.ndim > 1:
        raise ValueError(f"expected one matrix where eigenvalues are selected by value, got a stack of {w.shape[:-1]}")
    values = raw(w)
    return slice(int((values <= low).sum()), int((values <= high).sum()))


@implements_scipy(scipy.linalg.eigvalsh)
def eigvalsh(a: Any, b: Any = None, *, lower: bool = True, type: int = 1, subset_by_index: Any = None,  # noqa: A002
             subset_by_value: Any = None, driver: Any = None) -> Any:
    """Eigenvalues w in ascending order with a v = w b v."""
    return eigh(a, b, lower=lower, eigvals_only=True, type=type, subset_by_index=subset_by_index, subset_by_value=subset_by_value,
                driver=driver)


# ---- banded and tridiagonal matrices: the full matrix has the decomposition that SciPy finds of its diagonals

def _when_known(rule: Any) -> list[Any]:
    return [lambda shape, y, _a, _w, _v: rule(shape, y, None), None, None]


_known = MultiOutput("eigh", lambda _a, w, v: (w, v), _when_known(hermitian_values_rule), _when_known(hermitian_vectors_rule))


def _decomposed(diagonals: Any, lower: bool, w: Any, v: Any, eigvals_only: bool, select: Any, limits: Any) -> Any:
    """The eigenvalues w and eigenvectors v, which are known, of the matrix that has these diagonals on one side."""
    w, v = _known(full_matrix(hermitian_bands(diagonals, lower), diagonals.shape[-2] - 1), w, v)
    which = _selected(w, select, limits)
    return w[..., which] if eigvals_only else (w[..., which], v[..., which])


@implements_scipy(scipy.linalg.eig_banded)
def eig_banded(a_band: Any, lower: bool = False, eigvals_only: bool = False, select: Any = "a", select_range: Any = None) -> Any:
    """Eigenvalues in ascending order and eigenvectors of a Hermitian matrix, of which a_band has the diagonals on one side."""
    w, v = solution(partial(call_scipy, "linalg.eig_banded", lower=lower), a_band)
    return _decomposed(a_band, lower, w, v, eigvals_only, select, select_range)


@implements_scipy(scipy.linalg.eigvals_banded)
def eigvals_banded(a_band: Any, lower: bool = False, select: Any = "a", select_range: Any = None) -> Any:
    """Eigenvalues in ascending order of a Hermitian matrix, of which a_band has the diagonals on one side."""
    return eig_banded(a_band, lower, True, select, select_range)


@implements_scipy(scipy.linalg.eigh_tridiagonal)
def eigh_tridiagonal(d: Any, e: Any, eigvals_only: bool = False, select: Any = "a", select_range: Any = None) -> Any:
    """Eigenvalues in ascending order and eigenvectors of a real symmetric matrix with d on its diagonal and e beside it."""
    d, e = arrays_of(d, e)
    w, v = solution(partial(call_scipy, "linalg.eigh_tridiagonal"), d, e)
    filled = np.concatenate([e, namespace(raw(e)).zeros((*e.shape[:-1], 1), dtype=e.dtype)], -1)
    return _decomposed(np.stack([d, filled], -2), True, w, v, eigvals_only, select, select_range)


@implements_scipy(scipy.linalg.eigvalsh_tridiagonal)
def eigvalsh_tridiagonal(d: Any, e: Any, select: Any = "a", select_range: Any = None) -> Any:
    """Eigenvalues in ascending order of a real symmetric matrix with d on its diagonal and e beside it."""
    return eigh_tridiagonal(d, e, True, select, select_range)


__all__ = ["eig", "eig_banded", "eigh", "eigh_tridiagonal", "eigvals", "eigvals_banded", "eigvalsh", "eigvalsh_tridiagonal"]
