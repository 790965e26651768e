"""log Σ b eᵃ, softmax and its logarithm.

Where log Σ b eᵃ is infinite, the entries that make it so share its derivative equally: in a row of −∞ (all masked) all do.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from gpuad.differential import Primitive
from gpuad.dispatch import implements
from gpuad.primitives.shapes import arrays_of
from gpuad.primitives.special import log
from gpuad.traced import raw
from linalg import AxisSum, Diagonal, LinearOperator
from linalg.arrays import Array, Shape


def _value(a: Array, b: Array | None, axes: Shape, magnitude: bool) -> Array:
    top = _top(a if b is None else np.where(b == 0, -np.inf, a), axes)
    total = _total(a, b, top, axes)
    return log(abs(total) if magnitude and total.dtype.kind != "c" else total) + top


def _total(a: Array, b: Array | None, top: Array, axes: Shape) -> Array:
    """Σ b exp(a − top)."""
    if b is None:
        return np.exp(a - top).sum(axis=axes, keepdims=True)
    return np.where(b == 0, 0.0, b * np.exp(np.where(b == 0, 0.0, a - top))).sum(axis=axes, keepdims=True)


def _top(a: Array, axes: Shape) -> Array:
    """The largest real part, 0 where that is infinite: the result does not depend on it."""
    a = raw(a)
    empty: Any = {} if a.size else {"initial": -np.inf}
    top = np.max(a.real, axis=axes, keepdims=True, **empty)
    return np.where(np.isfinite(top), top, 0.0)


def _share(y: Array, a: Array, axes: Shape) -> Array:
    """exp(a − y), and where y is infinite equal shares of the entries that make it so."""
    infinite = np.isinf(y)
    attained = a == y
    count = np.maximum(attained.sum(axis=axes, keepdims=True), 1)
    return np.where(infinite, attained / count.astype(a.real.dtype), np.exp(np.where(infinite, 0.0, a) - np.where(infinite, 0.0,
                                                                                                                  y)))


def _rule(shape: Shape, y: Array, a: Array, b: Array | None, axes: Shape, magnitude: bool) -> LinearOperator:
    """d log Σ b eᵃ = Σ b exp(a − y) da."""
    share = _share(y, a, axes)
    if b is not None:
        share = np.where(np.isinf(y), share, share * b * _sign(a, b, axes, magnitude))
    return AxisSum(shape, axes, True) @ Diagonal(share, shape)


def _weights_rule(shape: Shape, y: Array, a: Array, b: Array, axes: Shape, magnitude: bool) -> LinearOperator:
    return AxisSum(shape, axes, True) @ Diagonal(_share(y, a, axes) * _sign(a, b, axes, magnitude), shape)


def _sign(a: Array, b: Array | None, axes: Shape, magnitude: bool) -> Any:
    """The sign of Σ b eᵃ where the logarithm is that of its magnitude."""
    return np.sign(_total(raw(a), raw(b), _top(a, axes), axes)) if magnitude and a.dtype.kind != "c" else 1.0


_logsumexp = Primitive("logsumexp", _value, _rule, _weights_rule)


@implements(scipy.special.logsumexp)
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log Σ b eᵃ over axes; with ``return_sign`` the logarithm of its magnitude, and its sign."""
    if b is not None:
        a, b = np.broadcast_arrays(*arrays_of(a, b))
        dtype = np.result_type(a.dtype, b.dtype)
        a, b = a.astype(dtype), b.astype(dtype)
    axes = tuple(range(-a.ndim, 0)) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, a.ndim)
    axes = tuple(i if i < 0 else i - a.ndim for i in axes)
    y = _logsumexp(a, b, axes=axes, magnitude=bool(return_sign))
    sign: Any = None
    if return_sign:
        y, sign = (y.real, np.exp(1j * y.imag)) if y.dtype.kind == "c" else (y, _sign(a, b, axes, True))
    if not keepdims:
        y, sign = np.squeeze(y, axes), sign if sign is None else np.squeeze(sign, axes)
    return (y, sign) if return_sign else y


@implements(scipy.special.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x)/Σ exp(x) over axes."""
    e = np.exp(x - np.max(raw(x).real, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@implements(scipy.special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """x − log Σ exp(x) over axes."""
    top = np.max(raw(x).real, axis=axis, keepdims=True)
    shifted = x - np.where(np.isfinite(top), top, 0.0)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
