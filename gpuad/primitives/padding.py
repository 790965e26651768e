"""Padding: entries added at both ends of every axis, one axis after the other, each made of what is there by then.

The mode ``empty``, whose entries are undefined, gives zeros, which are constant.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import linear
from gpuad.dispatch import implements
from gpuad.primitives.lists import operands
from gpuad.primitives.shapes import arrays_of, broadcast_to, take
from linalg import Scatter
from linalg.arrays import to_host

_host_pad: Any = np.pad
_OPTIONS = {"constant": "constant_values", "linear_ramp": "end_values", "maximum": "stat_length", "minimum": "stat_length",
            "mean": "stat_length", "median": "stat_length", "reflect": "reflect_type", "symmetric": "reflect_type",
            "edge": None, "wrap": None, "empty": None}
_STATISTICS: dict[str, Any] = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """Entries added at both ends of every axis: constants, copies, statistics, or linear ramps to given values."""
    (array,) = arrays_of(array)
    if callable(mode):
        raise TypeError("pad: expected the name of a mode, got a function, which writes into vectors of the padded array; join "
                        "what it would write with numpy.concatenate")
    if mode not in _OPTIONS:
        raise ValueError(f"pad expected one of the modes {', '.join(_OPTIONS)}, got {mode!r}")
    option = _OPTIONS[mode]
    if unfit := sorted(set(options) - {option}):
        raise ValueError(f"pad: mode {mode!r} does not take the keyword arguments {unfit}")
    widths = _widths(pad_width, array.ndim)
    if mode in ("constant", "empty") and not _given(options.get("constant_values", 0)):
        return _pad_zeros(array, widths)
    if mode != "constant" and not array.size:
        return _pad_nothing(array, widths, mode)
    extend = _extension(array, mode, options.get(option))  # type: ignore[arg-type]
    for axis, width in enumerate(widths):
        array = extend(array, axis, width) if any(width) else array
    return array


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """The numbers of entries before and after, for each axis."""
    if isinstance(pad_width, dict):
        by_axis = {normalize_axis_index(axis, ndim): width for axis, width in pad_width.items()}
        pad_width = [np.broadcast_to(by_axis.get(i, 0), 2) for i in range(ndim)]
    widths = np.asarray(to_host(pad_width))
    if widths.size and widths.dtype.kind not in "iu":
        raise TypeError(f"pad expected a pad_width of integers, got {widths.dtype}")
    if (widths < 0).any():
        raise ValueError(f"pad expected a pad_width of at least 0, got {widths.tolist()}")
    return [(before, after) for before, after in np.broadcast_to(widths, (ndim, 2)).tolist()]


def _given(values: Any) -> bool:
    """Whether values are not just zeros."""
    return not isinstance(values, (int, float)) or values != 0


def _pad_zeros(array: Any, widths: list[tuple[int, int]]) -> Any:
    shape = tuple(a + n + b for (a, b), n in zip(widths, array.shape, strict=True))
    inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, array.shape, strict=True))
    return linear(array, operator=Scatter(shape, inside))


def _pad_nothing(array: Any, widths: list[tuple[int, int]], mode: str) -> Any:
    for axis, width in enumerate(widths):
        if not array.shape[axis] and any(width):
            raise ValueError(f"pad: mode {mode!r} cannot extend the empty axis {axis} of shape {array.shape}; use 'constant'")
    return _pad_zeros(array, widths)


def _extension(array: Any, mode: str, setting: Any) -> Callable[[Any, int, tuple[int, int]], Any]:
    """The function (array, axis, width) -> array that pads one axis."""
    ndim = array.ndim
    if mode in ("constant", "linear_ramp"):
        values = _pairs(0 if setting is None else setting, array)
        side = _constants if mode == "constant" else _ramps
        return lambda a, axis, width: side(a, axis, width, values[axis])
    if mode in _STATISTICS:
        lengths = [(None, None)] * ndim if setting is None else _lengths(setting, ndim)
        return lambda a, axis, width: _statistics(a, axis, width, mode, lengths[axis])
    if setting not in (None, "even", "odd"):
        raise ValueError(f"pad expected reflect_type 'even' or 'odd', got {setting!r}")
    if setting == "odd":
        return lambda a, axis, width: _reflect_odd(a, axis, width, mode)
    return lambda a, axis, width: take(a, _host_pad(np.arange(a.shape[axis]), width, mode), axis)


def _lengths(stat_length: Any, ndim: int) -> list[list[int]]:
    lengths = np.rint(np.asarray(to_host(stat_length), float)).astype(int)
    if (lengths < 0).any():
        raise ValueError(f"pad expected a stat_length of at least 0, got {lengths.tolist()}")
    return np.broadcast_to(lengths, (ndim, 2)).tolist()


def _pairs(values: Any, array: Any) -> Any:
    """Values before and after for each axis, as an array of shape (ndim, 2) in the dtype of the array."""
    values = operands(array, values)[1]
    return broadcast_to(values.astype(array.dtype), (array.ndim, 2))


def _joined(before: Any, array: Any, after: Any, axis: int) -> Any:
    return np.concatenate([before, array, after], axis)


def _across(array: Any, axis: int, length: int) -> tuple[int, ...]:
    return (*array.shape[:axis], length, *array.shape[axis + 1:])


def _constants(array: Any, axis: int, width: tuple[int, int], values: Any) -> Any:
    before, after = (np.broadcast_to(values[side], _across(array, axis, width[side])) for side in (0, 1))
    return _joined(before, array, after, axis)


def _ramps(array: Any, axis: int, width: tuple[int, int], values: Any) -> Any:
    """Straight lines from the given values to the ends of the axis."""
    before, after = (np.linspace(values[side], take(array, -side, axis), width[side], endpoint=False, axis=axis)
                     for side in (0, 1))
    return _joined(before, array, np.flip(after, axis), axis)


def _statistics(array: Any, axis: int, width: tuple[int, int], mode: str, lengths: Any) -> Any:
    """The maximum, minimum, mean or median of the entries nearest to the ends of the axis."""
    n, parts = array.shape[axis], []
    for side in (0, 1):
        k = n if lengths[side] is None else min(lengths[side], n)
        if not k and mode in ("maximum", "minimum"):
            raise ValueError(f"pad: stat_length 0 leaves no entries for mode {mode!r}")
        chunk = array[(slice(None),) * axis + (slice(n - k, n) if side else slice(k),)]
        parts.append(np.broadcast_to(_STATISTICS[mode](chunk, axis=axis, keepdims=True), _across(array, axis, width[side])))
    return _joined(parts[0], array, parts[1], axis)


def _reflect_odd(array: Any, axis: int, width: tuple[int, int], mode: str) -> Any:
    """Reflected through the end points, 2 x_end − x, as often as needed, each time by whole lengths of the array."""
    n = array.shape[axis]
    if n == 1:
        return take(array, _host_pad(np.arange(1), width, "edge"), axis)
    inside = int(mode == "reflect")  # the mirror image begins beside the end, or with it
    lead, (before, after) = (slice(None),) * axis, width
    while before or after:
        k = array.shape[axis]
        most = (k - inside) // (n - inside) * (n - inside)
        left, right = min(before, most), min(after, most)
        start = 2 * take(array, [0], axis) - np.flip(array[(*lead, slice(inside, inside + left))], axis)
        end = 2 * take(array, [-1], axis) - np.flip(array[(*lead, slice(k - inside - right, k - inside))], axis)
        array, before, after = _joined(start, array, end, axis), before - left, after - right
    return array


__all__ = ["pad"]
