"""Products with a matrix: from the left, from the right, and by einsum."""
from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, matmul, namespace, size
from linalg.checks import broadcasts, require_array, require_shape
from linalg.operator import LinearOperator
from linalg.singular import solve_matrix
from linalg.sparse import csr, numbered


def _transposed(a: Array) -> Array:
    return a.T if a.ndim == 2 else a.swapaxes(-1, -2)


class LeftProduct(LinearOperator):
    """X ↦ A X. A has shape (*batch, m, n), X shape (*batch, n, p); the batch axes of A may broadcast to those of X."""

    __slots__ = ("a", "in_shape")

    def __init__(self, a: Array, in_shape: Shape):
        self.a, self.in_shape = a, in_shape

    def _validate(self) -> None:
        super()._validate()
        require_array(self.a, "LeftProduct", "its matrix")
        a, x = self.a.shape, self.in_shape
        if len(a) < 2 or len(x) < 2 or a[-1] != x[-2] or not broadcasts(a[:-2], x[:-2]):
            raise ValueError("LeftProduct expected a of shape (*batch, m, n) for arguments of shape (*batch, n, p), got a of "
                             f"shape {a} and in_shape {x}")

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return (*self.in_shape[:-2], self.a.shape[-2], self.in_shape[-1])

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.a.dtype

    @property
    def flops(self) -> int:
        return 2 * size(self.in_shape) * self.a.shape[-2]

    def _apply(self, x: Array) -> Array:
        return matmul(self.a, x)

    def _apply_transpose(self, x: Array) -> Array:
        a = self.a
        return matmul(a.T if a.ndim == 2 else a.swapaxes(-1, -2), x)

    def _solve(self, b: Array) -> Array:
        return solve_matrix(self, self.a, b)

    @property
    def T(self) -> LeftProduct:
        self._validate()  # the transpose no longer knows in_shape[-2]
        return LeftProduct(_transposed(self.a), self.out_shape)

    def conj(self) -> LeftProduct:
        return LeftProduct(self.a.conj(), self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.a

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, LeftProduct) and self.a.shape[-1] >= self.a.shape[-2]:
            return LeftProduct(self.a @ first.a, first.in_shape)
        return None

    def _sparse(self, _like: Array | None, _dtype: np.dtype) -> Any:
        batch = string.ascii_uppercase[: len(self.in_shape) - 2]
        rows = numbered(self.out_shape, batch + "ik", batch + "ijk", self.a)
        columns = numbered(self.in_shape, batch + "jk", batch + "ijk", self.a)
        return csr(self.a[..., None], rows, columns, self.shape)


class RightProduct(LinearOperator):
    """X ↦ X B. B has shape (*batch, n, p), X shape (*batch, m, n); the batch axes of B may broadcast to those of X."""

    __slots__ = ("b", "in_shape")

    def __init__(self, b: Array, in_shape: Shape):
        self.b, self.in_shape = b, in_shape

    def _validate(self) -> None:
        super()._validate()
        require_array(self.b, "RightProduct", "its matrix")
        b, x = self.b.shape, self.in_shape
        if len(b) < 2 or len(x) < 2 or b[-2] != x[-1] or not broadcasts(b[:-2], x[:-2]):
            raise ValueError("RightProduct expected b of shape (*batch, n, p) for arguments of shape (*batch, m, n), got b of "
                             f"shape {b} and in_shape {x}")

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return (*self.in_shape[:-1], self.b.shape[-1])

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.b.dtype

    @property
    def flops(self) -> int:
        return 2 * size(self.in_shape) * self.b.shape[-1]

    def _apply(self, x: Array) -> Array:
        return matmul(x, self.b)

    def _apply_transpose(self, x: Array) -> Array:
        b = self.b
        return matmul(x, b.T if b.ndim == 2 else b.swapaxes(-1, -2))

    def _solve(self, b: Array) -> Array:
        return _transposed(solve_matrix(self, _transposed(self.b), _transposed(b)))

    @property
    def T(self) -> RightProduct:
        self._validate()  # the transpose no longer knows in_shape[-1]
        return RightProduct(_transposed(self.b), self.out_shape)

    def conj(self) -> RightProduct:
        return RightProduct(self.b.conj(), self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.b

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if isinstance(first, RightProduct) and self.b.shape[-2] >= self.b.shape[-1]:
            return RightProduct(first.b @ self.b, first.in_shape)
        return None

    def _sparse(self, _like: Array | None, _dtype: np.dtype) -> Any:
        batch = string.ascii_uppercase[: len(self.in_shape) - 2]
        rows = numbered(self.out_shape, batch + "ik", batch + "ijk", self.b)
        columns = numbered(self.in_shape, batch + "ij", batch + "ijk", self.b)
        return csr(self.b[..., None, :, :], rows, columns, self.shape)


class Einsum(LinearOperator):
    """x ↦ einsum(subscripts, …, x, …): a product of arrays in which x stands at one position.

    ``others`` are the remaining operands in order. Every index of x must be in the output or in another operand, and no
    operand may repeat an index (sums and diagonals are elements of their own).
    """

    __slots__ = ("in_shape", "others", "out_shape", "position", "terms", "target")

    def __init__(self, subscripts: str, others: Sequence[Array], in_shape: Shape, position: int = 0):
        require_shape(in_shape, "Einsum")
        for other in others:
            require_array(other, "Einsum", "each other operand")
        left, arrow, self.target = subscripts.replace(" ", "").partition("->")
        self.terms, self.others, self.position, self.in_shape = left.split(","), tuple(others), position, in_shape
        if not arrow or len(self.terms) != len(self.others) + 1 or not 0 <= position < len(self.terms):
            raise ValueError(f"Einsum expected subscripts such as 'ij,j->i', with {len(self.others) + 1} operands and the "
                             f"position of the argument among them, got {subscripts!r} and {position}")
        self._check_subscripts(subscripts)
        sizes = self._sizes()
        self.out_shape = tuple(sizes[i] for i in self.target)

    def _validate(self) -> None:
        """Nothing is left to check: the constructor did."""

    def _check_subscripts(self, subscripts: str) -> None:
        rest = self.terms[: self.position] + self.terms[self.position + 1:]
        lone = set(self.terms[self.position]) - set(self.target).union(*rest)
        if lone or any(len(set(t)) < len(t) for t in [*self.terms, self.target]):
            raise ValueError(f"Einsum expected every index of operand {self.position} of {subscripts!r} in the output or in "
                             "another operand, and no index twice in one operand; sum or take diagonals first")
        shapes = self._shapes()
        lengths = {pair for term, shape in zip(self.terms, shapes, strict=False) for pair in zip(term, shape, strict=False)}
        if [*map(len, self.terms)] != [*map(len, shapes)] or len(lengths) != len(self._sizes()):
            raise ValueError(f"Einsum expected operands that fit {subscripts!r}, with one length for each index, got shapes "
                             f"{shapes}")

    def _shapes(self) -> list[Shape]:
        shapes = [o.shape for o in self.others]
        shapes.insert(self.position, self.in_shape)
        return shapes

    def _sizes(self) -> dict[str, int]:
        return {i: n for term, shape in zip(self.terms, self._shapes(), strict=False) for i, n in zip(term, shape, strict=False)}

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return np.result_type(bool, *[o.dtype for o in self.others])

    @property
    def flops(self) -> int:
        return 2 * size(tuple(self._sizes().values()))

    def _contract(self, x: Array, source: str, target: str) -> Array:
        terms, operands = list(self.terms), list(self.others)
        terms[self.position] = "..." + source
        operands.insert(self.position, x)
        xp = namespace(*operands)
        return xp.einsum(",".join(terms) + "->..." + target, *operands, optimize=len(operands) > 2 or self.flops > 1e5)

    def _apply(self, x: Array) -> Array:
        return self._contract(x, self.terms[self.position], self.target)

    def _apply_transpose(self, x: Array) -> Array:
        return self._contract(x, self.target, self.terms[self.position])

    @property
    def T(self) -> Einsum:
        terms = list(self.terms)
        source, terms[self.position] = terms[self.position], self.target
        return Einsum(",".join(terms) + "->" + source, self.others, self.out_shape, self.position)

    def conj(self) -> Einsum:
        subscripts = ",".join(self.terms) + "->" + self.target
        return Einsum(subscripts, [o.conj() for o in self.others], self.in_shape, self.position)

    def _data(self) -> Any:
        return self.others[0] if self.others else None

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        """One entry for each value of all indices of x and of the result; what the others share alone is summed first."""
        xp, source, sizes = namespace(self._place(like)), self.terms[self.position], self._sizes()
        others = [o.astype(np.result_type(o.dtype, dtype), copy=False) for o in self.others]
        indices = source + "".join(i for i in self.target if i not in source)
        rest = self.terms[: self.position] + self.terms[self.position + 1:]
        kept = "".join(i for i in indices if i in "".join(rest))
        data = xp.einsum(",".join(rest) + "->" + kept, *others, optimize=True) if rest else xp.ones(())
        data = data.reshape(tuple(sizes[i] if i in kept else 1 for i in indices))
        rows = numbered(self.out_shape, self.target, indices, data)
        return csr(data, rows, numbered(self.in_shape, source, indices, data), self.shape)
