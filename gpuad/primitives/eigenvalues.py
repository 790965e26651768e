"""Eigenvalues and eigenvectors of general square matrices, stacks of them too.

As in NumPy, eigenvectors v have ‖v‖ = 1, and a real matrix whose eigenvalues are all real has real results. The phase of a
complex eigenvector is free: its differential keeps to vᴴ dv = 0, as that of Hermitian matrices does. Functions that do not
depend on phases have the right derivative; no other function of eigenvectors has one.

Where eigenvalues coincide their vectors have no derivative: it is infinite or NaN. The eigenvalues themselves keep theirs,
which is then one among several, unless eigenvectors are lacking: at a defective matrix it is infinite, and what comes is as
large as 1/ε, or LinAlgError.

In a plan a real matrix keeps the kind of results that it had when the plan was made; TypeError where values lead to the other
kind. ``a.astype(complex)`` allows both.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.differential import MultiOutput
from gpuad.dispatch import implements
from gpuad.primitives.matrices import reciprocals_off_diagonal
from linalg import AxisSum, Broadcast, Diagonal, Identity, LeftProduct, LinearOperator, RightProduct
from linalg.arrays import Array, Shape, namespace
from linalg.scipy import opaque

EigResult: Any = type(np.linalg.eig(np.eye(1)))


def _core(shape: Shape, v: Array, b: Array | None) -> LinearOperator:
    """X ↦ (B V)⁻¹ X V."""
    left = namespace(v).linalg.inv(v if b is None else b @ v)
    return LeftProduct(left, shape) @ RightProduct(v, shape)


def values_rule(shape: Shape, y: tuple[Array, ...], _a: Any, b: Any = None, **_options: Any) -> LinearOperator:
    """Where A V = B V Λ: dλ = diag((B V)⁻¹ dA V)."""
    v = y[1]
    left = namespace(v).linalg.inv(v if b is None else b @ v)
    return AxisSum(shape, (-2,)) @ Diagonal(left.swapaxes(-1, -2), shape) @ RightProduct(v, shape)


def vectors_rule(shape: Shape, y: tuple[Array, ...], _a: Any, b: Any = None, **_options: Any) -> LinearOperator:
    """dV = V (F ∘ (B V)⁻¹ dA V), F_ij = 1/(λ_j − λ_i) and 0 on the diagonal, less what each column has along itself."""
    w, v = y[:2]
    return across(v) @ LeftProduct(v, shape) @ Diagonal(_gaps(w, v), shape) @ _core(shape, v, b)


def _gaps(w: Array, v: Array) -> Array:
    w = w if v.dtype.kind == "c" else w.real
    return reciprocals_off_diagonal(w[..., None, :] - w[..., :, None])


def values_rule_of_b(shape: Shape, y: tuple[Array, ...], a: Any, b: Array, **options: Any) -> LinearOperator:
    """dλ = −λ diag((B V)⁻¹ dB V)."""
    return Diagonal(-y[0], y[0].shape) @ values_rule(shape, y, a, b, **options)


def vectors_rule_of_b(shape: Shape, y: tuple[Array, ...], _a: Any, b: Array, **_options: Any) -> LinearOperator:
    """dV = −V (F ∘ (B V)⁻¹ dB V Λ), less what each column has along itself."""
    w, v = y[:2]
    gaps = -_gaps(w, v) * (w if v.dtype.kind == "c" else w.real)[..., None, :]
    return across(v) @ LeftProduct(v, shape) @ Diagonal(gaps, shape) @ _core(shape, v, b)


def across(v: Array) -> LinearOperator:
    """X ↦ X − V diag(Vᴴ X): each column without its part along the column of V, whose columns have length 1."""
    shape = v.shape
    lengths = AxisSum(shape, (-2,), keepdims=True) @ Diagonal(v.conj(), shape)
    return Identity(shape) - Diagonal(v, shape) @ Broadcast(lengths.out_shape, shape) @ lengths


_eig = MultiOutput("eig", opaque(np.linalg.eig, unsteady=True), [values_rule], [vectors_rule])


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues, in no order, and eigenvectors as columns."""
    return EigResult(*_eig(a))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues, in no order."""
    return _eig(a)[0]


__all__ = ["eig", "eigvals", "values_rule", "values_rule_of_b", "vectors_rule", "vectors_rule_of_b"]
