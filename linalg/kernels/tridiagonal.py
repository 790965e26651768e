"""Tridiagonal systems on the device: cuSPARSE's gtsv2, which pivots (CuPy 14 binds it and has no function for it)."""
from __future__ import annotations

import cupy
from cupy.cuda import device
from cupy_backends.cuda.libs import cusparse

_PREFIX = {"f": "s", "d": "d", "F": "c", "D": "z"}
_SMALLEST = 3  # gtsv2 wants three rows


def solve(lower: cupy.ndarray, diagonal: cupy.ndarray, upper: cupy.ndarray, b: cupy.ndarray) -> cupy.ndarray:
    """x, of shape (k, n), with T x_i = b_i for the k rows of b; diagonals of n − 1, n and n − 1 entries, all of one dtype.

    Work and memory are proportional to n k. Where T is singular x is not finite.
    """
    n = diagonal.size
    if n < _SMALLEST:
        return _padded(lower, diagonal, upper, b)
    zero = cupy.zeros(1, diagonal.dtype)
    lower, upper = cupy.concatenate([zero, lower]), cupy.concatenate([upper, zero])
    diagonal = cupy.ascontiguousarray(diagonal)
    x = cupy.array(b, order="C")  # its rows are the columns of cuSPARSE's right-hand side, which it overwrites
    prefix, handle = _PREFIX[x.dtype.char], device.get_cusparse_handle()
    arguments = (handle, n, len(x), lower.data.ptr, diagonal.data.ptr, upper.data.ptr, x.data.ptr, n)
    if len(x):
        buffer = cupy.empty(getattr(cusparse, prefix + "gtsv2_bufferSizeExt")(*arguments), cupy.int8)
        getattr(cusparse, prefix + "gtsv2")(*arguments, buffer.data.ptr)
    return x


def _padded(lower: cupy.ndarray, diagonal: cupy.ndarray, upper: cupy.ndarray, b: cupy.ndarray) -> cupy.ndarray:
    """The same with rows of the identity below."""
    n, more = diagonal.size, _SMALLEST - diagonal.size
    diagonal = cupy.concatenate([diagonal, cupy.ones(more, diagonal.dtype)])
    lower, upper = (cupy.concatenate([side, cupy.zeros(more, side.dtype)]) for side in (lower, upper))
    return solve(lower, diagonal, upper, cupy.pad(b, ((0, 0), (0, more))))[:, :n]
