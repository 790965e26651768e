"""BlockMatrix: sparse rows of elements. An absent block is zero."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, add_into, namespace, size, sparse_module
from linalg.operator import LinearOperator

Row = Sequence[tuple[int, LinearOperator]]
"""The blocks of one row: (column, element) pairs. A column that stands twice adds up."""


class BlockMatrix:
    """A matrix of elements: block (i, j) maps arrays of shape ``column_shapes[j]`` to arrays of shape ``row_shapes[i]``.

    ``rows[i]`` lists the blocks of row i as (column, element) pairs; it may be any sequence, so that rows can be made when
    they are asked for. ``A @ xs`` takes a list with one array ``(*rhs, *column_shapes[j])`` for each column (None stands for
    zero) and gives a list with one array for each row.
    """

    def __init__(self, rows: Sequence[Row], row_shapes: Sequence[Shape], column_shapes: Sequence[Shape]):
        self.rows, self.row_shapes, self.column_shapes = rows, row_shapes, column_shapes

    @property
    def block_shape(self) -> tuple[int, int]:
        """Number of block rows and block columns."""
        return len(self.row_shapes), len(self.column_shapes)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the assembled matrix."""
        return sum(map(size, self.row_shapes)), sum(map(size, self.column_shapes))

    @property
    def flops(self) -> int:
        """Floating-point operations of ``A @ xs`` for one right-hand side."""
        return sum(element.flops for row in self.rows for _, element in row)

    def __getitem__(self, key: tuple[int, int]) -> LinearOperator | None:
        """Block (i, j), the sum of all that stands there; None where it is absent."""
        i, j = key
        found = [element for column, element in self.rows[i] if column == j]
        return sum(found[1:], found[0]) if found else None

    def blocks(self) -> Iterable[tuple[int, int, LinearOperator]]:
        """All blocks, as (row, column, element), row by row."""
        return ((i, j, element) for i, row in enumerate(self.rows) for j, element in row)

    def submatrix(self, rows: range, columns: range) -> BlockMatrix:
        """The blocks of consecutive rows and columns, as a BlockMatrix that is numbered from zero."""
        kept = [[(j - columns.start, e) for j, e in self.rows[i] if j in columns] for i in rows]
        return BlockMatrix(kept, [self.row_shapes[i] for i in rows], [self.column_shapes[j] for j in columns])

    @property
    def T(self) -> BlockMatrix:
        """The transpose: a block matrix of the elements' transposes."""
        rows: list[list[tuple[int, LinearOperator]]] = [[] for _ in self.column_shapes]
        for i, j, element in self.blocks():
            rows[j].append((i, element.T))
        return BlockMatrix(rows, self.column_shapes, self.row_shapes)

    def __matmul__(self, xs: Sequence[Array | None]) -> list[Array | None]:
        if len(xs) != len(self.column_shapes):
            raise ValueError(f"BlockMatrix @ xs expected {len(self.column_shapes)} arrays, one for each block column, "
                             f"got {len(xs)}")
        return [_row_times(row, xs) for row in self.rows]

    def _data(self) -> Array | None:
        return next((d for d in (e._data() for _, _, e in self.blocks()) if d is not None), None)

    def to_sparse(self) -> Any:
        """The assembled matrix as CSR, on the device that holds the blocks."""
        module = sparse_module(self._data())
        top, left = _offsets(self.row_shapes), _offsets(self.column_shapes)
        pieces = [(top[i], left[j], element.to_sparse().tocoo()) for i, j, element in self.blocks()]
        pieces = [(t, s, p) for t, s, p in pieces if p.nnz]
        xp = namespace(self._data())
        dtype = np.result_type(np.float32, *[p.data.dtype for _, _, p in pieces]) if pieces else np.dtype(float)
        if not pieces:
            return module.csr_matrix(self.shape, dtype=dtype)
        data = xp.concatenate([p.data for _, _, p in pieces]).astype(dtype)
        row = xp.concatenate([p.row + t for t, _, p in pieces])
        column = xp.concatenate([p.col + s for _, s, p in pieces])
        return module.coo_matrix((data, (row, column)), shape=self.shape).tocsr()

    def to_dense(self) -> Array:
        """The assembled matrix."""
        return self.to_sparse().toarray()

    def pattern(self) -> np.ndarray:
        """Which blocks are present: a boolean array of shape ``block_shape``."""
        present = np.zeros(self.block_shape, bool)
        for i, row in enumerate(self.rows):
            for j, _ in row:
                present[i, j] = True
        return present

    def __repr__(self) -> str:
        return f"BlockMatrix({self.block_shape[0]} x {self.block_shape[1]} blocks, {self.shape[0]} x {self.shape[1]})"


def _row_times(row: Row, xs: Sequence[Array | None]) -> Array | None:
    total, owned = None, False
    for j, element in row:
        if (x := xs[j]) is None:
            continue
        term = element._apply(x)
        if total is None:
            total = term
        else:
            total, owned = (add_into(total, term) if owned else total + term), True
    return total


def _offsets(shapes: Sequence[Shape]) -> list[int]:
    return list(accumulate(map(size, shapes), initial=0))
