"""Scaling and diagonal operators."""
from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, broadcast, is_array, namespace, size
from linalg.checks import broadcasts, require_array
from linalg.elements.identity import BOOL, Identity
from linalg.operator import LinearOperator
from linalg.singular import require_nonzero
from linalg.sparse import csr, positions


class Scaling(LinearOperator):
    """x ↦ c x with one scalar c (a Python number, or an array of shape ())."""

    __slots__ = ("c", "in_shape", "out_shape")

    def __init__(self, c: Any, shape: Shape):
        self.c = c
        self.in_shape = self.out_shape = shape

    def _validate(self) -> None:
        super()._validate()
        if (self.c.shape != ()) if is_array(self.c) else not isinstance(self.c, (float, int, Number)):
            got = f"an array of shape {self.c.shape}" if is_array(self.c) else type(self.c).__name__
            raise TypeError(f"Scaling expected a number, or an array of shape (), as its factor, got {got}; "
                            "an array that scales entry by entry is a linalg.Diagonal(d)")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        """The dtype of c. Python's numbers promote as weakly as NumPy lets them."""
        if is_array(self.c):
            return self.c.dtype
        return np.dtype(np.complex64) if isinstance(self.c, complex) else BOOL

    @property
    def flops(self) -> int:
        return size(self.in_shape)

    def _apply(self, x: Array) -> Array:
        return self.c * x

    _apply_transpose = _apply

    def _solve(self, b: Array) -> Array:
        require_nonzero(self, self.c)
        return b / self.c

    @property
    def T(self) -> Scaling:
        return self

    def conj(self) -> Scaling:
        return Scaling(self.c.conjugate(), self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array | None:
        return self.c if is_array(self.c) and not isinstance(self.c, np.generic) else None

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return first._scaled(self.c)

    def _scaled(self, c: Any) -> LinearOperator:
        return diagonal(c * self.c, self.in_shape)

    def _dense(self, like: Array | None, _dtype: np.dtype) -> Array:
        return namespace(self._place(like)).diag(self._entries(like))

    def _sparse(self, like: Array | None, _dtype: np.dtype) -> Any:
        at = positions((self.in_size,), self._place(like))
        return csr(self._entries(like), at, at, self.shape)

    def _entries(self, like: Array | None) -> Array:
        dtype = self.c.dtype if is_array(self.c) else float
        return self.c * namespace(self._place(like)).ones(self.in_size, dtype=dtype)


class Diagonal(LinearOperator):
    """x ↦ d ∘ x, entry by entry. d has the operator's shape, or one that broadcasts to it."""

    __slots__ = ("d", "in_shape", "out_shape")

    def __init__(self, d: Array, shape: Shape | None = None):
        self.d = d
        try:
            self.in_shape = self.out_shape = d.shape if shape is None else shape
        except AttributeError:
            require_array(d, "Diagonal", "its diagonal d")
            raise

    def _validate(self) -> None:
        super()._validate()
        require_array(self.d, "Diagonal", "its diagonal d")
        if not broadcasts(self.d.shape, self.in_shape):
            raise ValueError(f"Diagonal expected a diagonal d that broadcasts to its shape {self.in_shape}, got {self.d.shape}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.d.dtype

    @property
    def flops(self) -> int:
        return size(self.in_shape)

    def _apply(self, x: Array) -> Array:
        return self.d * x

    _apply_transpose = _apply

    def _solve(self, b: Array) -> Array:
        require_nonzero(self, self.d)
        return b / self.d

    @property
    def T(self) -> Diagonal:
        return self

    def conj(self) -> Diagonal:
        return Diagonal(self.d.conj(), self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.d

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, Scaling):
            return self._scaled(first.c)
        if isinstance(first, Diagonal):
            return Diagonal(self.d * first.d, self.in_shape)
        return None

    def _scaled(self, c: Any) -> LinearOperator:
        return Diagonal(c * self.d, self.in_shape)

    def _entries(self) -> Array:
        return broadcast(self.d, self.in_shape).ravel()

    def _dense(self, _like: Array | None, _dtype: np.dtype) -> Array:
        return namespace(self.d).diag(self._entries())

    def _sparse(self, _like: Array | None, _dtype: np.dtype) -> Any:
        at = positions((self.in_size,), self.d)
        return csr(self._entries(), at, at, self.shape, self.d)


def diagonal(d: Any, shape: Shape) -> LinearOperator:
    """The operator x ↦ d ∘ x of the given shape, with the structure that d has: one, a scalar, or an array."""
    if not is_array(d):
        return Identity(shape) if d == 1 else Scaling(d, shape)
    return Diagonal(d, shape) if d.shape else Scaling(d, shape)
