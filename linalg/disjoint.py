"""Many right-hand sides as one array, where no entry belongs to two of them.

Right-hand sides y_0, …, y_{n−1} of which at each entry at most one is not zero are kept as their sum, with the owner of each
entry: a :class:`Disjoint`. A transposed element maps such a sum to another, for the work of one right-hand side, as long as no
entry of the result gets a share of two owners. Where one does, the owners are told apart: :class:`Stacked` has the n right-hand
sides one behind the other, and :class:`Outer` the factors of n matrices whose products need not be formed.

(Curtis, Powell and Reid, On the estimation of sparse Jacobian matrices, 1974: structurally orthogonal columns.)
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, is_array, is_traced, namespace, size, to_host
from linalg.elements.algebra import Product
from linalg.elements.diagonal import Scaling
from linalg.elements.gather import Gather
from linalg.elements.identity import Identity
from linalg.elements.shape import Permute, Reshape
from linalg.operator import LinearOperator
from linalg.owners import MIXED, NOBODY, Owner, merged, owners, shortened


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


class Grouped(LinearOperator):
    """An element whose transpose is applied to right-hand sides of a substitution that are kept as Sides.

    Without values, where the owners of entries are all that is wanted.
    """

    __slots__ = ("element", "with_values")

    def __init__(self, element: LinearOperator, with_values: bool = True):
        self.element, self.with_values = element, with_values

    def _apply_transpose(self, x: Any) -> Any:
        return (x if self.with_values else x.pattern()).transposed(self.element)


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
        return collect(squares, owner, np.zeros(owner.shape, int), (1,), self.n)[:, 0]

    def transposed(self, element: LinearOperator) -> Sides:
        from linalg.parting import split, through

        if isinstance(element, Product):
            return through(self, element.factors)
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
            product = collect(right, np.arange(self.n)[:, None], left, (size(self.lengths[0]), right.shape[-1]), self.n)
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
            sides: Sides = self
            for factor in element.factors:
                sides = sides.transposed(factor)
            return sides
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


def collect(values: Array, owner: Owner, place: Any, shape: Shape, n: int) -> Array:
    """(n, *shape): values added up at [owner, place]; what nobody owns is zero, and goes anywhere."""
    owner, xp = np.maximum(owner, 0), namespace(values)
    if n == 0:
        return xp.zeros((0, *shape), dtype=values.dtype)
    return Gather((n, *shape), (xp.asarray(owner), place if is_traced(place) else xp.asarray(place)))._apply_transpose(values)


__all__ = ["Disjoint", "Grouped", "Outer", "Sides", "Stacked", "ValuesNeededError", "collect"]
