"""Accumulations, y_i = f(y_{i−1}, x_i), and reductions over segments.

The differential of an accumulation is a linear recurrence, dy_i = ∂₁f dy_{i−1} + ∂₂f dx_i, with the partial derivatives of the
ufunc f. Nothing is divided by: products may run through zeros. Entries in a tie share as those of f do, one step after the other.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import Primitive, linear
from gpuad.dispatch import METHODS, TABLE, implements
from gpuad.primitives.elementwise import astype
from gpuad.primitives.reductions import cumsum
from gpuad.primitives.shapes import arrays_of, ravel, refuse_options
from gpuad.traced import raw
from linalg import Diagonal, Gather, LinearOperator, Product, Recurrence, Scatter
from linalg.arrays import Array, Shape, is_cupy, namespace, to_host


def _along(axis: int, *bounds: Any) -> tuple[Any, ...]:
    """The index of a slice along an axis that is counted from the end."""
    return (Ellipsis, slice(*bounds), *(slice(None),) * (-1 - axis))


def _accumulated(x: Array, ufunc: Any, axis: int) -> Array:
    if ufunc is np.multiply:
        return np.cumprod(x, axis=axis)
    if not is_cupy(x):
        return ufunc.accumulate(x, axis=axis)
    step = 1
    while step < x.shape[axis]:  # by doubling: CuPy accumulates sums and products only
        x = np.concatenate([x[_along(axis, 0, step)], ufunc(x[_along(axis, 0, -step)], x[_along(axis, step, None)])], axis=axis)
        step *= 2
    return x


def _accumulate_rule(shape: Shape, y: Array, x: Array, ufunc: Any, axis: int) -> LinearOperator:
    last, before, here = y[_along(axis, 1, None)], y[_along(axis, 0, -1)], x[_along(axis, 1, None)]
    primitive: Any = TABLE[ufunc]
    partials = (rule(last, before, here) for rule in primitive.rules)
    by_sum, by_entry = (d if d.dtype == y.dtype else d.astype(y.dtype) for d in partials)
    first = namespace(raw(y)).ones(y[_along(axis, 0, 1)].shape, dtype=y.dtype)
    return Product(Recurrence(by_sum, shape, axis), Diagonal(np.concatenate([first, by_entry], axis=axis), shape))


_accumulate = Primitive("accumulate", _accumulated, _accumulate_rule)


def _run(a: Any, ufunc: Any, axis: int, dtype: Any = None) -> Any:
    a = a if dtype is None else astype(a, dtype)
    return _accumulate(a, ufunc=ufunc, axis=normalize_axis_index(axis, a.ndim) - a.ndim)


def _method(ufunc: Any) -> Callable[..., Any]:
    def accumulate(a: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        refuse_options(f"{ufunc.__name__}.accumulate", out=out)
        return _run(a, ufunc, axis, dtype)
    return accumulate


for _ufunc in (np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot):
    METHODS[_ufunc.__name__, "accumulate"] = _method(_ufunc)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The cumulative product along an axis (of the raveled array by default)."""
    refuse_options("cumprod", out=out)
    return _run(ravel(a), np.multiply, 0, dtype) if axis is None else _run(a, np.multiply, axis, dtype)


def _cumulative(name: str, function: Any, start: int) -> Callable[..., Any]:
    def cumulative(x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False) -> Any:
        refuse_options(name, out=out)
        x = np.atleast_1d(x)
        if axis is None and x.ndim > 1:
            raise ValueError(f"{name} expected an axis for an array of {x.ndim} axes, got None")
        axis = normalize_axis_index(0 if axis is None else axis, x.ndim)
        y = function(x, axis, dtype)
        if not include_initial:
            return y
        first = namespace(raw(y)).full((*y.shape[:axis], 1, *y.shape[axis + 1:]), start, dtype=y.dtype)
        return np.concatenate([first, y], axis=axis)
    return cumulative


cumulative_sum = implements(np.cumulative_sum)(_cumulative("cumulative_sum", cumsum, 0))
cumulative_prod = implements(np.cumulative_prod)(_cumulative("cumulative_prod", cumprod, 1))


# ---- reductions over segments

def _segments(name: str, indices: Any, n: int) -> tuple[Any, Any]:
    """First and last (exclusive) positions of the segments: up to the next index, or one entry where that is no larger."""
    starts = np.asarray(to_host(indices), dtype=np.intp)
    if starts.ndim != 1 or (starts < 0).any() or (starts >= n).any():
        raise IndexError(f"{name} expected a list of indices from 0 to {n - 1}, got {starts.tolist()}")
    ends = np.append(starts[1:], n)
    return starts, np.where(ends > starts, ends, starts + 1)


def _add_reduceat(a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    """Sums of segments along an axis: their entries gathered, and added up at their segments."""
    refuse_options("add.reduceat", out=out)
    a = a if dtype is None else astype(a, dtype)
    axis = normalize_axis_index(axis, a.ndim)
    starts, ends = _segments("add.reduceat", indices, a.shape[axis])
    lengths = ends - starts
    segments = np.repeat(np.arange(len(starts)), lengths)
    positions = np.arange(lengths.sum()) + np.repeat(starts - lengths.cumsum() + lengths, lengths)
    xp, lead = namespace(raw(a)), (slice(None),) * axis
    gather = Gather(a.shape, (*lead, xp.asarray(positions)))
    sums = Scatter((*a.shape[:axis], len(starts), *a.shape[axis + 1:]), (*lead, xp.asarray(segments)))
    return linear(a, operator=Product(sums, gather))


def _reduceat(ufunc: Any) -> Callable[..., Any]:
    def reduceat(a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        name = f"{ufunc.__name__}.reduceat"
        refuse_options(name, out=out)
        axis = normalize_axis_index(axis, a.ndim)
        lead = (slice(None),) * axis
        bounds = zip(*_segments(name, indices, a.shape[axis]), strict=True)
        parts = [ufunc.reduce(a[(*lead, slice(i, j))], axis=axis, dtype=dtype) for i, j in bounds]
        return np.stack(arrays_of(*parts), axis=axis)
    return reduceat


METHODS["add", "reduceat"] = _add_reduceat
for _ufunc in (np.multiply, np.maximum, np.minimum, np.logaddexp):
    METHODS[_ufunc.__name__, "reduceat"] = _reduceat(_ufunc)

__all__ = ["cumprod", "cumulative_prod", "cumulative_sum"]
