"""The one file that knows which array libraries exist: NumPy, CuPy, and traced stand-ins for either.

Everything else is written once, with operators, methods and the namespace that :func:`namespace` returns.
"""
from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np
import scipy.sparse

Array = Any
"""A NumPy array or scalar, a CuPy array, or an object that behaves like one (a traced array)."""

Shape = tuple[int, ...]


def cupy() -> ModuleType:
    """CuPy, imported on demand.

    Raises ImportError, naming the extra to install, where CuPy is missing.
    """
    try:
        import cupy as module
    except ImportError as error:
        raise ImportError(
            "CuPy is not installed: expected it for arrays on a GPU; "
            "install it with `pip install 'gpuad[cuda13]'` (or `gpuad[cuda12]`)"
        ) from error
    return module


def gpu_unavailable_reason() -> str | None:
    """Why no GPU can be used here, in one line; None where one can."""
    try:
        module = cupy()
    except ImportError:
        return "CuPy is not installed (pip install 'gpuad[cuda13]')"
    if not module.is_available():
        return "CuPy finds no CUDA device (no GPU, or no driver)"
    return None


def is_cupy(x: Any) -> bool:
    """Whether x is a CuPy array; never imports CuPy."""
    return array_api_compat.is_cupy_array(x)


def is_array(x: Any) -> bool:
    """Whether x is an array or scalar of NumPy or CuPy, or stands in for one (has a shape and an array namespace)."""
    return isinstance(x, (np.ndarray, np.generic)) or (hasattr(x, "__array_namespace__") and hasattr(x, "shape"))


def namespace(*arrays: Any) -> Any:
    """The module whose functions take these arrays: a traced array's own, else CuPy's, else NumPy's.

    Raises TypeError where NumPy and CuPy arrays are mixed.
    """
    for x in arrays:
        if not isinstance(x, np.ndarray) and not is_cupy(x) and is_array(x) and not isinstance(x, np.generic):
            return x.__array_namespace__()
    known = [x for x in arrays if isinstance(x, np.ndarray) or is_cupy(x)]
    if len({is_cupy(x) for x in known}) > 1:
        raise TypeError(
            "expected arrays of one library, got NumPy and CuPy arrays mixed; "
            "move one side first, with cupy.asarray(x) or cupy.asnumpy(x)"
        )
    return array_api_compat.array_namespace(*known) if known and is_cupy(known[0]) else np


def to_host(x: Any) -> Any:
    """x as a NumPy array: CuPy arrays are copied to the host, others are returned as they are."""
    return cupy().asnumpy(x) if is_cupy(x) else x


def synchronize(x: Any) -> None:
    """Wait until the device that holds x has done its work; nothing to do on the host."""
    if is_cupy(x):
        cupy().cuda.get_current_stream().synchronize()


def sparse_module(like: Any) -> ModuleType:
    """``scipy.sparse`` or ``cupyx.scipy.sparse``, whichever stores matrices where ``like`` lies."""
    if is_cupy(like) or type(like).__module__.startswith("cupyx"):
        cupy()
        import cupyx.scipy.sparse as module

        return module
    return scipy.sparse


def snapshot(x: Array) -> Array:
    """x itself where nobody can change it, else a copy: what is kept for later must not change under our hands."""
    if type(x) is np.ndarray:
        return x.copy() if _writeable(x) else x
    if isinstance(x, np.ndarray) or is_cupy(x):
        return x.copy()
    return x


def _writeable(x: Any) -> bool:
    while isinstance(x, np.ndarray):
        if x.flags.writeable:
            return True
        x = x.base
    return x is not None


def size(shape: Shape) -> int:
    """Number of entries of an array of this shape."""
    return math.prod(shape)


def sum_axes(x: Array, axes: Shape) -> Array:
    """Sum over axes (any sign), which disappear."""
    if type(x) is np.ndarray:
        return np.add.reduce(x, axes)
    return x.sum(axis=axes)


def broadcast(x: Array, shape: Shape) -> Array:
    """x broadcast to shape, as a view that repeats entries without storing them."""
    if x.shape == shape:
        return x
    if type(x) is np.ndarray or isinstance(x, np.generic):
        return _broadcast_view(np.asarray(x), shape)
    return namespace(x).broadcast_to(x, shape)


def _broadcast_view(x: np.ndarray, shape: Shape) -> np.ndarray:
    if x.size == 1:  # a quarter of the time of np.broadcast_to
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    return np.broadcast_to(x, shape)


def add_into(total: Array, term: Array) -> Array:
    """total + term, written over total where total is an array that can be: the caller owns total."""
    if type(total) is type(term) and (type(total) is np.ndarray or is_cupy(total)):
        total += term
        return total
    return total + term


def scatter_add(x: Array, index: Any, shape: Shape) -> Array:
    """Zeros of the given shape, to which the entries of x are added at index: the transpose of ``z[index]``."""
    xp = namespace(x)
    out = xp.zeros(shape, dtype=x.dtype)
    if is_basic(index):
        out[index] = x
    else:
        xp.add.at(out, index, x)
    return out


def is_basic(index: Any) -> bool:
    """Whether an index selects a view (slices, integers, Ellipsis, None), so that no entry is selected twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, (slice, int, np.integer)) and not isinstance(p, bool)
               for p in parts)
