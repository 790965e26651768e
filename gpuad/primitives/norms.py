"""Norms of vectors and matrices.

At zero, where a norm has a kink, the derivative is 0, the mean over all directions. In ties of an extreme (order inf, or 1 for
matrices) the entries share it equally.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.differential import Primitive
from gpuad.dispatch import implements
from gpuad.primitives import reductions
from gpuad.primitives.decompositions import singular_values
from gpuad.primitives.elementwise import absolute, sign
from gpuad.primitives.shapes import expand_dims, moveaxis, ravel
from gpuad.traced import value_of
from linalg import AxisSum, Diagonal, LinearOperator, RealPart
from linalg.arrays import Array, Shape, namespace


def _norm_value(x: Array, p: float, axes: Shape, keepdims: bool) -> Array:
    if len(axes) == 1:
        return np.linalg.norm(x, p, axes[0], keepdims)
    magnitudes = np.abs(x)
    if p == 2:
        return np.sqrt((magnitudes * magnitudes).sum(axis=axes, keepdims=keepdims))
    return (magnitudes ** p).sum(axis=axes, keepdims=keepdims) ** (1 / p)


def _norm_rule(shape: Shape, y: Array, x: Array, p: float, axes: Shape, keepdims: bool) -> LinearOperator:
    """d‖x‖ = Σ Re(s̄ dx) (|x|/‖x‖)ᵖ⁻¹ with s = sign(x), which is x/‖x‖ for p = 2."""
    xp = namespace(x)
    total = AxisSum(shape, axes, keepdims)
    norm = y.reshape(total._kept)
    norm = xp.where(norm == 0, xp.ones((), dtype=norm.dtype), norm)
    if p == 2:
        share = x.conj() / norm
    else:
        r = absolute(x)
        if p < 2:  # the power, or its derivative, is infinite at 0, where the sign is 0
            r = xp.where(r == 0, xp.ones((), dtype=r.dtype), r)
        share = sign(x).conj() * (r / norm) ** (p - 1)
    element = total @ Diagonal(share, shape)
    return RealPart(element.out_shape) @ element if x.dtype.kind == "c" else element


_norm = Primitive("norm", _norm_value, _norm_rule)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    """The norm of the whole array, of vectors along one axis, or of matrices along two; every order that NumPy has."""
    if axis is None:
        if ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1):
            return _norm(x, p=2, axes=tuple(range(-x.ndim, 0)), keepdims=bool(keepdims))
        axis = tuple(range(x.ndim))
    axes = tuple(a - x.ndim for a in normalize_axis_tuple(axis, x.ndim))
    if len(axes) == 1:
        return _vector(x, 2 if ord is None else ord, axes, bool(keepdims))
    if len(axes) == 2:
        return _matrix(x, "fro" if ord is None else ord, axes, bool(keepdims))
    raise ValueError(f"norm expected one or two axes (ord={ord!r}), got {axes}")


def _vector(x: Any, p: Any, axes: Shape, keepdims: bool) -> Any:
    if isinstance(p, str):
        raise ValueError(f"norm: order {p!r} is one of matrices, got vectors along axis {axes}")
    if p == np.inf:
        return _largest(absolute(x), axes, keepdims)
    if p == -np.inf:
        return reductions.min(absolute(x), axes, keepdims=keepdims)
    if p == 0:
        return (value_of(x) != 0).sum(axis=axes, keepdims=keepdims).astype(absolute(value_of(x)).dtype)
    if p == 1:
        return reductions.sum(absolute(x), axes, keepdims=keepdims)
    return _norm(x, p=float(p), axes=axes, keepdims=keepdims)


def _largest(x: Any, axes: Shape, keepdims: bool) -> Any:
    """The largest entry over axes; 0 where there are none."""
    return (reductions.max if all(x.shape[a] for a in axes) else reductions.sum)(x, axes, keepdims=keepdims)


def _matrix(x: Any, order: Any, axes: Shape, keepdims: bool) -> Any:
    if order in ("fro", "f"):
        return _norm(x, p=2, axes=axes, keepdims=keepdims)
    rows, columns = axes
    if order in (1, -1, np.inf, -np.inf):
        first, second = (rows, columns) if abs(order) == 1 else (columns, rows)
        sums = reductions.sum(absolute(x), first, keepdims=True)
        result = _largest(sums, (second,), True) if order > 0 else reductions.min(sums, second, keepdims=True)
        return result if keepdims else np.squeeze(result, axes)
    if order not in ("nuc", 2, -2):
        raise ValueError(f"norm: expected an order of matrices ('fro', 'nuc', ±1, ±2, ±inf), got {order!r}")
    s = singular_values(moveaxis(x, axes, (-2, -1)))
    result = _largest(s, (-1,), False) if order == 2 else {"nuc": reductions.sum, -2: reductions.min}[order](s, -1)
    return expand_dims(result, tuple(sorted(a % x.ndim for a in axes))) if keepdims else result


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:  # noqa: A002
    """The norm of vectors along axes: of the raveled array, or of the entries along several axes taken as one."""
    if axis is None and not keepdims:
        return _vector(ravel(x), ord, (-1,), False)
    axes = tuple(range(-x.ndim, 0)) if axis is None else tuple(a - x.ndim for a in normalize_axis_tuple(axis, x.ndim))
    return _vector(x, ord, axes, bool(keepdims))


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:  # noqa: A002
    """The norm of matrices along the last two axes."""
    return _matrix(x, ord, (-2, -1), bool(keepdims))


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """‖x‖ ‖x⁻¹‖ in the norm p, the ratio of the extreme singular values for None, 2 and −2. At a singular x it is infinite, and
    its derivative infinite or NaN; for other p than these LinAlgError.
    """
    if 0 in x.shape:
        raise np.linalg.LinAlgError(f"cond expected matrices that are not empty, got shape {x.shape}")
    if p is None or p in (2, -2):
        s = singular_values(x)
        with np.errstate(all="ignore"):
            return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return _matrix(x, p, (-2, -1), False) * _matrix(np.linalg.inv(x), p, (-2, -1), False)


__all__ = ["cond", "matrix_norm", "norm", "vector_norm"]
