"""Where the axes of values lie in the iteration space that the rows of one kernel share.

The space is the largest array among them, without axes of length 1. A place says of each axis of a value which axes of the space
it runs over: one, several that a reshape has merged, or none, where its length is 1. Views between rows only move axes, so inside
a kernel they cost nothing.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.axes import Conflict, moves, moves_axes
from gpuad.planning.device.expressions import arguments
from gpuad.planning.device.moving import is_move
from gpuad.planning.program import Program, Row, Var, spec_of
from linalg.arrays import Shape

Place = tuple[tuple[int, ...], ...]

ACROSS = {np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or}
"""Ufuncs by which a kernel reduces."""


def shape_of(program: Program, x: Any) -> Shape:
    """The shape of an operand."""
    return program.spec(x.index).shape if type(x) is Var else spec_of(x).shape


def is_reduction(program: Program, row: Row) -> bool:
    """Whether a row reduces: a ufunc over axes, or a product with a vector."""
    f = row.function
    if row.kwargs or row.out.dtype is None:
        return False
    if f is functions.reduce:
        return row.args[1] in ACROSS and type(row.args[0]) is Var
    if f is not np.matmul or (type(row.args[0]) is not Var and type(row.args[1]) is not Var):
        return False
    a, b = (shape_of(program, x) for x in row.args)
    return min(len(a), len(b)) == 1


def sources(row: Row) -> tuple[Any, ...]:
    """The operands that are values: of which the row is computed entry by entry, or what it reduces (the product of).

    None for rows that move entries: they read others than those at their place.
    """
    if is_move(row):
        return ()
    return row.args[:1] if row.function is functions.reduce else arguments(row)


def reduced_shape(program: Program, row: Row) -> Shape:
    """The shape of what a reduction adds up."""
    return max((shape_of(program, x) for x in sources(row)), key=len)


def reduced_axes(program: Program, row: Row) -> Shape:
    """The axes of ``reduced_shape`` that a reduction adds up."""
    if row.function is functions.reduce:
        return row.args[2]
    a, b = (shape_of(program, x) for x in row.args)
    return (len(a) - 1,) if len(b) == 1 else (len(b) - 2,)


class Places:
    """The places of a group of rows, of the views between them, and of the operands that they read from outside.

    Raises Conflict where there is no common space.
    """

    def __init__(self, program: Program, rows: Sequence[int]):
        self.program, self.rows = program, rows
        self.inside = set(rows)
        shapes = []
        self._known: dict[Any, list[tuple[int, ...] | None]] = {}
        self._shapes: dict[Any, Shape] = {}
        self._links: list[Any] = []
        self.keys: dict[tuple[int, int], Any] = {}  # (row, operand) -> what it reads
        for i in rows:
            row = self._row(i)
            self._add(i, row.out.shape)
            shapes.append(row.out.shape)
            if is_reduction(program, row):
                self._reduction(i, row)
                shapes.append(reduced_shape(program, row))
            elif not is_move(row):
                self._elementwise(i, row)
            elif any(self.source(Var(j)) is not None for j in row.parents):
                raise Conflict  # it reads entries that other threads compute
        full = max(shapes, key=lambda s: (math.prod(s), sum(n > 1 for n in s)))
        self.shape = tuple(n for n in full if n > 1)
        self._solve(full)
        self._reorder()

    def place(self, key: Any) -> Place:
        """The place of a row's value, or of what an operand is."""
        return tuple(self._known[key])  # type: ignore[arg-type]

    def source(self, x: Any) -> int | None:
        """The row inside that computes an operand, through views; None where it comes from outside."""
        while type(x) is Var and x.index not in self.inside:
            row = self.program.row(x.index)
            if row is None or not moves_axes(row):
                return None
            x = row.args[0]
        return x.index if type(x) is Var else None

    def source_of(self, key: Any) -> int | None:
        """The row inside whose value a key of ``keys`` shows; None for what comes from outside."""
        return None if type(key) is tuple else self.source(Var(key))

    def _row(self, i: int) -> Row:
        return self.program.rows[i - self.program.first]

    def _add(self, key: Any, shape: Shape) -> None:
        self._known.setdefault(key, [() if n == 1 else None for n in shape])
        self._shapes[key] = shape

    def _operand(self, i: int, k: int, x: Any) -> Any:
        """The key of an operand: a row inside, a view of one, or ("outside", row, operand)."""
        if self.source(x) is None:
            key: Any = ("outside", i, k)
            self._add(key, shape_of(self.program, x))
        else:
            key = x.index
            self._view(key)
        self.keys[i, k] = key
        return key

    def _view(self, i: int) -> None:
        while i not in self.inside and i not in self._known:
            row = self._row(i)
            self._add(i, row.out.shape)
            x = row.args[0].index
            self._add(x, self.program.spec(x).shape) if x in self.inside else None
            self._links.append(("view", i, x, moves(self.program.spec(x).shape, row)))
            i = x

    def _elementwise(self, i: int, row: Row) -> None:
        for k, x in enumerate(sources(row)):
            shape = shape_of(self.program, x)
            if not shape:
                if type(x) is Var:
                    self._operand(i, k, x)
                continue
            key, off = self._operand(i, k, x), len(row.out.shape) - len(shape)
            self._links.append(("view", key, i, [((a,), (a + off,)) for a, n in enumerate(shape) if n > 1]))

    def _reduction(self, i: int, row: Row) -> None:
        shape, axes = reduced_shape(self.program, row), reduced_axes(self.program, row)
        whole = ("reduced", i)
        self._add(whole, shape)
        for k, x in enumerate(sources(row)):
            own = shape_of(self.program, x)
            key = self._operand(i, k, x)
            at = range(len(own)) if len(own) == len(shape) else axes
            self._links.append(("view", key, whole, [((a,), (b,)) for a, b in zip(range(len(own)), at, strict=True)]))
        left = [a for a in range(len(shape)) if a not in axes]
        own_axes = left if len(row.out.shape) == len(shape) else range(len(left))
        links = [((a,), (b,)) for a, b in zip(own_axes, left, strict=True)]
        self._links.append(("view", i, whole, links))

    # ---- solving

    def _solve(self, full: Shape) -> None:
        order = [*(("reduced", i) for i in self.rows if ("reduced", i) in self._known), *self.rows,
                 *(key for key in self._known if type(key) is tuple and key[0] == "outside")]
        for key in order:
            if self._shapes[key] == full:
                self._assume(key, full)
                break
        self._propagate()
        for key in order:
            if None in self._known[key]:
                self._assume(key, full)
                self._propagate()
        for key, place in self._known.items():
            axes = [a for part in place for a in part or ()]
            if len(set(axes)) != len(axes):
                raise Conflict
            for n, part in zip(self._shapes[key], place, strict=True):
                if math.prod(self.shape[a] for a in part or ()) != n:
                    raise Conflict

    def _reorder(self) -> None:
        """Let the space have its axes in the order in which they lie in memory: that of its arrays from outside."""
        found: set[tuple[int, ...]] = set()
        for (i, k), key in self.keys.items():
            axes = [part for part in self.place(key) if part]
            if type(key) is not tuple or len(axes) != len(self.shape) or any(len(part) > 1 for part in axes):
                continue
            row = self.program.row(sources(self._row(i))[k].index)
            place = self.place(key)
            if row is not None and row.function is functions.transpose:
                place = tuple(place[row.args[1].index(b)] for b in range(len(place)))
            found.add(tuple(a for part in place for a in part))
        if len(found) == 1 and (order := found.pop()) != tuple(range(len(order))):
            new = {a: k for k, a in enumerate(order)}
            self.shape = tuple(self.shape[a] for a in order)
            for known in self._known.values():
                known[:] = [tuple(new[a] for a in part or ()) for part in known]

    def _assume(self, key: Any, full: Shape) -> None:
        """Let the axes whose places nothing says lie where the space has axes of their lengths, the last ones first."""
        known, shape = self._known[key], self._shapes[key]
        if shape == full and known == [() if n == 1 else None for n in shape]:
            numbers = iter(range(len(self.shape)))
            self._known[key] = [() if n == 1 else (next(numbers),) for n in shape]
            return
        free = [a for a in range(len(self.shape)) if not any(a in (part or ()) for part in known)]
        at = len(self.shape)
        for a in reversed(range(len(shape))):
            if known[a] is None:
                fitting = [b for b in free if self.shape[b] == shape[a]]
                if not fitting:
                    raise Conflict
                best = max([b for b in fitting if b < at], default=fitting[-1])
                free.remove(best)
                known[a] = (best,)
            at = min(known[a] or (at,))

    def _propagate(self) -> None:
        changed = True
        while changed:
            changed = False
            for _, one, other, groups in self._links:
                for a, b in groups:
                    changed |= self._equal(one, a, other, b)

    def _equal(self, one: Any, a: tuple[int, ...], other: Any, b: tuple[int, ...]) -> bool:
        """Let axes a of one value lie where axes b of another lie. Whether that was news."""
        x, y = self._known[one], self._known[other]
        left, right = _joined(x, a), _joined(y, b)
        if left is None:
            return right is not None and self._put(one, a, right)
        if right is None:
            return self._put(other, b, left)
        if left != right:
            raise Conflict
        return False

    def _put(self, key: Any, axes: tuple[int, ...], where: tuple[int, ...]) -> bool:
        known, shape = self._known[key], self._shapes[key]
        at, changed = 0, False
        for a in axes:
            start, n = at, 1
            while n < shape[a]:
                if at == len(where):
                    raise Conflict
                n *= self.shape[where[at]]
                at += 1
            part = where[start:at]
            if known[a] is None:
                known[a], changed = part, True
            elif known[a] != part:
                raise Conflict
        return changed


def _joined(known: list[tuple[int, ...] | None], axes: tuple[int, ...]) -> tuple[int, ...] | None:
    parts = [known[a] for a in axes]
    return None if None in parts else tuple(b for part in parts for b in part or ())


__all__ = ["ACROSS", "Conflict", "Place", "Places", "is_reduction", "moves_axes", "reduced_axes", "reduced_shape", "shape_of",
           "sources"]
