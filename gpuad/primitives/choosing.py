"""Choices between arrays, and functions applied piece by piece. What decides is constant."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import linear
from gpuad.dispatch import implements
from gpuad.primitives.elementwise import where
from gpuad.primitives.lists import operands
from gpuad.primitives.requirements import require
from gpuad.primitives.shapes import arrays_of, broadcast_to, expand_dims, moveaxis, refuse_options, reshape
from gpuad.traced import is_scalar, raw, value_of
from linalg import Scatter
from linalg.arrays import Array, is_array, namespace


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Of each entry the choice whose condition is the first to hold."""
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError("select expected as many choices as conditions, at least one, got "
                         f"{len(choicelist)} and {len(condlist)}")
    chosen, *others = _alternatives([*choicelist, default])[::-1]
    for k, (condition, choice) in enumerate(zip(condlist[::-1], others, strict=True)):
        condition = value_of(condition) if is_array(condition) else np.asarray(condition)
        if condition.dtype != bool:
            raise TypeError(f"select expected conditions of dtype bool, got {condition.dtype} as number {len(others) - 1 - k}")
        chosen = where(condition, choice, chosen)
    return broadcast_to(chosen, np.broadcast_shapes(chosen.shape, *map(np.shape, condlist)))


def _alternatives(choices: Sequence[Any]) -> list[Any]:
    """The choices as arrays of their common dtype, to which Python's numbers give way."""
    arrays = operands(*choices)
    dtype = np.result_type(*[c if type(c) in (int, float, complex) else a for c, a in zip(choices, arrays, strict=True)])
    return [_cast(a, dtype) for a in arrays]


def _cast(x: Any, dtype: Any) -> Any:
    return x if x.dtype == dtype else x.astype(dtype)


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Of each entry the choice that the integer in a names."""
    refuse_options("choose", out=out)
    choices = _alternatives(list(choices))
    number = value_of(a) if is_array(a) else np.asarray(a)
    if number.dtype.kind not in "iub":
        raise TypeError(f"choose expected an array of integers to choose by, got {number.dtype}")
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"choose expected mode 'raise', 'clip' or 'wrap', got {mode!r}")
    if mode == "raise":
        require(_below, number, len(choices))
    xp = namespace(number)
    number = xp.clip(number, 0, len(choices) - 1) if mode == "clip" else number % len(choices) if mode == "wrap" else number
    chosen = choices[-1]
    for k, choice in enumerate(choices[:-1]):
        chosen = where(number == k, choice, chosen)
    return broadcast_to(chosen, np.broadcast_shapes(number.shape, *[c.shape for c in choices]))


def _below(number: Array, n: int) -> None:
    """Raise where a number names no choice."""
    if ((number < 0) | (number >= n)).any():
        raise ValueError(f"choose expected numbers from 0 to {n - 1}, got {int(number.min())} to {int(number.max())}; use mode "
                         "'clip' or 'wrap' for others")


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """f_k(x[c_k]) where the last condition c_k that holds is number k, and zeros where none holds; f_k may be a number.

    A function sees the entries of its piece only, as in NumPy: a piece outside of another one's domain does no harm.
    """
    (x,) = arrays_of(x)
    conditions = _conditions(condlist, x)
    if len(conditions) == len(funclist) - 1:
        conditions.append(~np.any(np.stack(conditions), axis=0))
    if len(conditions) != len(funclist):
        raise ValueError(f"piecewise with {len(conditions)} conditions expected as many functions, or one more, got "
                         f"{len(funclist)}")
    y = namespace(raw(x)).zeros(x.shape, dtype=x.dtype)
    for condition, f in zip(conditions, funclist, strict=True):
        if condition.shape != x.shape[: condition.ndim]:
            raise ValueError(f"piecewise expected conditions of the shape of x, {x.shape}, got {condition.shape}")
        piece = f
        if callable(f):
            entries = x[condition]
            if not entries.size:
                continue
            piece = f(entries, *args, **kw)
        piece = _cast(operands(y, piece)[1], x.dtype)
        if piece.ndim:
            scatter = Scatter(x.shape, (condition,))
            piece = linear(broadcast_to(piece, scatter.in_shape), operator=scatter)
        y = where(np.reshape(condition, condition.shape + (1,) * (x.ndim - condition.ndim)), piece, y)
    return y


def _conditions(condlist: Any, x: Any) -> list[Any]:
    """The conditions, of which there may be a single one without a list."""
    if _is_number(condlist) or (x.ndim and (condlist.ndim == 1 if is_array(condlist) else _is_number(condlist[0]))):
        condlist = [condlist]
    return [(c if is_array(c) else np.asarray(c)).astype(bool) for c in map(value_of, condlist)]


def _is_number(x: Any) -> bool:
    return is_scalar(x) or not (isinstance(x, (list, tuple)) or is_array(x))


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """f of every vector along an axis; the axes of its result take the place of that axis."""
    (arr,) = arrays_of(arr)
    axis = normalize_axis_index(axis, arr.ndim)
    lines = moveaxis(arr, axis, -1)
    lead = lines.shape[:-1]
    results = [operands(lines, func1d(lines[i], *args, **kwargs))[1] for i in np.ndindex(lead)]
    if not results:
        raise ValueError(f"apply_along_axis: no vectors along axis {axis} of shape {arr.shape}; expected no other axis of length "
                         "0")
    stacked = np.stack([_cast(r, results[0].dtype) for r in results])
    inner = stacked.shape[1:]
    return moveaxis(reshape(stacked, lead + inner), range(len(lead), len(lead) + len(inner)), range(axis, axis + len(inner)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """f over one axis after the other, as a sum or a mean; axes that it takes away come back with length one."""
    (a,) = arrays_of(a)
    for axis in (axes,) if np.ndim(axes) == 0 else axes:
        axis = normalize_axis_index(axis, a.ndim)
        result = func(a, axis)
        result = expand_dims(result, axis) if result.ndim < a.ndim else result
        if result.ndim != a.ndim:
            raise ValueError(f"apply_over_axes expected a function that keeps {a.ndim} axes or takes one away, got a result with "
                             f"{result.ndim}")
        a = result
    return a


__all__ = ["apply_along_axis", "apply_over_axes", "choose", "piecewise", "select"]
