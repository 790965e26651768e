"""BlockMatrix: sparse rows of elements. An absent block is zero."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from linalg.arrays import (
    Array,
    Shape,
    add_into,
    entry_dtype,
    is_array,
    is_traced,
    namespace,
    size,
    sparse_module,
)
from linalg.checks import require_operators
from linalg.operator import LinearOperator

Row = Sequence[tuple[int, LinearOperator]]
"""The blocks of one row: (column, element) pairs. A column that stands twice adds up."""


class BlockMatrix:
    """A matrix of elements: block (i, j) maps arrays of shape ``column_shapes[j]`` to arrays of shape ``row_shapes[i]``.

    ``rows[i]`` lists the blocks of row i as (column, element) pairs; it may be any sequence, so that rows can be made when
    they are asked for. ``A @ xs`` takes a list with one array ``(*rhs, *column_shapes[j])`` for each column (None stands for
    zero) and gives a list with one array for each row (None where nothing but zeros meet).

    Raises ValueError where blocks do not fit rows and columns, TypeError where one is no operator. Rows that are made when they
    are asked for are trusted.
    """

    def __init__(self, rows: Sequence[Row], row_shapes: Sequence[Shape], column_shapes: Sequence[Shape]):
        if len(rows) != len(row_shapes):
            raise ValueError(f"BlockMatrix expected {len(row_shapes)} rows of blocks, one for each row shape, got {len(rows)}")
        if isinstance(rows, (list, tuple)):
            _require_fit(rows, row_shapes, column_shapes)
        self.rows, self.row_shapes, self.column_shapes = rows, row_shapes, column_shapes

    @classmethod
    def _of(cls, rows: Sequence[Row], row_shapes: Sequence[Shape], column_shapes: Sequence[Shape]) -> BlockMatrix:
        """The block matrix of parts that are known to fit."""
        made = cls.__new__(cls)
        made.rows, made.row_shapes, made.column_shapes = rows, row_shapes, column_shapes
        return made

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
        return BlockMatrix._of(kept, [self.row_shapes[i] for i in rows], [self.column_shapes[j] for j in columns])

    @property
    def dtype(self) -> np.dtype:
        """The common dtype of the blocks; bool where all have entries 0 and 1 only."""
        return np.result_type(bool, *{element.dtype for _, _, element in self.blocks()})

    @property
    def T(self) -> BlockMatrix:
        """The transpose: a block matrix of the elements' transposes."""
        rows: list[list[tuple[int, LinearOperator]]] = [[] for _ in self.column_shapes]
        for i, j, element in self.blocks():
            rows[j].append((i, element.T))
        return BlockMatrix._of(rows, self.column_shapes, self.row_shapes)

    def conj(self) -> BlockMatrix:
        """The map xs ↦ conj(A conj(xs))."""
        rows = [[(j, element.conj()) for j, element in row] for row in self.rows]
        return BlockMatrix._of(rows, self.row_shapes, self.column_shapes)

    def __matmul__(self, xs: Sequence[Array | None]) -> list[Array | None]:
        check_blocks(xs, self.column_shapes, "BlockMatrix @ xs", "block column")
        return [row_times(row, xs) for row in self.rows]

    def solve(self, b: Sequence[Array | None]) -> list[Array | None]:
        """x with A x = b, one array ``(*rhs, *row_shapes[i])`` or None for each block row; see :func:`linalg.solve`."""
        from linalg.substitution import solve_blocks

        check_blocks(b, self.row_shapes, "solve(BlockMatrix, b)", "block row")
        return solve_blocks(self, b)

    def _data(self) -> Array | None:
        return next((d for d in (e._data() for _, _, e in self.blocks()) if d is not None), None)

    def to_sparse(self, like: Array | None = None, dtype: Any = None) -> Any:
        """The assembled matrix as CSR, where the blocks' data lie, or else where ``like`` does.

        Its entries are computed in the blocks' common dtype, and in ``dtype`` where that is wider: Python's numbers and maps that
        hold none have no dtype of their own.
        """
        own = self._data()
        place = like if own is None else own
        top, left = _offsets(self.row_shapes), _offsets(self.column_shapes)
        module, xp, dtype = sparse_module(place), namespace(place), self._entry_dtype(dtype)
        pieces = [(top[i], left[j], element.to_sparse(place, dtype).tocoo()) for i, j, element in self.blocks()]
        if not pieces:
            return module.csr_matrix(self.shape, dtype=dtype)
        data = xp.concatenate([p.data for _, _, p in pieces]).astype(dtype)
        row = xp.concatenate([p.row + t for t, _, p in pieces])
        column = xp.concatenate([p.col + s for _, s, p in pieces])
        return module.coo_matrix((data, (row, column)), shape=self.shape).tocsr()

    def _entry_dtype(self, dtype: Any) -> np.dtype:
        return entry_dtype(self.dtype) if dtype is None else entry_dtype(self.dtype, np.dtype(dtype))

    def to_dense(self, like: Array | None = None, dtype: Any = None) -> Array:
        """The assembled matrix, of the entries that ``to_sparse`` has."""
        if any(is_traced(element._data()) for _, _, element in self.blocks()):
            return self._dense_by_columns(self._entry_dtype(dtype))
        return self.to_sparse(like, dtype).toarray()

    def _dense_by_columns(self, dtype: np.dtype) -> Array:
        eye = namespace(self._data()).eye(self.shape[1], dtype=dtype)
        columns = join(self @ split(eye, self.column_shapes), self.row_shapes)
        return columns.T

    def pattern(self) -> np.ndarray:
        """Which blocks are present: a boolean array of shape ``block_shape``."""
        present = np.zeros(self.block_shape, bool)
        for i, row in enumerate(self.rows):
            for j, _ in row:
                present[i, j] = True
        return present

    def __repr__(self) -> str:
        return f"BlockMatrix({self.block_shape[0]} x {self.block_shape[1]} blocks, {self.shape[0]} x {self.shape[1]})"


def row_times(row: Row, xs: Sequence[Array | None]) -> Array | None:
    """Σ A_j x_j over the blocks of a row; None where nothing but zeros meet."""
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


def minus(u: Array | None, v: Array | None) -> Array | None:
    """u − v, where None is zero."""
    if v is None:
        return u
    return -v if u is None else u - v


def check_blocks(xs: Any, shapes: Sequence[Shape], name: str, side: str) -> None:
    """Raise unless xs has one array ``(*rhs, *shape)``, or None, for each shape, with the same leading axes in all."""
    if isinstance(xs, str) or is_array(xs) or not hasattr(xs, "__len__"):
        raise TypeError(f"{name} expected a list with one array for each {side} (None for zero), got {type(xs).__name__}")
    if len(xs) != len(shapes):
        raise ValueError(f"{name} expected {len(shapes)} arrays, one for each {side}, got {len(xs)}")
    leading: set[Shape] = set()
    for i, (x, shape) in enumerate(zip(xs, shapes, strict=True)):
        if x is None:
            continue
        if not is_array(x):
            raise TypeError(f"{name} expected arrays, or None for zero, got {type(x).__name__} for {side} {i}")
        k = len(x.shape) - len(shape)
        if k < 0 or x.shape[k:] != tuple(shape):
            raise ValueError(f"{name} expected an array of shape (*rhs, {', '.join(map(str, shape))}) for {side} {i}, "
                             f"got {x.shape}")
        leading.add(x.shape[:k])
    if len(leading) > 1:
        raise ValueError(f"{name} expected the same right-hand-side axes in all arrays, got {sorted(leading)}")


def join(xs: Sequence[Array | None], shapes: Sequence[Shape]) -> Array:
    """The arrays raveled and concatenated, leading axes kept; None becomes zeros, and one array at least is given."""
    first, shape = next((x, s) for x, s in zip(xs, shapes, strict=True) if x is not None)
    rhs, xp = first.shape[: first.ndim - len(shape)], namespace(*(x for x in xs if x is not None))
    pieces = [xp.zeros((*rhs, size(s)), dtype=first.dtype) if x is None else x.reshape((*rhs, size(s)))
              for x, s in zip(xs, shapes, strict=True)]
    return xp.concatenate(pieces, axis=-1)


def split(x: Array, shapes: Sequence[Shape]) -> list[Array]:
    """The parts of a concatenation, as views of these shapes."""
    ends = _offsets(shapes)
    return [x[..., a:b].reshape(x.shape[:-1] + tuple(s)) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]


def _require_fit(rows: Sequence[Row], row_shapes: Sequence[Shape], column_shapes: Sequence[Shape]) -> None:
    """Raise unless every row lists (column, element) pairs, and every element maps its column's shape to its row's."""
    n = len(column_shapes)
    for i, row in enumerate(rows):
        for block in row:
            if not isinstance(block, (list, tuple)) or len(block) != 2:
                raise TypeError(f"BlockMatrix expected row {i} as a list of pairs (column, element), got {block!r} in it")
            j, element = block
            if not isinstance(j, (int, np.integer)) or not 0 <= j < n:
                raise ValueError(f"BlockMatrix expected columns from 0 to {n - 1}, got column {j!r} in row {i}")
            require_operators((element,), "BlockMatrix")
            if element.in_shape != tuple(column_shapes[j]) or element.out_shape != tuple(row_shapes[i]):
                raise ValueError(f"BlockMatrix expected block ({i}, {j}) to map {tuple(column_shapes[j])} to "
                                 f"{tuple(row_shapes[i])}, got {element!r}")


def _offsets(shapes: Sequence[Shape]) -> list[int]:
    return list(accumulate(map(size, shapes), initial=0))
