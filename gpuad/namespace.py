"""Namespaces: NumPy's or CuPy's functions, which differentiate where an argument is traced."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np

from gpuad.aliasing import own
from gpuad.dispatch import TABLE, any_traced, blank, call_function, call_plain, call_ufunc
from gpuad.program import is_tracing
from gpuad.traced import TracedArray, stand_in
from linalg.arrays import is_array

MODULES = {"linalg", "fft", "polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre"}
"""Modules inside NumPy whose functions differentiate."""


class Namespace:
    """A module's functions, complete: those with a differential take traced arguments, the others say that they do not."""

    def __init__(self, module: ModuleType, numpy_module: ModuleType = np, name: str = "gpuad.numpy", blanks: bool = True):
        """``blanks``: whether new arrays can be written to within a trace."""
        self._module, self._numpy, self._name, self._blanks = module, numpy_module, name, blanks

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._module, name)
        counterpart = getattr(self._numpy, name, None)
        if isinstance(attribute, ModuleType):
            if not isinstance(counterpart, ModuleType) or name not in MODULES:
                return attribute
            attribute = Namespace(attribute, counterpart, f"{self._name}.{name}", self._blanks)
        elif name in CONSTRUCTORS and self._numpy is np:
            attribute = CONSTRUCTORS[name](self, attribute)
        elif isinstance(counterpart, np.ufunc):
            attribute = TraceableUfunc(attribute, counterpart)
        elif callable(attribute) and not isinstance(attribute, type):
            if name in BLANKS and self._blanks:
                attribute = _blank(attribute, getattr(self._module, name.replace("empty", "zeros")))
            recorded = None if self._module is self._numpy else counterpart
            attribute = traceable(attribute, TABLE.get(counterpart), f"{self._name}.{name}", recorded)
        setattr(self, name, attribute)
        return attribute

    def __dir__(self) -> list[str]:
        return dir(self._module)

    def __repr__(self) -> str:
        return f"<namespace {self._name}>"


def traceable(function: Callable[..., Any], implementation: Callable[..., Any] | None, name: str,
              key: Any = None) -> Callable[..., Any]:
    """A function that takes traced arguments by its implementation. ``key`` is what a plan records; the function by default."""
    def call(*args: Any, **kwargs: Any) -> Any:
        if (found := stand_in(args if not kwargs else (args, kwargs))) is None:
            return function(*args, **kwargs)
        if not any_traced(args, kwargs):
            # NumPy itself would not look at all arguments
            return found.__array_function__(function if key is None else key, (), args, kwargs)
        if implementation is None:
            return call_plain(name, function, args, kwargs)
        return call_function(name, implementation, args, kwargs)

    return wraps(function)(call) if hasattr(function, "__name__") else call


class TraceableUfunc:
    """A ufunc and its methods, for plain and for traced arguments."""

    def __init__(self, ufunc: Any, counterpart: np.ufunc):
        self._ufunc, self._counterpart = ufunc, counterpart
        self._implementation = TABLE.get(counterpart)
        self.__name__, self.__doc__ = counterpart.__name__, counterpart.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not any_traced(args, kwargs):
            return self._ufunc(*args, **kwargs)
        if not kwargs and self._implementation is not None and len(args) == self._counterpart.nin:
            return self._implementation(*args)
        return call_ufunc(self._counterpart, "__call__", args, kwargs)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ufunc, name)
        if not callable(method):
            return method
        return lambda *args, **kwargs: (call_ufunc(self._counterpart, name, args, kwargs) if any_traced(args, kwargs)
                                        else method(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<traceable ufunc {self.__name__}>"


def _array(xp: Namespace, function: Callable[..., Any]) -> Callable[..., Any]:
    new = _blank(function) if xp._blanks and function.__name__ == "array" else function

    @wraps(function)
    def array(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
        if stand_in((a,)) is None:
            return new(a, dtype=dtype, **kwargs)
        ndmin = kwargs.pop("ndmin", 0)
        if given := [k for k, v in kwargs.items() if k not in ("copy", "subok") and v is not None]:
            raise TypeError(f"array: keyword arguments {given} are not available for traced arrays")
        built = _build(xp, a)
        built = built.copy() if built is a and function.__name__ == "array" and kwargs.get("copy", True) else built
        built = built if dtype is None else built.astype(dtype, copy=False)
        return np.reshape(built, (1,) * (ndmin - built.ndim) + built.shape) if built.ndim < ndmin else built

    return array


def _build(xp: Namespace, a: Any) -> Any:
    """An array from nested lists that hold traced arrays."""
    return np.stack([_build(xp, part) for part in a]) if isinstance(a, (list, tuple)) else (
        xp._module.asarray(a) if stand_in(a) is None else a if type(a) is TracedArray else a.as_array())


def _full(_xp: Namespace, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def full(shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
        if stand_in(fill_value) is None:
            return _blank(function)(shape, fill_value, dtype=dtype, **kwargs)
        if given := [k for k, v in kwargs.items() if v is not None]:
            raise TypeError(f"full: keyword arguments {given} are not available for traced arrays")
        filled = np.broadcast_to(fill_value, (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape))
        return own(filled) if dtype is None else filled.astype(dtype)

    return full


def _full_like(xp: Namespace, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def full_like(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None, **kwargs: Any) -> Any:
        return xp.full(np.shape(a) if shape is None else shape, fill_value, dtype=dtype or a.dtype, **kwargs)

    return full_like


BLANKS = {"zeros", "ones", "empty", "eye", "identity", "copy", "zeros_like", "ones_like", "empty_like"}
"""Functions that make new arrays, to be written to, beside the constructors."""


def _blank(function: Callable[..., Any], traced: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A function that makes a new array, which within a trace (where ``traced`` makes it) may be written to."""
    @wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        if not is_tracing():
            return function(*args, **kwargs)
        made = (traced or function)(*args, **kwargs)
        return blank(made) if is_array(made) and made.shape else made

    return make


CONSTRUCTORS: dict[str, Callable[[Namespace, Callable[..., Any]], Callable[..., Any]]] = {
    "array": _array, "asarray": _array, "asanyarray": _array, "ascontiguousarray": _array, "full": _full,
    "full_like": _full_like,
}
