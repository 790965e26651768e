"""Recursive filters: products of banded lower triangular Toeplitz matrices and their inverses, along an axis."""
from __future__ import annotations

import numpy as np

from linalg.arrays import Array, Shape, is_cupy, is_traced, records, scipy_module, size
from linalg.checks import require_array, require_shape
from linalg.elements.gather import Scatter
from linalg.operator import LinearOperator
from linalg.singular import require_nonzero


class RecursiveFilter(LinearOperator):
    """x ↦ y with Σ_k a_k y[n − k] = Σ_k b_k x[n − k] along an axis, from rest: A⁻¹ B for the Toeplitz matrices of a and b.

    A and B are lower triangular, with a and b in their first columns. They commute, so that the transpose is the same filter
    run backwards in time, and the inverse is the filter with a and b exchanged.
    """

    __slots__ = ("a", "axis", "b", "in_shape", "out_shape")

    def __init__(self, b: Array, a: Array, shape: Shape, axis: int = -1):
        require_shape(shape, "RecursiveFilter")
        for name, c in (("b", b), ("a", a)):
            require_array(c, "RecursiveFilter", f"its coefficients {name}")
            if c.ndim != 1 or not c.size:
                raise ValueError(f"RecursiveFilter expected coefficients {name} of shape (k,), k ≥ 1, got {c.shape}")
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"RecursiveFilter expected one of the {len(shape)} axes of {shape}, got axis {axis}")
        self.b, self.a, self.in_shape, self.out_shape = b, a, shape, shape
        self.axis = axis - len(shape) if axis >= 0 else axis

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return np.result_type(self.b.dtype, self.a.dtype)

    @property
    def flops(self) -> int:
        return 2 * size(self.in_shape) * (self.b.size + self.a.size - 1)

    def _apply(self, x: Array) -> Array:
        return filtered(self.b, self.a, x, None, self.axis)

    def _apply_transpose(self, x: Array) -> Array:
        turned = (Ellipsis, slice(None, None, -1), *[slice(None)] * (-1 - self.axis))
        return self._apply(x[turned])[turned]

    def _opposite(self) -> RecursiveFilter:
        require_nonzero(self, self.b[0])
        return RecursiveFilter(self.a, self.b, self.in_shape, self.axis)

    def _solve(self, b: Array) -> Array:
        return self._opposite()._apply(b)

    def _solve_transpose(self, b: Array) -> Array:
        return self._opposite()._apply_transpose(b)

    def conj(self) -> RecursiveFilter:
        return RecursiveFilter(self.b.conj(), self.a.conj(), self.in_shape, self.axis) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.a


def filtered(b: Array, a: Array, x: Array, start: Array | None = None, axis: int = -1) -> Array:
    """y with Σ_k a_k y[n − k] = Σ_k b_k x[n − k] + a_0 start[n] along an axis, ``start`` being zero where it ends.

    ``start`` is the initial state of the filter in its transposed direct form II, as in ``scipy.signal.lfilter``.
    """
    given = [c for c in (b, a, x, start) if c is not None]
    if traced := sorted(filter(is_traced, given), key=records):
        return traced[0].__array_function__(filtered, (), (b, a, x, start, axis), {})
    if not x.size:  # which SciPy's filters without a do not take
        return x.astype(np.result_type(*given))
    lfilter = scipy_module("signal", x).lfilter
    if start is None or not start.shape[axis]:
        return lfilter(b, a, x, axis=axis)
    if is_cupy(x):  # whose lfilter has a state of another form
        return lfilter(b, a, x, axis=axis) + lfilter(a[:1], a, first(start, x.shape[axis], axis), axis=axis)
    return lfilter(b, a, x, axis=axis, zi=start)[0]


def first(x: Array, n: int, axis: int) -> Array:
    """The first n entries along an axis, zeros behind those that there are."""
    m, tail = x.shape[axis], (slice(None),) * (-1 - axis if axis < 0 else x.ndim - 1 - axis)
    if m >= n:
        return x[(Ellipsis, slice(n), *tail)]
    place = axis % x.ndim
    return Scatter((*x.shape[:place], n, *x.shape[place + 1:]), (Ellipsis, slice(m), *tail))._apply(x)


__all__ = ["RecursiveFilter", "filtered", "first"]
