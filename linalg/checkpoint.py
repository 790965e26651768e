"""Checkpoints: a block system as one element, whose blocks are made when it is applied."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, namespace, size
from linalg.block import Row
from linalg.elements.algebra import Product
from linalg.elements.field import Cast
from linalg.elements.gather import Gather
from linalg.elements.shape import Reshape
from linalg.operator import LinearOperator
from linalg.triangular import back_substitute, forward_substitute


class Parts:
    """Arrays of some shapes and dtypes as one vector, one behind the other."""

    def __init__(self, parts: Sequence[tuple[Shape, Any]]):
        self.parts = [(shape, np.dtype(dtype)) for shape, dtype in parts]
        self.ends = [0, *accumulate(size(shape) for shape, _ in self.parts)]
        self.shape: Shape = (self.ends[-1],)
        self.dtype = np.result_type(bool, *[dtype for _, dtype in self.parts])

    def __len__(self) -> int:
        return len(self.parts)

    def part(self, k: int) -> LinearOperator:
        """The map from the vector to its part k."""
        (shape, dtype), start, end = self.parts[k], self.ends[k], self.ends[k + 1]
        if not shape:
            return Product(Cast((), self.dtype, dtype), Gather(self.shape, start))
        return Product(Cast(shape, self.dtype, dtype), Reshape((end - start,), shape), Gather(self.shape, slice(start, end)))

    def split(self, vector: Array) -> list[Array]:
        return [self.part(k)._apply(vector) for k in range(len(self.parts))]

    def join(self, arrays: Sequence[Array | None], like: Array) -> Array:
        """One vector of the parts, zeros where one is None; leading axes are those of ``like``, a vector."""
        xp, rhs = namespace(like, *[x for x in arrays if x is not None]), like.shape[:-1]
        return xp.concatenate([xp.zeros((*rhs, b - a), dtype=self.dtype) if x is None else
                               x.reshape((*rhs, b - a)).astype(self.dtype)
                               for x, (a, b) in zip(arrays, pairwise(self.ends), strict=True)], axis=-1)


Make = Callable[[bool], Sequence[Row]]
"""Makes block rows: those of the inputs, which are empty, then all others, the outputs last. With False each is read once."""


class Checkpoint(LinearOperator):
    """x ↦ the last unknowns of (I − N) y = (x, 0, …, 0), where N is strictly block lower triangular and is not kept.

    Arguments and results are vectors of parts, ``inputs`` and ``outputs``. ``make(again)`` gives the block rows of N, anew for
    each application. ``run(f, x)`` is f(x): one who has other things to do with the substitution may pass it (take note of
    how it is made, say).
    """

    __slots__ = ("__dict__", "inputs", "like", "make", "outputs", "run")

    def __init__(self, make: Make, inputs: Parts, outputs: Parts, run: Callable[..., Array] | None = None,
                 like: Array | None = None):
        self.make, self.inputs, self.outputs, self.like = make, inputs, outputs, like
        self.run = run or (lambda f, x: f(x))

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return self.inputs.shape

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self.outputs.shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.outputs.dtype

    def _forward(self, x: Array) -> Array:
        rows = self.make(True)
        y = forward_substitute(rows, [*self.inputs.split(x), *[None] * (len(rows) - len(self.inputs))])
        return self.outputs.join(y[len(y) - len(self.outputs):], x)

    def _backward(self, y: Array) -> Array:
        rows, n = self.make(False), len(self.inputs)
        e = [*[None] * (len(rows) - len(self.outputs)), *self.outputs.split(y)]
        return self.inputs.join(back_substitute(rows, e, n, n), y)

    def _apply(self, x: Array) -> Array:
        return self.run(self._forward, x)

    def _apply_transpose(self, x: Array) -> Array:
        return self.run(self._backward, x)

    def _data(self) -> Array | None:
        return self.like

    @cached_property
    def _summary(self) -> tuple[int, bool]:
        elements = [element for row in self.make(True) for _, element in row]
        return sum(e.flops for e in elements), any(e.over_reals for e in elements)

    @property
    def flops(self) -> int:
        return self._summary[0]

    @property
    def over_reals(self) -> bool:  # type: ignore[override]
        return "c" in (self.inputs.dtype.kind, self.outputs.dtype.kind) and self._summary[1]


__all__ = ["Checkpoint", "Parts"]
