"""The kinds of views of arrays, as maps: how a view is read from its parent, and how what is written to it is put back."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.aliasing import Kind
from gpuad.differential import Primitive, linear
from gpuad.traced import TracedArray
from linalg import Broadcast, Diagonal, Erase, Gather, ImaginaryPart, LinearOperator, Permute, RealPart, Reshape, Scatter
from linalg.arrays import Array, Shape, assigned, selects_once, written_last

Index = tuple[Any, ...]


def _over_rule(_shape: Shape, _y: Any, _x: Any, _v: Any, shape: Shape, index: Index) -> LinearOperator:
    """dy = dx but for the entries that are written over."""
    return Erase(shape, index)


def _value_rule(in_shape: Shape, _y: Any, _x: Any, _v: Any, shape: Shape, index: Index) -> LinearOperator:
    """dy = dv at the entries that are written to, where v is the last to be written there."""
    scatter = Scatter(shape, index)
    if not selects_once(index):
        scatter = scatter @ Diagonal(written_last(shape, index), scatter.in_shape)
    return scatter if in_shape == scatter.in_shape else scatter @ Broadcast(in_shape, scatter.in_shape)


def _evaluate(x: Array, v: Array, shape: Shape, index: Index) -> Array:
    if type(x) is TracedArray or type(v) is TracedArray:  # of the next trace out
        return put_at(x, v, shape=shape, index=index)
    return assigned(x, v, index)


put_at = Primitive("assign", _evaluate, _over_rule, _value_rule)
"""``put_at(x, v, shape=x.shape, index=index)``: an array like x with v at x[index]."""


def read_only(_parent: Any, _child: Any, _key: Any) -> Any:
    raise ValueError("assignment destination is read-only: it is a broadcast array, a diagonal, or shown to a differential; copy "
                     "it first")


PICKED = Kind(lambda parent, index: linear(parent, operator=Gather(parent.shape, index)),
              lambda parent, child, index: put_at(parent, child, shape=parent.shape, index=index))
RESHAPED = Kind(lambda parent, shape: linear(parent, operator=Reshape(parent.shape, shape)),
                lambda parent, child, shape: linear(child, operator=Reshape(shape, parent.shape)))
PERMUTED = Kind(lambda parent, axes: linear(parent, operator=Permute(parent.shape, axes)),
                lambda _parent, child, axes: linear(child, operator=Permute(child.shape, tuple(map(int, np.argsort(axes))))))
REPEATED = Kind(lambda parent, shape: linear(parent, operator=Broadcast(parent.shape, shape)), read_only)
SHOWN = Kind(lambda parent, _key: parent, read_only)
DIAGONAL = Kind(lambda parent, key: np.diagonal(parent, *key), read_only)
REAL = Kind(lambda parent, _key: linear(parent, operator=RealPart(parent.shape)),
            lambda parent, child, _key: child + 1j * parent.imag)
IMAGINARY = Kind(lambda parent, _key: linear(parent, operator=ImaginaryPart(parent.shape)),
                 lambda parent, child, _key: parent.real + 1j * child)
