"""Rows that move entries by an index, as the C++ text of one entry of their result: nothing is written twice, so order is fixed.

``getitem`` with arrays reads; ``scatter_add``, ``scatter_sum`` and ``assigned`` ask of each entry of the result what falls on it.
Indices out of range wrap around, as CuPy's do.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuad.planning.device.addresses import Place, coordinate, offset
from gpuad.planning.program import Program, Var
from linalg.arrays import Shape


@dataclass(frozen=True)
class Part:
    """What an index says of one axis of the array: a slice (start, step, length), or whole numbers in a variable's entries."""

    axis: int
    start: int = 0
    step: int = 1
    length: int = 1
    kept: bool = True  # whether the result has an axis for it
    numbers: Any = None

    @property
    def is_array(self) -> bool:
        return self.numbers is not None


@dataclass(frozen=True)
class Index:
    """An index of an array of a shape. ``axes`` are the parts in the order of the result's axes, None for a new one.

    ``first`` is the result's axis where those of the numbers' common ``shape`` begin.
    """

    of: Shape
    parts: tuple[Part, ...]
    axes: tuple[Part | None, ...]
    shape: Shape
    first: int

    @property
    def arrays(self) -> list[Part]:
        return [p for p in self.parts if p.is_array]

    @property
    def result(self) -> Shape:
        """The shape of what is selected."""
        lengths = [1 if p is None else p.length for p in self.axes]
        return (*lengths[:self.first], *self.shape, *lengths[self.first:])


def parsed(program: Program, index: Any, shape: Shape) -> Index | None:
    """An index of slices, whole numbers, new axes, and variables of whole numbers; None for others."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(p, np.ndarray) for p in items):
        return None
    if sum(p is Ellipsis for p in items) > 1:
        return None
    given = sum(p is not None and p is not Ellipsis for p in items)
    at = next((k for k, p in enumerate(items) if p is Ellipsis), len(items))
    items[at:at + 1] = [slice(None)] * (len(shape) - given)
    parts: list[Part] = []
    axes: list[Part | None] = []
    where: list[int] = []  # places in the index of what counts as an array
    first, axis = 0, 0
    numbers = any(type(p) is Var for p in items)
    for k, p in enumerate(items):
        if p is None:
            axes.append(None)
            continue
        part = _part(program, p, axis, shape[axis])
        if part is None:
            return None
        parts.append(part)
        if part.is_array or (numbers and not part.kept):
            first = len(axes) if not where else first
            where.append(k)
        elif part.kept:
            axes.append(part)
        axis += 1
    if where and where != list(range(where[0], where[-1] + 1)):
        first = 0  # NumPy puts the axes of separated arrays first
    common = np.broadcast_shapes(*(program.spec(p.numbers.index).shape for p in parts if p.is_array))
    return Index(shape, tuple(parts), tuple(axes), common, first if where else 0)


def _part(program: Program, p: Any, axis: int, n: int) -> Part | None:
    if isinstance(p, slice):
        if any(type(x) is Var for x in (p.start, p.stop, p.step)):
            return None
        start, stop, step = p.indices(n)
        return Part(axis, start, step, len(range(start, stop, step)))
    if type(p) is Var:
        spec = program.spec(p.index)
        return Part(axis, numbers=p) if spec.dtype is not None and spec.dtype.kind in "iu" else None
    if isinstance(p, (int, np.integer)) and not isinstance(p, bool):
        return Part(axis, int(p) % n, 1, 1, False)
    return None


def selected(index: Index, source: Place, read: Callable[[Part, str], str]) -> str:
    """The offset in ``source`` of the entry e of ``source[index]``; ``read`` gives the number of a part at a flat index."""
    out = index.result
    strides, start = [0] * len(out), source.offset
    for part in index.parts:
        s = source.strides[part.axis]
        start += 0 if part.is_array else s * part.start
        if not part.is_array and part.kept:
            strides[_axis(index, part)] = s * part.step
    terms = [offset(out, strides, "e", start)]
    for part in index.arrays:
        number = f"floor_remainder<long long>({read(part, _flat(index, out))}, {index.of[part.axis]}ll)"
        terms.append(f"{source.strides[part.axis]} * {number}")
    return " + ".join(terms)


def _axis(index: Index, part: Part) -> int:
    k = index.axes.index(part)
    return k if k < index.first or not index.arrays else k + len(index.shape)


def _flat(index: Index, out: Shape) -> str:
    """The flat index over the numbers' common shape, of entry e of the result."""
    last = index.first + len(index.shape)
    below, n = math.prod(out[last:]), math.prod(index.shape)
    return f"(e / {below}u % {n}u)"


def falls_on(index: Index) -> list[str]:
    """Conditions on entry e of the array: whether the index's slices and whole numbers select it."""
    found = []
    for p in index.parts:
        c, n = f"({coordinate(index.of, p.axis)})", index.of[p.axis]
        if p.is_array or (p.kept and (p.start, p.step, p.length) == (0, 1, n)):
            continue
        if not p.kept:
            found.append(f"{c} == {p.start}u")
            continue
        off, step = _off(p, c), abs(p.step)
        found += [f"{off} % {step}u == 0u"] if step > 1 else []
        found.append(f"{off} / {step}u < {p.length}u" if step > 1 else f"{off} < {p.length}u")
    return found


def _off(p: Part, c: str) -> str:
    return f"({c} - {p.start}u)" if p.step > 0 else f"({p.start}u - {c})"


def comes_from(index: Index, value: Place, r: str = "r") -> str:
    """The offset in ``value``, of the shape that the index selects, of what falls on entry e; r counts the numbers."""
    value = value.broadcast(index.result)
    terms = [str(value.offset)]
    for p in index.parts:
        if not p.is_array and p.kept and (s := value.strides[_axis(index, p)]):
            off, step = _off(p, f"({coordinate(index.of, p.axis)})"), abs(p.step)
            terms.append(f"{s} * (int){off}" if step == 1 else f"{s} * (int)({off} / {step}u)")
    last = index.first + len(index.shape)
    numbers = offset(index.shape, value.strides[index.first:last], r)
    return " + ".join([*terms, numbers] if numbers != "0" else terms)


def matches(index: Index, read: Callable[[Part, str], str], r: str = "r") -> list[str]:
    """Conditions on entry e of the array and r: whether the r-th numbers of the index select it."""
    return [f"floor_remainder<long long>({read(p, r)}, {index.of[p.axis]}ll) == {coordinate(index.of, p.axis)}"
            for p in index.arrays]


def numbers_of(index: Index) -> int:
    """How many entries the numbers of an index select along their axes."""
    return math.prod(index.shape)

