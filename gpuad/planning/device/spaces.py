"""The arrays of a layout as memory: strides along the axes of its space, axes that go together, and widths of accesses."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpuad.planning.device import addresses
from gpuad.planning.device.addresses import place_of
from gpuad.planning.device.layout import Layout
from gpuad.planning.device.moving import is_move
from gpuad.planning.device.places import Place, sources
from gpuad.planning.passes.facts import uniform
from gpuad.planning.program import Program, Var
from linalg.arrays import Shape

WIDE = 16
"""Bytes in the widest access of a thread."""


@dataclass(frozen=True)
class Access:
    """An array as a kernel goes through it: strides in entries, along each axis of the space (0: broadcast)."""

    variable: int
    strides: tuple[int, ...]
    dtype: np.dtype
    pointer: int
    writes: bool = False
    is_index: bool = False
    """Whether it is no array, but the flat index of a row's entries."""

    @property
    def name(self) -> str:
        """The kernel's parameter."""
        return f"{'o' if self.writes else 'v'}{self.variable}"


@dataclass(frozen=True)
class Axis:
    """Axes of the space over which every access goes as over one: its length, and each access's stride."""

    length: int
    strides: tuple[int, ...]


class Space:
    """A layout and the arrays that it reads and writes."""

    def __init__(self, program: Program, layout: Layout, writes: Sequence[int], arrays: Mapping[int, Any]):
        self.program, self.layout = program, layout
        self.accesses: list[Access] = []
        self.reads: dict[tuple[int, int], int] = {}  # (row, operand) -> number of the access
        self.stores: dict[int, int] = {}
        self.indices: dict[int, int] = {}  # row that moves entries -> number of its flat index
        self.moved: dict[int, addresses.Place] = {}  # arrays that such rows read, and where their entries lie
        for i in layout.rows:
            row = program.rows[i - program.first]
            if is_move(row):
                self.indices[i] = self._index(i, row.out.shape)
                self.moved |= {j: place_of(j, program.spec(j), arrays[j].strides) for j in row.parents}
        for i in layout.rows:
            for k, x in enumerate(sources(program.rows[i - program.first])):
                if type(x) is Var and layout.places.source(x) is None:
                    place = layout.places.place(layout.places.keys[i, k])
                    self.reads[i, k] = self._access(x.index, place, arrays[x.index], False)
        for i in layout.rows:
            if i in writes:
                self.stores[i] = self._access(i, layout.places.place(i), arrays[i], True)

    def _access(self, i: int, place: Place, array: Any, writes: bool) -> int:
        strides = [0] * len(self.layout.shape)
        for n, step, axes in zip(array.shape, array.strides, place, strict=True):
            del n
            step //= array.dtype.itemsize
            for a in reversed(axes):
                strides[a] = step
                step *= self.layout.shape[a]
        access = Access(i, tuple(strides), array.dtype, array.data.ptr, writes)
        for k, other in enumerate(self.accesses):
            if replace(other, variable=i) == access:
                return k  # the same entries, maybe as another view
        self.accesses.append(access)
        return len(self.accesses) - 1

    def _index(self, i: int, shape: Shape) -> int:
        order = [math.prod(shape[a + 1:]) for a in range(len(shape))]
        like = SimpleNamespace(shape=shape, strides=order, dtype=np.dtype(np.uint8), data=SimpleNamespace(ptr=0))
        k = self._access(i, self.layout.places.place(i), like, False)
        self.accesses[k] = replace(self.accesses[k], is_index=True)
        return k

    def collapsed(self, axes: Sequence[int]) -> list[Axis]:
        """Some axes of the space, in order, neighbours together where every access allows it."""
        found: list[Axis] = []
        for a in axes:
            n, strides = self.layout.shape[a], tuple(x.strides[a] for x in self.accesses)
            if found and all(s == n * t for s, t in zip(found[-1].strides, strides, strict=True)):
                found[-1] = Axis(found[-1].length * n, strides)
            else:
                found.append(Axis(n, strides))
        return found or [Axis(1, (0,) * len(self.accesses))]

    def by_strides(self, axes: Sequence[int]) -> list[int]:
        """Axes, the one with the longest strides first: of what is written, else of what is read."""
        arrays = [x for x in self.accesses if not x.is_index]
        main = max(arrays, key=lambda x: (x.writes, sum(s != 0 for s in x.strides)), default=None)
        return sorted(axes, key=lambda a: -abs(main.strides[a])) if main is not None else list(axes)

    def width(self, inner: Sequence[Axis], others: Sequence[Axis], has_tail: bool) -> int:
        """Entries of the last inner axis that a thread takes at once: whole accesses of 16 bytes, where all arrays allow them."""
        last = inner[-1]
        rest = [*inner[:-1], *others]
        straight = [k for k, s in enumerate(last.strides) if s == 1 and not self.accesses[k].is_index]
        sizes = [self.accesses[k].dtype.itemsize for k in straight]
        if not sizes:
            return 1
        width = max(WIDE // min([s for s in sizes if s > 1], default=1), 1)
        while width > 1 and not ((has_tail or last.length % width == 0) and last.length >= width
                                 and all(self._is_aligned(k, width, rest) for k in straight)):
            width //= 2
        return width

    def _is_aligned(self, k: int, width: int, rest: Sequence[Axis]) -> bool:
        x = self.accesses[k]
        unit = min(WIDE, width * x.dtype.itemsize)
        return x.pointer % unit == 0 and all(axis.strides[k] * x.dtype.itemsize % unit == 0 for axis in rest)

    @property
    def index(self) -> str:
        """C++ type of indices: 64 bits only where sizes need them."""
        spans = [sum(abs(s) * (n - 1) for s, n in zip(x.strides, self.layout.shape, strict=True)) for x in self.accesses]
        return "int" if max([math.prod(self.layout.shape) * 2, *spans]) < 1 << 31 else "long long"


def number_of(x: Any) -> Any:
    """A constant operand as a number; arrays are of one number only."""
    return np.asarray(x).reshape(-1)[0] if isinstance(x, np.ndarray) and x.size == 1 else uniform(x)
