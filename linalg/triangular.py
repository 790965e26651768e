"""Unit block triangular systems: forward substitution, and back substitution of the transpose.

Both walk the rows of N once, where N is strictly block lower triangular:

    (I − N) x = b     gathers a row:        x_i = b_i + Σ_j N_ij x_j            for i = 0, 1, …
    (I − N)ᵀ y = e    scatters the same row: y_j += N_ijᵀ y_i for all j in row i  for i = …, 1, 0

A right-hand side that is None is zero, and so is what follows from zeros alone: its blocks are never touched.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linalg.arrays import ON_HOST, Array, Shape, add_into
from linalg.block import BlockMatrix, Row, check_blocks, minus
from linalg.elements.identity import Identity


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


def back_substitute(rows: Sequence[Row], e: Sequence[Array | None], keep: int | None = None,
                    first: int = 0) -> list[Array | None]:
    """Solve (I − N)ᵀ y = e and give the first ``keep`` unknowns (all by default); the others are freed once consumed.

    The rows before ``first`` are known to be empty and are not looked at.

    The first contribution to an unknown is borrowed, the second allocates, later ones are added in place.
    """
    y = list(e)
    keep = len(y) if keep is None else keep
    owned = bytearray(len(y))
    row = rows.__getitem__
    for i in range(len(y) - 1, first - 1, -1):
        if (known := y[i]) is None:
            continue
        if i >= keep:
            y[i] = None
        for j, element in row(i):
            total = y[j]
            if total is None:
                y[j] = element._apply_transpose(known)
            elif owned[j]:
                y[j] = element._add_transpose(total, known)
            else:
                on_host = type(known) in ON_HOST
                y[j] = total + element._apply_transpose(known) if on_host else element._plus_transpose(total, known)
                owned[j] = 1
    return y[:keep]


class UnitTriangular:
    """I − N, where N is a strictly block lower triangular BlockMatrix with equal row and column shapes.

    Raises ValueError where shapes differ, or where a block that is already there stands on or above the diagonal (rows that
    are made when they are asked for are trusted).
    """

    def __init__(self, strict: BlockMatrix):
        if not isinstance(strict, BlockMatrix):
            raise TypeError(f"UnitTriangular expected a BlockMatrix N for I − N, got {type(strict).__name__}")
        if list(strict.row_shapes) != list(strict.column_shapes):
            raise ValueError("UnitTriangular expected a BlockMatrix with equal row and column shapes, got "
                             f"{list(strict.row_shapes)} and {list(strict.column_shapes)}")
        if isinstance(strict.rows, (list, tuple)):
            _require_strict(strict)
        self.strict = strict

    @property
    def row_shapes(self) -> Sequence[Shape]:
        return self.strict.row_shapes

    column_shapes = row_shapes

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the assembled matrix."""
        return self.strict.shape

    @property
    def dtype(self) -> np.dtype:
        return self.strict.dtype

    @property
    def flops(self) -> int:
        """Floating-point operations of a product, and of a solve, for one right-hand side."""
        return self.strict.flops + self.shape[0]

    def solve(self, b: Sequence[Array | None]) -> list[Array | None]:
        """x with (I − N) x = b, by forward substitution.

        b has one array ``(*rhs, *shape_i)``, or None for zero, for each row. It is left as it is; x may share memory with it.
        """
        check_blocks(b, self.row_shapes, "solve(UnitTriangular, b)", "block row")
        return forward_substitute(self.strict.rows, b)

    @property
    def T(self) -> UnitTriangularTranspose:
        return UnitTriangularTranspose(self)

    def conj(self) -> UnitTriangular:
        return UnitTriangular(self.strict.conj())

    def __matmul__(self, x: Sequence[Array | None]) -> list[Array | None]:
        return [minus(u, v) for u, v in zip(x, self.strict @ x, strict=True)]

    def to_block_matrix(self) -> BlockMatrix:
        """I − N as a BlockMatrix, with the identities of the diagonal made visible."""
        rows = [[*((j, -element) for j, element in row), (i, Identity(shape))]
                for i, (row, shape) in enumerate(zip(self.strict.rows, self.row_shapes, strict=True))]
        return BlockMatrix._of(rows, self.row_shapes, self.column_shapes)

    def to_sparse(self, like: Array | None = None, dtype: Any = None) -> Any:
        """The assembled matrix as CSR; see :meth:`BlockMatrix.to_sparse`."""
        return self.to_block_matrix().to_sparse(like, dtype)

    def to_dense(self, like: Array | None = None, dtype: Any = None) -> Array:
        """The assembled matrix."""
        return self.to_block_matrix().to_dense(like, dtype)

    def _data(self) -> Array | None:
        return self.strict._data()

    def __repr__(self) -> str:
        return f"UnitTriangular(I − {self.strict!r})"


class UnitTriangularTranspose:
    """(I − N)ᵀ: block upper triangular, but held by the rows of N."""

    def __init__(self, transposed: UnitTriangular):
        self._transposed = transposed

    @property
    def row_shapes(self) -> Sequence[Shape]:
        return self._transposed.row_shapes

    column_shapes = row_shapes

    @property
    def shape(self) -> tuple[int, int]:
        return self._transposed.shape

    @property
    def dtype(self) -> np.dtype:
        return self._transposed.dtype

    @property
    def flops(self) -> int:
        return self._transposed.flops

    def solve(self, e: Sequence[Array | None]) -> list[Array | None]:
        """y with (I − N)ᵀ y = e, by back substitution. e is left as it is; y may share memory with it."""
        check_blocks(e, self.row_shapes, "solve(UnitTriangular.T, e)", "block row")
        return back_substitute(self._transposed.strict.rows, e)

    @property
    def T(self) -> UnitTriangular:
        return self._transposed

    def conj(self) -> UnitTriangularTranspose:
        return self._transposed.conj().T

    def __matmul__(self, y: Sequence[Array | None]) -> list[Array | None]:
        return [minus(u, v) for u, v in zip(y, self._transposed.strict.T @ y, strict=True)]

    def to_block_matrix(self) -> BlockMatrix:
        return self._transposed.to_block_matrix().T

    def to_sparse(self, like: Array | None = None, dtype: Any = None) -> Any:
        return self._transposed.to_sparse(like, dtype).T.tocsr()

    def to_dense(self, like: Array | None = None, dtype: Any = None) -> Array:
        return self._transposed.to_dense(like, dtype).T

    def _data(self) -> Array | None:
        return self._transposed._data()

    def __repr__(self) -> str:
        return f"{self._transposed!r}.T"


def _require_strict(matrix: BlockMatrix) -> None:
    for i, j, _ in matrix.blocks():
        if j >= i:
            raise ValueError("UnitTriangular expected a strictly block lower triangular N in I − N, got a block at row "
                             f"{i}, column {j}")
