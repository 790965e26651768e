"""Many right-hand sides as one array, where no entry belongs to two of them.

Right-hand sides y_0, …, y_{n−1} of which at each entry at most one is not zero are kept as their sum, with the owner of each
entry: a :class:`Disjoint`. A transposed element maps such a sum to another, for the work of one right-hand side, as long as no
entry of the result gets a share of two owners. Where one does, the owners are told apart: :class:`Stacked` has the n right-hand
sides one behind the other, and :class:`Outer` the factors of n matrices whose products need not be formed.

(Curtis, Powell and Reid, On the estimation of sparse Jacobian matrices, 1974: structurally orthogonal columns.)
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, is_array, is_traced, namespace, size, to_host
from linalg.elements.algebra import Product, Sum
from linalg.elements.diagonal import Scaling
from linalg.elements.gather import Gather
from linalg.elements.identity import Identity
from linalg.elements.matrix import Einsum, LeftProduct, RightProduct
from linalg.elements.shape import Broadcast, Permute, Reshape
from linalg.operator import LinearOperator
from linalg.owners import MIXED, NOBODY, Owner, common, merged, owners, shortened
from linalg.sparse import positions


class Sides:
    """n right-hand sides of one shape. ``a + b`` adds them up; ``a.transposed(A)`` has Aᵀ applied to each."""

    __slots__ = ()

    n: int

    def stacked(self) -> Array:
        """One behind the other: (n, *shape)."""
        raise NotImplementedError

    def pattern(self) -> Sides:
        """What is known of them without values."""
        return self

    def squares(self) -> Array:
        """Σ |y|² of each: (n,)."""
        return _squares(self.stacked())

    def transposed(self, element: LinearOperator) -> Sides:
        return Stacked(element._apply_transpose(self.stacked())).settled()

    def __add__(self, other: Sides) -> Sides:
        return Stacked(self.stacked() + other.stacked())


class Stacked(Sides):
    """Right-hand sides one behind the other."""

    __slots__ = ("values",)

    def __init__(self, values: Array):
        self.values = values

    @property
    def n(self) -> int:  # type: ignore[override]
        return self.values.shape[0]

    def stacked(self) -> Array:
        return self.values

    def settled(self) -> Sides:
        """As Disjoint, where no entry is nonzero in two; traced values, whose zeros may have derivatives, stay as they are."""
        if is_traced(self.values) or self.n == 0:
            return self
        nonzero = self.values != 0
        count = nonzero.sum(axis=0)
        if bool((count > 1).any()):
            return self
        owner = np.where(to_host(count) == 0, NOBODY, to_host(nonzero.argmax(axis=0)))
        return Disjoint(self.values.sum(axis=0), shortened(owner), self.n)


class ValuesNeededError(Exception):
    """The owners cannot be followed any further without values: of the right-hand sides only the owners are known."""


class Disjoint(Sides):
    """Right-hand sides of disjoint supports as one array, with the owner of each entry (see ``linalg.owners``).

    Without values it is the pattern of such an array.
    """

    __slots__ = ("n", "owner", "values")

    def __init__(self, values: Array | None, owner: Owner, n: int):
        self.values: Any = values
        self.owner, self.n = owner, n

    def stacked(self) -> Array:
        if self.values is None:
            raise ValuesNeededError
        xp = namespace(self.values)
        mine = np.arange(self.n).reshape((self.n,) + (1,) * self.owner.ndim) == self.owner
        return xp.where(xp.asarray(mine), self.values, 0)

    def squares(self) -> Array:
        squares = (self.values * self.values.conj()).real
        owner = np.broadcast_to(self.owner, squares.shape)
        return _collect(squares, owner, np.zeros(owner.shape, int), (1,), self.n)[:, 0]

    def transposed(self, element: LinearOperator) -> Sides:
        if isinstance(element, Product):
            return _through(self, element.factors)
        owner = owners(element, self.owner)
        if not (owner == MIXED).any():
            return Disjoint(None if self.values is None else element._apply_transpose(self.values), owner, self.n)
        if self.values is None:
            raise ValuesNeededError
        return split(element, self)

    def pattern(self) -> Disjoint:
        """The owners alone."""
        return Disjoint(None, self.owner, self.n)

    def __add__(self, other: Sides) -> Sides:
        if isinstance(other, Disjoint):
            owner = shortened(merged(self.owner, other.owner))
            if not (owner == MIXED).any():
                values = None if self.values is None or other.values is None else self.values + other.values
                return Disjoint(values, owner, self.n)
        return super().__add__(other)


class Outer(Sides):
    """n matrices Σ_k u_k v_kᵀ, of a parameter by which a matrix is multiplied: for each, a few pairs of vectors.

    ``pairs`` lists (left, right), arrays (n, k, p) and (n, k, q); left may be integers (n, k), the numbers of unit vectors of
    length p. ``lengths`` are those of the matrices' rows and columns as arrays, ``axes`` the order in which they stand.
    """

    __slots__ = ("axes", "lengths", "pairs")

    def __init__(self, pairs: Sequence[tuple[Array, Array]], lengths: tuple[Shape, Shape], axes: Shape):
        self.pairs, self.lengths, self.axes = list(pairs), lengths, axes

    @property
    def n(self) -> int:  # type: ignore[override]
        return self.pairs[0][0].shape[0]

    def _joined(self) -> tuple[Array, Array]:
        if len(self.pairs) > 1:
            xp = namespace(self.pairs[0][1])
            self.pairs = [tuple(xp.concatenate(side, axis=1) for side in zip(*self.pairs, strict=True))]  # type: ignore[list-item]
        return self.pairs[0]

    def stacked(self) -> Array:
        left, right = self._joined()
        if left.ndim == 3:
            product = left.swapaxes(1, 2) @ right
        else:
            product = _collect(right, np.arange(self.n)[:, None], left, (size(self.lengths[0]), right.shape[-1]), self.n)
        product = product.reshape((self.n, *self.lengths[0], *self.lengths[1]))
        return product.transpose((0, *(a + 1 for a in self.axes)))

    def squares(self) -> Array:
        """Σ_kl (u_k · ū_l)(v_k · v̄_l), or from the matrices themselves, where that is less work."""
        left, right = self._joined()
        k, p, q = right.shape[1], size(self.lengths[0]), right.shape[2]
        if k * (p + q) > p * q:
            return _squares(self.stacked())
        same = left[:, :, None] == left[:, None, :] if left.ndim == 2 else left @ left.conj().swapaxes(1, 2)
        return (same * (right @ right.conj().swapaxes(1, 2))).real.sum(axis=(1, 2))

    def transposed(self, element: LinearOperator) -> Sides:
        if isinstance(element, Product):
            return _through(self, element.factors)
        if isinstance(element, Identity):
            return self
        if isinstance(element, Scaling) and not is_array(element.c):
            return Outer([(left, element.c * right) for left, right in self.pairs], self.lengths, self.axes)
        if isinstance(element, Permute):
            return Outer(self.pairs, self.lengths, tuple(self.axes[k] for k in np.argsort(element.axes)))
        if isinstance(element, Reshape) and (lengths := self._cut(element.in_shape)) is not None:
            return Outer(self.pairs, lengths, tuple(range(len(element.in_shape))))
        return super().transposed(element)

    def _cut(self, shape: Shape) -> tuple[Shape, Shape] | None:
        """A shape in two parts, of the matrices' rows and of their columns."""
        if self.axes != tuple(range(len(self.axes))):
            return None
        parts = ((shape[:k], shape[k:]) for k in range(len(shape) + 1))
        return next((cut for cut in parts if tuple(map(size, cut)) == tuple(map(size, self.lengths))), None)

    def __add__(self, other: Sides) -> Sides:
        if isinstance(other, Outer) and (self.lengths, self.axes) == (other.lengths, other.axes) and (
                self.pairs[0][0].ndim == other.pairs[0][0].ndim):
            return Outer([*self.pairs, *other.pairs], self.lengths, self.axes)
        return super().__add__(other)


def _squares(stacked: Array) -> Array:
    flat = stacked.reshape((stacked.shape[0], -1))
    return (flat * flat.conj()).real.sum(axis=1)


def _through(sides: Sides, factors: Sequence[LinearOperator]) -> Sides:
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


# ---- where owners meet

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
    return Stacked(_collect(sides.values, owner, place, (element.in_size,), sides.n).reshape((sides.n, *element.in_shape)))


def _collect(values: Array, owner: Owner, place: Any, shape: Shape, n: int) -> Array:
    """(n, *shape): values added up at [owner, place]; what nobody owns is zero, and goes anywhere."""
    owner, xp = np.maximum(owner, 0), namespace(values)
    if n == 0:
        return xp.zeros((0, *shape), dtype=values.dtype)
    return Gather((n, *shape), (xp.asarray(owner), place if is_traced(place) else xp.asarray(place)))._apply_transpose(values)


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


__all__ = ["Disjoint", "Outer", "Sides", "Stacked"]
