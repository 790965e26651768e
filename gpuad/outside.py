"""Users' functions that a solver calls with plain arrays: what they give, and what they must not read from outside."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import optree

import gpuad.numpy
from gpuad.errors import ArrayConversionError, PlanError
from gpuad.traced import TracedArray, raw, settled, stand_in
from linalg.arrays import is_cupy


def vector(out: Any) -> Any:
    """What a user's function gave (lists of numbers and of traced arrays too) as one vector of floating-point numbers."""
    out = gpuad.numpy.asarray(out)
    return np.reshape(out if out.dtype.kind in "fc" else out.astype(float), -1)


def closed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A user's function of plain arrays, which says so where it reads traced arrays, or a plan's, from outside."""
    def call(*args: Any) -> Any:
        try:
            out = function(*args)
        except (ArrayConversionError, PlanError) as error:
            raise _reads_from_outside(name, type(error)) from error
        if (found := stand_in(out if isinstance(out, (list, tuple)) else (out,))) is not None:
            raise _reads_from_outside(name, ArrayConversionError if type(found) is TracedArray else PlanError)
        return out

    return call


def _reads_from_outside(name: str, kind: type[Exception]) -> Exception:
    what = "an array of a plan" if kind is PlanError else "an array under differentiation"
    return kind(f"{name}: its function reads {what} from outside (a closure, a global), which the solver cannot follow: make it "
                "a parameter of the function, and pass it in args=(…,)")


def flattened(args: Any) -> tuple[list[Any], Any]:
    """The leaves of a pytree of arguments, constants as plain arrays, and its structure."""
    leaves: list[Any]
    leaves, tree = optree.tree_flatten(args)
    return [settled(x) for x in leaves], tree


def refuse_device(name: str, arrays: Iterable[Any]) -> None:
    """Raise TypeError where an array lies on a GPU."""
    if any(is_cupy(raw(x)) for x in arrays):
        raise TypeError(f"{name}: expected NumPy arrays, got CuPy's: SciPy's solver runs on the host; pass cupy.asnumpy(x)")
