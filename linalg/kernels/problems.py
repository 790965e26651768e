"""Matrix products as cuBLASLt states them: column-major matrices with leading dimensions, stacks by one stride.

NumPy's arrays are row-major, and a row-major matrix is the column-major matrix of its transpose. So out = x y is stated as
outᵀ = yᵀ xᵀ: A is y's memory, B is x's, D is out's. Nothing is copied: a transposed view only changes an operation to "T".
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from itertools import product as all_of
from typing import Any

from linalg.arrays import Array, Shape, size

LAUNCHES = 8
"""Products by which a stack is multiplied at most, where one stride does not reach all of its matrices."""


class Unsupported(ValueError):
    """A product that cuBLASLt does not take as it is: the message says why, and what would be taken."""


@dataclass(frozen=True)
class Matrix:
    """Column-major ``rows`` × ``columns`` with a leading dimension, of which cuBLASLt takes the transpose where ``transposed``.

    ``step`` entries lie between the matrices of a stack; 0 where all products read the same one.
    """

    rows: int
    columns: int
    leading: int
    transposed: bool
    step: int


@dataclass(frozen=True)
class Problem:
    """D = A B (+ C) for ``count`` matrices, once for each of ``offsets``: bytes from the start of x, y, out and add."""

    dtype: str
    a: Matrix
    b: Matrix
    c: Matrix
    d: Matrix
    count: int
    offsets: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class _Stack:
    """Matrices (*batch, rows, columns) and their strides in entries."""

    shape: Shape
    strides: Shape
    itemsize: int

    def batch(self, axes: slice) -> Iterator[tuple[int, int]]:
        return zip(self.shape[:-2][axes], self.strides[:-2][axes], strict=True)


def problem(x: Array, y: Array, out: Array, add: Array | None = None) -> Problem:
    """The product out = x @ y (+ add) by NumPy's rules for vectors and stacks; only shapes, strides and dtypes are read.

    x and y may be transposed views and parts of larger matrices; out and add have contiguous rows. Raises Unsupported where a
    matrix has no contiguous axis, is of another dtype than the rest, or has no entries.
    """
    arrays = [x, y, out, out if add is None else add]
    if len({a.dtype for a in arrays}) > 1:
        raise Unsupported(f"expected arrays of one dtype, got {', '.join(str(a.dtype) for a in arrays[:3 + (add is not None)])}")
    if 0 in (*x.shape, *y.shape):
        raise Unsupported(f"expected matrices that have entries, got {tuple(x.shape)} @ {tuple(y.shape)}")
    stacks = _stacks(arrays, x.ndim == 1, y.ndim == 1)
    outer, stacks = _split(stacks)
    stacks = _merged(stacks)
    (xs, ys, outs, adds), count = stacks, size(stacks[2].shape[:-2])
    a, b = _matrix(ys, "the right operand"), _matrix(xs, "the left operand")
    d, c = _matrix(outs, "the result"), _matrix(adds, "the term that is added")
    for matrix, what in ((d, "the result"), (c, "the term that is added")):
        if matrix.transposed:
            raise Unsupported(f"expected contiguous rows of {what}, got strides {outs.strides}")
    return Problem(out.dtype.name, a, b, c, d, count, outer)


def _stacks(arrays: Sequence[Array], row: bool, column: bool) -> list[_Stack]:
    """x, y, out and add as stacks over one batch shape; vectors become a matrix's row (x) or column (y)."""
    x, y, out, add = ((list(a.shape), [_entries(a, s) for s in a.strides]) for a in arrays)
    if row:
        _insert(x, 0)
    if column:
        _insert(y, 1)
    for result in (out, add):
        if row:
            _insert(result, len(result[0]) - (not column))
        if column:
            _insert(result, len(result[0]))
    batch = out[0][:-2]
    stacks = []
    for (shape, strides), array in zip((x, y, out, add), arrays, strict=True):
        missing = len(batch) - (len(shape) - 2)
        shape, strides = [1] * missing + shape, [0] * missing + strides
        strides = [0 if n == 1 else s for n, s in zip(shape[:-2], strides[:-2], strict=True)] + strides[-2:]
        kept = [i for i, n in enumerate(batch) if n != 1]
        stacks.append(_Stack((*(batch[i] for i in kept), *shape[-2:]), (*(strides[i] for i in kept), *strides[-2:]),
                             array.dtype.itemsize))
    return stacks


def _entries(array: Array, stride: int) -> int:
    entries, rest = divmod(stride, array.dtype.itemsize)
    if rest:
        raise Unsupported(f"expected strides of whole entries of {array.dtype}, got {tuple(array.strides)} bytes")
    return entries


def _insert(array: tuple[list[int], list[int]], at: int) -> None:
    """A new axis of one entry."""
    array[0].insert(at, 1)
    array[1].insert(at, 0)


def _split(stacks: list[_Stack]) -> tuple[tuple[Any, ...], list[_Stack]]:
    """(offsets, stacks): the innermost batch axes that one stride reaches in all stacks stay, others give offsets."""
    n = len(stacks[0].shape) - 2
    start = n
    while start and all(_is_linear(s, start - 1) for s in stacks):
        start -= 1
    lengths = stacks[2].shape[:start]
    if size(lengths) > LAUNCHES:
        raise Unsupported(f"expected stacks whose matrices lie at equal distances, got batch strides "
                          f"{[s.strides[:-2] for s in stacks[:3]]} for the batch {stacks[2].shape[:-2]}: copy the operand")
    offsets = tuple(tuple(sum(i * t for i, t in zip(index, s.strides, strict=False)) * s.itemsize for s in stacks)
                    for index in all_of(*map(range, lengths)))
    inner = []
    for s in stacks:
        count, step = size(s.shape[start:-2]), s.strides[-3] if n > start else 0
        batch = ((count,), (step,)) if n > start else ((), ())
        inner.append(_Stack((*batch[0], *s.shape[-2:]), (*batch[1], *s.strides[-2:]), s.itemsize))
    return offsets, inner


def _is_linear(s: _Stack, axis: int) -> bool:
    """Whether the batch axes from this one on are one stride's."""
    axes = list(s.batch(slice(axis, None)))
    return axes[-1][1] >= 0 and all(t == n2 * t2 for (_, t), (n2, t2) in pairwise(axes))


def _merged(stacks: list[_Stack]) -> list[_Stack]:
    """A stack times one matrix as one product, whose rows are those of all matrices, where they lie at equal distances."""
    if len(stacks[0].shape) == 2 or stacks[1].strides[0] != 0:
        return stacks
    count, rows = stacks[2].shape[:2]
    tall = []
    for s in (stacks[0], *stacks[2:]):
        step, stride, last = s.strides
        if step != rows * stride if rows > 1 else not step:
            return stacks
        tall.append(_Stack((count * rows, s.shape[2]), (stride if rows > 1 else step, last), s.itemsize))
    return [tall[0], _Stack(stacks[1].shape[1:], stacks[1].strides[1:], stacks[1].itemsize), *tall[1:]]


def _matrix(s: _Stack, what: str) -> Matrix:
    """A stack as cuBLASLt sees its memory."""
    (rows, columns), (down, along) = s.shape[-2:], s.strides[-2:]
    step = s.strides[0] if len(s.shape) > 2 else 0
    if columns == 1 or along == 1:
        leading = down if rows > 1 else columns
        if leading >= columns:
            return Matrix(columns, rows, leading, False, step)
    if rows == 1 or down == 1:
        leading = along if columns > 1 else rows
        if leading >= rows:
            return Matrix(rows, columns, leading, True, step)
    raise Unsupported(f"expected {what} to have contiguous rows or columns, got a matrix of shape {(rows, columns)} with strides "
                      f"{(down, along)} entries: copy it, with cupy.ascontiguousarray(x)")


__all__ = ["LAUNCHES", "Matrix", "Problem", "Unsupported", "problem"]
