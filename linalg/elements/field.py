"""Maps between number types: casts, and the maps of complex numbers that are linear over the reals only.

With ⟨u, v⟩ = Re Σ ūv: the adjoint of the real part is the embedding of the reals, the conjugate is its own adjoint, and
the adjoint of the imaginary part is multiplication by i. Transposes are conj ∘ adjoint ∘ conj.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape
from linalg.elements.identity import BOOL, Identity
from linalg.operator import LinearOperator
from linalg.singular import singular


class Cast(LinearOperator):
    """x ↦ x as another dtype. Its transpose casts back, and takes the real part where x is real and the result complex."""

    __slots__ = ("in_shape", "out_shape", "in_dtype", "out_dtype")
    dtype = BOOL

    def __init__(self, shape: Shape, in_dtype: np.dtype, out_dtype: np.dtype):
        self.in_shape = self.out_shape = shape
        self.in_dtype, self.out_dtype = np.dtype(in_dtype), np.dtype(out_dtype)

    @property
    def over_reals(self) -> bool:  # type: ignore[override]
        return self.in_dtype.kind == "c" and self.out_dtype.kind != "c"

    def _apply(self, x: Array) -> Array:
        return _cast(x, self.out_dtype)

    def _apply_transpose(self, x: Array) -> Array:
        return _cast(x, self.in_dtype)

    def _solve(self, b: Array) -> Array:
        if self.over_reals:
            raise singular(self, "has no inverse: imaginary parts are lost")
        return _cast(b, self.in_dtype)

    @property
    def T(self) -> Cast:
        return Cast(self.in_shape, self.out_dtype, self.in_dtype)

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        self._require_matrix()
        return Identity(self.in_shape)._sparse(like, dtype)

    def _dense(self, like: Array | None, dtype: np.dtype) -> Array:
        self._require_matrix()
        return Identity(self.in_shape)._dense(like, dtype)

    def __repr__(self) -> str:
        return f"Cast({self.in_shape}, {self.in_dtype} -> {self.out_dtype})"


def _cast(x: Array, dtype: np.dtype) -> Array:
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    return x.astype(dtype)


class RealPart(LinearOperator):
    """z ↦ Re z. Its adjoint, and its transpose, embeds the reals."""

    __slots__ = ("in_shape", "out_shape")
    dtype = BOOL
    over_reals = True

    def __init__(self, shape: Shape):
        self.in_shape = self.out_shape = shape

    def _apply(self, x: Array) -> Array:
        return x.real

    def _apply_transpose(self, x: Array) -> Array:
        return x.real + 0j

    def _solve(self, _b: Array, /) -> Array:
        raise singular(self, "has no inverse: imaginary parts are lost")

    _solve_transpose = _solve


class ImaginaryPart(RealPart):
    """z ↦ Im z. Its adjoint is y ↦ i y, its transpose y ↦ −i y, for real y."""

    __slots__ = ()

    def _apply(self, x: Array) -> Array:
        return x.imag

    def _apply_transpose(self, x: Array) -> Array:
        return x.real * -1j

    def conj(self) -> LinearOperator:
        return -1 * self


class Conjugate(RealPart):
    """z ↦ conj z: its own adjoint, transpose and inverse."""

    __slots__ = ()

    def _apply(self, x: Array) -> Array:
        return x.conj()

    _apply_transpose = _apply
    _solve = _apply

    @property
    def T(self) -> Conjugate:
        return self

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return Identity(self.in_shape) if isinstance(first, Conjugate) else None
