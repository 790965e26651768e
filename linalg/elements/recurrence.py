"""First-order linear recurrences: what a loop y_i = a_i y_{i−1} + x_i does, in parallel."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, namespace, size
from linalg.checks import broadcasts, require_array, require_shape
from linalg.elements.gather import Scatter
from linalg.operator import LinearOperator


class Recurrence(LinearOperator):
    """x ↦ y with y_0 = x_0 and y_i = a_{i−1} y_{i−1} + x_i along an axis: the inverse of I − A, with a below A's diagonal.

    a has n − 1 entries along the axis, where x has n. Nothing is divided by: a may be zero anywhere. The bidiagonal system is
    solved by odd-even reduction (R. W. Hockney, J. ACM 12, 1965), in O(n) operations and 2 log₂ n steps.

    Raises ValueError where the shapes do not fit.
    """

    __slots__ = ("a", "axis", "in_shape", "out_shape")

    def __init__(self, a: Array, shape: Shape, axis: int = -1):
        self.a, self.in_shape, self.out_shape = a, shape, shape
        self.axis = axis - len(shape) if axis >= 0 else axis

    def _validate(self) -> None:
        require_shape(self.in_shape, "Recurrence")
        require_array(self.a, "Recurrence", "its coefficients a")
        if not -len(self.in_shape) <= self.axis < 0:
            raise ValueError(f"Recurrence expected one of the {len(self.in_shape)} axes of {self.in_shape}, got axis {self.axis}")
        shorter = list(self.in_shape)
        shorter[self.axis] = max(shorter[self.axis] - 1, 0)
        if not broadcasts(self.a.shape, tuple(shorter)) or self.a.shape[self.axis:][:1] != (shorter[self.axis],):
            raise ValueError(f"Recurrence expected coefficients a that broadcast to {tuple(shorter)}, one fewer than x has along "
                             f"axis {self.axis}, got {self.a.shape}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.a.dtype

    @property
    def flops(self) -> int:
        return 5 * size(self.in_shape)

    def _part(self, x: Array, *bounds: Any) -> Array:
        """Entries along the axis."""
        return x[(Ellipsis, slice(*bounds), *(slice(None),) * (-1 - self.axis))]

    def _apply(self, x: Array) -> Array:
        return self._solved(self.a, x)

    def _apply_transpose(self, x: Array) -> Array:
        return self._flipped(self._solved(self._flipped(self.a), self._flipped(x)))

    def _flipped(self, x: Array) -> Array:
        return self._part(x, None, None, -1)

    def _solved(self, a: Array, x: Array) -> Array:
        """The recurrence of the odd entries alone, then the even ones between them."""
        n, part = x.shape[self.axis], self._part
        if n < 2:
            return x
        to_odd, to_even = part(a, 0, None, 2), part(a, 1, None, 2)
        even, odd = part(x, 0, None, 2), part(x, 1, None, 2)
        m, xp = n // 2, namespace(a, x)
        odd = self._solved(part(to_odd, 1, None) * part(to_even, 0, m - 1), to_odd * part(even, 0, m) + odd)
        even = xp.concatenate([part(even, 0, 1), part(even, 1, None) + to_even * part(odd, 0, (n - 1) // 2)], axis=self.axis)
        shape = x.shape[:x.ndim + self.axis], x.shape[x.ndim + self.axis + 1:]
        merged = xp.stack([part(even, 0, m), odd], axis=self.axis).reshape((*shape[0], 2 * m, *shape[1]))
        return xp.concatenate([merged, part(even, m, None)], axis=self.axis) if n % 2 else merged

    def _solve(self, b: Array) -> Array:
        return b - self._moved(self.a * self._part(b, None, -1), b.shape, slice(1, None))

    def _solve_transpose(self, b: Array) -> Array:
        return b - self._moved(self.a * self._part(b, 1, None), b.shape, slice(None, -1))

    def _moved(self, x: Array, shape: Shape, target: slice) -> Array:
        """Zeros, and x at places ``target`` along the axis."""
        return Scatter(shape, (Ellipsis, target, *(slice(None),) * (-1 - self.axis)))._apply(x)

    def conj(self) -> Recurrence:
        return Recurrence(self.a.conj(), self.in_shape, self.axis) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.a
