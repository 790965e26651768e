"""Operators made of operators: transpose, conjugate, sum, product, inverse; and how they simplify."""
from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, add_into, entry_dtype, size
from linalg.association import cheapest_order, multiplication_count, multiply_chain
from linalg.checks import require_operators
from linalg.elements.identity import Identity, Zero
from linalg.operator import LinearOperator
from linalg.singular import require_square


class Backward(LinearOperator):
    """What is made of one operator A and maps from A's results to A's arguments."""

    __slots__ = ("a",)

    def __init__(self, a: LinearOperator):
        self.a = a

    def _validate(self) -> None:
        require_operators((self.a,), type(self).__name__)

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return self.a.out_shape

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self.a.in_shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.a.dtype

    @property
    def flops(self) -> int:
        return self.a.flops

    def _data(self) -> Array | None:
        return self.a._data()

    @property
    def over_reals(self) -> bool:  # type: ignore[override]
        return self.a.over_reals


class Transpose(Backward):
    """Aᵀ, for an A whose transpose has no class of its own."""

    __slots__ = ()

    def _apply(self, x: Array) -> Array:
        return self.a._apply_transpose(x)

    def _apply_transpose(self, x: Array) -> Array:
        return self.a._apply(x)

    @property
    def T(self) -> LinearOperator:
        return self.a

    def _solve(self, b: Array) -> Array:
        return self.a._solve_transpose(b)

    def _solve_transpose(self, b: Array) -> Array:
        return self.a._solve(b)

    def conj(self) -> LinearOperator:
        conjugated = self.a.conj()
        return self if conjugated is self.a else conjugated.T

    def _dense(self, like: Array | None, dtype: np.dtype) -> Array:
        return self.a._dense(like, dtype).T

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        return self.a._sparse(like, dtype).T.tocsr()

    def __repr__(self) -> str:
        return f"{self.a!r}.T"


class ConjugateOf(LinearOperator):
    """x ↦ conj(A conj(x)), for an A that does not conjugate its own entries."""

    __slots__ = ("a", "in_shape", "out_shape", "dtype")

    def __init__(self, a: LinearOperator):
        self.a, self.in_shape, self.out_shape, self.dtype = a, a.in_shape, a.out_shape, a.dtype

    def _validate(self) -> None:
        self.a._validate()

    def _apply(self, x: Array) -> Array:
        return self.a._apply(x.conj()).conj()

    def _apply_transpose(self, x: Array) -> Array:
        return self.a._apply_transpose(x.conj()).conj()

    def _solve(self, b: Array) -> Array:
        return self.a._solve(b.conj()).conj()

    def _solve_transpose(self, b: Array) -> Array:
        return self.a.T._solve(b.conj()).conj()

    @property
    def flops(self) -> int:
        return self.a.flops

    def conj(self) -> LinearOperator:
        return self.a

    def _data(self) -> Array | None:
        return self.a._data()

    @property
    def over_reals(self) -> bool:  # type: ignore[override]
        return self.a.over_reals

    def _dense(self, like: Array | None, dtype: np.dtype) -> Array:
        return self.a._dense(like, dtype).conj()

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        return self.a._sparse(like, dtype).conj()


class Sum(LinearOperator):
    """x ↦ A x + B x + …"""

    __slots__ = ("terms",)

    def __init__(self, *terms: LinearOperator):
        self.terms = terms

    def _validate(self) -> None:
        require_operators(self.terms, "Sum")
        if len({(t.in_shape, t.out_shape) for t in self.terms}) > 1:
            raise ValueError(f"Sum expected terms of equal shapes, got {', '.join(map(repr, self.terms))}")

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return self.terms[0].in_shape

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self.terms[0].out_shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return np.result_type(*[t.dtype for t in self.terms])

    @property
    def flops(self) -> int:
        return sum(t.flops for t in self.terms) + (len(self.terms) - 1) * self.out_size

    def _apply(self, x: Array) -> Array:
        return _total(term._apply(x) for term in self.terms)

    def _apply_transpose(self, x: Array) -> Array:
        return _total(term._apply_transpose(x) for term in self.terms)

    @property
    def T(self) -> LinearOperator:
        return Sum(*[t.T for t in self.terms])

    def conj(self) -> LinearOperator:
        return Sum(*[t.conj() for t in self.terms])

    def _data(self) -> Array | None:
        return _first_data(self.terms)

    @property
    def over_reals(self) -> bool:  # type: ignore[override]
        return any(t.over_reals for t in self.terms)

    def _dense(self, like: Array | None, dtype: np.dtype) -> Array:
        place, dtype = self._place(like), entry_dtype(self.dtype, dtype)
        return _total(t._dense(place, dtype).astype(dtype, copy=False) for t in self.terms)

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        place, dtype = self._place(like), entry_dtype(self.dtype, dtype)
        first, *rest = (t._sparse(place, dtype).astype(dtype, copy=False) for t in self.terms)
        return sum(rest, first)


def _total(terms: Iterator[Array]) -> Array:
    first = next(terms)
    second = next(terms, None)
    total = first if second is None else first + second
    for term in terms:
        total = add_into(total, term)
    return total


class Product(LinearOperator):
    """x ↦ A (B (… x)): factors from left to right as written; the last is applied first."""

    __slots__ = ("factors",)

    def __init__(self, *factors: LinearOperator):
        self.factors = factors

    def _validate(self) -> None:
        require_operators(self.factors, "Product")
        for a, b in pairwise(self.factors):
            if a.in_shape != b.out_shape:
                raise _unfit("Product", a, b)

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return self.factors[-1].in_shape

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self.factors[0].out_shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return np.result_type(*[f.dtype for f in self.factors])

    @property
    def flops(self) -> int:
        return sum(f.flops for f in self.factors)

    def _apply(self, x: Array) -> Array:
        for factor in reversed(self.factors):
            x = factor._apply(x)
        return x

    def _apply_transpose(self, x: Array) -> Array:
        for factor in self.factors:
            x = factor._apply_transpose(x)
        return x

    def _plus_transpose(self, total: Array, x: Array) -> Array:
        *others, last = self.factors
        for factor in others:
            x = factor._apply_transpose(x)
        return last._plus_transpose(total, x)

    def _solve(self, b: Array) -> Array:
        if any(f.in_size != f.out_size for f in self.factors):
            return super()._solve(b)  # square as a whole, through spaces of other dimensions
        for factor in self.factors:
            b = factor._solve(b)
        return b

    @property
    def T(self) -> Product:
        return Product(*[f.T for f in reversed(self.factors)])

    def conj(self) -> LinearOperator:
        return Product(*[f.conj() for f in self.factors])

    def _data(self) -> Array | None:
        return _first_data(self.factors)

    @property
    def over_reals(self) -> bool:  # type: ignore[override]
        return any(f.over_reals for f in self.factors)

    def _dense(self, like: Array | None, dtype: np.dtype) -> Array:
        """The matrix, by the cheapest way: from the right, from the left, or multiplied as full matrices."""
        self._require_matrix()
        place, shapes, dtype = self._place(like), [f.shape for f in self.factors], entry_dtype(self.dtype, dtype)
        from_right = self.in_size * (self.flops - self.factors[-1].flops)
        from_left = self.out_size * (self.flops - self.factors[0].flops)
        order = cheapest_order(shapes)
        if 2 * multiplication_count(shapes, order) < min(from_right, from_left):
            return multiply_chain([f._dense(place, dtype).astype(dtype, copy=False) for f in self.factors], order)
        if from_right <= from_left:
            return _from_right(self.factors, place, dtype)
        return _from_right(self.T.factors, place, dtype).T

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        place, dtype = self._place(like), entry_dtype(self.dtype, dtype)
        return multiply_chain([f._sparse(place, dtype).astype(dtype, copy=False) for f in self.factors])


def _from_right(factors: tuple[LinearOperator, ...], place: Array | None, dtype: np.dtype) -> Array:
    """The matrix of a product: all factors but the last applied to the matrix of the last."""
    *rest, last = factors
    rows = last._dense(place, dtype).astype(dtype, copy=False).T.reshape((last.in_size, *last.out_shape))
    for factor in reversed(rest):
        rows = factor._apply(rows)
    return rows.reshape((last.in_size, size(factors[0].out_shape))).T


class Inverse(Backward):
    """b ↦ A⁻¹ b, by the solve of A's structure; never formed."""

    __slots__ = ()

    def __init__(self, a: LinearOperator):
        require_square(a)
        super().__init__(a)

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.a.dtype if self.a.dtype.kind in "bfc" else np.dtype(float)

    def _apply(self, x: Array) -> Array:
        return self.a._solve(x)

    def _apply_transpose(self, x: Array) -> Array:
        return self.a.T._solve(x)

    def _solve(self, b: Array) -> Array:
        return self.a._apply(b)

    @property
    def T(self) -> LinearOperator:
        return Inverse(self.a.T)

    def conj(self) -> LinearOperator:
        return Inverse(self.a.conj())

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return Identity(first.in_shape) if _same(self.a, first) else None


def _first_data(operators: tuple[LinearOperator, ...]) -> Array | None:
    return next((d for d in (o._data() for o in operators) if d is not None), None)


def compose(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    """A B, simplified by structure: identities and zeros vanish, neighbours merge where their product has a simpler form."""
    a._validate()
    b._validate()
    if a.in_shape != b.out_shape:
        raise _unfit("A @ B", a, b)
    chain = list(reversed(b.factors if isinstance(b, Product) else (b,)))  # the last entry is the leftmost factor
    for factor in reversed(a.factors if isinstance(a, Product) else (a,)):
        _push(chain, factor)
    return chain[0] if len(chain) == 1 else Product(*reversed(chain))


def _unfit(name: str, a: LinearOperator, b: LinearOperator) -> ValueError:
    return ValueError(f"{name} expected B's out_shape to equal A's in_shape {a.in_shape}, got {b.out_shape}: {a!r} @ {b!r}")


def _push(chain: list[LinearOperator], factor: LinearOperator) -> None:
    """Multiply a chain by a factor from the left, merging it with its neighbours as long as that makes them simpler."""
    while chain and (merged := _merge(factor, chain[-1])) is not None:
        chain.pop()
        factor = merged
    chain.append(factor)


def _merge(a: LinearOperator, b: LinearOperator) -> LinearOperator | None:
    """A simpler form of the product of two factors; None where there is none."""
    if isinstance(a, Zero) or isinstance(b, Zero):
        return Zero(b.in_shape, a.out_shape)
    if isinstance(a, Identity) or isinstance(b, Identity):
        return b if isinstance(a, Identity) else a
    if isinstance(b, Inverse) and _same(a, b.a):
        return Identity(b.in_shape)
    return a._after(b)


def _same(a: LinearOperator, b: LinearOperator) -> bool:
    """Whether two operators are one: the same object, or transposes of it."""
    return a is b or (isinstance(a, Transpose) and isinstance(b, Transpose) and a.a is b.a)


def add(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    """A + B; zeros vanish."""
    a._validate()
    b._validate()
    if (a.in_shape, a.out_shape) != (b.in_shape, b.out_shape):
        raise ValueError(f"A + B expected equal shapes, got {a!r} and {b!r}")
    if isinstance(a, Zero) or isinstance(b, Zero):
        return b if isinstance(a, Zero) else a
    terms_a = a.terms if isinstance(a, Sum) else (a,)
    terms_b = b.terms if isinstance(b, Sum) else (b,)
    return Sum(*terms_a, *terms_b)
