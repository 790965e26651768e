"""Operators made of operators: transpose, conjugate, sum, product, inverse; and how they simplify."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape
from linalg.elements.identity import Identity, Zero
from linalg.operator import LinearOperator


class Transpose(LinearOperator):
    """Aᵀ, for an A whose transpose has no class of its own."""

    __slots__ = ("a",)

    def __init__(self, a: LinearOperator):
        self.a = a

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

    def _apply(self, x: Array) -> Array:
        return self.a._apply_transpose(x)

    def _apply_transpose(self, x: Array) -> Array:
        return self.a._apply(x)

    @property
    def T(self) -> LinearOperator:
        return self.a

    def conj(self) -> LinearOperator:
        return self.a.conj().T

    def _data(self) -> Array | None:
        return self.a._data()

    def to_dense(self) -> Array:
        return self.a.to_dense().T

    def to_sparse(self) -> Any:
        return self.a.to_sparse().T.tocsr()

    def __repr__(self) -> str:
        return f"{self.a!r}.T"


class ConjugateOf(LinearOperator):
    """x ↦ conj(A conj(x)), for an A that does not conjugate its own entries."""

    __slots__ = ("a", "in_shape", "out_shape", "dtype")

    def __init__(self, a: LinearOperator):
        self.a, self.in_shape, self.out_shape, self.dtype = a, a.in_shape, a.out_shape, a.dtype

    def _apply(self, x: Array) -> Array:
        return self.a._apply(x.conj()).conj()

    def _apply_transpose(self, x: Array) -> Array:
        return self.a._apply_transpose(x.conj()).conj()

    def _solve(self, b: Array) -> Array:
        return self.a._solve(b.conj()).conj()

    @property
    def flops(self) -> int:
        return self.a.flops

    def conj(self) -> LinearOperator:
        return self.a

    def _data(self) -> Array | None:
        return self.a._data()


class Sum(LinearOperator):
    """x ↦ A x + B x + …"""

    __slots__ = ("terms",)

    def __init__(self, *terms: LinearOperator):
        self.terms = terms

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
        result = self.terms[0]._apply(x)
        for term in self.terms[1:]:
            result = result + term._apply(x)
        return result

    def _apply_transpose(self, x: Array) -> Array:
        result = self.terms[0]._apply_transpose(x)
        for term in self.terms[1:]:
            result = result + term._apply_transpose(x)
        return result

    @property
    def T(self) -> LinearOperator:
        return Sum(*[t.T for t in self.terms])

    def conj(self) -> LinearOperator:
        return Sum(*[t.conj() for t in self.terms])

    def _data(self) -> Array | None:
        return _first_data(self.terms)

    def to_sparse(self) -> Any:
        return sum((t.to_sparse() for t in self.terms[1:]), self.terms[0].to_sparse())


class Product(LinearOperator):
    """x ↦ A (B (… x)): factors from left to right as written; the last is applied first."""

    __slots__ = ("factors",)

    def __init__(self, *factors: LinearOperator):
        self.factors = factors

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

    def _solve(self, b: Array) -> Array:
        if any(f.in_size != f.out_size for f in self.factors):
            return super()._solve(b)
        for factor in self.factors:
            b = factor._solve(b)
        return b

    @property
    def T(self) -> LinearOperator:
        return Product(*[f.T for f in reversed(self.factors)])

    def conj(self) -> LinearOperator:
        return Product(*[f.conj() for f in self.factors])

    def _data(self) -> Array | None:
        return _first_data(self.factors)

    def to_sparse(self) -> Any:
        from linalg.association import multiply_chain

        return multiply_chain([f.to_sparse() for f in self.factors])


class Inverse(LinearOperator):
    """b ↦ A⁻¹ b, by the solve of A's structure; never formed."""

    __slots__ = ("a",)

    def __init__(self, a: LinearOperator):
        if a.in_size != a.out_size:
            raise np.linalg.LinAlgError(f"singular: Inverse expected a square operator, got {a!r}")
        self.a = a

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return self.a.out_shape

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self.a.in_shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return np.result_type(self.a.dtype, np.float32) if self.a.dtype.kind not in "fc" else self.a.dtype

    @property
    def flops(self) -> int:
        return self.a.flops

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

    def _data(self) -> Array | None:
        return self.a._data()


def _first_data(operators: tuple[LinearOperator, ...]) -> Array | None:
    return next((d for d in (o._data() for o in operators) if d is not None), None)


def compose(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    """A B, simplified by structure: identities and zeros vanish, neighbours merge where their product has a simpler form."""
    if a.in_shape != b.out_shape:
        raise ValueError(f"A @ B expected B's out_shape to equal A's in_shape {a.in_shape}, got {b.out_shape}: {a!r} @ {b!r}")
    if isinstance(a, Zero) or isinstance(b, Zero):
        return Zero(b.in_shape, a.out_shape)
    if isinstance(a, Identity) or isinstance(b, Identity):
        return b if isinstance(a, Identity) else a
    left = a.factors if isinstance(a, Product) else (a,)
    right = b.factors if isinstance(b, Product) else (b,)
    merged = left[-1]._after(right[0])
    if merged is None and isinstance(left[-1], Inverse) and left[-1].a is right[0]:
        merged = Identity(b.in_shape)
    if merged is None:
        return Product(*left, *right)
    factors = (*left[:-1], merged, *right[1:])
    return factors[0] if len(factors) == 1 else Product(*factors)


def add(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    """A + B; zeros vanish."""
    if (a.in_shape, a.out_shape) != (b.in_shape, b.out_shape):
        raise ValueError(f"A + B expected equal shapes, got {a!r} and {b!r}")
    if isinstance(a, Zero) or isinstance(b, Zero):
        return b if isinstance(a, Zero) else a
    terms_a = a.terms if isinstance(a, Sum) else (a,)
    terms_b = b.terms if isinstance(b, Sum) else (b,)
    return Sum(*terms_a, *terms_b)
