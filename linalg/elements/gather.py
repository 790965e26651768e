"""Indexing x ↦ x[index], its transpose (scatter-add), and the cumulative sum."""
from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from linalg.arrays import (
    Array,
    Shape,
    add_at,
    erased,
    is_basic,
    is_cupy,
    is_traced,
    namespace,
    records,
    scatter_add,
    select,
    size,
    to_host,
)
from linalg.checks import require_shape
from linalg.elements.identity import BOOL
from linalg.elements.shape import Selection
from linalg.operator import LinearOperator
from linalg.singular import require_square, singular
from linalg.sparse import csr, positions


class Gather(Selection):
    """x ↦ x[index], with every kind of index. Its transpose adds entries up at their places (scatter-add)."""

    __slots__ = ("__dict__", "in_shape", "index")

    def __init__(self, in_shape: Shape, index: Any):
        require_shape(in_shape, "Gather")
        self.in_shape = in_shape
        self.index = index if isinstance(index, tuple) else (index,)

    @cached_property
    def out_shape(self) -> Shape:  # type: ignore[override]
        index = tuple(np.zeros(p.shape, int) if is_traced(p) or (is_cupy(p) and p.dtype.kind != "b") else to_host(p)
                      for p in self.index)  # whose values are not known, or need not be
        return np.broadcast_to(np.False_, self.in_shape)[index].shape

    @cached_property
    def _out_ndim(self) -> int:
        """Number of axes of the result, without a look at the entries of the index (they may lie on a device)."""
        added = sum(p is None or isinstance(p, slice) for p in self.index)
        arrays = [np.asarray(p) if isinstance(p, (bool, list)) else p for p in self.index
                  if hasattr(p, "dtype") or isinstance(p, (bool, list))]
        masks = [p for p in arrays if p.dtype == bool]
        consumed = sum(isinstance(p, (slice, int)) and not isinstance(p, bool) for p in self.index)
        consumed += len(arrays) - len(masks) + sum(p.ndim for p in masks)
        joint = max([p.ndim for p in arrays if p.dtype != bool] + [1 for _ in masks], default=0)
        return added + joint + len(self.in_shape) - consumed

    @cached_property
    def _positions(self) -> Array:
        """Flat positions of the selected entries: used where leading axes would change what an index means."""
        xp = namespace(*self.index)
        return select(xp.arange(size(self.in_shape)).reshape(self.in_shape), self.index)

    @cached_property
    def _takes_leading_axes(self) -> bool:
        return is_basic(self.index) or (len(self.index) == 1 and self.index[0] is not Ellipsis)

    def _extended(self, rhs: Shape) -> Gather:
        """The same selection on arrays with leading axes ``rhs``."""
        if not rhs:
            return self
        all_ = (slice(None),) * len(rhs)
        if self._takes_leading_axes:
            return Gather(rhs + self.in_shape, all_ + self.index)
        return _FlatGather(rhs, self)

    def _apply(self, x: Array) -> Array:
        k = x.ndim - len(self.in_shape)
        return select(x, self.index) if k == 0 else self._extended(x.shape[:k])._select(x)

    def _select(self, x: Array) -> Array:
        return select(x, self.index)

    def _apply_transpose(self, x: Array) -> Array:
        operator = self._extended(x.shape[: x.ndim - self._out_ndim])
        if is_traced(x):  # a traced array records the operator itself
            return x._apply_linear(operator.T)
        return operator._scatter(x)

    def _add_transpose(self, total: Array, x: Array) -> Array:
        if type(total) is np.ndarray and type(x) is np.ndarray and total.dtype == x.dtype and x.ndim == self._out_ndim:
            add_at(total, self.index, x)
            return total
        return super()._add_transpose(total, x)

    def _scatter(self, x: Array) -> Array:
        return scatter_add(x, self.index, self.in_shape)

    def _erase(self, x: Array) -> Array:
        return erased(x, self.index)

    def _solve(self, b: Array) -> Array:
        self._require_permutation()
        return self._apply_transpose(b)

    def _solve_transpose(self, b: Array) -> Array:
        self._require_permutation()
        return self._apply(b)

    def _require_permutation(self) -> None:
        require_square(self)
        selected = self._apply(positions(self.in_shape, self._data()))
        if records(selected):
            selected._record(_require_all, repr(self), selected, ordered=True)
        else:
            _require_all(self, selected)

    def _data(self) -> Array | None:
        return next((p for p in self.index if is_cupy(p)), None)


def _require_all(operator: Any, selected: Array) -> None:
    """Raise LinAlgError unless each entry is selected once."""
    if (np.sort(to_host(selected), axis=None) != np.arange(selected.size)).any():
        raise singular(operator, "has no inverse: it selects entries twice, and others not at all")


class _FlatGather(Gather):
    """A gather on arrays with leading axes, by flat positions."""

    __slots__ = ("inner",)

    def __init__(self, rhs: Shape, inner: Gather):
        self.in_shape, self.inner, self.index = rhs + inner.in_shape, inner, inner.index

    @cached_property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self._rhs(self.in_shape, self.inner.in_shape) + self.inner.out_shape

    @staticmethod
    def _rhs(shape: Shape, inner: Shape) -> Shape:
        return shape[: len(shape) - len(inner)]

    def _extended(self, rhs: Shape) -> Gather:
        return _FlatGather(rhs + self._rhs(self.in_shape, self.inner.in_shape), self.inner) if rhs else self

    def _select(self, x: Array) -> Array:
        rhs = self._rhs(x.shape, self.inner.in_shape)
        return select(x.reshape((*rhs, size(self.inner.in_shape))), (Ellipsis, self.inner._positions))

    def _apply(self, x: Array) -> Array:
        return self._select(x)

    def _scatter(self, x: Array) -> Array:
        rhs = x.shape[: x.ndim - self.inner._out_ndim]
        flat = (*rhs, size(self.inner.in_shape))
        return scatter_add(x, (Ellipsis, self.inner._positions), flat).reshape(rhs + self.inner.in_shape)

    def _erase(self, x: Array) -> Array:
        rhs = self._rhs(x.shape, self.inner.in_shape)
        flat = x.reshape((*rhs, size(self.inner.in_shape)))
        return erased(flat, (Ellipsis, self.inner._positions)).reshape(x.shape)


class Erase(LinearOperator):
    """x ↦ x with zeros at index: what is left of an array when other values are written there. Its own transpose."""

    __slots__ = ("in_shape", "out_shape", "selection")
    dtype = BOOL

    def __init__(self, shape: Shape, index: Any):
        self.in_shape = self.out_shape = shape
        self.selection = Gather(shape, index)

    @property
    def T(self) -> Erase:
        return self

    @property
    def flops(self) -> int:
        return size(self.in_shape)

    def _apply(self, x: Array) -> Array:
        if is_traced(x) and not records(x):  # a traced array records the operator itself
            return x._apply_linear(self)
        return self.selection._extended(x.shape[: x.ndim - len(self.in_shape)])._erase(x)

    _apply_transpose = _apply

    def _solve(self, _b: Array, /) -> Array:
        raise singular(self, "has no inverse: entries are lost")

    def _sparse(self, like: Array | None, _dtype: np.dtype) -> Any:
        xp = namespace(like)
        kept = self._apply(xp.ones(self.in_shape)).ravel()
        at = xp.arange(kept.size)
        return csr(kept, at, at, self.shape)


def Scatter(out_shape: Shape, index: Any) -> LinearOperator:
    """x ↦ zeros of out_shape with x added at index: the transpose of ``Gather(out_shape, index)``.

    With a slice along one axis it is a piece of a concatenation.
    """
    return Gather(out_shape, index).T


class CumulativeSum(LinearOperator):
    """x ↦ cumsum(x, axis): the lower triangle of ones. ``axis`` is negative."""

    __slots__ = ("axis", "in_shape", "out_shape")
    dtype = BOOL

    def __init__(self, shape: Shape, axis: int = -1):
        require_shape(shape, "CumulativeSum")
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"CumulativeSum expected one of the {len(shape)} axes of {shape}, got axis {axis}")
        self.in_shape = self.out_shape = shape
        self.axis = axis - len(shape) if axis >= 0 else axis

    @property
    def flops(self) -> int:
        return size(self.in_shape)

    def _reversed(self, x: Array) -> Array:
        return x[(Ellipsis, slice(None, None, -1)) + (slice(None),) * (-1 - self.axis)]

    def _apply(self, x: Array) -> Array:
        return x.cumsum(axis=self.axis)

    def _apply_transpose(self, x: Array) -> Array:
        return self._reversed(self._reversed(x).cumsum(axis=self.axis))

    def _solve(self, b: Array) -> Array:
        return b - self._moved(b, slice(None, -1), slice(1, None))

    def _solve_transpose(self, b: Array) -> Array:
        return b - self._moved(b, slice(1, None), slice(None, -1))

    def _moved(self, x: Array, source: slice, target: slice) -> Array:
        """Zeros, and at places ``target`` along the axis what x has at places ``source``."""
        tail = (slice(None),) * (-1 - self.axis)
        return Scatter(x.shape, (Ellipsis, target, *tail))._apply(x[(Ellipsis, source, *tail)])

    def _sparse(self, like: Array | None, _dtype: np.dtype) -> Any:
        xp, n = namespace(like), len(self.in_shape)
        lengths = (size(self.in_shape[: n + self.axis]), self.in_shape[self.axis], size(self.in_shape[n + self.axis + 1:]))
        at, (i, j) = positions(lengths, like), xp.tril_indices(lengths[1])
        return csr(xp.ones(()), at[:, i], at[:, j], self.shape)
