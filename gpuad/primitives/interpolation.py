"""Piecewise linear interpolation, y = f_j + s_j (x − x_j) between the points (x_j, f_j).

At a point x_j, where the slope jumps, the derivative is the mean of those on both sides; beyond the first and the last
point y is constant. So ``interp`` behaves at the ends as ``clip`` does.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.differential import Primitive
from gpuad.dispatch import implements, is_traced
from gpuad.primitives.elementwise import where
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw
from linalg import AxisSum, Diagonal, Gather, LinearOperator, Product
from linalg.arrays import Array, Shape, namespace, records, select


def _brackets(x: Array, xp: Array) -> list[tuple[Any, Any, Any, Any]]:
    """Twice, for the left and for the right of x: the points j and k around it, whether there are two, and their distance."""
    found = []
    n = xp.shape[0]
    for side in ("left", "right"):
        i = np.searchsorted(xp, x, side=side) - 1
        j = np.clip(i, 0, max(n - 2, 0))
        k = np.minimum(j + 1, n - 1)
        between = (i >= 0) & (i < n - 1)
        found.append((j, k, between, where(between, select(xp, (k,)) - select(xp, (j,)), 1)))
    return found


def _slope(x: Array, xp: Array, fp: Array) -> Array:
    """dy/dx."""
    slopes = [where(between, (select(fp, (k,)) - select(fp, (j,))) / h, 0) for j, k, between, h in _brackets(x, xp)]
    return where(np.isnan(x), np.nan, 0.5 * (slopes[0] + slopes[1]))


def _hats(x: Array, xp: Array) -> LinearOperator:
    """df ↦ the interpolation of df: the hat functions at x."""
    weights, places = [], []
    for j, k, between, h in _brackets(x, xp):
        beyond = where(np.isnan(x), np.nan, where(x >= select(xp, (k,)), 1.0, 0.0))
        share = where(between, (x - select(xp, (j,))) / h, beyond)
        weights += [0.5 - 0.5 * share, 0.5 * share]
        places += [j, k]
    d, index = np.stack(weights), np.stack(places)
    return Product(AxisSum(d.shape, (-d.ndim,)), Diagonal(d), Gather(xp.shape, index))


def _x_rule(shape: Shape, _y: Array, x: Array, xp: Array, fp: Array) -> LinearOperator:
    return Diagonal(_slope(x, xp, fp), shape)


def _xp_rule(_shape: Shape, _y: Array, x: Array, xp: Array, fp: Array) -> LinearOperator:
    return Product(Diagonal(-_slope(x, xp, fp), x.shape), _hats(x, xp))


def _fp_rule(_shape: Shape, _y: Array, x: Array, xp: Array, _fp: Array) -> LinearOperator:
    return _hats(x, xp)


_interp = Primitive("interp", np.interp, _x_rule, _xp_rule, _fp_rule)
"""dy = H df + s (dx − H dx_j), with the slope s and the hat functions H at x."""


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """The piecewise linear function through the points (xp, fp) at x: differentiable in all of them, and in ``left``, ``right``
    and ``period``.
    """
    x, xp, fp = arrays_of(x, xp, fp)
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ValueError(f"interp expected xp and fp of one shape (n,), n ≥ 1, got {xp.shape} and {fp.shape}")
    if any(a.dtype.kind == "c" for a in (x, xp)):
        raise TypeError(f"interp expected real x and xp, which have an order, got dtypes {x.dtype} and {xp.dtype}")
    dtypes = float, float, np.dtype(complex if fp.dtype.kind == "c" else float)
    x, xp, fp = (a if a.dtype == dtype else a.astype(dtype) for a, dtype in zip((x, xp, fp), dtypes, strict=True))
    if period is not None:
        if not is_traced(period) and not records(period) and period == 0:
            raise ValueError("interp expected a period other than 0")
        period = abs(period)
        x, xp = x % period, xp % period
        order = np.argsort(xp)
        xp, fp = select(xp, (order,)), select(fp, (order,))
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        return _interp(x, xp, np.concatenate([fp[-1:], fp, fp[:1]]))
    y = _interp(x, xp, fp)
    for value, outside in ((left, x < xp[0]), (right, x > xp[-1])):
        if value is not None:
            y = where(outside, value if hasattr(value, "dtype") else namespace(raw(y)).asarray(value), y)
    return y
