"""Functions whose result carries no derivative: they run on the values of traced arguments and give plain arrays.

Histograms stand here too: their counts are constant, their edges are not.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.dispatch import TABLE, implements, is_traced, refuse
from gpuad.primitives import reductions
from gpuad.primitives.elementwise import where
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw, value_of
from linalg.arrays import namespace

UFUNCS = """
    equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor logical_not
    isfinite isinf isnan signbit floor ceil trunc rint floor_divide
""".split()

FUNCTIONS = """
    all any argmax argmin nanargmax nanargmin argsort argpartition argwhere nonzero flatnonzero count_nonzero lexsort searchsorted
    digitize array_equal array_equiv allclose isclose isin isneginf isposinf iscomplex isreal iscomplexobj isrealobj round around
    fix shape ndim size result_type can_cast common_type min_scalar_type may_share_memory shares_memory
    zeros_like ones_like empty_like array_repr array_str array2string
""".split()


CONSTANTS: set[Any] = set()
"""The functions of the table that are constant in all their arguments."""


def constant(function: Any) -> Callable[..., Any]:
    """Enter a function that is constant in all its arguments into the table."""
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_value, args), **{k: _value(v) for k, v in kwargs.items()})
    evaluate.__name__ = evaluate.__qualname__ = function.__name__
    TABLE[function] = evaluate
    CONSTANTS.add(function)
    return evaluate


def _value(x: Any) -> Any:
    return type(x)(map(_value, x)) if type(x) in (list, tuple) else value_of(x)


for _name in UFUNCS + FUNCTIONS:
    constant(getattr(np, _name))

constant(np.linalg.matrix_rank)


_bincount = constant(np.bincount)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number occurs, which is constant; with traced weights it would not be."""
    if is_traced(weights):
        raise refuse("numpy.bincount with weights")
    return _bincount(x, weights, minlength)


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> tuple[Any, Any]:  # noqa: A002
    """Counts, which are constant, and edges; with ``density`` the counts divided by the widths of their bins and their sum."""
    edges = histogram_bin_edges(a, bins, range, weights)
    counts = np.histogram(value_of(a), bins, range, weights=weights)[0]
    return (counts / np.diff(edges) / counts.sum() if density else counts), edges


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:  # noqa: A002
    """Edges at equal distances between the least and the largest entry; constant where ``range`` or the edges are given."""
    if any(map(is_traced, (bins, range, weights))):
        raise refuse("numpy.histogram with traced bins, range or weights")
    a = arrays_of(a)[0]
    edges = np.histogram(value_of(a), bins, range, weights=weights)[1]
    if range is not None or np.ndim(bins) or not a.size:
        return edges
    low, high = reductions.min(a), reductions.max(a)
    equal = value_of(low) == value_of(high)
    low, high = where(equal, low - 0.5, low), where(equal, high + 0.5, high)
    share = namespace(raw(a)).linspace(0, 1, len(edges), dtype=edges.dtype)
    return (1 - share) * low + share * high
