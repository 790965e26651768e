"""The namespace of one of SciPy's modules: its functions differentiate traced arrays, and run on CuPy's where CuPy has them."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import optree

from gpuad.dispatch import TABLE
from gpuad.namespace import TraceableUfunc, traceable
from gpuad.traced import stand_in
from linalg.arrays import is_cupy, scipy_module


class ScipyNamespace:
    """``scipy.<name>``, complete: what has a differential takes traced arrays, the rest says that it does not."""

    def __init__(self, name: str):
        self._name, self._module = name, import_module(f"scipy.{name}")

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._module, name)
        if not callable(attribute) or isinstance(attribute, type):
            return attribute
        where = _where_the_arrays_lie(self._name, name, attribute)
        found: Any = (TraceableUfunc(where, attribute) if isinstance(attribute, np.ufunc) else _without_overwriting(
            attribute, traceable(where, TABLE.get(attribute), f"gpuad.scipy.{self._name}.{name}", key=attribute)))
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return dir(self._module)

    def __repr__(self) -> str:
        return f"<namespace gpuad.scipy.{self._name}>"


def _without_overwriting(function: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, which leaves out ``overwrite_x=True`` and its like where an argument stands in for an array: a plan reads it
    again, and so may a derivative.
    """
    try:
        described = signature(function)
    except (TypeError, ValueError):
        return call
    options = [p for p in described.parameters if p.startswith("overwrite_")]
    if not options:
        return call

    @wraps(function)
    def careful(*args: Any, **kwargs: Any) -> Any:
        if stand_in((args, kwargs)) is None:
            return call(*args, **kwargs)
        bound = described.bind(*args, **kwargs)
        bound.arguments.update(dict.fromkeys(bound.arguments.keys() & options, False))
        return call(*bound.args, **bound.kwargs)

    return careful


def _where_the_arrays_lie(module: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, or its counterpart in ``cupyx.scipy`` where an argument is a CuPy array."""
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves: list[Any] = optree.tree_leaves((args, kwargs))  # type: ignore[arg-type]
        on_device = next(filter(is_cupy, leaves), None)
        if on_device is None:
            return function(*args, **kwargs)
        there = getattr(scipy_module(module, on_device), name, None) or TABLE.get(function)
        if there is None:
            raise TypeError(f"scipy.{module}.{name}: expected NumPy arrays, got a CuPy array, for which CuPy has no "
                            "such function; move it first, with cupy.asnumpy(x)")
        return there(*args, **kwargs)

    return call
