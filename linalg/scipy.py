"""Functions of SciPy's that know plain arrays only, called with arrays of any kind."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, wraps
from importlib import import_module
from typing import Any

import numpy as np

from linalg.arrays import is_array, is_cupy, records, scipy_module
from linalg.device import FUNCTIONS, lacking

UNSTEADY = {"linalg.eig", "linalg.fractional_matrix_power", "linalg.logm", "linalg.lstsq", "linalg.null_space", "linalg.orth",
            "linalg.sqrtm"}
"""Functions whose results' dtypes or shapes depend on values: real matrices may have complex logarithms."""

DRAWING = {"linalg.fractional_matrix_power", "linalg.logm"}
"""Functions that draw random numbers from NumPy's global generator, for estimates of norms."""


def call_scipy(name: str, *args: Any, plain: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """``scipy.<name>`` of arrays of any kind, such as "linalg.expm".

    Where one is traced it is the function of that name that the traced array's own ``scipy`` has; where one is a stand-in
    that records, it is one operation of its program. ``plain`` may give another function to run on plain arrays.
    """
    for x in _parts(args):
        if hasattr(x, "__scipy_namespace__"):
            module, _, function = name.partition(".")
            return getattr(x.__scipy_namespace__(module), function)(*args, **kwargs)
    return opaque(plain or of_scipy(name), name in UNSTEADY)(*args, **kwargs)


def _parts(args: Iterable[Any]) -> Iterator[Any]:
    """The arguments, and those that stand in tuples."""
    for x in args:
        yield from x if type(x) is tuple else (x,)


def opaque(function: Callable[..., Any], unsteady: bool = False) -> Callable[..., Any]:
    """A function of plain arrays that stand-ins which record take as one operation of their program."""
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        stand_in = next(filter(records, _parts((*args, *kwargs.values()))), None)
        if stand_in is None:
            return function(*args, **kwargs)
        return stand_in._record(Steady(function) if unsteady else function, *args, **kwargs)

    return call


@lru_cache
def of_scipy(name: str) -> Callable[..., Any]:
    """``scipy.<name>``, or for CuPy's arrays its counterpart in ``cupyx.scipy``."""
    module, _, function_name = name.partition(".")
    function = getattr(import_module(f"scipy.{module}"), function_name)

    run = _undisturbed(function) if name in DRAWING else function

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        like = next(filter(is_cupy, args), None)
        if like is None:
            return run(*args, **kwargs)
        found = FUNCTIONS.get(name) or getattr(scipy_module(module, like), function_name, None)
        if found is None:
            raise lacking(function_name)
        return found(*args, **kwargs)

    return call


def _undisturbed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, after which NumPy's global generator is where it was before."""
    def call(*args: Any, **kwargs: Any) -> Any:
        state = np.random.get_state()  # noqa: NPY002
        try:
            return function(*args, **kwargs)
        finally:
            np.random.set_state(state)  # noqa: NPY002

    return call


class Steady:
    """A function as an operation of a program that runs again: results must keep the dtypes and shapes that they had first."""

    def __init__(self, function: Callable[..., Any]):
        self.function, self.__name__ = function, function.__name__
        self._first: list[Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        out = self.function(*args, **kwargs)
        found = [(x.shape, x.dtype) for x in (out if isinstance(out, tuple) else (out,)) if is_array(x)]
        if self._first is None:
            self._first = found
        elif found != self._first:
            raise TypeError(f"{self.__name__}: the shapes and dtypes of its results depend on values. Expected {self._first}, as "
                            f"they were when the program was recorded, got {found}: make the argument complex, "
                            "x.astype(complex), where results may be; record again where shapes change")
        return out


__all__ = ["UNSTEADY", "Steady", "call_scipy", "of_scipy", "opaque"]
