"""Writing to arrays: ``x[i] = v``, ``x += v``, ``out=`` and the functions that change an array in place.

Each makes a row whose result takes the place of the array: see ``gpuad.aliasing``. What is written has the derivative of v,
what is written over has none. Where an index names an entry twice the last value stays, as in NumPy.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from gpuad import aliasing
from gpuad.differential import linear
from gpuad.dispatch import METHODS, implements
from gpuad.primitives.elementwise import astype, where
from gpuad.primitives.shapes import arrays_of, broadcast_to, index_parts, reshape
from gpuad.primitives.views import PICKED, put_at
from gpuad.traced import STAND_INS, raw
from linalg import Gather, Scatter
from linalg.arrays import is_array, is_basic, size


def assign(x: Any, v: Any, index: tuple[Any, ...]) -> Any:
    """An array like x, with v at x[index]: v is broadcast, and cast to the dtype of x."""
    v = v if is_array(v) or isinstance(v, (bool, int, float, complex)) else np.asarray(v)
    shape = v.shape if is_array(v) else ()
    _require_dtype(x, v)
    picked = _picked(x, index)
    if shape != picked and shape:
        lead = len(shape) - len(picked)
        if lead > 0 and set(shape[:lead]) == {1}:  # NumPy drops them
            v, shape = np.reshape(v, shape[lead:]), shape[lead:]
        if not _broadcasts(shape, picked):
            raise ValueError(f"x[…] = v: expected v of a shape that broadcasts to {picked}, the shape of x[…], got {shape}")
    if len(index) == 1 and getattr(index[0], "dtype", np.dtype(int)).kind == "b" and shape == ():  # of any number of entries
        mask = np.reshape(index[0], index[0].shape + (1,) * (x.ndim - index[0].ndim))
        return where(mask, v if not is_array(v) else astype_like(v, x), x)
    return put_at(x, v, shape=x.shape, index=index)


def _picked(x: Any, index: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of x[index]."""
    value = raw(x)
    value = getattr(value, "value", value)  # of a plan's array
    return value[index].shape if is_basic(index) else Gather(x.shape, index).out_shape


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def _require_dtype(x: Any, v: Any) -> None:
    if x.dtype.kind != "c" and (isinstance(v, complex) if not is_array(v) else v.dtype.kind == "c"):
        raise TypeError(f"expected real values to write into an array of dtype {x.dtype}, got complex ones; write their real "
                        "part, or make the array complex")


def _write(x: Any, new: Any) -> None:
    """x becomes ``new``, which has x's shape; cast to its dtype."""
    aliasing.write(x, new if new.dtype == x.dtype else astype(new, x.dtype),
                   lambda old, value: assign(old, value, (Ellipsis,)))


def require_handle(x: Any, what: str) -> None:
    """Raise where what is to be changed is a plain array: it cannot hold a derivative."""
    if type(x) not in STAND_INS:
        raise TypeError(
            f"{what}: expected an array under differentiation to write into, got a plain {type(x).__module__}."
            f"{type(x).__name__}, which holds no derivatives and may be the caller's. Make it with numpy.zeros_like(x), "
            "numpy.zeros(shape, like=x) or ad.numpy.zeros inside the function, or write y = y + x instead of y += x")


def set_item(x: Any, index: Any, v: Any) -> None:
    """``x[index] = v``."""
    link = getattr(v, "link", None)
    if link is not None and link.parent is x and link.kind is PICKED and _same_index(link.key, index):
        return  # x[i] += v has written to the view x[i] already
    parts = index_parts(index, x)
    whole = all(p is Ellipsis or (type(p) is slice and p == slice(None)) for p in parts)
    new = assign(x, v, (Ellipsis,) if whole and x.ndim else parts)
    aliasing.write(x, new, lambda _old, value: value)


def _same_index(key: Any, index: Any) -> bool:
    index = index if isinstance(index, tuple) else (index,)
    return type(key) is tuple and len(key) == len(index) and all(
        type(a) is type(b) and a == b for a, b in zip(key, index, strict=True))


def update(x: Any, new: Any, sign: str) -> Any:
    """x after ``x op= …``, where the operation gives ``new``."""
    if new.shape != x.shape:
        raise ValueError(f"in-place operator {sign}=: the result of shape {new.shape} does not fit into x of shape {x.shape}")
    if not np.can_cast(new.dtype, x.dtype, "same_kind"):
        raise TypeError(f"in-place operator {sign}=: cannot cast the result from {new.dtype} to {x.dtype}, the dtype of x, by "
                        f"the rule 'same_kind'; write x = x {sign} y")
    _write(x, new)
    return x


def write_where(outs: tuple[Any, ...], function: Callable[..., Any], args: tuple[Any, ...], mask: Any, name: str) -> Any:
    """``out=`` with ``where=mask`` of an elementwise function, which is evaluated where the mask says and nowhere else."""
    if len(outs) != 1:
        raise TypeError(f"{name}: where= with several results is not available for traced arrays")
    out = outs[0]
    require_handle(out, f"{name}: out=")
    mask = np.broadcast_to(mask, out.shape)
    result = function(*[np.broadcast_to(a, out.shape)[mask] if np.ndim(a) else a for a in args])
    if not np.can_cast(result.dtype, out.dtype, "same_kind"):
        raise TypeError(f"{name}: cannot cast the result from {result.dtype} to {out.dtype}, the dtype of out, by the rule "
                        "'same_kind'")
    set_item(out, mask, result)
    return out


def write_out(out: Any, result: Any, name: str, mask: Any = True) -> Any:
    """``out=``: the array that a result is written into."""
    require_handle(out, f"{name}: out=")
    if np.broadcast_shapes(np.shape(result), out.shape) != out.shape:
        raise ValueError(f"{name}: expected out= of shape {np.shape(result)}, that of the result, got {out.shape}")
    if not np.can_cast(result.dtype, out.dtype, "same_kind"):
        raise TypeError(f"{name}: cannot cast the result from {result.dtype} to {out.dtype}, the dtype of out, by the rule "
                        "'same_kind'")
    result = broadcast_to(result, out.shape)
    _write(out, result if mask is True else where(mask, result, out))
    return out


# ---- NumPy's functions that change an array

@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """``dst[where] = src``."""
    require_handle(dst, "numpy.copyto")
    src = src if is_array(src) else arrays_of(dst, src)[1]
    if not np.can_cast(src.dtype, dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"numpy.copyto: cannot cast from {src.dtype} to {dst.dtype} by the rule {casting!r}")
    write_out(dst, astype(src, dst.dtype) if src.dtype.kind in "fc" else src.astype(dst.dtype), "numpy.copyto", where)


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Entries of the raveled array replaced; v is repeated as often as needed."""
    require_handle(a, "numpy.put")
    ind = np.ravel(ind if is_array(ind) else np.asarray(ind, dtype=int))
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"numpy.put expected mode 'raise', 'clip' or 'wrap', got {mode!r}")
    if mode != "raise":
        ind = np.clip(ind, 0, a.size - 1) if mode == "clip" else np.remainder(ind, a.size)
    v = np.ravel(arrays_of(a, v)[1])
    if ind.size:
        repeated = v[np.arange(ind.size) % v.size] if v.size != ind.size else v
        _write(a, reshape(assign(reshape(a, (a.size,)), repeated, index_parts(ind, a)), a.shape))


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """``a[mask] = values[mask]``, with values repeated to the shape of a."""
    require_handle(a, "numpy.putmask")
    values = np.ravel(arrays_of(a, values)[1])
    if values.size != a.size:
        values = values[np.arange(a.size) % values.size]
    _write(a, where(np.reshape(mask, a.shape), astype_like(reshape(values, a.shape), a), a))


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """``arr[mask] = vals``, one after the other, repeated as often as needed."""
    require_handle(arr, "numpy.place")
    where_ = np.flatnonzero(mask)
    if where_.size:
        put(arr, where_, np.ravel(vals)[np.arange(where_.size) % np.size(vals)])


def astype_like(v: Any, x: Any) -> Any:
    """v in the dtype of x."""
    _require_dtype(x, v)
    return v if v.dtype == x.dtype else astype(v, x.dtype) if v.dtype.kind in "fc" else v.astype(x.dtype)


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Entries matched by position along an axis replaced."""
    require_handle(arr, "numpy.put_along_axis")
    if axis is None:
        _write(arr, reshape(assign(reshape(arr, (arr.size,)), values, index_parts(indices, arr)), arr.shape))
        return
    axis = normalize_axis_index(axis, arr.ndim)
    grid: list[Any] = [np.arange(n).reshape((-1,) + (1,) * (arr.ndim - 1 - i)) for i, n in enumerate(arr.shape)]
    grid[axis] = indices
    set_item(arr, tuple(grid), values)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """The main diagonal replaced; ``wrap`` begins it anew below a tall matrix."""
    require_handle(a, "numpy.fill_diagonal")
    if a.ndim < 2 or (a.ndim > 2 and len(set(a.shape)) > 1):
        raise ValueError(f"numpy.fill_diagonal expected a matrix, or an array of equal lengths, got shape {a.shape}")
    step = a.shape[1] + 1 if a.ndim == 2 else 1 + int(np.cumprod(a.shape[:-1]).sum())
    end = None if a.ndim > 2 or wrap else a.shape[1] * a.shape[1]
    at = np.arange(size(a.shape))[:end:step]
    values = np.ravel(arrays_of(a, val)[1])
    put(a, at, values[: at.size] if values.size > at.size else values)


def set_part(part: str) -> Callable[[Any, Any], None]:
    """The setter of ``x.real`` or ``x.imag``."""
    def setter(x: Any, v: Any) -> None:
        target = getattr(x, part)
        link = getattr(v, "link", None)
        if target is x or link is None or link.parent is not x or link.kind is not target.link.kind:
            set_item(target, Ellipsis, v)  # else x.real += v has written to the view x.real already
    return setter


def _fill(x: Any, value: Any) -> None:
    set_item(x, Ellipsis, value)


def _in_place(function: Callable[..., Any]) -> Callable[..., None]:
    """The method that changes an array into what a function makes of it."""
    return lambda x, *args, **kwargs: _write(x, function(x, *args, **kwargs))


IN_PLACE: dict[str, Callable[..., None]] = {
    "__setitem__": set_item, "fill": _fill, "put": put, "sort": _in_place(np.sort), "partition": _in_place(np.partition)}
"""Methods of an array that change it."""


class Flat:
    """``x.flat``: the entries in C order, one after the other, to be read and written."""

    def __init__(self, x: Any):
        self._x = x

    def __len__(self) -> int:
        return self._x.size

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        return aliasing.own(reshape(self._x, (self._x.size,))[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        parts = index_parts(index, self._x)
        _write(self._x, reshape(assign(reshape(self._x, (self._x.size,)), value, parts), self._x.shape))


# ---- ufunc.at

def _at(sign: int) -> Callable[..., None]:
    def at(x: Any, indices: Any, b: Any = None, /) -> None:
        require_handle(x, "ufunc.at")
        index = index_parts(indices, x)
        picked = Gather(x.shape, index)
        b = astype_like(broadcast_to(arrays_of(x, b)[1], picked.out_shape), x)
        added = linear(b, operator=Scatter(x.shape, index))
        _write(x, x + added if sign > 0 else x - added)
    return at


METHODS["add", "at"], METHODS["subtract", "at"] = _at(1), _at(-1)

__all__ = ["IN_PLACE", "Flat", "assign", "copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask", "set_item",
           "update", "write_out"]

