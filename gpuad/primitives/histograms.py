"""Histograms and counts: linear in the weights, constant in what is counted. Their edges are differentiable."""
from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from gpuad.differential import linear
from gpuad.dispatch import implements, is_traced
from gpuad.primitives import reductions
from gpuad.primitives.elementwise import where
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw, stand_in
from linalg import Scatter
from linalg.arrays import is_array, namespace, records, scatter_add, size, snapshot


def _totals(places: Any, weights: Any, n: int) -> Any:
    """The sums of the weights at each of n places (their numbers without weights), of those alone that lie there."""
    if weights is None:
        totals = scatter_add(namespace(places).ones(places.shape, dtype=int), (places,), (n + 1,))
    elif is_traced(weights):
        totals = linear(weights, operator=Scatter((n + 1,), (places,)))
    else:
        totals = scatter_add(weights, (places,), (n + 1,))
    return totals[:n]


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number occurs, or the sum of the weights that it has."""
    x = arrays_of(x)[0] if weights is None else arrays_of(x, weights)[0]
    x = raw(x)
    if x.ndim != 1 or x.dtype.kind not in "iub":
        raise TypeError(f"bincount expected integers along one axis, got shape {x.shape} and dtype {x.dtype}")
    if weights is None or not x.size:
        return np.bincount(x, minlength=minlength)
    weights = arrays_of(x, weights)[1]
    if weights.shape != x.shape or weights.dtype.kind == "c":
        raise ValueError(f"bincount expected real weights of shape {x.shape}, one for each number, got shape {weights.shape} and "
                         f"dtype {weights.dtype}")
    if x.min() < 0:
        raise ValueError("bincount expected numbers of at least 0, got negative ones")
    n = max(int(x.max()) + 1, index(minlength))
    return _totals(snapshot(x), weights if weights.dtype == float else weights.astype(float), n)


def _places(a: Any, edges: Any) -> Any:
    """The number of the bin that each entry lies in; one more than there are where it lies in none. The last bin is closed."""
    n = edges.shape[0] - 1
    places = np.searchsorted(edges, a, side="right") - 1
    places = np.where(a == edges[n], n - 1, places)
    return np.where(places < 0, n, places)


def _known(x: Any) -> Any:
    """Numbers and lists without their traces."""
    return type(x)(map(raw, x)) if type(x) in (list, tuple) else raw(x)


def _given_edges(a: Any, bins: Any) -> Any:
    """Edges that are given, as an array that lies where a does; None where their number is given, or a rule."""
    if is_array(bins):
        return bins if bins.ndim else None
    if not isinstance(bins, (list, tuple)):
        return None
    return arrays_of(a, bins)[1] if stand_in(bins) is None else np.stack(arrays_of(*bins))


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:  # noqa: A002
    """Edges at equal distances between the ends of ``range``, or the least and the largest entry; or the edges that are given."""
    a = arrays_of(a)[0]
    if (given := _given_edges(a, bins)) is not None:
        if given.ndim != 1 or (not records(raw(given)) and (raw(given)[1:] < raw(given)[:-1]).any()):
            raise ValueError(f"expected bins as edges along one axis that increase, got shape {given.shape}")
        return given
    edges = np.histogram(raw(a), bins, _known(range), weights=raw(weights))[1]
    if not (is_traced(range) if range is not None else is_traced(a) and a.size):
        return edges
    low, high = (reductions.min(a), reductions.max(a)) if range is None else range
    equal = raw(low) == raw(high)
    low, high = where(equal, low - 0.5, low), where(equal, high + 0.5, high)
    share = namespace(raw(a)).linspace(0, 1, len(edges), dtype=edges.dtype)
    return (1 - share) * low + share * high


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> tuple[Any, Any]:  # noqa: A002
    """The number of entries in each bin, or the sum of their weights, and the edges of the bins.

    With ``density`` they are divided by the widths of the bins and by their sum.
    """
    a, *others = arrays_of(a) if weights is None else arrays_of(a, weights)
    for w in others:
        if w.shape != a.shape:
            raise ValueError(f"histogram expected weights of shape {a.shape}, one for each entry, got {w.shape}")
    edges = histogram_bin_edges(a, bins, range, weights)
    given = _given_edges(a, bins)
    if not others and given is None:
        counts = np.histogram(raw(a), bins, _known(range))[0]
    else:
        known = raw(given) if given is not None else np.histogram(raw(a), bins, _known(range))[1]
        counts = _totals(_places(np.ravel(raw(a)), known), np.ravel(others[0]) if others else None, known.shape[0] - 1)
    return (counts / np.diff(edges).astype(float) / np.sum(counts) if density else counts), edges


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None,  # noqa: A002
                weights: Any = None) -> tuple[Any, list[Any]]:
    """The histogram of points, the rows of an array or the columns of a list of coordinates, and the edges along each axis."""
    if is_array(sample) and sample.ndim == 2:
        columns = list(np.transpose(sample))
    else:
        columns = [np.ravel(x) for x in arrays_of(*([sample] if is_array(sample) else sample))]
    n = len(columns)
    bins = list(bins) if isinstance(bins, (list, tuple)) or np.ndim(bins) else [bins] * n
    ranges = [None] * n if range is None else list(range)
    if len(bins) != n or len(ranges) != n:
        raise ValueError(f"histogramdd expected bins and range for each of the {n} coordinates, got {len(bins)} and "
                         f"{len(ranges)}")
    if any(isinstance(b, str) for b in bins):
        raise TypeError(f"histogramdd expected bins as numbers of bins or as edges, got {bins}")
    edges = [histogram_bin_edges(x, b, r) for x, b, r in zip(columns, bins, ranges, strict=True)]
    shape = tuple(e.shape[0] - 1 for e in edges)
    places, outside = 0, False
    for x, b, r, m in zip(columns, bins, ranges, shape, strict=True):
        given = _given_edges(x, b)
        along = _places(raw(x), np.histogram(raw(x), b, _known(r))[1] if given is None else raw(given))
        places, outside = places * m + along, outside | (along == m)
    weights = None if weights is None else arrays_of(columns[0], weights)[1]
    weights = weights if weights is None or weights.dtype == float else weights.astype(float)
    counts = np.reshape(_totals(np.where(outside, size(shape), places), weights, size(shape)), shape).astype(float)
    if not density:
        return counts, edges
    total = np.sum(counts)
    for i, e in enumerate(edges):
        counts = counts / np.reshape(np.diff(e), (-1,) + (1,) * (n - 1 - i))
    return counts / total, edges


@implements(np.histogram2d)
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None,  # noqa: A002
                weights: Any = None) -> tuple[Any, Any, Any]:
    """The histogram of points in the plane, and the edges along both axes."""
    if len(x) != len(y):
        raise ValueError(f"histogram2d expected coordinates of equal lengths, got {len(x)} and {len(y)}")
    if (isinstance(bins, (list, tuple)) or np.ndim(bins)) and len(bins) > 2:
        bins = [_given_edges(x, bins)] * 2
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]
