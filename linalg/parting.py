"""Where the owners of right-hand sides meet: elements that add up entries of several owners, with the owners kept apart.

Of a parameter W in Y = X W the right-hand side of owner i becomes X_iᵀ Y_i, of the rows that it owns: an ``Outer``. Of one that
is broadcast it is the sum of what it owns, of a table that is read by numbers what it has read. Other elements are applied to
each right-hand side by itself.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, is_array, namespace, size
from linalg.disjoint import Disjoint, Outer, Sides, Stacked, collect
from linalg.elements.algebra import Sum
from linalg.elements.gather import Gather
from linalg.elements.matrix import Einsum, LeftProduct, RightProduct
from linalg.elements.shape import Broadcast
from linalg.operator import LinearOperator
from linalg.owners import MIXED, NOBODY, Owner, common
from linalg.sparse import positions


def through(sides: Sides, factors: Sequence[LinearOperator]) -> Sides:
    """The transposes of a product's factors, one after the other.

    A stack of matrices that multiply one parameter, which is broadcast for that, is taken in one step.
    """
    rest = list(factors)
    while rest:
        factor = rest.pop(0)
        if rest and isinstance(rest[0], Broadcast) and isinstance(sides, Disjoint) and sides.values is not None and (
                outer := _outer(factor, sides, rest[0].in_shape)) is not None:
            rest.pop(0)
            sides = outer
        else:
            sides = sides.transposed(factor)
    return sides


@singledispatch
def split(element: LinearOperator, sides: Disjoint) -> Sides:
    """Aᵀ of disjoint right-hand sides that share entries of the result: in general of each by itself."""
    return Stacked(element._apply_transpose(sides.stacked())).settled()


@split.register
def _sum(element: Sum, sides: Disjoint) -> Sides:
    first, *rest = (sides.transposed(term) for term in element.terms)
    for other in rest:
        first = first + other
    return first


@split.register
def _broadcast(element: Broadcast, sides: Disjoint) -> Sides:
    """The sum over axes but for the one that counts the owners."""
    values, owner = sides.values, sides.owner
    lead = owner.ndim - len(element.in_shape)
    added = [i for i in range(owner.ndim) if i < lead or element.in_shape[i - lead] != element.out_shape[i]]
    varying = [i for i in added if owner.shape[i] != 1]
    if len(varying) == 1 and owner.shape[varying[0]] == owner.size and np.array_equal(owner.ravel(), np.arange(sides.n)):
        added.remove(varying[0])
        summed = values.sum(axis=tuple(added), keepdims=True) if added else values
        first = [varying[0], *(i for i in range(owner.ndim) if i != varying[0])]
        return Stacked(summed.transpose(first).reshape((sides.n, *element.in_shape)))
    return _selected(element, sides)


@split.register
def _gather(element: Gather, sides: Disjoint) -> Sides:
    """Rows of a table: for each owner the numbers of the rows, and what is added there."""
    index = element.index[0]
    by_rows = len(element.index) == 1 and is_array(index) and index.dtype.kind in "iu"
    owner = common(sides.owner, tuple(range(index.ndim, sides.owner.ndim))) if by_rows else sides.owner
    if not by_rows or (owner == MIXED).any():
        return _selected(element, sides)
    rows = sides.values.reshape((size(index.shape), size(element.in_shape[1:])))
    owner = np.broadcast_to(owner, index.shape + (1,) * (owner.ndim - index.ndim)).ravel()
    index = index.reshape((size(index.shape),))
    index = namespace(index).where(index < 0, index + element.in_shape[0], index)
    return Outer([_grouped(index, rows, owner, sides.n)], (element.in_shape[:1], element.in_shape[1:]),
                 tuple(range(len(element.in_shape))))


def _selected(element: Any, sides: Disjoint) -> Sides:
    """Of an element that selects entries: each result is added to the entry of its owner that it was."""
    place = element._apply(positions(element.in_shape, element._data()))
    owner = np.broadcast_to(sides.owner, sides.values.shape)
    return Stacked(collect(sides.values, owner, place, (element.in_size,), sides.n).reshape((sides.n, *element.in_shape)))


@split.register(LeftProduct)
@split.register(RightProduct)
@split.register(Einsum)
def _product(element: Any, sides: Disjoint) -> Sides:
    outer = _outer(element, sides, element.in_shape) or _einsum(element, sides)
    return Stacked(element._apply_transpose(sides.stacked())).settled() if outer is None else outer


def _einsum(element: Any, sides: Disjoint) -> Stacked | None:
    """The sum over all indices of the result but for one that counts the owners; None where there is no such index."""
    if not isinstance(element, Einsum):
        return None
    source, target = element.terms[element.position], element.target
    counts = [i for i, n in zip(target, sides.owner.shape, strict=True) if n != 1]
    if len(counts) != 1 or counts[0] in source or not np.array_equal(sides.owner.ravel(), np.arange(sides.n)):
        return None
    return Stacked(element._contract(sides.values, target, counts[0] + source))


def _outer(element: LinearOperator, sides: Disjoint, shape: Shape) -> Outer | None:
    """The factors of the gradients of a parameter of this shape, which is broadcast to what the element multiplies.

    None where it is no such product, or where owners differ elsewhere than along the axes that are summed over.
    """
    if (terms := _terms(element)) is None:
        return None
    source, other, target, matrix = terms
    lead = len(source) - len(shape)
    kept = [i for k, i in enumerate(source) if k >= lead and shape[k - lead] == element.in_shape[k]]
    if any(i not in kept and (i not in other or i not in target) for i in source):
        return None
    rows = [i for i in kept if i in other and i not in target]
    columns = [i for i in kept if i in target and i not in other]
    summed = [i for i in target if i in other and i not in kept]
    if not len(rows) + len(columns) == len(kept) == len(shape) or set(target) - {*columns, *summed}:
        return None
    owner = common(sides.owner, tuple(k for k, i in enumerate(target) if i not in summed))
    if (owner == MIXED).any():
        return None
    lengths = dict(zip(target, element.out_shape, strict=True)) | dict(zip(other, matrix.shape, strict=True))
    count = size(tuple(lengths[i] for i in summed))
    left = matrix.transpose([other.index(i) for i in (*summed, *rows)])
    right = sides.values.transpose([target.index(i) for i in (*summed, *columns)])
    owner = owner.transpose([target.index(i) for i in (*summed, *columns)])
    owner = np.broadcast_to(owner, [lengths[i] for i in summed] + [1] * len(columns)).ravel()
    heights, widths = tuple(lengths[i] for i in rows), tuple(lengths[i] for i in columns)
    pair = _grouped(left.reshape((count, size(heights))), right.reshape((count, size(widths))), owner, sides.n)
    if kept[: len(columns)] == columns:  # as the parameter has them
        return Outer([pair[::-1]], (widths, heights), tuple((*columns, *rows).index(i) for i in kept))
    return Outer([pair], (heights, widths), tuple((*rows, *columns).index(i) for i in kept))


def _terms(element: LinearOperator) -> tuple[str, str, str, Array] | None:
    """A product as einsum has it: the indices of the argument, of the matrix and of the result, and the matrix."""
    if isinstance(element, Einsum):
        if len(element.others) != 1:
            return None
        return element.terms[element.position], element.terms[1 - element.position], element.target, element.others[0]
    if not isinstance(element, (LeftProduct, RightProduct)):
        return None
    matrix = element.a if isinstance(element, LeftProduct) else element.b
    batch = "".join(chr(ord("A") + k) for k in range(len(element.in_shape) - 2))
    inner = batch if matrix.ndim > 2 else ""
    if matrix.shape[:-2] != (element.in_shape[:-2] if inner else ()):
        return None
    if isinstance(element, LeftProduct):
        return batch + "np", inner + "mn", batch + "mp", matrix
    return batch + "mn", inner + "np", batch + "mp", matrix


def _grouped(left: Array, right: Array, owner: Owner, n: int) -> tuple[Array, Array]:
    """Rows of two arrays by their owners: (n, k, …), where k is the most that one owns, filled up with zeros."""
    count = len(owner)
    k = count // n if n else 0
    if k * n == count and (owner == np.repeat(np.arange(n), k)).all():
        return left.reshape((n, k, *left.shape[1:])), right.reshape((n, k, *right.shape[1:]))
    counts = np.bincount(owner[owner != NOBODY], minlength=n)
    place = np.argsort(owner, kind="stable")[count - counts.sum():]
    mine = np.arange(max(counts, default=0)) < counts[:, None]
    index = np.zeros(mine.shape, int)
    index[mine] = place
    xp = namespace(right)
    index, mine = xp.asarray(index), xp.asarray(mine[..., None])
    left = left[index]
    return left if left.ndim == 2 else xp.where(mine, left, 0), xp.where(mine, right[index], 0)


__all__ = ["split", "through"]
