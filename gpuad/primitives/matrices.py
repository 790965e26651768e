"""What the differentials of matrix functions share: transposes of stacks of matrices, as arrays and as elements."""
from __future__ import annotations

import numpy as np

from linalg import AxisSum, Conjugate, Diagonal, Identity, LinearOperator, Permute
from linalg.arrays import Array, Shape, namespace


def conj_transpose(x: Array) -> Array:
    """Xᴴ of an array."""
    x = x.swapaxes(-1, -2)
    return x.conj() if x.dtype.kind == "c" else x


def transposing(shape: Shape) -> LinearOperator:
    """X ↦ Xᵀ, the last two axes swapped."""
    n = len(shape)
    return Permute(shape, (*range(n - 2), n - 1, n - 2))


def conj_transposing(shape: Shape, dtype: np.dtype) -> LinearOperator:
    """X ↦ Xᴴ."""
    transposed = transposing(shape)
    return Conjugate(transposed.out_shape) @ transposed if dtype.kind == "c" else transposed


def hermitian_part(shape: Shape, dtype: np.dtype) -> LinearOperator:
    """X ↦ (X + Xᴴ)/2."""
    return 0.5 * (Identity(shape) + conj_transposing(shape, dtype))


def inner_product(weights: Array, shape: Shape) -> LinearOperator:
    """X ↦ Σ_ij W_ij X_ij, for each matrix of a stack."""
    return AxisSum(shape, (-2, -1)) @ Diagonal(weights, shape)


def reciprocals_off_diagonal(x: Array) -> Array:
    """1/X_ij off the diagonal, 0 on it."""
    xp = namespace(x)
    diagonal = xp.eye(x.shape[-1], dtype=bool)
    return xp.where(diagonal, xp.zeros((), dtype=x.dtype), 1 / xp.where(diagonal, xp.ones((), dtype=x.dtype), x))


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the real parts."""
    return np.empty(0, dtype).real.dtype
