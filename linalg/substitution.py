"""Systems of a block matrix: substitution where it is block triangular, assembly where it is not."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linalg.arrays import Array, is_traced, size
from linalg.block import BlockMatrix, join, minus, row_times, split
from linalg.elements.dense import Dense
from linalg.elements.sparse import Sparse
from linalg.operator import LinearOperator
from linalg.singular import require_square, singular

SPARSE_FROM = 200
"""Smallest order from which an assembled matrix is solved by sparse LU, if one entry in ten or fewer is nonzero."""


def solve_blocks(matrix: BlockMatrix, b: Sequence[Array | None]) -> list[Array | None]:
    """x with A x = b for a square block matrix, b of the right shapes; zero right-hand sides may be None.

    Block lower and upper triangular matrices with square diagonal blocks are solved by substitution, with the diagonal blocks'
    own solves. Any other matrix is assembled. Raises numpy.linalg.LinAlgError where a block or the matrix is singular.
    """
    require_square(matrix)
    order = _order(matrix)
    if order is not None:
        return _substitute(matrix, _diagonal(matrix), order, b)
    if all(part is None for part in b):
        return [None] * len(matrix.column_shapes)
    x = _solve_assembled(matrix, join(b, matrix.row_shapes))
    return list(split(x, matrix.column_shapes))


def _order(matrix: BlockMatrix) -> Sequence[int] | None:
    """The order in which substitution finds the unknowns; None where the matrix is not block triangular."""
    m, n = matrix.block_shape
    if m != n or any(size(r) != size(c) for r, c in zip(matrix.row_shapes, matrix.column_shapes, strict=True)):
        return None
    pattern = [(i, j) for i, j, _ in matrix.blocks()]
    if all(j <= i for i, j in pattern):
        return range(n)
    return range(n - 1, -1, -1) if all(j >= i for i, j in pattern) else None


def _diagonal(matrix: BlockMatrix) -> list[LinearOperator]:
    blocks = [matrix[i, i] for i in range(len(matrix.row_shapes))]
    for i, block in enumerate(blocks):
        if block is None:
            raise singular(matrix, f"has no diagonal block ({i}, {i})")
    return blocks  # type: ignore[return-value]


def _substitute(matrix: BlockMatrix, diagonal: list[LinearOperator], order: Sequence[int],
                b: Sequence[Array | None]) -> list[Array | None]:
    x: list[Array | None] = [None] * len(b)
    for i in order:
        known = row_times([(j, element) for j, element in matrix.rows[i] if j != i], x)
        right = minus(b[i], known)
        x[i] = None if right is None else diagonal[i]._solve(right)
    return x


def _solve_assembled(matrix: BlockMatrix, b: Array) -> Array:
    operator: Any = Dense(matrix.to_dense(b)) if any(is_traced(e._data()) for _, _, e in matrix.blocks()) else \
        _dense_or_sparse(matrix.to_sparse(b))
    try:
        return operator._solve(b)
    except np.linalg.LinAlgError as error:
        raise singular(matrix, f"has no inverse ({error})") from error


def _dense_or_sparse(csr: Any) -> LinearOperator:
    n = csr.shape[0]
    return Sparse(csr) if n >= SPARSE_FROM and 10 * csr.nnz <= n * n else Dense(csr.toarray())
