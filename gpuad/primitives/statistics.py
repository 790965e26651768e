"""Weighted means, covariances and correlations."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.dispatch import implements
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw
from linalg.arrays import namespace, records

_NO_VALUE = np._NoValue  # type: ignore[attr-defined]


def like_entries(weights: Any, a: Any, axis: Any) -> Any:
    """Weights of the entries of a, or of those along axes, arranged to broadcast with a."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError(f"expected weights of the shape of the array, {a.shape}, or an axis along which they lie, got weights of "
                        f"shape {weights.shape} and no axis")
    axes = normalize_axis_tuple(axis, a.ndim)
    if weights.shape != tuple(a.shape[i] for i in axes):
        raise ValueError(f"expected weights of shape {a.shape} or {tuple(a.shape[i] for i in axes)}, that of the array or of its "
                         f"axes {axis}, got {weights.shape}")
    weights = np.transpose(weights, tuple(int(i) for i in np.argsort(axes)))
    return np.reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(a.shape)))


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = _NO_VALUE) -> Any:
    """Σ wᵢ aᵢ / Σ wᵢ over axes, linear in a and differentiable in w."""
    keepdims = keepdims is not _NO_VALUE and bool(keepdims)
    if weights is None:
        a = arrays_of(a)[0]
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        total = namespace(raw(a)).full(mean.shape, a.size / max(mean.size, 1), dtype=mean.dtype)
        return (mean, total) if returned else mean
    a, weights = arrays_of(a, weights)
    w = like_entries(weights, a, axis)
    dtype = np.result_type(a.dtype, w.dtype, *(() if a.dtype.kind in "fc" else (float,)))
    total = np.sum(w, axis=axis, dtype=dtype, keepdims=keepdims)
    if not records(raw(total)) and (raw(total) == 0).any():
        raise ZeroDivisionError("average expected weights that do not add up to zero, got a slice where they do")
    mean = np.sum(np.multiply(_cast(a, dtype), w), axis=axis, keepdims=keepdims) / total
    return (mean, np.broadcast_to(total, mean.shape).copy()) if returned else mean


def _cast(x: Any, dtype: Any) -> Any:
    return x if x.dtype == dtype else x.astype(dtype)


def _observations(x: Any, dtype: Any, rowvar: bool, name: str) -> Any:
    """A row for each variable."""
    if x.ndim > 2:
        raise ValueError(f"cov expected {name} of at most two axes, variables and observations, got shape {x.shape}")
    rows = np.reshape(_cast(x, dtype), (1, x.size)) if x.ndim < 2 else _cast(x, dtype)
    return rows.T if not rowvar and x.ndim == 2 and not (name == "y" and x.shape[0] == 1) else rows


def _sample_weights(X: Any, **weights: Any) -> Any:
    """The product of the weights that are given, as float64; None where none are."""
    n = X.shape[1]
    product = None
    for name, w in weights.items():
        if w is None:
            continue
        w = _cast(arrays_of(X, w)[1], np.dtype(float))
        if w.shape != (n,):
            raise RuntimeError(f"cov expected {name} of shape ({n},), one for each observation, got {w.shape}")
        plain = raw(w)
        if not records(plain) and (plain < 0).any():
            raise ValueError(f"cov expected {name} of at least 0, got negative ones")
        if name == "fweights" and not records(plain) and (plain != np.round(plain)).any():
            raise TypeError("cov expected fweights that are integers, numbers of repetitions, got others; aweights may be real")
        product = w if product is None else product * w
    return product


@implements(np.cov)
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None, fweights: Any = None,
        aweights: Any = None, *, dtype: Any = None) -> Any:
    """The covariances X W Xᴴ / n of variables whose means are subtracted, with weights W and n = Σ w less ``ddof``."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"cov expected ddof to be an integer, got {ddof}")
    given = arrays_of(m) if y is None else arrays_of(m, y)
    dtype = np.result_type(*[x.dtype for x in given], float) if dtype is None else np.dtype(dtype)
    parts = [_observations(x, dtype, rowvar, name) for x, name in zip(given, "my", strict=False)]
    if parts[0].shape[0] == 0:
        return namespace(raw(given[0])).zeros((0, 0), dtype=float)
    X = parts[0] if y is None else np.concatenate(parts, axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    w = _sample_weights(X, fweights=fweights, aweights=aweights)
    if w is None:
        n: Any = X.shape[1] - ddof
    else:
        n = total = np.sum(w)
        if ddof and aweights is None:
            n = total - ddof
        elif ddof:
            n = total - ddof * np.sum(w * arrays_of(w, aweights)[1]) / total
    X = _cast(X - average(X, 1, w, keepdims=True), dtype)
    share = np.true_divide(1, np.maximum(n, 0.0))  # infinite, with NumPy's warning, where too few observations are left
    spread = (X if w is None else X * w).T
    return np.squeeze(np.dot(X, np.conjugate(spread)) * (float(share) if w is None else share))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """The covariances divided by both standard deviations. The rounding to −1 … 1 is a constant that is added."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    c = c / deviation[:, None] / deviation[None, :]
    value = raw(c)
    correction = np.clip(value.real, -1, 1) - value.real
    if c.dtype.kind == "c":
        correction = correction + 1j * (np.clip(value.imag, -1, 1) - value.imag)
    return c + correction


__all__ = ["average", "corrcoef", "cov", "like_entries"]
