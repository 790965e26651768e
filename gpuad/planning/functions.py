"""The functions that rows call besides NumPy's own: NumPy's methods and keyword-laden calls as plain functions of arrays.

What takes an ``out`` writes its result there.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, assigned, scatter_add, selects_once

__all__ = ["VIEWS", "assign_into", "assigned", "broadcast", "call_where", "cast", "component", "convert", "getitem", "imaginary",
           "real", "reduce", "reshape", "scatter_add", "scatter_into", "scatter_sum", "select", "transpose"]


def reduce(x: Array, ufunc: Any, axes: Shape, keepdims: bool, out: Array | None = None) -> Array:
    """``ufunc.reduce`` over axes."""
    return ufunc.reduce(x, axes, None, out, keepdims)


def select(condition: Array, a: Any, b: Any) -> Array:
    """``where(condition, a, b)``."""
    return np.where(condition, a, b)


def cast(x: Array, dtype: np.dtype) -> Array:
    """x as another dtype."""
    return x.astype(dtype)


def convert(x: Any, kind: Callable[..., Any]) -> Any:
    """x as a NumPy scalar, as an array, or whatever else ``kind`` makes of it."""
    return kind(x)


def getitem(x: Array, index: tuple[Any, ...]) -> Array:
    """``x[index]``."""
    return x[index]


def call_where(ufunc: Any, mask: Any, old: Array, *args: Any, **kwargs: Any) -> Array:
    """``ufunc(*args)`` where the mask says, and ``old`` elsewhere."""
    return ufunc(*args, out=old.copy("K"), where=mask, **kwargs)


def component(results: tuple[Any, ...], k: int) -> Any:
    """One of several results."""
    return results[k]


def reshape(x: Array, shape: Shape) -> Array:
    """``x.reshape(shape)``, C order."""
    return x.reshape(shape)


def transpose(x: Array, axes: Shape) -> Array:
    """``x.transpose(axes)``."""
    return x.transpose(axes)


def broadcast(x: Array, shape: Shape) -> Array:
    """x broadcast to a shape."""
    return np.broadcast_to(x, shape)


def scatter_into(x: Array, index: tuple[Any, ...], out: Array) -> None:
    """``scatter_add`` into an array that is already there."""
    out.fill(0)
    if selects_once(index):
        out[index] = x
    else:
        np.add.at(out, index, x)


def assign_into(x: Array, v: Any, index: tuple[Any, ...], out: Array) -> None:
    """``assigned`` into an array that is already there, which may be x."""
    if out is not x:
        np.copyto(out, x)
    out[index] = v


def scatter_sum(start: Array | None, parts: tuple[Array, ...], indices: tuple[Any, ...], shape: Shape,
                out: Array | None = None) -> Array:
    """``start``, or zeros of a shape, to which each of the parts is added at its index."""
    if out is None:
        out = np.empty(shape, parts[0].dtype)
    if start is None:
        out.fill(0)
    elif start is not out:
        np.copyto(out, start)
    for x, index in zip(parts, indices, strict=True):
        if selects_once(index):
            out[index] += x
        else:
            np.add.at(out, index, x)
    return out


def real(x: Array) -> Array:
    """The real part."""
    return x.real


def imaginary(x: Array) -> Array:
    """The imaginary part."""
    return x.imag


VIEWS = {reshape, transpose, broadcast, real, imaginary}
"""Functions whose results share memory with their argument, where its layout allows (``getitem`` does for basic indices)."""
