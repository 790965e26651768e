"""d ∘ x for a d that is a function of arrays, entry by entry, in one launch: no array of CuPy's holds d, or what leads to it."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import cupy
import numpy as np

from linalg.kernels.entries import NAMES, PREAMBLE, Trace, Untraceable

MOST = 64
"""Kernels that are made for one function at most: numbers among its operands stand in the source."""


_multiply_add = cupy.ElementwiseKernel("T d, T x, T t", "T y", "y = t + d * x", "multiply_add")


def multiply_add(d: Any, x: cupy.ndarray, total: Any, out: cupy.ndarray | None) -> cupy.ndarray | None:
    """total + d ∘ x, written to ``out`` where that is given; None where dtypes differ, or the shapes of x and the total."""
    if not _alike(x, total, x.dtype) or (d.dtype != x.dtype if isinstance(d, cupy.ndarray) else type(d) not in (int, float)):
        return None
    return _multiply_add(d, x, total) if out is None else _multiply_add(d, x, total, out)


def _alike(x: cupy.ndarray, total: Any, dtype: np.dtype) -> bool:
    """Whether a total has the shape of x and a dtype, one that is computed in."""
    return isinstance(total, cupy.ndarray) and total.shape == x.shape and total.dtype == dtype and dtype.char in NAMES


class Factor:
    """d = function(*operands) for operands of some dtypes, and the kernels that multiply by it."""

    def __init__(self, function: Callable[..., Any], operands: Sequence[Any]):
        self.trace = Trace(function, operands)
        self.dtype = self.trace.dtype
        self._kernels: dict[tuple[np.dtype, bool], tuple[Any, np.dtype]] = {}

    def __deepcopy__(self, _memo: Any) -> Factor:
        return self

    def times(self, operands: Sequence[Any], x: cupy.ndarray) -> cupy.ndarray | None:
        """d ∘ x; None where kernels do not compute in the dtype of x."""
        if x.dtype.char not in NAMES:
            return None
        return self._kernel(x.dtype, False)[0](*[a for a in operands if isinstance(a, cupy.ndarray)], x)

    def plus_times(self, total: Any, operands: Sequence[Any], x: cupy.ndarray, out: cupy.ndarray | None) -> cupy.ndarray | None:
        """total + d ∘ x, written to ``out`` where that is given; None where that has another dtype or shape, or x as above."""
        if x.dtype.char not in NAMES:
            return None
        kernel, dtype = self._kernel(x.dtype, True)
        if not _alike(x, total, dtype):
            return None
        arguments = (*[a for a in operands if isinstance(a, cupy.ndarray)], x, total)
        return kernel(*arguments) if out is None else kernel(*arguments, out)

    def _kernel(self, dtype: np.dtype, plus: bool) -> tuple[Any, np.dtype]:
        if (known := self._kernels.get((dtype, plus))) is None:
            lines, gives = self.trace.applied(dtype, plus)
            parameters = ", ".join([*self.trace.parameters, f"{dtype.name} x", *[f"{gives.name} t"] * plus])
            kernel = cupy.ElementwiseKernel(parameters, f"{gives.name} y", "\n".join(lines), "times_entries", preamble=PREAMBLE)
            self._kernels[dtype, plus] = known = kernel, gives
        return known


_factors: WeakKeyDictionary[Callable[..., Any], dict[Any, Factor | None]] = WeakKeyDictionary()


def factor(function: Callable[..., Any], operands: Sequence[Any]) -> Factor | None:
    """d = function(*operands) as a factor; None where it is no function of entries, of CuPy's arrays and numbers.

    Operands that the function does not use are None.
    """
    key = tuple([_kind(a) for a in operands])
    known = _factors.setdefault(function, {})
    if key not in known and len(known) < MOST:
        known[key] = _new(function, key)
    return known.get(key)


def _kind(a: Any) -> Any:
    """What a kernel depends on: the dtype of an array, the type and value of a number."""
    if isinstance(a, cupy.ndarray):
        return a.dtype
    return (type(a), a) if isinstance(a, np.generic) or type(a) in (int, float, complex) else type(a)


def _new(function: Callable[..., Any], key: tuple[Any, ...]) -> Factor | None:
    try:
        operands = [k if isinstance(k, np.dtype) else k[1] if isinstance(k, tuple) else None for k in key]
        if any(isinstance(k, type) and k is not type(None) for k in key):
            return None
        made = Factor(function, operands)
    except (Untraceable, TypeError, AttributeError):
        return None
    return made if made.trace.lines else None
