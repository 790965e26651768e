"""Whose an entry is: patterns of transposed elements.

Where the entries of y = A x belong to examples (each entry to one of them, or to none), an entry of x belongs to the example that
owns all the entries of y that it is in; it is mixed where these have several owners. ``owners(A, owner)`` follows this from the
structure of A alone: entries that A may have are taken to be nonzero.

Owners are arrays of integers with an axis for each axis of the entries, of its length, or of length one where they are the same
all along it.
"""
from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from linalg.arrays import Shape, is_traced, selects_once, to_host
from linalg.elements.algebra import Inverse, Product, Sum, Transpose
from linalg.elements.convolution import Convolution
from linalg.elements.diagonal import Diagonal, Scaling
from linalg.elements.field import Cast, RealPart
from linalg.elements.gather import CumulativeSum, Erase, Gather
from linalg.elements.identity import Identity, Zero
from linalg.elements.matrix import Einsum, LeftProduct, RightProduct
from linalg.elements.shape import AxisSum, Broadcast, Permute, Reshape
from linalg.elements.spectral import CosineTransform, Fourier, FromHalfFourier, HalfFourier
from linalg.operator import LinearOperator

NOBODY, MIXED = -1, -2

Owner = np.ndarray


def common(owner: Owner, axes: Shape) -> Owner:
    """The one owner along axes, which are kept with length one; NOBODY where there is none, MIXED where there are several."""
    axes = tuple(a for a in axes if owner.shape[a] != 1)
    if not axes:
        return owner
    largest = owner.max(axis=axes, keepdims=True, initial=NOBODY)
    none = np.iinfo(owner.dtype).max
    smallest = np.where(owner < 0, none, owner).min(axis=axes, keepdims=True, initial=none)
    return _agreed(smallest, largest)


def _agreed(smallest: Owner, largest: Owner) -> Owner:
    return np.where(largest < 0, NOBODY, np.where(smallest == largest, largest, MIXED))


def merged(a: Owner, b: Owner) -> Owner:
    """Owners of entries that are sums of two."""
    return np.where(a == NOBODY, b, np.where((b == NOBODY) | (a == b), a, MIXED))


def shortened(owner: Owner) -> Owner:
    """Axes along which owners are the same, with length one."""
    for axis, n in enumerate(owner.shape):
        first = owner[(slice(None),) * axis + (slice(0, 1),)]
        if n > 1 and (owner == first).all():
            owner = first
    return owner


@singledispatch
def owners(element: LinearOperator, owner: Owner) -> Owner:
    """Owners of the entries of x, from those of the entries of y = A x: for an element that is not known all may meet all."""
    return common(owner, tuple(range(owner.ndim))).reshape((1,) * len(element.in_shape))


@owners.register(Identity)
@owners.register(Scaling)
@owners.register(Diagonal)
@owners.register(Cast)
@owners.register(RealPart)
@owners.register(Erase)
def _same(_element: LinearOperator, owner: Owner) -> Owner:
    return owner


@owners.register
def _zero(element: Zero, owner: Owner) -> Owner:
    return np.full((1,) * len(element.in_shape), NOBODY, owner.dtype)


@owners.register
def _sum(element: Sum, owner: Owner) -> Owner:
    first, *rest = (owners(term, owner) for term in element.terms)
    for other in rest:
        first = merged(first, other)
    return first


# ---- elements that move entries

@owners.register
def _reshape(element: Reshape, owner: Owner) -> Owner:
    return shortened(np.broadcast_to(owner, element.out_shape).reshape(element.in_shape))


@owners.register
def _permute(element: Permute, owner: Owner) -> Owner:
    return element._apply_transpose(owner)


@owners.register
def _broadcast(element: Broadcast, owner: Owner) -> Owner:
    lead = owner.ndim - len(element.in_shape)
    axes = tuple(i for i in range(owner.ndim) if i < lead or element.in_shape[i - lead] != element.out_shape[i])
    owner = common(owner, axes)
    return owner.reshape(owner.shape[lead:])


@owners.register
def _axis_sum(element: AxisSum, owner: Owner) -> Owner:
    kept = iter(owner.shape)
    n = len(element.in_shape)
    if element.keepdims:
        return owner
    return owner.reshape(tuple(1 if i - n in element.axes else next(kept) for i in range(n)))


@owners.register
def _gather(element: Gather, owner: Owner) -> Owner:
    index, shape, _ = _known(element)
    for axis in range(1, len(shape) + 1):  # axes behind all that are indexed, along which owners are the same
        if owner.ndim < axis or owner.shape[-axis] != 1 or not _is_whole(index[-axis]):
            break
        shape[-axis] = 1
    none = np.full(shape, NOBODY, owner.dtype)
    owner = np.broadcast_to(owner, none[index].shape)
    if selects_once(index):
        none[index] = owner
        return shortened(none)
    smallest, largest = np.full(shape, np.iinfo(owner.dtype).max, owner.dtype), none
    np.minimum.at(smallest, index, np.where(owner < 0, np.iinfo(owner.dtype).max, owner))
    np.maximum.at(largest, index, owner)
    return shortened(_agreed(smallest, largest))


@owners.register
def _transpose(element: Transpose, owner: Owner) -> Owner:
    """Of a scatter: the owners of the places that it writes to."""
    if not isinstance(element.a, Gather):
        return owners.dispatch(LinearOperator)(element, owner)
    index, shape, unknown = _known(element.a)
    return shortened(np.broadcast_to(common(owner, unknown), shape)[index])


def _known(element: Gather) -> tuple[tuple[Any, ...], list[int], Shape]:
    """The index of a gather with a part for each axis, the shape that it selects from, and the axes of which it is not known what
    is selected there: they have length one, and all that is selected there is one entry.
    """
    parts = [to_host(np.asarray(p) if isinstance(p, list) else p) for p in element.index]
    whole = [slice(None)] * (len(element.in_shape) - sum(map(_consumed, parts)))
    at = next((k for k, p in enumerate(parts) if p is Ellipsis), None)
    parts = [*parts, *whole] if at is None else [*parts[:at], *whole, *parts[at + 1:]]
    shape, unknown, axis = list(element.in_shape), [], 0
    for k, part in enumerate(parts):
        if is_traced(part):
            parts[k], shape[axis] = np.zeros(part.shape, int), 1
            unknown.append(axis)
        axis += _consumed(part)
    return tuple(parts), shape, tuple(unknown)


def _consumed(part: Any) -> int:
    """How many axes a part of an index stands for."""
    if part is None or part is Ellipsis:
        return 0
    is_mask = isinstance(part, bool) or (hasattr(part, "dtype") and part.dtype.kind == "b")
    return np.ndim(part) if is_mask else 1


def _is_whole(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


# ---- elements that add entries up

@owners.register
def _left(_element: LeftProduct, owner: Owner) -> Owner:
    return common(owner, (-2,))


@owners.register
def _right(_element: RightProduct, owner: Owner) -> Owner:
    return common(owner, (-1,))


@owners.register
def _einsum(element: Einsum, owner: Owner) -> Owner:
    source, target = element.terms[element.position], element.target
    kept = [i for i in target if i in source]
    owner = common(owner, tuple(k for k, i in enumerate(target) if i not in source))
    owner = owner.reshape([n for n, i in zip(owner.shape, target, strict=True) if i in source])
    owner = owner.transpose([kept.index(i) for i in source if i in kept])
    return owner[tuple(slice(None) if i in kept else None for i in source)]


@owners.register(CosineTransform)
@owners.register(CumulativeSum)
@owners.register(HalfFourier)
@owners.register(FromHalfFourier)
def _along_axis(element: Any, owner: Owner) -> Owner:
    return common(owner, (element.axis,))


@owners.register
def _fourier(element: Fourier, owner: Owner) -> Owner:
    return common(owner, element.axes)


@owners.register
def _convolution(element: Convolution, owner: Owner) -> Owner:
    return common(owner, tuple(range(-len(element.start), 0)))


@owners.register
def _inverse(element: Inverse, owner: Owner) -> Owner:
    """Of a stack of square matrices: the inverses act on the axes that the matrices act on."""
    known = isinstance(element.a, (LeftProduct, RightProduct, Diagonal))
    return owners(element.a, owner) if known else owners.dispatch(LinearOperator)(element, owner)


@owners.register
def _product(element: Product, owner: Owner) -> Owner:
    for factor in element.factors:
        owner = owners(factor, owner)
        if (owner == MIXED).any():
            return np.full((1,) * len(element.in_shape), MIXED, owner.dtype)
    return owner
