"""Medians, quantiles and percentiles: gathers of the entries that surround them in sorted order, and lines between these.

Where entries are equal, the derivative is that of the one that sorting puts there. A slice with NaN gives its NaN. With respect
to q, the continuous methods have the slope of the line between two entries, and at an entry itself, as at the ends, the mean of
the slopes on both sides; the discrete methods and ``midpoint``, which jump, are constant in q, and so are all in the weights.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.dispatch import implements, is_traced
from gpuad.primitives.shapes import arrays_of, refuse_options
from gpuad.primitives.statistics import like_entries
from gpuad.traced import raw, stands_for_number
from linalg.arrays import Shape, is_array, namespace, records, size, to_host

_NO_VALUE = np._NoValue  # type: ignore[attr-defined]


class Slices:
    """The entries of an array along some axes, as the last axis of one: what a statistic is taken of."""

    def __init__(self, a: Any, axis: Any, keepdims: Any):
        axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
        self.axes, self.rest = axes, tuple(i for i in range(a.ndim) if i not in axes)
        kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
        self.shape = kept if keepdims is not _NO_VALUE and keepdims else tuple(a.shape[i] for i in self.rest)
        self.x = self.flat(a)

    def flat(self, a: Any) -> Any:
        """An array like a, arranged in this way."""
        shape = tuple(a.shape[i] for i in self.rest)
        return np.reshape(np.transpose(a, (*self.rest, *self.axes)), (*shape, size(tuple(a.shape[i] for i in self.axes))))

    def count(self) -> Any:
        """How many entries of each slice are no NaN."""
        return np.sum(~np.isnan(self.x), axis=-1, keepdims=True)

    def entries(self, order: Any, places: Any) -> Any:
        """The entries at places of the sorted slices. NaN is sorted to the end."""
        return np.take_along_axis(self.x, np.take_along_axis(order, places, axis=-1), axis=-1)

    def spread(self, places: Any) -> Any:
        """Places, the same in each slice, for each."""
        return np.broadcast_to(namespace(raw(self.x)).asarray(places), (*self.x.shape[:-1], len(places)))

    def order(self, places: Any = None) -> Any:
        """What sorts the slices, or puts the right entries at some places and at the last."""
        return (np.argsort(self.x, axis=-1) if places is None else
                np.argpartition(self.x, sorted({*places, self.x.shape[-1] - 1}), axis=-1))


def _nan_or(last: Any, y: Any) -> Any:
    return np.where(np.isnan(last), last, y)


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,  # noqa: ARG001
           keepdims: Any = False) -> Any:
    """The entry in the middle, or the mean of the two there."""
    refuse_options("median", out=out)
    slices = Slices(a, axis, keepdims)
    n = slices.x.shape[-1]
    if not n:
        return np.mean(a, axis=axis, keepdims=keepdims)
    middle = [n // 2] if n % 2 else [n // 2 - 1, n // 2]
    found = slices.entries(slices.order(middle), slices.spread([*middle, n - 1]))
    return np.reshape(_nan_or(found[..., -1], np.mean(found[..., :-1], axis=-1)), slices.shape)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,  # noqa: ARG001
              keepdims: Any = _NO_VALUE) -> Any:
    """The median of the entries that are no NaN."""
    refuse_options("nanmedian", out=out)
    if not a.size:
        return np.nanmean(a, axis=axis, keepdims=keepdims)
    slices = Slices(a, axis, keepdims)
    n = slices.count()
    middle = np.concatenate([np.maximum(n - 1, 0) // 2, n // 2], axis=-1)
    return np.reshape(np.mean(slices.entries(slices.order(), middle), axis=-1), slices.shape)


# ---- methods: where q lies among the n entries of a slice, counted from 0

def _linear(alpha: float, beta: float) -> Callable[[Any, Any], Any]:
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


CONTINUOUS: dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda n, q: (n - 1) * q, "interpolated_inverted_cdf": _linear(0, 1), "hazen": _linear(0.5, 0.5),
    "weibull": _linear(0, 0), "median_unbiased": _linear(1 / 3, 1 / 3), "normal_unbiased": _linear(3 / 8, 3 / 8)}
"""Method -> the place of q, a real number: between two entries lies the line (R. J. Hyndman and Y. Fan, Am. Stat. 50, 1996)."""


def _closest(n: Any, q: Any) -> Any:
    place = n * q - 1.5
    below = np.floor(place)
    return np.where((place == below) & (below % 2 == 1), below, below + 1)


DISCRETE: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: np.ceil(n * q - 1), "closest_observation": _closest,
    "lower": lambda n, q: np.floor((n - 1) * q), "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": lambda n, q: np.round((n - 1) * q)}
"""Method -> the place of the entry that it gives."""

BETWEEN: dict[str, Callable[[Any, Any], Any]] = {
    "averaged_inverted_cdf": lambda n, q: n * q - 1, "midpoint": lambda n, q: (n - 1) * q}
"""Method -> the place of q, of which it takes an entry or the mean of two."""


def _take(slices: Slices, order: Any, place: Any, n: Any, q: Any, method: str, weak: bool) -> Any:
    """Entries, or points on the lines between them, at real places in sorted order."""
    last, before = (max(n - i, 0) if isinstance(n, int) else np.maximum(n - i, 0) for i in (1, 2))

    def at(k: Any) -> Any:
        k = np.clip(k, 0, last).astype(int)
        return slices.entries(order, np.broadcast_to(k, (*slices.x.shape[:-1], k.shape[-1])))

    if method in DISCRETE or (method == "linear" and place.dtype.kind in "iu"):
        return at(place)
    if method not in CONTINUOUS or not is_traced(q):
        below = np.floor(place)
        share = place - below
        if method == "averaged_inverted_cdf":
            share = np.where(share == 0, 0.5, 1.0)
        elif method == "midpoint":
            share = np.where(share == 0, 0.0, 0.5)
        dtype = slices.x.dtype if weak else q.dtype if q.dtype.kind == "f" else share.dtype
        return _line(at(below), at(below + 1), share.astype(dtype))
    place = np.clip(place, 0, last)
    starts = [np.clip(k, 0, before) for k in (np.floor(place), np.ceil(place) - 1)]
    return sum(_line(at(k), at(k + 1), place - k) for k in starts) / 2


def _line(a: Any, b: Any, share: Any) -> Any:
    return a + share * (b - a)


def _find(slices: Slices, q: Any, known_q: Any, method: str, skip: bool, weak: bool) -> Any:
    """The quantiles of the slices, those of different q along the last axis; ``known_q`` is q where it came from."""
    total = slices.x.shape[-1]
    n: Any = slices.count() if skip else total
    kinds = CONTINUOUS if method in CONTINUOUS else DISCRETE if method in DISCRETE else BETWEEN
    place = kinds[method](n, q if method in CONTINUOUS else raw(q))
    known = None
    if not (skip or is_traced(q) or records(place)):
        below = np.floor(to_host(place if known_q is q else kinds[method](n, known_q))).astype(int)
        known = {int(k) for k in np.clip(np.concatenate([below, below + 1]), 0, total - 1)}
    order = slices.order(known)
    found = _take(slices, order, place, n, q, method, weak)
    return found if skip else _nan_or(slices.entries(order, slices.spread([total - 1])), found)


def _find_weighted(slices: Slices, q: Any, weights: Any, skip: bool) -> Any:
    """The first entries at which the cumulative weight reaches the share q of all."""
    w = np.where(np.isnan(slices.x), 0, weights) if skip else weights
    order = slices.order()
    cumulative = np.cumsum(np.take_along_axis(w, order, axis=-1), axis=-1, dtype=float)
    total = cumulative[..., -1:]
    if not skip and not records(total) and not ((total > 0) & np.isfinite(total)).all():
        raise ValueError("quantile expected finite weights that are not all zero, got a slice where they are not")
    share = np.where(cumulative == 0, -1, cumulative / np.where(total == 0, 1, total))
    share = share.astype(q.dtype if q.dtype.kind == "f" else float)
    places = np.stack([np.sum(share < q[i], axis=-1) for i in range(len(q))], axis=-1)
    found = slices.entries(order, np.minimum(places, slices.x.shape[-1] - 1))
    return found if skip else _nan_or(slices.entries(order, slices.spread([slices.x.shape[-1] - 1])), found)


def _require_shares(name: str, q: Any) -> None:
    if records(q):
        q._record(_require_shares, name, q, ordered=True)
    elif not ((q >= 0) & (q <= 1)).all():
        raise ValueError(f"{name} expected q from 0 to {1 if name.endswith('quantile') else 100}, got numbers outside")


def _weights(name: str, a: Any, axis: Any, method: str, weights: Any) -> Any:
    if method != "inverted_cdf":
        raise ValueError(f"{name} takes weights with method='inverted_cdf' only, got method={method!r}")
    weights = like_entries(raw(arrays_of(a, weights)[1]), a, axis)
    if not records(weights) and (weights < 0).any():
        raise ValueError(f"{name} expected weights of at least 0, got negative ones")
    return np.broadcast_to(weights, a.shape)


def _implement(name: str, percent: bool, skip: bool) -> None:
    def find(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,  # noqa: ARG001
             method: str = "linear", keepdims: Any = False, *, weights: Any = None) -> Any:
        refuse_options(name, out=out)
        weak = type(q) in (int, float) or stands_for_number(q)
        known = None if is_array(q) else np.asarray(q)
        a, q = arrays_of(a, q)
        if a.dtype.kind == "c":
            raise TypeError(f"{name} expected real numbers, which have an order, got an array of dtype {a.dtype}")
        if method not in {*CONTINUOUS, *DISCRETE, *BETWEEN}:
            raise ValueError(f"{name} expected a method among {', '.join((*DISCRETE, *CONTINUOUS, *BETWEEN))}, got {method!r}")
        if skip and not a.size:
            return np.nanmean(a, axis=axis, keepdims=keepdims)
        shape: Shape = np.shape(q)
        q = np.reshape(q / 100 if percent else q, (-1,))
        known = q if known is None else np.reshape(known / 100 if percent else known, (-1,))
        _require_shares(name, raw(known))
        slices = Slices(a, axis, keepdims)
        if weights is None:
            found = _find(slices, q, known, method, skip, weak)
        else:
            found = _find_weighted(slices, raw(q), slices.flat(_weights(name, a, axis, method, weights)), skip)
        return np.reshape(np.moveaxis(found, -1, 0), (*shape, *slices.shape))

    find.__name__ = find.__qualname__ = name
    find.__doc__ = f"{'Percentiles' if percent else 'Quantiles'} over axes{' of the entries that are no NaN' if skip else ''}."
    implements(getattr(np, name))(find)


for _name, _percent, _skip in (("quantile", False, False), ("percentile", True, False), ("nanquantile", False, True),
                               ("nanpercentile", True, True)):
    _implement(_name, _percent, _skip)

__all__ = ["median", "nanmedian"]
