"""Numerical differentiation and integration of samples, and phases made continuous."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from gpuad.dispatch import implements
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw
from linalg.arrays import is_array


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Σ (x_{i+1} − x_i) (y_i + y_{i+1}) / 2 along an axis."""
    y, *given = arrays_of(y) if x is None else arrays_of(y, x)
    place = normalize_axis_index(axis, y.ndim)
    for points in given:
        dx = np.diff(points, axis=axis if points.ndim > 1 else 0)
        dx = np.reshape(dx, (-1,) + (1,) * (y.ndim - 1 - place)) if points.ndim == 1 else dx
    lead = (slice(None),) * place
    return np.sum(dx * (y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]) / 2.0, axis=place)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Derivatives along axes by differences of second order; at the ends of first order, or of second with ``edge_order=2``.

    Distances are numbers, or coordinates along an axis; the result is differentiable in them too.
    """
    given = arrays_of(f, *varargs)
    f = given[0] if given[0].dtype.kind in "fc" else given[0].astype(float)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    spacings = varargs or (1.0,)
    if len(spacings) == 1 and np.ndim(spacings[0]) == 0:
        spacings = spacings * len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"gradient expected no distances, one number for all axes, or one for each of the {len(axes)} axes, got "
                        f"{len(spacings)}")
    if edge_order not in (1, 2):
        raise ValueError(f"gradient expected edge_order 1 or 2, got {edge_order}")
    results = tuple(_derivative(f, h, i, edge_order) for h, i in zip(spacings, axes, strict=True))
    return results[0] if len(results) == 1 else results


def _derivative(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    n, lead = f.shape[axis], (slice(None),) * axis
    if n <= edge_order:
        raise ValueError(f"gradient expected at least {edge_order + 1} entries along axis {axis} for edge_order={edge_order}, "
                         f"got {n}")
    d = _distances(f, h, axis)

    def at(x: Any, start: int | None, stop: int | None) -> Any:
        return x[(*lead, slice(start, stop))] if np.ndim(x) else x

    first, second, before, last = (at(f, i, i + 1) for i in (0, 1, n - 2, n - 1))
    if edge_order == 1:
        start, stop = (second - first) / at(d, 0, 1), (last - before) / at(d, n - 2, n - 1)
    else:
        start = _one_sided(first, second, at(f, 2, 3), at(d, 0, 1), at(d, 1, 2))
        stop = -_one_sided(last, before, at(f, n - 3, n - 2), at(d, n - 2, n - 1), at(d, n - 3, n - 2))
    left, right = at(d, 0, n - 2), at(d, 1, n - 1)
    if np.ndim(d) == 0:
        inner = (at(f, 2, n) - at(f, 0, n - 2)) / (2.0 * d)
    else:
        inner = (-right / (left * (left + right)) * at(f, 0, n - 2) + (right - left) / (left * right) * at(f, 1, n - 1)
                 + left / (right * (left + right)) * at(f, 2, n))
    result = np.concatenate([start, inner, stop], axis=axis)
    return result if result.dtype == f.dtype else result.astype(f.dtype)


def _distances(f: Any, h: Any, axis: int) -> Any:
    """A number, or the distances of neighbours along the axis."""
    if np.ndim(h) == 0:
        return h
    x = arrays_of(f, h)[1]
    if x.shape != (f.shape[axis],):
        raise ValueError(f"gradient expected distances along axis {axis} as a number or as coordinates of shape "
                         f"({f.shape[axis]},), got shape {x.shape}")
    x = x if x.dtype.kind in "fc" else x.astype(float)
    return np.reshape(np.diff(x), tuple(-1 if i == axis else 1 for i in range(f.ndim)))


def _one_sided(f0: Any, f1: Any, f2: Any, d1: Any, d2: Any) -> Any:
    """The derivative at the first of three samples at distances d1 and d2."""
    return (-(2.0 * d1 + d2) / (d1 * (d1 + d2)) * f0 + (d1 + d2) / (d1 * d2) * f1 - d1 / (d2 * (d1 + d2)) * f2)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """p with whole periods added, whose numbers are constant, where it jumps."""
    known = period if not is_array(period) else raw(period)
    p = arrays_of(p)[0]
    return p + period * np.rint((np.unwrap(raw(p), raw(discont), axis, period=known) - raw(p)) / known)
