"""Where the entries of small arrays lie: views by NumPy's own arithmetic on strides, and offsets as C++ text of a flat index.

A flat index goes over the entries of a shape in C order; the text of an offset divides it by constants, which compilers turn into
shifts and multiplications. Offsets and strides count entries, not bytes.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gpuad.planning.program import Program, Spec
from gpuad.planning.storage import is_view
from linalg.arrays import Shape

WIDE = 2**31


@dataclass(frozen=True)
class Place:
    """Entries in the memory of the variable ``root``: their dtype, and offset and strides in entries of that dtype."""

    root: int
    dtype: np.dtype
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0

    def broadcast(self, shape: Shape) -> Place:
        """The place as operand of a call whose result has this shape."""
        off = len(shape) - len(self.shape)
        strides = [0] * off + [s if n > 1 else 0 for n, s in zip(self.shape, self.strides, strict=True)]
        return Place(self.root, self.dtype, shape, tuple(strides), self.offset)

    def at(self, index: str = "e") -> str:
        """The offset of the entry with a flat index."""
        return offset(self.shape, self.strides, index, self.offset)

    @property
    def is_flat(self) -> bool:
        """Whether the flat index is the offset."""
        return self.offset == 0 and collapsed(self.shape, self.strides) in ([], [(math.prod(self.shape), 1)])


def collapsed(shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """(length, stride) of the axes longer than 1, where neighbours that go together are one."""
    found: list[tuple[int, int]] = []
    for n, s in zip(shape, strides, strict=True):
        if n == 1:
            continue
        if found and found[-1][1] == n * s:
            found[-1] = (found[-1][0] * n, s)
        else:
            found.append((n, s))
    return found


def coordinate(shape: Sequence[int], axis: int, index: str = "e") -> str:
    """The coordinate along an axis of the entry with a flat index."""
    below = math.prod(shape[axis + 1:])
    text = index if below == 1 else f"{index} / {below}u"
    return text if math.prod(shape[:axis]) == 1 else f"{text} % {shape[axis]}u"


def offset(shape: Sequence[int], strides: Sequence[int], index: str = "e", start: int = 0) -> str:
    """start + the sum of strides times coordinates of a flat index over a shape. Negative parts may not leave it negative."""
    axes = collapsed(shape, strides)
    lengths = [n for n, _ in axes]
    parts = [] if start == 0 else [str(start)]
    for k, (_, s) in enumerate(axes):
        c = coordinate(lengths, k, index)
        if s:
            factor = f"{s}ll" if abs(s) * math.prod(lengths) >= WIDE else str(s)
            parts.append(c if s == 1 else f"{factor} * ({c})" if " " in c else f"{factor} * {c}")
    text = " + ".join(parts) or "0"
    return f"(int)({text})" if start < 0 or any(s < 0 for _, s in axes) else text


def entries(shape: Sequence[int], array: np.ndarray, base: np.ndarray) -> tuple[tuple[int, ...], int]:
    """Strides and offset in entries of an array that shows a part of ``base``'s memory."""
    size = array.dtype.itemsize
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return tuple(s // size if n > 1 else 0 for n, s in zip(shape, array.strides, strict=True)), start // size


class Addresses:
    """The places of a program's variables, where some rows are computed ``inside`` a kernel, into memory in C order.

    ``strides`` gives those in bytes of arrays outside; without it they are taken to be in C order too. A view whose layout
    would need a copy becomes inside: ``copy`` is called with its variable.
    """

    def __init__(self, program: Program, inside: set[int], strides: Callable[[int], tuple[int, ...] | None],
                 copy: Callable[[int], None]):
        self.program, self.inside, self.copy = program, inside, copy
        self._strides = strides
        self._shown: dict[int, tuple[int, np.ndarray]] = {}
        self._bases: dict[int, np.ndarray] = {}

    def place(self, v: int) -> Place:
        """Where a variable lies."""
        root, shown = self._show(v)
        strides, start = entries(shown.shape, shown, self._bases[root])
        return Place(root, shown.dtype, shown.shape, strides, start)

    def _show(self, v: int) -> tuple[int, np.ndarray]:
        if v not in self._shown:
            self._shown[v] = self._shows(v)
        return self._shown[v]

    def _shows(self, v: int) -> tuple[int, np.ndarray]:
        row, spec = self.program.row(v), self.program.spec(v)
        if v not in self.inside and row is not None and is_view(row):
            try:
                root, base = self._show(row.args[0].index)
            except KeyError:
                pass
            else:
                view = row.function(base, *row.args[1:])
                if not isinstance(view, np.ndarray):  # NumPy makes a number of one entry
                    view = base[(*row.args[1], ...)]
                if np.may_share_memory(view, self._bases[root]):
                    return root, view
                self.copy(v)
        strides = None if v in self.inside else self._strides(v)
        self._bases[v] = _like(spec.shape, np.dtype(spec.dtype), strides)
        return v, self._bases[v]


def place_of(v: int, spec: Spec, strides: Sequence[int] | None) -> Place:
    """Where an array of its own lies, of these strides in bytes (None: in C order)."""
    like = _like(spec.shape, np.dtype(spec.dtype), strides)
    return Place(v, like.dtype, like.shape, entries(like.shape, like, like)[0])


def _like(shape: Shape, dtype: np.dtype, strides: Sequence[int] | None) -> np.ndarray:
    """An array of a shape and strides, whose memory is never touched."""
    if strides is None or not shape:
        return np.empty(shape, dtype)
    low = sum(min(0, s * (n - 1)) for n, s in zip(shape, strides, strict=True))
    high = sum(max(0, s * (n - 1)) for n, s in zip(shape, strides, strict=True)) + dtype.itemsize
    return np.ndarray(shape, dtype, np.empty(high - low, np.uint8), -low, tuple(strides))
