"""NumPy's functions called with arrays of the device: by NumPy's protocols or, where CuPy has none of that form, in its way."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from gpuad.namespace import Namespace
from gpuad.planning import functions
from linalg.arrays import Array, Shape, add_at, cupy, is_cupy, library_solve, scipy_module
from linalg.device import pinv

METHODS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_or: "any", np.logical_and: "all"}
"""Reductions, which CuPy has as methods of arrays only."""


@cache
def namespace() -> Namespace:
    """CuPy's functions, which record where an argument is an array of a plan; new arrays are CuPy's own."""
    return Namespace(cupy(), np, "cupy", blanks=False)


def on_device(tree: Any) -> bool:
    """Whether an array among the arguments of a call lies on the device."""
    return any(map(is_cupy, leaves(tree)))


def leaves(tree: Any) -> Iterator[Any]:
    """What stands in the arguments of a call, inside tuples, lists, dicts and slices too."""
    kind = type(tree)
    if kind in (tuple, list, dict):
        for part in tree.values() if kind is dict else tree:
            yield from leaves(part)
    elif kind is slice:
        yield from (tree.start, tree.stop, tree.step)
    else:
        yield tree


def call(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """``function(*args, **kwargs)`` for a row's function, of which an argument lies on the device.

    Raises TypeError where arrays of NumPy's are mixed in.
    """
    try:
        return _in_its_way(function, args)(*args, **kwargs)
    except TypeError as error:
        if not any(isinstance(x, np.ndarray) for x in leaves((args, kwargs))):
            raise
        raise TypeError(f"{getattr(function, '__name__', function)}: expected arrays of one library, got NumPy and CuPy arrays "
                        "mixed; move one side first, with cupy.asarray(x) or cupy.asnumpy(x)") from error


def _in_its_way(function: Callable[..., Any], args: Any) -> Callable[..., Any]:
    """What CuPy has in the place of a function."""
    if (found := IN_ITS_WAY.get(function)) is not None:
        return found
    package, _, module = (getattr(function, "__module__", None) or "").partition(".")
    of_special = isinstance(function, np.ufunc) and getattr(np, function.__name__, None) is not function
    if of_special or (package == "scipy" and not hasattr(function, "__wrapped__")):  # else it looks for itself
        like = next((x for x in leaves(args) if is_cupy(x)), None)
        there = scipy_module("special" if of_special else module.partition(".")[0], like)
        return getattr(there, function.__name__.removeprefix("_"), function)
    return function


def _reduce(x: Array, ufunc: Any, axes: Shape, keepdims: bool) -> Array:
    if (method := METHODS.get(ufunc)) is None:
        return ufunc.reduce(x, axes, None, None, keepdims)
    return getattr(x, method)(axis=axes, keepdims=keepdims) if axes else x.copy()


def _select(condition: Any, a: Any, b: Any) -> Array:
    return np.where(condition if is_cupy(condition) else cupy().asarray(condition), a, b)


def _call_where(ufunc: Any, mask: Any, old: Array, *args: Any, **kwargs: Any) -> Array:
    return np.where(mask, ufunc(*args, **kwargs), old).astype(old.dtype, copy=False)


def _scatter_sum(start: Array | None, parts: tuple[Array, ...], indices: tuple[Any, ...], shape: Shape) -> Array:
    out = cupy().zeros(shape, parts[0].dtype) if start is None else start.copy()
    for x, index in zip(parts, indices, strict=True):
        add_at(out, index, x)
    return out


def _pinv(a: Array, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    del hermitian  # which says how, not what
    return pinv(a, rtol=rcond if rtol is None else rtol)


def _solve(a: Array, b: Array) -> Array:
    return library_solve(a, b[:, None])[..., 0] if b.ndim == 1 else library_solve(a, b)


IN_ITS_WAY: dict[Any, Callable[..., Any]] = {
    functions.reduce: _reduce, functions.select: _select, functions.call_where: _call_where, functions.scatter_sum: _scatter_sum,
    np.linalg.solve: _solve, np.linalg.pinv: _pinv,
}
