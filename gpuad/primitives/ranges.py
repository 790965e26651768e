"""Numbers at equal distances, or in equal ratios, between two ends, and the window whose shape is a parameter."""
from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from gpuad.dispatch import implements
from gpuad.primitives.elementwise import where
from gpuad.primitives.lists import operands
from gpuad.primitives.matrices import real_dtype
from gpuad.primitives.requirements import require
from gpuad.primitives.shapes import expand_dims, moveaxis, refuse_options
from gpuad.traced import raw, value_of
from linalg.arrays import Array, namespace


def _between(start: Any, stop: Any, num: Any, endpoint: bool, least: Any = 0.0) -> tuple[Any, Any, Any, int]:
    """The ends as arrays of one dtype, to which ``least`` belongs; num shares t, at equal distances from 0 to 1 (to below 1
    without the endpoint), along a new first axis; and how many steps there are.
    """
    num = index(num)
    if num < 0:
        raise ValueError(f"expected a number of at least 0, got {num}")
    ends = operands(start, stop)
    weak = [x if isinstance(x, (int, float, complex)) else a for x, a in zip((start, stop), ends, strict=True)]
    dtype = np.result_type(*weak, least)
    start, stop = (a.astype(dtype) if a.dtype != dtype else a for a in ends)
    steps = num - 1 if endpoint else num
    share = namespace(raw(start), raw(stop)).arange(num) / max(steps, 1)
    column = (num,) + (1,) * max(start.ndim, stop.ndim)
    return start, stop, share.astype(real_dtype(dtype)).reshape(column), steps


def _finished(y: Any, dtype: Any, axis: int) -> Any:
    y = y if dtype is None or y.dtype == dtype else y.astype(dtype)
    return moveaxis(y, 0, axis) if axis else y


def _whole(dtype: Any) -> bool:
    """Whether a dtype holds whole numbers only, which carry no derivative."""
    return dtype is not None and np.dtype(dtype).kind not in "fc"


@implements(np.linspace)
def linspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0,
             *, device: Any = None) -> Any:
    """(1 − t) start + t stop for numbers t at equal distances."""
    refuse_options("linspace", device=device)
    first, last, share, steps = _between(start, stop, num, endpoint)
    if _whole(dtype):
        y = np.linspace(value_of(start), value_of(stop), num, endpoint, dtype=dtype, axis=axis)  # rounded down: NumPy's own
    else:
        y = _finished((1 - share) * first + share * last, dtype, axis)
    return (y, (last - first) / steps if steps > 0 else np.nan) if retstep else y


@implements(np.logspace)
def logspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
             axis: int = 0) -> Any:
    """The powers of a base whose exponents are those of ``linspace``; a base with axes broadcasts with the ends."""
    if _whole(dtype):
        return np.logspace(value_of(start), value_of(stop), num, endpoint, value_of(base), dtype, axis)
    if np.ndim(base):
        start, stop, base = operands(start, stop, base)
        ndim = max(start.ndim, stop.ndim, base.ndim)
        start, stop, base = (np.reshape(a, (1,) * (ndim - a.ndim) + a.shape) for a in (start, stop, base))
        base = expand_dims(base, axis)
    y = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """start¹⁻ᵗ stopᵗ for numbers t at equal distances; on a spiral, the shorter way round, where the ends are complex."""
    if _whole(dtype):
        return np.geomspace(value_of(start), value_of(stop), num, endpoint, dtype, axis)
    start, stop, share, _ = _between(start, stop, num, endpoint, np.dtype(float if dtype is None else dtype))
    require(_nonzero, start, stop)
    if start.dtype.kind == "c":
        y = np.exp(np.log(start) + share * np.log(stop / start))
    else:
        sign = np.sign(value_of(start))
        y = sign * np.exp((1 - share) * np.log(sign * start) + share * np.log(sign * stop))
    return _finished(where(share == 0, start, where(share == 1, stop, y)), dtype, axis)


def _nonzero(start: Array, stop: Array) -> None:
    """Raise where a geometric sequence would have an end at zero."""
    if (start == 0).any() or (stop == 0).any():
        raise ValueError("geomspace expected ends other than zero, got zero among them")


@implements(np.kaiser)
def kaiser(M: Any, beta: Any) -> Any:
    """The window I₀(β √(1 − t²)) / I₀(β) at M points t from −1 to 1."""
    place = namespace(raw(beta)).asarray
    if M <= 1:
        return place(np.kaiser(M, 0.0))
    t = np.arange(M) / ((M - 1) / 2) - 1
    return np.i0(beta * place(np.sqrt(1 - t * t))) / np.i0(beta)


__all__ = ["geomspace", "kaiser", "linspace", "logspace"]
