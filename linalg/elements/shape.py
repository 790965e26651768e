"""Operators that move, repeat or add entries: reshape, permute, broadcast, and its transpose, the sum over axes."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, broadcast, size, sum_axes
from linalg.checks import broadcasts, require_shape
from linalg.elements.identity import BOOL, Identity
from linalg.operator import LinearOperator
from linalg.sparse import positions, selection


class Selection(LinearOperator):
    """A map whose every result entry is one entry of the argument."""

    __slots__ = ()
    dtype = BOOL

    def _sparse(self, like: Array | None, _dtype: np.dtype) -> Any:
        return selection(self._apply(positions(self.in_shape, like)), self.in_size)


class Reshape(Selection):
    """x ↦ x.reshape(out_shape), C order."""

    __slots__ = ("in_shape", "out_shape")

    def __init__(self, in_shape: Shape, out_shape: Shape):
        try:
            fits = size(in_shape) == size(out_shape)
        except TypeError:
            require_shape(in_shape, "Reshape")
            require_shape(out_shape, "Reshape")
            raise
        if not fits:
            raise ValueError(f"Reshape expected shapes of equal size, got {in_shape} and {out_shape}")
        self.in_shape, self.out_shape = in_shape, out_shape

    def _validate(self) -> None:
        require_shape(self.in_shape, "Reshape")
        require_shape(self.out_shape, "Reshape")

    def _apply(self, x: Array) -> Array:
        return x.reshape(x.shape[: x.ndim - len(self.in_shape)] + self.out_shape)

    def _apply_transpose(self, x: Array) -> Array:
        return x.reshape(x.shape[: x.ndim - len(self.out_shape)] + self.in_shape)

    _solve = _apply_transpose

    @property
    def T(self) -> Reshape:
        return Reshape(self.out_shape, self.in_shape)

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return reshape(first.in_shape, self.out_shape) if isinstance(first, Reshape) else None


def reshape(in_shape: Shape, out_shape: Shape) -> LinearOperator:
    """The reshape from one shape to another: the identity where they are equal."""
    return Identity(in_shape) if in_shape == out_shape else Reshape(in_shape, out_shape)


class Permute(Selection):
    """x ↦ x.transpose(axes)."""

    __slots__ = ("axes", "in_shape")

    def __init__(self, in_shape: Shape, axes: Shape):
        require_shape(in_shape, "Permute")
        n = len(in_shape)
        self.in_shape, self.axes = in_shape, tuple(a + n if a < 0 else a for a in axes)
        if sorted(self.axes) != list(range(n)):
            raise ValueError(f"Permute expected a permutation of the {len(in_shape)} axes of {in_shape}, got {axes}")

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return tuple(self.in_shape[a] for a in self.axes)

    def _apply(self, x: Array) -> Array:
        k = x.ndim - len(self.axes)
        return x.transpose((*range(k), *(a + k for a in self.axes)))

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    _solve = _apply_transpose

    @property
    def T(self) -> Permute:
        return Permute(self.out_shape, tuple(int(a) for a in np.argsort(self.axes)))

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if not isinstance(first, Permute):
            return None
        axes = tuple(first.axes[a] for a in self.axes)
        return Identity(first.in_shape) if axes == tuple(range(len(axes))) else Permute(first.in_shape, axes)


class Broadcast(Selection):
    """x ↦ x broadcast to out_shape by NumPy's rule. Its transpose adds the repeated entries up."""

    __slots__ = ("_axes", "_leading", "in_shape", "out_shape")

    def __init__(self, in_shape: Shape, out_shape: Shape):
        self.in_shape, self.out_shape = in_shape, out_shape
        try:
            m, n = len(in_shape), len(out_shape)
        except TypeError:
            require_shape(in_shape, "Broadcast")
            require_shape(out_shape, "Broadcast")
            raise
        self._leading = out_shape[n - m:] == in_shape  # new leading axes only: the sum over them has the right shape
        self._axes = tuple(i for i in range(-n, 0) if i < -m or in_shape[i] != out_shape[i])

    def _validate(self) -> None:
        require_shape(self.in_shape, "Broadcast")
        require_shape(self.out_shape, "Broadcast")
        if not broadcasts(self.in_shape, self.out_shape):
            raise ValueError("Broadcast expected an in_shape that broadcasts to its out_shape, got "
                             f"{self.in_shape} -> {self.out_shape}")

    @property
    def flops(self) -> int:
        return size(self.out_shape)

    def _apply(self, x: Array) -> Array:
        rhs = x.shape[: x.ndim - len(self.in_shape)]
        if rhs:
            x = x.reshape(rhs + (1,) * (len(self.out_shape) - len(self.in_shape)) + self.in_shape)
        return broadcast(x, rhs + self.out_shape)

    def _apply_transpose(self, x: Array) -> Array:
        summed = sum_axes(x, self._axes)
        return summed if self._leading else summed.reshape(x.shape[: x.ndim - len(self.out_shape)] + self.in_shape)

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return Broadcast(first.in_shape, self.out_shape) if isinstance(first, Broadcast) else None


class AxisSum(LinearOperator):
    """x ↦ the sum over axes. ``axes`` are negative, ``keepdims`` keeps them with length one."""

    __slots__ = ("axes", "in_shape", "keepdims")
    dtype = BOOL

    def __init__(self, in_shape: Shape, axes: Shape, keepdims: bool = False):
        try:
            if axes and max(axes) >= 0:
                axes = tuple(a - len(in_shape) if a >= 0 else a for a in axes)
        except TypeError as error:
            require_shape(in_shape, "AxisSum")
            raise TypeError(f"AxisSum expected axes, a tuple such as (0,) or (-2, -1), got {axes!r}") from error
        self.in_shape, self.axes, self.keepdims = in_shape, axes, keepdims

    def _validate(self) -> None:
        super()._validate()
        n = len(self.in_shape)
        if type(self.axes) is not tuple or not all(-n <= a < 0 for a in self.axes) or len(set(self.axes)) < len(self.axes):
            raise ValueError(f"AxisSum expected different axes of the {n} of {self.in_shape}, got {self.axes}")

    @property
    def _kept(self) -> Shape:
        n = len(self.in_shape)
        return tuple(1 if i - n in self.axes else length for i, length in enumerate(self.in_shape))

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        n = len(self.in_shape)
        if n == len(self.axes) and not self.keepdims:
            return ()
        return self._kept if self.keepdims else tuple(
            length for i, length in enumerate(self.in_shape) if i - n not in self.axes)

    @property
    def flops(self) -> int:
        return size(self.in_shape)

    def _apply(self, x: Array) -> Array:
        summed = sum_axes(x, self.axes)
        return summed.reshape(x.shape[: x.ndim - len(self.in_shape)] + self._kept) if self.keepdims else summed

    def _apply_transpose(self, x: Array) -> Array:
        if not x.shape:
            return broadcast(x, self.in_shape)
        rhs = x.shape[: x.ndim - len(self.out_shape)]
        return broadcast(x.reshape(rhs + self._kept), rhs + self.in_shape)

    def _sparse(self, like: Array | None, _dtype: np.dtype) -> Any:
        return selection(self._apply_transpose(positions(self.out_shape, like)), self.out_size).T.tocsr()
