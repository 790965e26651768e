"""Scaling and diagonal operators."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

from linalg.arrays import ON_HOST, Array, Shape, add_into, broadcast, is_array, is_cupy, namespace, size
from linalg.checks import broadcasts, require_array
from linalg.elements.identity import BOOL, Identity
from linalg.operator import LinearOperator
from linalg.singular import require_nonzero
from linalg.sparse import csr, positions

if TYPE_CHECKING:
    from linalg.kernels.elementwise import Factor


class Multiplication(LinearOperator):
    """What multiplies entry by entry, and on the device adds the product in the same launch."""

    __slots__ = ()

    def _plus(self, total: Array, x: Array, out: Array | None) -> Array | None:
        """total + A x in one launch, written to ``out`` where that is given; None where types or shapes differ."""
        raise NotImplementedError

    def _plus_transpose(self, total: Array, x: Array) -> Array:
        found = self._plus(total, x, None) if is_cupy(x) else None
        return total + self._apply_transpose(x) if found is None else found

    def _add_transpose(self, total: Array, x: Array) -> Array:
        if type(x) in ON_HOST or not is_cupy(x) or (found := self._plus(total, x, total)) is None:
            return add_into(total, self._apply_transpose(x))
        return found


class Scaling(Multiplication):
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

    def _plus(self, total: Array, x: Array, out: Array | None) -> Array | None:
        return multiply_add(self.c, x, total, out)

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


class Diagonal(Multiplication):
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

    def _plus(self, total: Array, x: Array, out: Array | None) -> Array | None:
        return multiply_add(self.d, x, total, out)

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


class Entrywise(Diagonal):
    """x ↦ d ∘ x with d = function(*operands), entry by entry, on the device: one kernel computes d and multiplies by it.

    d itself is computed where it is asked for.
    """

    __slots__ = ("_d", "factor", "function", "operands")

    def __init__(self, factor: Factor, function: Callable[..., Any], operands: Sequence[Any], shape: Shape):
        self.factor, self.function, self.operands, self._d = factor, function, operands, None
        self.in_shape = self.out_shape = shape

    @property
    def d(self) -> Array:  # type: ignore[override]
        if self._d is None:
            self._d = self.function(*self.operands)
        return self._d

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.factor.dtype

    def _apply(self, x: Array) -> Array:
        y = self.factor.times(self.operands, x) if is_cupy(x) else None
        return self.d * x if y is None else y

    _apply_transpose = _apply

    def _plus(self, total: Array, x: Array, out: Array | None) -> Array | None:
        return self.factor.plus_times(total, self.operands, x, out)


def entrywise(function: Callable[..., Any], operands: Sequence[Any], shape: Shape) -> LinearOperator:
    """The operator x ↦ d ∘ x with d = function(*operands), entry by entry.

    For CuPy's arrays one launch computes d and applies it, where entries can be traced (see ``linalg.kernels.entries``). An
    operand that the function does not use is None.
    """
    if not ON_HOST.issuperset(map(type, operands)) and any(map(is_cupy, operands)):
        from linalg.kernels.elementwise import factor

        if (found := factor(function, operands)) is not None:
            return Entrywise(found, function, operands, shape)
    return diagonal(function(*operands), shape)


def multiply_add(d: Any, x: Array, total: Array, out: Array | None) -> Array | None:
    """total + d ∘ x for CuPy's x, in one launch; None where dtypes or shapes differ."""
    from linalg.kernels import elementwise

    return elementwise.multiply_add(d, x, total, out)


def diagonal(d: Any, shape: Shape) -> LinearOperator:
    """The operator x ↦ d ∘ x of the given shape, with the structure that d has: one, a scalar, or an array."""
    if not is_array(d):
        return Identity(shape) if d == 1 else Scaling(d, shape)
    return Diagonal(d, shape) if d.shape else Scaling(d, shape)
