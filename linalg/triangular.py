"""Unit block triangular systems: forward substitution, and back substitution of the transpose.

Both walk the rows of N once, where N is strictly block lower triangular:

    (I − N) x = b     gathers a row:        x_i = b_i + Σ_j N_ij x_j            for i = 0, 1, …
    (I − N)ᵀ y = e    scatters the same row: y_j += N_ijᵀ y_i for all j in row i  for i = …, 1, 0

A right-hand side that is None is zero, and so is what follows from zeros alone: its blocks are never touched.
"""
from __future__ import annotations

from collections.abc import Sequence

from linalg.arrays import Array, add_into
from linalg.block import BlockMatrix, Row


def forward_substitute(rows: Sequence[Row], b: Sequence[Array | None]) -> list[Array | None]:
    """Solve (I − N) x = b. ``b`` has one array ``(*rhs, *shape_i)`` or None for each row; it is left as it is."""
    x = list(b)
    for i in range(len(x)):
        total, owned = x[i], False
        for j, element in rows[i]:
            if (known := x[j]) is None:
                continue
            term = element._apply(known)
            if total is None:
                total = term
            else:
                total, owned = (add_into(total, term) if owned else total + term), True
        x[i] = total
    return x


def back_substitute(rows: Sequence[Row], e: Sequence[Array | None], keep: int | None = None) -> list[Array | None]:
    """Solve (I − N)ᵀ y = e and give the first ``keep`` unknowns (all by default); the others are freed once consumed.

    The first contribution to an unknown is borrowed, the second allocates, later ones are added in place.
    """
    y = list(e)
    keep = len(y) if keep is None else keep
    owned = bytearray(len(y))
    for i in range(len(y) - 1, -1, -1):
        if (known := y[i]) is None:
            continue
        if i >= keep:
            y[i] = None
        for j, element in rows[i]:
            term = element._apply_transpose(known)
            total = y[j]
            if total is None:
                y[j] = term
            elif owned[j]:
                y[j] = add_into(total, term)
            else:
                y[j] = total + term
                owned[j] = 1
    return y[:keep]


class UnitTriangular:
    """I − N, where N is a strictly block lower triangular BlockMatrix with equal row and column shapes."""

    def __init__(self, strict: BlockMatrix):
        if list(strict.row_shapes) != list(strict.column_shapes):
            raise ValueError("UnitTriangular expected a BlockMatrix with equal row and column shapes, got "
                             f"{list(strict.row_shapes)} and {list(strict.column_shapes)}")
        self.strict = strict

    def solve(self, b: Sequence[Array | None]) -> list[Array | None]:
        """x with (I − N) x = b."""
        return forward_substitute(self.strict.rows, b)

    @property
    def T(self) -> UnitTriangularTranspose:
        return UnitTriangularTranspose(self)

    def __matmul__(self, x: Sequence[Array]) -> list[Array]:
        return [u if v is None else u - v for u, v in zip(x, self.strict @ x, strict=True)]


class UnitTriangularTranspose:
    """(I − N)ᵀ."""

    def __init__(self, transposed: UnitTriangular):
        self._transposed = transposed

    def solve(self, e: Sequence[Array | None]) -> list[Array | None]:
        """y with (I − N)ᵀ y = e."""
        return back_substitute(self._transposed.strict.rows, e)

    @property
    def T(self) -> UnitTriangular:
        return self._transposed

    def __matmul__(self, y: Sequence[Array]) -> list[Array]:
        return [u if v is None else u - v for u, v in zip(y, self._transposed.strict.T @ y, strict=True)]
