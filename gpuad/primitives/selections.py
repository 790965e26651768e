"""Entries that are selected by value: distinct ones, sets, sorted complex numbers.

Each result is a gather: of equal entries, the first, and for two arrays the one in the first array, has the derivative. Indices
and counts are constant. How many entries there are depends on values, so a plan refuses these functions.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.dispatch import implements
from gpuad.primitives.elementwise import real
from gpuad.primitives.shapes import arrays_of, take
from gpuad.traced import raw


@implements(np.unique)
def unique(ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: Any = None, *,
           equal_nan: bool = True, sorted: bool = True) -> Any:  # noqa: A002, ARG001 (sorted they are in any order)
    """The distinct entries (or rows along an axis) in order, and what locates them."""
    wanted: dict[str, Any] = {"return_inverse": return_inverse, "return_counts": return_counts, "equal_nan": equal_nan}
    _, first, *rest = np.unique(raw(ar), return_index=True, axis=axis, **wanted)
    results = (take(ar, first, axis), *((first,) if return_index else ()), *rest)
    return results if len(results) > 1 else results[0]


_ALL, _COUNTS, _INVERSE = (type(f(np.zeros(1))) for f in (np.unique_all, np.unique_counts, np.unique_inverse))


@implements(np.unique_all)
def unique_all(x: Any) -> Any:
    """The distinct entries, where they occur first, the inverse, and how often they occur."""
    return _ALL(*unique(x, True, True, True, equal_nan=False))


@implements(np.unique_counts)
def unique_counts(x: Any) -> Any:
    """The distinct entries, and how often they occur."""
    return _COUNTS(*unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any) -> Any:
    """The distinct entries, and the inverse."""
    return _INVERSE(*unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    """The distinct entries, in order."""
    return unique(x, equal_nan=False)


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """The distinct entries of both arrays."""
    return unique(np.concatenate([ar1, ar2], axis=None))


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The entries of the first array that the second has too."""
    ar1, ar2 = arrays_of(ar1, ar2)
    _, first, second = np.intersect1d(raw(ar1), raw(ar2), assume_unique, return_indices=True)
    common = np.take(ar1, first)
    return (common, first, second) if return_indices else common


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The entries of the first array that the second has not."""
    ar1, ar2 = arrays_of(ar1, ar2)
    distinct = np.ravel(ar1) if assume_unique else np.unique(ar1)
    return np.compress(np.isin(raw(distinct), raw(ar2), invert=True), distinct)


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The entries that only one of the arrays has."""
    ar1, ar2 = arrays_of(ar1, ar2)
    distinct = [np.ravel(a) if assume_unique else np.unique(a) for a in (ar1, ar2)]
    both = np.sort(np.concatenate(distinct))
    same = raw(both)[1:] == raw(both)[:-1]
    edge = np.zeros_like(same, shape=(1,))
    return np.compress(~(np.concatenate([edge, same]) | np.concatenate([same, edge])), both) if both.size else both


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """The entries as complex numbers, sorted by their real and then their imaginary parts."""
    complexes = np.sort(a)
    return complexes if a.dtype.kind == "c" else complexes.astype("G" if a.dtype.char == "g" else complex)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part where all imaginary parts are small, in units of rounding, else a itself."""
    if a.dtype.kind != "c":
        return a
    limit = np.finfo(a.dtype).eps * tol if tol > 1 else tol
    return real(a) if bool(np.all(np.abs(raw(a).imag) < limit)) else a
