"""Functions that add at places by atomic operations, whose order differs from run to run, with a fixed order in its place."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpuad.planning import functions
from linalg.arrays import Array, Shape, add_at, selects_once
from linalg.kernels.scatter import REALS, OrderedScatter


def _add(out: Array, x: Array, index: tuple[Any, ...]) -> None:
    if selects_once(index) or out.dtype.char not in REALS:  # sums of integers do not depend on their order
        add_at(out, index, x)
    else:
        OrderedScatter(out.shape, index).add(out, x)


def scatter_add(x: Array, index: tuple[Any, ...], _shape: Shape, out: Array) -> None:
    """``functions.scatter_add`` into an array."""
    out.fill(0)
    _add(out, x, index)


def scatter_sum(start: Array | None, parts: tuple[Array, ...], indices: tuple[Any, ...], _shape: Shape, out: Array) -> None:
    """``functions.scatter_sum`` into an array."""
    if start is None:
        out.fill(0)
    elif start.data.ptr != out.data.ptr:
        out[...] = start
    for x, index in zip(parts, indices, strict=True):
        _add(out, x, index)


FUNCTIONS: dict[Any, Callable[..., None]] = {functions.scatter_add: scatter_add, functions.scatter_sum: scatter_sum}
