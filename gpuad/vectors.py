"""Pytrees of arrays as vectors of double precision on the host, and back: what SciPy's solvers work with."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optree

from gpuad.errors import NotDifferentiableError
from gpuad.leaves import as_leaf
from gpuad.traced import STAND_INS
from linalg.arrays import is_array, namespace, size, to_host


class VectorSpace:
    """The pytrees of one structure, with leaves of the shapes, dtypes and places that one of them has.

    Integers count as floating-point numbers. Raises TypeError for complex leaves and for what is no number.
    """

    def __init__(self, tree: Any, name: str):
        leaves, self.tree = optree.tree_flatten(tree)
        self.refuse_traced(leaves, name)
        self.leaves = [as_leaf(_floating(x), f"{name}: x0") for x in leaves]
        if any(x.dtype.kind == "c" for x, _ in self.leaves):
            raise TypeError(f"{name}: expected real arrays in x0, got complex ones; write the function of real and "
                            "imaginary parts")
        self.sizes = [size(x.shape) for x, _ in self.leaves]

    @staticmethod
    def refuse_traced(tree: Any, name: str) -> None:
        """Raise NotDifferentiableError where a leaf stands in for an array."""
        if any(type(x) in STAND_INS for x in optree.tree_leaves(tree)):
            raise NotDifferentiableError(f"{name} in a function that is differentiated or planned: its result has no "
                                         "differential in gpuad. Call it outside, or with ad.stop_gradient(x) where no "
                                         "derivative is wanted")

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def vector(self, tree: Any) -> np.ndarray:
        """A pytree as a vector."""
        leaves = self.tree.flatten_up_to(tree)
        return np.concatenate([np.zeros(0), *(np.asarray(to_host(x), float).ravel() for x in leaves)])

    def pytree(self, v: np.ndarray) -> Any:
        """A vector as a pytree; vectors (*rhs, n) as a pytree whose leaves have leading axes."""
        rhs, made = v.shape[:-1], []
        for part, (x, number) in zip(np.split(v, np.cumsum(self.sizes)[:-1], axis=-1) if self.leaves else [], self.leaves,
                                     strict=True):
            leaf = namespace(x).asarray(part.reshape(rhs + x.shape)).astype(x.dtype)
            made.append(leaf[()] if number and not rhs else leaf)
        return optree.tree_unflatten(self.tree, made)

    def rows(self, tree: Any, rhs: tuple[int, ...]) -> np.ndarray:
        """A pytree whose leaves have leading axes as vectors (*rhs, n)."""
        leaves = self.tree.flatten_up_to(tree)
        return np.concatenate([np.asarray(to_host(x), float).reshape((*rhs, n)) for x, n in zip(leaves, self.sizes, strict=True)],
                              axis=-1)

    def bounds(self, given: Any, name: str, pairs: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds as vectors, from a pytree like x0 with a pair (low, high) for each leaf.

        With ``pairs`` a leaf may have a sequence of pairs, one for each of its entries.
        """
        try:
            specs = self.tree.flatten_up_to(given)
        except ValueError as error:
            raise ValueError(f"{name}: expected bounds with the structure of x0, {self.tree}, and a pair (low, high) for each "
                             "leaf; None where there is no bound") from error
        found = [_bounds_of(spec, leaf.value.shape, name, pairs) for spec, leaf in zip(specs, self.leaves, strict=True)]
        low, high = zip(*found, strict=True)
        return np.concatenate(low), np.concatenate(high)


def _floating(x: Any) -> Any:
    if isinstance(x, (bool, int, np.integer, np.bool_)):
        return float(x)
    return x.astype(float) if is_array(x) and x.dtype.kind in "iub" else x


def _bounds_of(spec: Any, shape: tuple[int, ...], name: str, pairs: bool) -> tuple[np.ndarray, np.ndarray]:
    if spec is None:
        spec = (None, None)
    if pairs and len(spec) == size(shape) and all(_is_pair(part) for part in spec):
        spec = [np.reshape([end if p[k] is None else p[k] for p in spec], shape) for k, end in ((0, -np.inf), (1, np.inf))]
    if len(spec) != 2:
        raise ValueError(f"{name}: expected bounds (low, high), or {size(shape)} such pairs, for an array of shape {shape}, got "
                         f"{spec!r}")
    ends = [end if part is None else to_host(part) for part, end in zip(spec, (-np.inf, np.inf), strict=True)]
    try:
        return tuple(np.broadcast_to(np.asarray(end, float), shape).ravel() for end in ends)  # type: ignore[return-value]
    except ValueError as error:
        raise ValueError(f"{name}: expected bounds that broadcast to shape {shape}, got {spec!r}") from error


def _is_pair(part: Any) -> bool:
    return isinstance(part, (tuple, list, np.ndarray)) and len(part) == 2 and all(p is None or np.ndim(p) == 0 for p in part)


def outputs(out: Any, name: str) -> list[Any]:
    """The results of a function of pytrees: its leaves."""
    leaves: Sequence[Any] = optree.tree_leaves(out)  # type: ignore[arg-type]
    for x in leaves:
        if not is_array(x) and not isinstance(x, (bool, int, float)):
            raise TypeError(f"{name}: expected a function that returns real arrays or numbers, in any pytree, got "
                            f"{type(x).__name__}")
    return list(leaves)
