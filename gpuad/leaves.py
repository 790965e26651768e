"""Leaves: the arrays at the ends of the pytrees that go in and come out."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import optree

from gpuad.traced import NO_PROGRAM, STAND_INS, TracedArray, raw, settled
from linalg.arrays import Array, is_array, is_cupy, namespace, records


class Leaf(NamedTuple):
    """A primal: its array, and whether its derivative is handed back as a number (because it came as one)."""

    value: Array
    is_number: bool


_new_leaf = tuple.__new__  # a third of the time of Leaf(...)


def as_leaf(x: Any, where: str) -> Leaf:
    """The array of a leaf that is to be differentiated.

    Raises TypeError where x carries no derivative: integers, booleans, strings, masked arrays, objects.
    """
    kind = type(x)
    if kind is TracedArray and x.program is NO_PROGRAM:
        return as_leaf(x.value, where)
    if (kind is np.ndarray or kind is TracedArray) and x.dtype.kind in "fc":
        return _new_leaf(Leaf, (x, False))
    if kind is float or kind is complex:
        return Leaf(np.float64(x) if kind is float else np.complex128(x), True)
    if isinstance(x, np.generic) and x.dtype.kind in "fc":
        return Leaf(x, True)
    if (is_cupy(x) or isinstance(x, np.memmap)) and x.dtype.kind in "fc":
        return Leaf(x, False)
    if kind in STAND_INS and x.dtype.kind in "fc":
        return Leaf(x.as_scalar(), True) if x.is_number else Leaf(x, False)
    raise _not_differentiable(x, where)


def _not_differentiable(x: Any, where: str) -> TypeError:
    what = f"an array of dtype {x.dtype}" if is_array(x) else f"{type(x).__name__} {x!r}"
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        what = f"{type(x).__module__}.{type(x).__name__}, a subclass of ndarray"
    remedy = "convert it with float(x)" if isinstance(x, (int, np.integer)) else "convert it with x.astype(float)"
    if not is_array(x) and not isinstance(x, (int, bool)):
        remedy = "pass arrays or numbers (in any pytree), and close over everything else"
    elif isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        remedy = "convert it with x.filled(value)" if isinstance(x, np.ma.MaskedArray) else "convert it with numpy.asarray(x)"
    return TypeError(f"{where}: expected floating-point or complex arrays to differentiate, got {what}; {remedy}, or choose "
                     "other arguments with argnums")


def leaf_path(tree: Any, index: int) -> str:
    """Where a leaf stands in its tree, as it would be written: ``[0]['w']``."""
    path = optree.tree_paths(tree)[index]
    return "".join(f"[{p!r}]" for p in path)


def zeros(value: Array, rhs: tuple[int, ...] = ()) -> Array:
    """Zeros of the value's shape, after leading axes ``rhs``, where the value lies."""
    return recorded(namespace(raw(value)).zeros(rhs + tuple(value.shape), dtype=value.dtype), value)


def ones(value: Array) -> Array:
    """Ones of the value's shape, where the value lies."""
    if isinstance(value, np.generic):
        return value.dtype.type(1)
    return recorded(namespace(raw(value)).ones(value.shape, dtype=value.dtype), value)


def recorded(x: Array, value: Array) -> Array:
    """A plain array, as a constant of the plan that records the value, if one does.

    What it is multiplied by, arrays from outside too, is then read at each run.
    """
    home, x = raw(value), settled(x)
    return home._record_seed(seed, x) if records(home) and type(x) is not TracedArray and not records(x) else x


def seed(x: Array) -> Array:
    """x, as a row of its own."""
    return x


def conj(x: Array) -> Array:
    """The conjugate; x itself where x is real."""
    return x.conj() if x.dtype.kind == "c" else x


def own_all(results: Sequence[Array], given: Sequence[Array]) -> list[Array]:
    """Results that share no memory with one another nor with what was given: views and repeats are copied."""
    taken = set(map(id, given))
    return [_own(x, taken) for x in results]


def _own(x: Array, taken: set[int]) -> Array:
    if type(x) in STAND_INS:
        return x.copy("K")  # under a name of its own
    if (type(x) is np.ndarray or is_cupy(x)) and (x.base is not None or id(x) in taken):
        x = x.copy()
    taken.add(id(x))
    return x


def hand_out(solved: Sequence[Array | None], leaves: Sequence[Leaf], given: Sequence[Array] = (),
             rhs: tuple[int, ...] = (), conjugated: bool = True) -> list[Array]:
    """Derivatives as they are handed out: zeros where absent, in memory of their own, and in the dtype of their leaf.

    Where the leaf was a number so is its derivative. Complex ones are conjugated, as cotangents are, or left as they are.
    """
    taken = set(map(id, given))
    results = []
    for x, (value, is_number) in zip(solved, leaves, strict=True):
        if x is None:
            x = zeros(value, rhs)
        elif x.dtype is not value.dtype:
            x = (conj(x) if conjugated else x).astype(value.dtype)
        elif x.dtype.kind == "c" and conjugated:
            x = x.conj()
        if type(x) is np.ndarray and x.base is None and id(x) not in taken and not is_number:
            taken.add(id(x))
        else:
            x = _as_leaf_was(_own(x, taken), is_number)
        results.append(x)
    return results


def _as_leaf_was(x: Array, is_number: bool) -> Array:
    if type(x) in STAND_INS and type(x) is not TracedArray:
        return x.as_scalar() if is_number else x.as_array()
    if is_number:
        return x[()] if type(x) is np.ndarray and x.ndim == 0 else x
    return np.asarray(x) if isinstance(x, np.generic) else x
