"""Sums, means, extremes, products and what is made of them."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from gpuad.aliasing import own
from gpuad.differential import Primitive, linear
from gpuad.dispatch import METHODS, implements
from gpuad.primitives.elementwise import astype, divide, real, sqrt, square, where
from gpuad.primitives.matrices import real_dtype
from gpuad.primitives.shapes import arrays_of, ravel, refuse_options, reshape
from gpuad.traced import raw
from linalg import AxisSum, CumulativeSum, Diagonal, LinearOperator, Product, RealPart, Scaling, entrywise
from linalg.arrays import ON_HOST, Array, Shape, is_array, is_cupy, namespace, size

_NO_VALUE = np._NoValue  # type: ignore[attr-defined]


def _axes(axis: Any, ndim: int) -> Shape:
    """Axes as negative numbers, so that leading right-hand-side axes do not disturb them."""
    return tuple(range(-ndim, 0)) if axis is None else tuple(a - ndim for a in normalize_axis_tuple(axis, ndim))


def _kept(keepdims: Any) -> bool:
    return keepdims is not _NO_VALUE and bool(keepdims)


def _everywhere(keep: Any) -> bool:
    return keep is _NO_VALUE or keep is True or keep is None


def _masked(x: Any, keep: Any, fill: Any) -> Any:
    return x if _everywhere(keep) else where(keep, x, fill)


def _count(a: Any, axes: Shape, keepdims: bool, keep: Any) -> Any:
    """How many entries meet in each result: a number, or where ``keep`` selects them an array in the precision of a."""
    if _everywhere(keep):
        return size(tuple(a.shape[i] for i in axes))
    keep = keep if is_array(keep) else namespace(raw(a)).asarray(keep)
    return np.broadcast_to(keep, a.shape).sum(axis=axes, keepdims=keepdims).astype(real_dtype(a.dtype))


@implements(np.sum)
def sum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
        where: Any = _NO_VALUE) -> Any:
    """The sum over axes."""
    refuse_options("sum", out=out)
    a = _masked(a if dtype is None else astype(a, dtype), where, 0)
    total = linear(a, operator=AxisSum(a.shape, _axes(axis, a.ndim), _kept(keepdims)))
    return total if initial is _NO_VALUE else total + initial


def _mean_value(x: Array, operator: AxisSum, n: float) -> Array:
    if x.dtype.kind == "f" and x.dtype.itemsize < 4:  # sums of half precision are accumulated in float32
        return x.mean(axis=operator.axes, keepdims=operator.keepdims)
    if type(x) in ON_HOST or not is_cupy(x):
        return operator._apply(x) / n
    return x.mean(axis=operator.axes, keepdims=operator.keepdims)  # one launch


def _mean_rule(_shape: Shape, _y: Any, _x: Any, operator: AxisSum, n: float) -> LinearOperator:
    return Product(Scaling(1 / n, operator.out_shape), operator) if n else operator


_mean = Primitive("mean", _mean_value, _mean_rule)


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = _NO_VALUE) -> Any:
    """The mean over axes."""
    if out is not None:
        refuse_options("mean", out=out)
    a = a if dtype is None else astype(a, dtype)
    axes = _axes(axis, a.ndim)
    n = a.size if axis is None else _count(a, axes, _kept(keepdims), where)
    if not _everywhere(where):
        return sum(a, axes, keepdims=keepdims, where=where) / _count(a, axes, _kept(keepdims), where)
    return _mean(a, operator=AxisSum(a.shape, axes, _kept(keepdims)), n=n)


def _extreme_rule(_shape: Shape, y: Array, x: Array, axes: Shape, keepdims: bool, initial: Any = _NO_VALUE) -> LinearOperator:
    """dy is the mean of dx over the entries (and initial) where the extreme is attained; NaN where the extreme is NaN."""
    total = AxisSum(x.shape, axes, keepdims)
    y = y.reshape(total._kept)
    attained = x == y
    count = attained.sum(axis=axes, keepdims=True)
    count = count if initial is _NO_VALUE else count + (y == initial)
    return Product(total, entrywise(_share_in(x.dtype), (attained, count), x.shape))


@cache
def _share_in(dtype: np.dtype) -> Callable[[Array, Array], Array]:
    """What an entry contributes to an extreme that ``count`` entries attain; NaN where none does."""
    return lambda attained, count: attained * np.where(count == 0, np.nan, 1 / np.maximum(count, 1)).astype(dtype)


def _extreme(name: str, pair: Any, reduction: Any) -> Primitive:
    def evaluate(x: Array, axes: Shape, keepdims: bool, initial: Any = _NO_VALUE) -> Array:
        y = reduction(x, axis=axes, keepdims=keepdims)
        return y if initial is _NO_VALUE else pair(y, initial)
    return Primitive(name, evaluate, _extreme_rule)


_max = _extreme("max", np.maximum, lambda x, **options: x.max(**options))
_min = _extreme("min", np.minimum, lambda x, **options: x.min(**options))
_nanmax, _nanmin = _extreme("nanmax", np.fmax, np.nanmax), _extreme("nanmin", np.fmin, np.nanmin)


@implements(np.max, np.amax)
def max(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
        where: Any = _NO_VALUE) -> Any:
    """The largest entry over axes; entries that share the maximum share its derivative equally."""
    return _extreme_of(_max, np.maximum, -np.inf, a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin)
def min(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
        where: Any = _NO_VALUE) -> Any:
    """The smallest entry over axes; entries that share the minimum share its derivative equally."""
    return _extreme_of(_min, np.minimum, np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmax)
def nanmax(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
           where: Any = _NO_VALUE) -> Any:
    """The largest entry that is not NaN, as ``max``."""
    return _extreme_of(_nanmax, np.fmax, -np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
           where: Any = _NO_VALUE) -> Any:
    """The smallest entry that is not NaN, as ``min``."""
    return _extreme_of(_nanmin, np.fmin, np.inf, a, axis, out, keepdims, initial, where)


def _extreme_of(primitive: Primitive, pair: Any, neutral: float, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any,
                keep: Any) -> Any:
    refuse_options(primitive.name, out=out)
    axes = _axes(axis, a.ndim)
    if initial is _NO_VALUE and not _everywhere(keep):
        raise ValueError(f"{primitive.name}: where= needs initial=, the result where no entry is selected")
    if initial is not _NO_VALUE and not size(tuple(a.shape[i] for i in axes)):
        return sum(a, axes, keepdims=keepdims) + initial
    options = {"initial": a.dtype.type(initial)} if np.isscalar(initial) else {}
    result = primitive(_masked(a, keep, neutral), axes=axes, keepdims=_kept(keepdims), **options)
    return result if options or initial is _NO_VALUE else pair(result, initial)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """Largest minus smallest entry."""
    return max(a, axis, out, keepdims) - min(a, axis, out, keepdims)


@implements(np.prod)
def prod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
         where: Any = _NO_VALUE) -> Any:
    """The product over axes, by halves: zeros among the factors need no special rule."""
    refuse_options("prod", out=out)
    a = _masked(a if dtype is None else astype(a, dtype), where, 1)
    result = _by_halves(np.multiply, a, axis, keepdims, 1)
    return result if initial is _NO_VALUE else result * initial


def _by_halves(operation: Any, a: Any, axis: Any, keepdims: Any, identity: float) -> Any:
    """The reduction by an associative and commutative ufunc, on halves: its partial derivatives are all that is needed."""
    axes = _axes(axis, a.ndim)
    kept = [i for i in range(-a.ndim, 0) if i not in axes]
    total = AxisSum(a.shape, axes, _kept(keepdims))
    parts = reshape(np.transpose(a, (*axes, *kept)), (size(tuple(a.shape[i] for i in axes)), *[a.shape[i] for i in kept]))
    while (n := parts.shape[0]) > 1:
        half = operation(parts[: n // 2], parts[n // 2: n // 2 * 2])
        parts = np.concatenate([half, parts[n // 2 * 2:]]) if n % 2 else half
    return reshape(parts[0], total.out_shape) if n else namespace(a).full(total.out_shape, identity, dtype=a.dtype)


def _var_value(x: Array, axes: Shape, keepdims: bool, ddof: float) -> Array:
    return x.var(axis=axes, ddof=ddof, keepdims=keepdims)


def _var_rule(shape: Shape, _y: Any, x: Array, axes: Shape, keepdims: bool, ddof: float) -> LinearOperator:
    """d var = 2/(n − ddof) Σ Re((x̄ − mean) dx): that of the mean drops out, since deviations from it add up to zero."""
    deviation = x - np.mean(x, axes, keepdims=True)
    n = size(tuple(shape[i] for i in axes)) - ddof
    weights = deviation * float(2 / n if n > 0 else np.inf)
    if x.dtype.kind != "c":
        return Product(AxisSum(shape, axes, keepdims), Diagonal(weights, shape))
    return Product(AxisSum(shape, axes, keepdims), RealPart(shape), Diagonal(weights.conj(), shape))


_var = Primitive("var", _var_value, _var_rule)


@implements(np.var)
def var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False, *,
        where: Any = _NO_VALUE, mean: Any = _NO_VALUE, correction: Any = _NO_VALUE) -> Any:
    """The variance over axes, Σ |x − mean|² / (n − ddof)."""
    refuse_options("var", out=out)
    if correction is not _NO_VALUE and ddof != 0:
        raise ValueError("var and std expected one of ddof and correction, which mean the same, got both")
    ddof = ddof if correction is _NO_VALUE else correction
    a = a if dtype is None else astype(a, dtype)
    axes = _axes(axis, a.ndim)
    if dtype is not None and a.dtype.kind == "c":  # NumPy gives a complex variance where it is told the dtype
        return astype(var(a, axis, ddof=ddof, keepdims=keepdims, where=where, mean=mean), dtype)
    if mean is _NO_VALUE and _everywhere(where):
        return _var(a, axes=axes, keepdims=_kept(keepdims), ddof=ddof)
    center = np.mean(a, axes, keepdims=True, where=where) if mean is _NO_VALUE else mean
    deviation = a - center
    squares = square(deviation) if a.dtype.kind != "c" else real(deviation * deviation.conj())
    n = _count(a, axes, _kept(keepdims), where) - ddof
    return divide(sum(squares, axes, keepdims=keepdims, where=where), np.maximum(n, 0) if is_array(n) else n if n > 0 else 0)


@implements(np.std)
def std(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False,
        **options: Any) -> Any:
    """The standard deviation over axes."""
    return sqrt(var(a, axis, dtype, out, ddof, keepdims, **options))


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The cumulative sum along an axis (of the raveled array by default)."""
    refuse_options("cumsum", out=out)
    a = a if dtype is None else astype(a, dtype)
    if axis is None:
        a, axis = ravel(a), 0
    return linear(a, operator=CumulativeSum(a.shape, normalize_axis_index(axis, a.ndim)))


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _NO_VALUE, append: Any = _NO_VALUE) -> Any:
    """Differences of neighbours along an axis, n times."""
    if n < 0:
        raise ValueError(f"diff expected n of at least 0, got {n}")
    parts = arrays_of(*[p for p in (prepend, a, append) if p is not _NO_VALUE])
    a = parts[0 if prepend is _NO_VALUE else 1]
    axis = normalize_axis_index(axis, a.ndim)
    if len(parts) > 1:
        border = (*a.shape[:axis], 1, *a.shape[axis + 1:])
        a = np.concatenate([p if p.ndim else np.broadcast_to(p, border) for p in parts], axis)
    lead = (slice(None),) * axis
    for _ in range(n):
        a = a[(*lead, slice(1, None))] - a[(*lead, slice(None, -1))]
    return a


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """Entries sorted along an axis: a gather by argsort."""
    refuse_options("sort", order=order)
    if axis is None:
        a, axis = ravel(a), -1
    options = {k: v for k, v in (("kind", kind), ("stable", stable)) if v is not None}
    return np.take_along_axis(a, np.argsort(raw(a), axis=normalize_axis_index(axis, a.ndim), **options), axis)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """Entries partitioned along an axis: a gather by argpartition."""
    refuse_options("partition", order=order)
    if axis is None:
        a, axis = ravel(a), -1
    options: Any = {} if kind == "introselect" else {"kind": kind}
    return np.take_along_axis(a, np.argpartition(raw(a), kth, axis=axis, **options), axis)


def _halved(ufunc: Any, identity: float) -> Any:
    def reduce(a: Any, axis: Any, keepdims: Any, initial: Any, where: Any) -> Any:
        result = _by_halves(ufunc, _masked(a, where, identity), axis, keepdims, identity)
        return result if initial is _NO_VALUE else ufunc(result, initial)
    return reduce


def _reduce(ufunc: str, function: Any) -> None:
    """Enter ``ufunc.reduce``, which goes over the first axis unless told otherwise."""
    def reduce(a: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
               where: Any = _NO_VALUE) -> Any:
        refuse_options(f"{ufunc}.reduce", out=out)
        a = a if dtype is None else astype(a, dtype)
        return own(function(a, axis, keepdims=keepdims, initial=_NO_VALUE if initial is None else initial, where=where))

    METHODS[ufunc, "reduce"] = reduce


for _ufunc, _function in (("add", sum), ("multiply", prod), ("maximum", max), ("minimum", min), ("fmax", nanmax),
                          ("fmin", nanmin), ("logaddexp", _halved(np.logaddexp, -np.inf)),
                          ("logaddexp2", _halved(np.logaddexp2, -np.inf)), ("hypot", _halved(np.hypot, 0))):
    _reduce(_ufunc, _function)


def _accumulate(a: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    return cumsum(a, axis, dtype, out)


METHODS["add", "accumulate"] = _accumulate

__all__ = ["cumsum", "diff", "max", "mean", "min", "nanmax", "nanmin", "partition", "prod", "ptp", "sort", "std", "sum", "var"]
