"""Statistics that skip NaN: the plain ones with NaN replaced by a constant, which has no derivative.

Where nothing but NaN is left, means and variances are NaN, and so are their derivatives.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.dispatch import implements
from gpuad.primitives.elementwise import sqrt, where
from gpuad.primitives.shapes import refuse_options
from gpuad.traced import raw
from linalg.arrays import is_array, namespace

_NO_VALUE = np._NoValue  # type: ignore[attr-defined]


def replaced(a: Any, value: float) -> Any:
    """a with a number in the place of NaN."""
    return where(np.isnan(a), value, a)


def _numbers(a: Any, keep: Any) -> Any:
    """Which entries count: those that are no NaN, and that ``keep`` selects."""
    if keep is _NO_VALUE or keep is True:
        return ~np.isnan(a)
    return ~np.isnan(a) & (keep if is_array(keep) else namespace(raw(a)).asarray(keep))


@implements(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
           where: Any = _NO_VALUE) -> Any:
    """The sum over axes, with 0 for NaN."""
    refuse_options("nansum", out=out)
    return np.sum(replaced(a, 0), axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


@implements(np.nanprod)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
            where: Any = _NO_VALUE) -> Any:
    """The product over axes, with 1 for NaN."""
    refuse_options("nanprod", out=out)
    return np.prod(replaced(a, 1), axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The cumulative sum, with 0 for NaN."""
    refuse_options("nancumsum", out=out)
    return np.cumsum(replaced(a, 0), axis=axis, dtype=dtype)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The cumulative product, with 1 for NaN."""
    refuse_options("nancumprod", out=out)
    return np.cumprod(replaced(a, 1), axis=axis, dtype=dtype)


@implements(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *,
            where: Any = _NO_VALUE) -> Any:
    """The mean over axes of the entries that are no NaN."""
    refuse_options("nanmean", out=out)
    return np.mean(replaced(a, 0), axis=axis, dtype=dtype, keepdims=keepdims, where=_numbers(a, where))


@implements(np.nanvar)
def nanvar(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False, *,
           where: Any = _NO_VALUE, mean: Any = _NO_VALUE, correction: Any = _NO_VALUE) -> Any:
    """The variance over axes of the entries that are no NaN; NaN where there are no more than ``ddof`` of them."""
    refuse_options("nanvar", out=out)
    keep = _numbers(a, where)
    variance = np.var(replaced(a, 0), axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, where=keep, mean=mean,
                      correction=correction)
    counts = np.sum(np.broadcast_to(keep, a.shape), axis=axis, keepdims=keepdims is not _NO_VALUE and bool(keepdims))
    return np.where(counts > (ddof if correction is _NO_VALUE else correction), variance, np.nan)


@implements(np.nanstd)
def nanstd(*args: Any, **options: Any) -> Any:
    """The square root of ``nanvar``."""
    return sqrt(nanvar(*args, **options))
