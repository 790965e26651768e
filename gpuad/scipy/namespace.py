"""The namespace of one of SciPy's modules: its functions differentiate traced arrays, and run on CuPy's where CuPy has them."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

import numpy as np
import optree

from gpuad.dispatch import TABLE
from gpuad.namespace import TraceableUfunc, traceable
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
        found: Any = (TraceableUfunc(where, attribute) if isinstance(attribute, np.ufunc)
                      else traceable(where, TABLE.get(attribute), f"gpuad.scipy.{self._name}.{name}", key=attribute))
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return dir(self._module)

    def __repr__(self) -> str:
        return f"<namespace gpuad.scipy.{self._name}>"


def _where_the_arrays_lie(module: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, or its counterpart in ``cupyx.scipy`` where an argument is a CuPy array."""
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves: list[Any] = optree.tree_leaves((args, kwargs))  # type: ignore[arg-type]
        on_device = next(filter(is_cupy, leaves), None)
        return (function if on_device is None else getattr(scipy_module(module, on_device), name))(*args, **kwargs)

    return call
