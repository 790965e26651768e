"""Users' functions that a solver calls with plain arrays: what they give, and what they must not read from outside."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import optree

import gpuad.numpy
from gpuad.errors import ArrayConversionError, PlanError
from gpuad.planning.plan import plan
from gpuad.traced import TracedArray, settled, stand_in, underlying
from linalg.arrays import is_array, is_cupy


def vector(out: Any) -> Any:
    """What a user's function gave (lists of numbers and of traced arrays too) as one vector of floating-point numbers."""
    out = settled(gpuad.numpy.asarray(_settled(out)))
    return np.reshape(out if out.dtype.kind in "fc" else out.astype(float), -1)


def closed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A user's function of plain arrays, which says so where it reads traced arrays, or a plan's, from outside."""
    def call(*args: Any) -> Any:
        try:
            out = _settled(function(*args))
        except (ArrayConversionError, PlanError) as error:
            raise _reads_from_outside(name, type(error)) from error
        if (found := stand_in([out])) is not None:
            raise _reads_from_outside(name, ArrayConversionError if type(found) is TracedArray else PlanError)
        return out

    return call


def _settled(out: Any) -> Any:
    """A result without what is a constant that was made to be written to."""
    return [_settled(part) for part in out] if isinstance(out, (list, tuple)) else settled(out)


def _reads_from_outside(name: str, kind: type[Exception]) -> Exception:
    what = "an array of a plan" if kind is PlanError else "an array under differentiation"
    return kind(f"{name}: its function reads {what} from outside (a closure, a global), which the solver cannot follow: make it "
                "a parameter of the function, and pass it in args=(…,)")


class Repeated:
    """A pure function that a solver calls many times with arrays of one kind: as a plan, once that pays and where it can be."""

    ENOUGH = 24  # calls after which a plan pays

    def __init__(self, function: Callable[..., Any]):
        self._function = self._run = function
        self._left = self.ENOUGH

    def __call__(self, *args: Any) -> Any:
        self._left -= 1
        if self._left:
            return self._run(*args)
        planned = plan(self._function)
        try:
            result = planned(*args)
        except Exception:  # as with values that steer Python: what is wrong with the function itself it says by itself
            return self._function(*args)
        self._run = planned
        return result


def parted(args: tuple[Any, ...]) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The arrays in a pytree of arguments, and the function that puts arrays back into their places among the rest."""
    flat, tree = optree.tree_flatten(args)  # type: ignore[arg-type, var-annotated]
    leaves = [settled(x) for x in flat]
    places = [i for i, x in enumerate(leaves) if is_array(x)]

    def joined(arrays: Sequence[Any]) -> Any:
        whole = list(leaves)
        for i, x in zip(places, arrays, strict=True):
            whole[i] = x
        return optree.tree_unflatten(tree, whole)

    return [leaves[i] for i in places], joined


def refuse_device(name: str, arrays: Iterable[Any]) -> None:
    """Raise TypeError where an array lies on a GPU."""
    if any(is_cupy(underlying(x)) for x in arrays):
        raise TypeError(f"{name}: expected NumPy arrays, got CuPy's: SciPy's solver runs on the host; pass cupy.asnumpy(x)")
