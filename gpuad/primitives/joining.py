"""Functions that join arrays, split them, and put entries in between."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import Variadic
from gpuad.dispatch import implements
from gpuad.primitives.shapes import arrays_of, moveaxis, ravel, refuse_options, reshape, take
from linalg import Scatter
from linalg.arrays import Array, Shape, to_host


def _piece(position: int, in_shape: Shape, _y: Any, *_arrays: Any, axis: int, starts: Sequence[int], shape: Shape) -> Any:
    here = slice(starts[position], starts[position] + in_shape[axis])
    return Scatter(shape, (slice(None),) * axis + (here,))


def _join(*arrays: Array, axis: int, **_layout: Any) -> Array:
    return np.concatenate(arrays, axis)


_concatenate = Variadic("concatenate", _join, _piece)


@implements(np.concatenate, np.concat)
def concatenate(arrays: Sequence[Any], /, axis: int | None = 0, out: Any = None, *, dtype: Any = None,
                casting: str = "same_kind") -> Any:
    """Arrays joined along an axis: every piece is a block of its own."""
    refuse_options("concatenate", out=out, dtype=dtype)
    _refuse_casting("concatenate", casting)
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays_of(*arrays)], 0
    arrays = arrays_of(*arrays)
    axis = normalize_axis_index(axis, arrays[0].ndim)
    ends = np.cumsum([a.shape[axis] for a in arrays]).tolist()
    shape = (*arrays[0].shape[:axis], ends[-1], *arrays[0].shape[axis + 1:])
    return _concatenate(*arrays, axis=axis, starts=[0, *ends[:-1]], shape=shape)


def _refuse_casting(name: str, casting: str) -> None:
    if casting != "same_kind":
        raise TypeError(f"{name}: casting={casting!r} is not available for traced arrays; use x.astype(dtype) on the arrays")


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays joined along a new axis."""
    arrays = arrays_of(*arrays)
    if len({a.shape for a in arrays}) != 1:
        raise ValueError(f"stack expected arrays of one shape, got {[a.shape for a in arrays]}")
    refuse_options("stack", out=out, dtype=dtype)
    _refuse_casting("stack", casting)
    return concatenate([np.expand_dims(a, axis) for a in arrays], normalize_axis_index(axis, arrays[0].ndim + 1))


@implements(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays joined along the first axis, rows first."""
    return concatenate(list(map(np.atleast_2d, arrays_of(*tup))), 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays joined along the second axis (the first for arrays of one axis)."""
    arrays = list(map(np.atleast_1d, arrays_of(*tup)))
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """Arrays joined along the third axis."""
    return concatenate(list(map(np.atleast_3d, arrays_of(*tup))), 2)


@implements(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """Vectors as the columns of a matrix."""
    return concatenate([a if np.ndim(a) > 1 else np.reshape(a, (np.size(a), 1)) for a in arrays_of(*tup)], 1)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Pieces along an axis, of lengths that may differ by one."""
    axis = normalize_axis_index(axis, ary.ndim)
    n = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        count = _sections(indices_or_sections)
        whole, extra = divmod(n, count)
        cuts = np.cumsum([whole + 1] * extra + [whole] * (count - extra))[:-1].tolist()
    else:
        cuts = list(indices_or_sections)
    lead = (slice(None),) * axis
    return [ary[(*lead, slice(a, b))] for a, b in zip([0, *cuts], [*cuts, n], strict=True)]


def _sections(count: Any) -> int:
    if (n := int(count)) < 1:
        raise ValueError(f"expected at least one section, or indices to cut at, got {count}")
    return n


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Pieces of equal length along an axis, or cut at given places."""
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % _sections(indices_or_sections):
        raise ValueError(f"split: axis {axis} of shape {ary.shape} does not divide into {indices_or_sections} equal parts")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the second axis (the first for arrays of one axis)."""
    return split(ary, indices_or_sections, 0 if ary.ndim == 1 else 1)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the first axis."""
    if ary.ndim < 2:
        raise ValueError(f"vsplit expected at least two axes, got shape {ary.shape}")
    return split(ary, indices_or_sections, 0)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Entries rotated along axes."""
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), a.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for s, ax in zip(shifts.ravel(), axes.ravel(), strict=True):
        n = a.shape[ax]
        k = int(s) % n if n else 0
        whole = (slice(None),) * normalize_axis_index(int(ax), a.ndim)
        a = concatenate([a[(*whole, slice(n - k, None))], a[(*whole, slice(None, n - k))]], int(ax)) if k else a
    return a


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The arrays that lie along an axis, which disappears."""
    return tuple(moveaxis(x, axis, 0))


@implements(np.block)
def block(arrays: Any) -> Any:
    """One array from nested lists of blocks: the innermost lists are joined along the last axis."""
    depth = _depth(arrays)
    leaves = iter(arrays_of(*_leaves(arrays)))
    return _block(arrays, leaves, depth, max(depth, _most_axes(arrays)))


def _depth(blocks: Any) -> int:
    if not isinstance(blocks, list):
        return 0
    depths = {_depth(b) for b in blocks}
    if len(depths) != 1:
        raise ValueError(f"block expected lists of equal depth with at least one entry each, got depths {sorted(depths)}")
    return 1 + depths.pop()


def _most_axes(blocks: Any) -> int:
    return max(map(_most_axes, blocks)) if isinstance(blocks, list) else np.ndim(blocks)


def _leaves(blocks: Any) -> list[Any]:
    return [leaf for b in blocks for leaf in _leaves(b)] if isinstance(blocks, list) else [blocks]


def _block(blocks: Any, leaves: Iterator[Any], depth: int, ndim: int) -> Any:
    if isinstance(blocks, list):
        return concatenate([_block(b, leaves, depth - 1, ndim) for b in blocks], -depth)
    a = next(leaves)
    return np.reshape(a, (1,) * (ndim - a.ndim) + a.shape)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Values joined at the end of an axis (of the raveled arrays by default)."""
    return concatenate([arr, values], axis)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """The entries that remain when those at ``obj`` are taken away."""
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    return take(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Values put in front of the entries at ``obj``."""
    arr, values = arrays_of(arr, values)
    values = values.astype(arr.dtype)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    n, shape = arr.shape[axis], list(arr.shape)
    at = _places(obj, n)
    if at.size == 1:
        values = reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
        values = values if at.ndim else moveaxis(values, 0, axis)
        shape[axis] = values.shape[axis]
    else:
        values = reshape(values, values.shape[max(values.ndim - arr.ndim, 0):]) if 1 in values.shape[:1] else values
        shape[axis] = at.size
    values = np.broadcast_to(values, tuple(shape))
    places = np.insert(np.arange(n), at, np.arange(n, n + shape[axis]))
    return take(concatenate([arr, values], axis), places, axis)


def _places(obj: Any, n: int) -> Any:
    """The indices along an axis of length n that a slice, a mask or a list names."""
    at = np.arange(*obj.indices(n)) if isinstance(obj, slice) else np.asarray(to_host(obj))
    if at.ndim > 1 or (at.dtype == bool and not at.ndim):
        raise ValueError("insert expected an index, or a list of indices or a mask along one axis, got "
                         f"{at.dtype} of shape {at.shape}")
    return np.flatnonzero(at) if at.dtype == bool else at if at.size or isinstance(obj, np.ndarray) else at.astype(int)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:  # noqa: ARG001
    """Coordinates along axes as arrays over the grid."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid expected indexing 'xy' or 'ij', got {indexing!r}")
    n = len(xi)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    spread = [np.reshape(x, tuple(-1 if i == k else 1 for i in range(n))) for x, k in zip(arrays_of(*xi), order, strict=True)]
    return tuple(spread) if sparse else tuple(np.broadcast_arrays(*spread))


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours in the raveled array, with entries put in front and behind."""
    given = {k: v for k, v in (("begin", to_begin), ("array", ary), ("end", to_end)) if v is not None}
    arrays = dict(zip(given, arrays_of(*given.values()), strict=True))
    dtype = arrays["array"].dtype
    for name, a in arrays.items():
        if not np.can_cast(a.dtype, dtype, "same_kind"):
            raise TypeError(f"ediff1d: cannot cast to_{name} from {a.dtype} to {dtype}, the dtype of the array")
    parts = {k: np.ravel(v).astype(dtype) for k, v in arrays.items()}
    parts["array"] = parts["array"][1:] - parts["array"][:-1]
    return concatenate(list(parts.values()))
