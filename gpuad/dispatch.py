"""The table from NumPy's functions to their traced implementations, and the protocols that lead there."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np

from gpuad.errors import NotDifferentiableError
from gpuad.traced import TracedArray

TABLE: dict[Any, Callable[..., Any]] = {}
"""NumPy function or ufunc -> the function that takes its place for traced arguments (same signature)."""

METHODS: dict[tuple[str, str], Callable[..., Any]] = {}
"""(ufunc name, method) -> function, for ``np.add.reduce`` and its like."""

_UFUNC_DEFAULTS: dict[str, Any] = {"where": True, "casting": "same_kind", "order": "K", "subok": True, "out": None, "dtype": None}


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table as the traced implementation of NumPy's ``functions``."""
    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            TABLE[function] = implementation
        return implementation
    return enter


def is_traced(x: Any) -> bool:
    """Whether x is a traced array, or a list or tuple that holds one."""
    if type(x) is TracedArray:
        return True
    return isinstance(x, (list, tuple)) and any(map(is_traced, x))


def any_traced(args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
    """Whether any argument is traced."""
    for a in args:
        if type(a) is TracedArray or (isinstance(a, (list, tuple)) and is_traced(a)):
            return True
    return bool(kwargs) and any(map(is_traced, kwargs.values()))


def refuse(name: str) -> NotDifferentiableError:
    """The error for a function without a differential."""
    return NotDifferentiableError(
        f"{name} has no differential in gpuad, so it does not take traced arrays. Write it with functions that have one, state "
        "its differential with ad.primitive(f, differential=...), or apply it to ad.stop_gradient(x) where no derivative is "
        "wanted")


def _name(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', function)}"


def call_ufunc(ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a ufunc, or a method of it, on traced arguments."""
    name = f"numpy.{ufunc.__name__}"
    if getattr(np, ufunc.__name__, None) is not ufunc:
        name = f"the ufunc {ufunc.__name__}, not NumPy's,"
    if name != f"numpy.{ufunc.__name__}" and ufunc not in TABLE:
        import_module("gpuad.scipy.special")  # whose ufuncs are entered in the table where one is met first
    implementation = TABLE.get(ufunc) if method == "__call__" else METHODS.get((ufunc.__name__, method))
    if implementation is None:
        raise refuse(name if method == "__call__" else f"{name}.{method}")
    if method == "__call__":
        own = {"axis": kwargs["axis"]} if ufunc is np.vecdot and "axis" in kwargs else {}
        rest = {k: v for k, v in kwargs.items() if k not in own}
        kwargs = {**_checked(name, ufunc.nin, args, rest), **own}
    return implementation(*args, **kwargs)


def _checked(name: str, n_in: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a ufunc call that its traced implementation takes: none. Refuses those that would matter."""
    if not kwargs and len(args) <= n_in:
        return kwargs
    kwargs = {**kwargs, "out": args[n_in:]} if len(args) > n_in else kwargs
    changed = {k: v for k, v in kwargs.items() if k not in _UFUNC_DEFAULTS or v is not _UFUNC_DEFAULTS[k]}
    out = changed.pop("out", None)
    if out is not None and not (isinstance(out, tuple) and all(o is None for o in out)):
        raise TypeError(f"{name}: out= and in-place operators (x += y) are not available for traced arrays, which are "
                        "immutable: write x = x + y")
    if changed:
        raise TypeError(f"{name}: keyword arguments {sorted(changed)} are not available for traced arrays; use "
                        "ad.numpy.where(mask, f(x), x) for where=, x.astype(dtype) for dtype=")
    return {}


def _array_ufunc(_self: TracedArray, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    if not kwargs and method == "__call__" and (implementation := TABLE.get(ufunc)) is not None:
        return implementation(*args)
    return call_ufunc(ufunc, method, args, kwargs)


def _array_function(_self: TracedArray, function: Any, _types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    implementation = TABLE.get(function)
    if implementation is None:
        raise refuse(_name(function))
    return implementation(*args, **kwargs)


def _cupy_kernel(_self: TracedArray, kernel: Any, *args: Any, **kwargs: Any) -> Any:
    name = kernel.name.removeprefix("cupy_")
    implementation = TABLE.get(getattr(np, name, None)) if kernel.name != name else None  # a user's kernel is not NumPy's
    if implementation is None:
        raise refuse(f"cupy.{name}")
    return implementation(*args[:kernel.nin], **_checked(f"cupy.{name}", kernel.nin, args, kwargs))


TracedArray.__array_ufunc__ = _array_ufunc  # type: ignore[attr-defined]
TracedArray.__array_function__ = _array_function  # type: ignore[attr-defined]
TracedArray.__cupy_override_elementwise_kernel__ = _cupy_kernel  # type: ignore[attr-defined]
