"""Writing at places on the device, which waits for it only where a mask counts how many values are used."""
from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from linalg.arrays import Array, Shape, selects_once, size

Index = tuple[Any, ...]


def assigned(x: Array, v: Any, index: Index) -> Array:
    """A copy of x in which v is written at index; of values for one place the last, as in NumPy, where CuPy keeps any."""
    number = type(v) in (bool, int, float)
    if number and x.flags.c_contiguous and (mask := _whole_mask(x.shape, index)) is not None:
        return cupy.where(mask, v, x).astype(x.dtype, copy=False)
    out = x.copy("K")
    if number or selects_once(index):
        out[index] = v
        return out
    places = _places(x.shape, index)
    if not places.size:
        return out
    writer = _writer(x.shape, places)
    values = cupy.broadcast_to(cupy.asarray(v), places.shape).ravel()[cupy.maximum(writer, 0)]
    return cupy.where(writer < 0, out.ravel(), values).reshape(x.shape).astype(x.dtype, copy=False)


def written_last(shape: Shape, index: Index) -> Array:
    """Which entries of v stay where v is written at an index that may name a place twice: those that are written last."""
    places = _places(shape, index)
    return _writer(shape, places)[places] == cupy.arange(places.size).reshape(places.shape)


def _places(shape: Shape, index: Index) -> Array:
    """Where in a raveled array of this shape the entries lie that an index selects."""
    return cupy.arange(size(shape)).reshape(shape)[index]


def _writer(shape: Shape, places: Array) -> Array:
    """Which of the entries that are written to some places comes last at each, of all in a raveled array; −1 where none does."""
    last = cupy.full(size(shape), -1)
    cupy.maximum.at(last, places.ravel(), cupy.arange(places.size))
    return last


def _whole_mask(shape: Shape, index: Index) -> Array | None:
    """An index of full slices and a mask of the axes that follow, as a mask of the whole array; None for other ones."""
    k, last = len(index) - 1, index[-1] if index else None
    if getattr(last, "dtype", None) != np.bool_ or any(type(p) is not slice or p != slice(None) for p in index[:-1]):
        return None
    mask = cupy.asarray(last)
    return mask.reshape((*mask.shape, *(1,) * (len(shape) - k - mask.ndim))) if mask.shape == shape[k:k + mask.ndim] else None
