"""Functions that move entries: each is a ``linalg`` element applied to its argument, its own differential."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from gpuad.aliasing import is_contiguous, is_view_of, own, view
from gpuad.differential import linear
from gpuad.dispatch import implements
from gpuad.leaves import recorded
from gpuad.primitives.views import PERMUTED, PICKED, REPEATED, RESHAPED
from gpuad.traced import TracedArray, is_scalar, raw, settled, underlying
from linalg import Broadcast, Gather, Permute, Reshape
from linalg.arrays import is_array, is_basic, is_cupy, namespace, placed, records, select, size, snapshot, to_host


def refuse_options(name: str, **options: Any) -> None:
    """Raise for keyword arguments that a traced call cannot honour."""
    given = [k for k, v in options.items() if v is not None]
    if given:
        raise TypeError(f"{name}: keyword arguments {given} are not available for traced arrays, which are immutable; "
                        "assign the result, and use x.astype(dtype) for a dtype")


def arrays_of(*values: Any) -> list[Any]:
    """The values as arrays: numbers and lists go where the arrays among them lie."""
    if all(map(is_array, values)):
        return list(values)
    xp = namespace(*[raw(v) for v in values if is_array(v)])
    return [v if is_array(v) else placed(v, xp) for v in values]


@implements(np.reshape)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None) -> Any:  # noqa: ARG001
    """``reshape`` in C order (or F, by permuting)."""
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if order != "C":
        return _reshape_by_columns(a, shape, order)
    if -1 in shape:
        rest = -size(shape)
        if rest <= 0 or a.size % rest:
            raise ValueError(f"reshape: cannot reshape an array of shape {a.shape} into {shape}")
        shape = tuple(a.size // rest if n == -1 else n for n in shape)
    reshaped = linear(a, operator=Reshape(a.shape, shape))
    return view(reshaped, a, RESHAPED, shape) if type(a) is TracedArray and is_view_of(reshaped, a) else reshaped


def _reshape_by_columns(a: Any, shape: Any, order: str) -> Any:
    if order != "F":
        raise ValueError(f"expected order 'C' or 'F' for a traced array, whose layout in memory is not known, got {order!r}")
    return transpose(reshape(transpose(a), shape[::-1]))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """All entries along one axis: a view where they lie in that order without gaps, else a copy."""
    flat = reshape(a, (a.size,), order)
    return flat if is_contiguous(a, order) else own(flat)


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    """Axes permuted; reversed by default."""
    n = a.ndim
    axes = tuple(range(n))[::-1] if axes is None else normalize_axis_tuple(axes, n)
    return view(linear(a, operator=Permute(a.shape, axes)), a, PERMUTED, axes)



@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """The last two axes swapped."""
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    axes = list(range(a.ndim))
    i, j = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    axes[i], axes[j] = axes[j], axes[i]
    return transpose(a, axes)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Axes moved to new places; the others keep their order."""
    src, dst = normalize_axis_tuple(source, a.ndim), normalize_axis_tuple(destination, a.ndim)
    order = [n for n in range(a.ndim) if n not in src]
    for target, origin in sorted(zip(dst, src, strict=True)):
        order.insert(target, origin)
    return transpose(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """One axis moved in front of ``start``."""
    axis = normalize_axis_index(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    if not 0 <= start <= a.ndim:
        raise np.exceptions.AxisError(start, a.ndim + 1, "rollaxis: start")
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """Axes of length one removed."""
    drop = normalize_axis_tuple(axis, a.ndim) if axis is not None else [i for i, n in enumerate(a.shape) if n == 1]
    if any(a.shape[i] != 1 for i in drop):
        raise ValueError(f"squeeze expected axes of length one, got axis={axis} for shape {a.shape}")
    return reshape(a, tuple(n for i, n in enumerate(a.shape) if i not in drop))


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """Axes of length one inserted."""
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = normalize_axis_tuple(axes, a.ndim + len(axes))
    rest = iter(a.shape)
    return reshape(a, tuple(1 if i in axes else next(rest) for i in range(a.ndim + len(axes))))


@implements(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    """Scalars as arrays of one entry."""
    return _each(lambda a: a if a.ndim else reshape(a, (1,)), arrays)


@implements(np.atleast_2d)
def atleast_2d(*arrays: Any) -> Any:
    """At least two axes, new ones in front."""
    return _each(lambda a: a if a.ndim >= 2 else reshape(a, (1, a.size)), arrays)


@implements(np.atleast_3d)
def atleast_3d(*arrays: Any) -> Any:
    """At least three axes."""
    return _each(lambda a: a if a.ndim >= 3 else reshape(a, (*a.shape, 1) if a.ndim == 2 else (1, a.size, 1)), arrays)


def _each(f: Any, arrays: Sequence[Any]) -> Any:
    results = tuple(map(f, arrays_of(*arrays)))
    return results[0] if len(results) == 1 else results


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:  # noqa: ARG001
    """x repeated by NumPy's broadcasting rule."""
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if np.broadcast_shapes(array.shape, shape) != shape:
        raise ValueError(f"broadcast_to: shape {array.shape} does not broadcast to {shape}")
    return array if shape == array.shape else view(linear(array, operator=Broadcast(array.shape, shape)), array, REPEATED, shape)



@implements(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,  # noqa: ARG001
              shape: Any = None, *, device: Any = None) -> Any:
    """An array of a's shape and dtype that repeats a number, which may be traced."""
    refuse_options("full_like", device=device)
    shape = a.shape if shape is None else shape
    filled = np.broadcast_to(fill_value if is_array(fill_value) else namespace(raw(a)).asarray(fill_value), shape)
    return filled.astype(dtype or a.dtype)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:  # noqa: ARG001
    """All arrays, broadcast to their common shape."""
    shape = np.broadcast_shapes(*[np.shape(a) for a in args])
    return tuple(np.broadcast_to(a, shape) for a in arrays_of(*args))


# ---- indexing

def getitem(x: TracedArray, index: Any) -> Any:
    """``x[index]``: slices, integers, arrays of integers, boolean masks, None, Ellipsis, and tuples of them."""
    parts = index if isinstance(index, tuple) else (index,)
    operator = Gather(x.shape, tuple([p if type(p) in _PLAIN else _index_part(p, x) for p in parts]))
    picked = linear(x, operator=operator)
    if is_scalar(picked) or not is_basic(operator.index):
        return picked
    return view(picked, x, PICKED, operator.index)


_PLAIN = (int, slice, type(None), type(Ellipsis))


def index_parts(index: Any, x: Any) -> tuple[Any, ...]:
    """An index of x as a tuple of slices, integers, arrays, masks, None and Ellipsis that nobody else can change."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple([p if type(p) in _PLAIN else _index_part(p, x) for p in parts])


def _index_part(part: Any, x: TracedArray) -> Any:
    part = settled(part)
    if isinstance(part, TracedArray):
        raise TypeError("indexing with a traced array: expected integers or booleans, got floating-point values under "
                        "differentiation; use comparisons or ad.stop_gradient(i).astype(int)")
    if isinstance(part, (list, tuple)):
        part = np.asarray(part, dtype=None if np.size(part) else int)
    if type(part) is not np.ndarray or not is_cupy(underlying(x)):
        return snapshot(part)
    return recorded(part, x) if part.dtype.kind in "iu" and records(raw(x)) else namespace(raw(x)).asarray(part)


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    """Entries along an axis."""
    refuse_options("take", out=out)
    indices = indices if is_array(indices) else np.asarray(indices)
    if indices.dtype == bool:  # numbers, not a mask
        indices = indices.astype(int)
    if axis is None:
        return select(ravel(a), (_wrapped(indices, a.size, mode),))
    axis = normalize_axis_index(axis, a.ndim)
    return select(a, (slice(None),) * axis + (_wrapped(indices, a.shape[axis], mode),))


def _wrapped(indices: Any, n: int, mode: str) -> Any:
    if mode == "raise":
        return indices
    if mode not in ("clip", "wrap"):
        raise ValueError(f"take expected mode 'raise', 'clip' or 'wrap', got {mode!r}")
    xp = namespace(indices)
    return xp.clip(indices, 0, n - 1) if mode == "clip" else xp.remainder(indices, n)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Entries matched by position along an axis."""
    if axis is None:
        return select(ravel(arr), (indices,))
    axis = normalize_axis_index(axis, arr.ndim)
    if indices.dtype.kind not in "iu":
        raise IndexError(f"take_along_axis expected indices that are integers, got {indices.dtype}")
    if indices.ndim != arr.ndim:
        raise ValueError(f"take_along_axis expected indices with as many axes as the array, got {indices.shape} for {arr.shape}")
    xp = namespace(indices)
    shape = np.broadcast_shapes(tuple(1 if i == axis else n for i, n in enumerate(arr.shape)),
                                tuple(1 if i == axis else n for i, n in enumerate(indices.shape)))
    grid = [xp.arange(n).reshape((-1,) + (1,) * (arr.ndim - 1 - i)) for i, n in enumerate(shape)]
    grid[axis] = indices
    return select(np.broadcast_to(arr, tuple(arr.shape[i] if i == axis else n for i, n in enumerate(shape))), tuple(grid))


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """Entries reversed along axes."""
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return m[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(m.ndim))]


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """Reversed along the first axis."""
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """Reversed along the second axis."""
    return flip(m, 1)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Rotated by quarter turns in the plane of two axes."""
    i, j = normalize_axis_tuple(axes, m.ndim)
    k %= 4
    if k == 2:
        return flip(m, (i, j))
    if k == 1:
        return swapaxes(flip(m, j), i, j)
    return flip(swapaxes(m, i, j), j) if k == 3 else m


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Entries repeated."""
    if axis is None:
        a, axis = ravel(a), 0
    positions = np.repeat(np.arange(a.shape[axis]), repeats if isinstance(repeats, int) else to_host(repeats))
    return take(a, namespace(raw(a)).asarray(positions), axis)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """The array repeated as a whole."""
    reps = (reps,) if isinstance(reps, (int, np.integer)) else tuple(reps)
    n = max(A.ndim, len(reps))
    reps, shape = (1,) * (n - len(reps)) + reps, (1,) * (n - A.ndim) + A.shape
    spread = reshape(A, tuple(m for length in shape for m in (1, length)))
    repeated = broadcast_to(spread, tuple(m for pair in zip(reps, shape, strict=True) for m in pair))
    return reshape(repeated, tuple(r * m for r, m in zip(reps, shape, strict=True)))
