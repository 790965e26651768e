"""Functions that repeat, trim, select, lay open and look through windows at an array: gathers all of them."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from gpuad.aliasing import Kind, own, view
from gpuad.dispatch import TABLE, implements
from gpuad.primitives.joining import split, vstack
from gpuad.primitives.lists import operands
from gpuad.primitives.shapes import moveaxis, ravel, reshape, take
from gpuad.primitives.views import read_only
from gpuad.traced import raw, value_of
from linalg.arrays import is_array, namespace, size


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """The raveled array, repeated until it fills a shape."""
    (a,) = operands(a)
    shape = (int(new_shape),) if isinstance(new_shape, (int, np.integer)) else tuple(map(int, new_shape))
    if any(n < 0 for n in shape):
        raise ValueError(f"resize expected lengths of at least 0, got {shape}")
    if not a.size:
        return namespace(raw(a)).zeros(shape, dtype=a.dtype)
    return reshape(take(ravel(a), np.arange(size(shape)) % a.size), shape)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the third axis."""
    if ary.ndim < 3:
        raise ValueError(f"dsplit expected at least three axes, got shape {ary.shape}")
    return split(ary, indices_or_sections, 2)


if hasattr(np, "row_stack"):  # deprecated in NumPy 2
    TABLE[np.row_stack] = vstack  # noqa: NPY201


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """Vectors along axes of their own, to index or to broadcast; masks become the positions of what they select."""
    opened = []
    for k, a in enumerate(operands(*args)):
        if a.ndim != 1:
            raise ValueError(f"ix_ expected vectors, got shape {a.shape}")
        a = np.flatnonzero(a) if a.dtype == bool else a
        opened.append(reshape(a, (1,) * k + (a.size,) + (1,) * (len(args) - 1 - k)))
    return tuple(opened)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """The smallest box that holds all entries other than zero; cut at the front (f) and the back (b) of the given axes."""
    trim = trim.lower()
    if trim not in ("fb", "bf", "f", "b"):
        raise ValueError(f"trim_zeros expected trim 'f', 'b' or 'fb', got {trim!r}")
    (array,) = operands(filt)
    found = np.argwhere(value_of(array))
    box = [slice(None)] * array.ndim
    for i in range(array.ndim) if axis is None else normalize_axis_tuple(axis, array.ndim):
        front, back = (int(found[:, i].min()), int(found[:, i].max()) + 1) if len(found) else (0, 0)
        box[i] = slice(front if "f" in trim or not len(found) else None, back if "b" in trim or not len(found) else None)
    return filt[box[0]] if len(box) == 1 else array[tuple(box)]  # of a list a list


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """The slices along an axis (entries of the raveled array by default) where the condition holds."""
    condition = value_of(condition) if is_array(condition) else np.asarray(condition)
    if condition.ndim != 1:
        raise ValueError(f"compress expected a vector as condition, got shape {condition.shape}")
    del out  # written to elsewhere
    return take(a, np.flatnonzero(condition), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The entries of the raveled array where the condition holds."""
    return take(ravel(arr), np.flatnonzero(value_of(condition)))


@implements(sliding_window_view)
def windows(x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False) -> Any:
    """All windows of a shape, whose places are the axes of x and whose entries new axes at the end."""
    del subok
    if writeable:
        raise TypeError("sliding_window_view: writeable=True is not available for traced arrays; write to the array itself")
    lengths = (window_shape,) if isinstance(window_shape, (int, np.integer)) else tuple(window_shape)
    if axis is None and len(lengths) != x.ndim:
        raise ValueError(f"sliding_window_view expected a window with {x.ndim} lengths for shape {x.shape}, got {lengths}; name "
                         "the axes with axis")
    axes = range(x.ndim) if axis is None else [normalize_axis_index(i, x.ndim) for i in np.atleast_1d(axis).tolist()]
    if len(axes) != len(lengths) or any(n < 0 for n in lengths):
        raise ValueError(f"sliding_window_view expected a length of at least 0 for each of the axes {tuple(axes)}, got {lengths}")
    for i, n in zip(axes, lengths, strict=True):
        if x.shape[i] < n:
            raise ValueError(f"sliding_window_view: a window of length {n} does not fit axis {i} of length {x.shape[i]}")
    return view(own(_windows(x, (axes, lengths))), x, WINDOWS, (axes, lengths))


def _windows(x: Any, key: Any) -> Any:
    for i, n in zip(*key, strict=True):
        x = moveaxis(take(x, np.add.outer(np.arange(x.shape[i] - n + 1), np.arange(n)), i), i + 1, -1)
    return x


WINDOWS = Kind(_windows, read_only)


__all__ = ["compress", "dsplit", "extract", "ix_", "resize", "trim_zeros", "windows"]
