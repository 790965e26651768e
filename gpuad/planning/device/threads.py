"""How threads share the rows and columns of a kernel with reductions."""
from __future__ import annotations

from collections.abc import Sequence
from math import prod

from gpuad.planning.device.joins import power
from gpuad.planning.device.layout import LAST
from gpuad.planning.device.spaces import Axis, Space

THREADS = 256
WARP = 32
MOST = 1024
REGISTERS = 96
"""32-bit registers of a thread in which values wait for later phases."""
ENTRIES = 32
"""Entries of a thread whose loop is unrolled."""
ACROSS = 16
"""The most threads that share a row where neighbouring threads have neighbouring rows."""
FULL = 4096
"""Threads of a multiprocessor: two for each that it runs at once."""
SHORT, FEWEST = 16, 8
"""Entries of a thread, and threads of a row, where there are rows enough."""
PER_THREAD = 2
"""Rows at least that a thread of sums over the outer axes adds up."""


class Threads:
    """``group`` threads share the inner axes of a row, each ``each`` times ``width`` neighbouring entries (``each`` 0: a loop).

    A block has ``threads``, so ``per_block`` groups; ``blocks`` blocks share the rows. In kind "columns" ``tiles`` blocks share
    the inner axes. ``across``: neighbouring threads have neighbouring rows, not entries. ``keeps``: values that later phases read
    stay in registers.
    """

    def __init__(self, space: Space, outer: Sequence[Axis], inner: Sequence[Axis], words: int, processors: int):
        layout = space.layout
        height, length = layout.size(layout.outer), layout.size(layout.inner)
        self.tiles, self.keeps = 1, True
        sums = [i for i, axes in layout.reduced.items() if axes and layout.phase[i] == LAST]
        has_columns = any(layout.axes[i] for i in sums)
        self.across = layout.kind == "rows" and _is_across(space, outer, inner) \
            and not (has_columns and length > ACROSS * ENTRIES)
        self.width = 1 if self.across else space.width(inner, outer, False)
        vectors = length // self.width
        if layout.kind == "columns":
            self.group, self.each = min(WARP, power(vectors)), 1
            self.tiles = -(-vectors // self.group)
            self.threads = THREADS
        elif self.across:
            self.group = min(power(-(-length // 4)), ACROSS)
            self.threads = THREADS
            self._set_each(vectors, words)
        else:
            self._group_of_row(height, vectors, words, processors)
        self.per_block = self.threads // self.group
        self.blocks = -(-height // self.per_block)
        self._limit_blocks(layout.kind, bool(sums), processors)

    def _group_of_row(self, height: int, vectors: int, words: int, processors: int) -> None:
        self.group = min(WARP, power(vectors))
        self._set_each(vectors, words)
        while self.group < MOST and (not self.each or not self.keeps or (
                self.each > 1 and self.group >= WARP and height * self.group < processors * 2 * THREADS)):
            self.group *= 2
            self._set_each(vectors, words)
        while self.group > FEWEST and height * self.group >= processors * FULL and self.keeps \
                and 2 * self.each * self.width <= SHORT:
            self.group //= 2  # enough rows to fill the device: fewer threads compute what a row has in common
            self._set_each(vectors, words)
        self.threads = max(THREADS, self.group) if self.group <= WARP else self.group
        while self.threads > max(WARP, self.group) and -(-height * self.group // self.threads) < processors:
            self.threads //= 2

    def _set_each(self, vectors: int, words: int) -> None:
        each = -(-vectors // self.group)
        self.keeps = each * self.width * words <= REGISTERS
        self.each = each if each * self.width <= ENTRIES else 0
        self.keeps &= self.each > 0

    def _limit_blocks(self, kind: str, sums: bool, processors: int) -> None:
        most = processors * 8
        if kind == "columns":
            self.blocks = -(-self.blocks // PER_THREAD)
            waves = 1 if self.blocks * self.tiles < processors * 32 else 8
            most = max(1, processors * waves // self.tiles)
        elif sums:
            most = processors * (4 if self.blocks >= 16 * processors else 2)
        self.blocks = max(1, min(self.blocks, most))


def _is_across(space: Space, outer: Sequence[Axis], inner: Sequence[Axis]) -> bool:
    """Whether neighbouring rows lie side by side in memory, rather than neighbouring entries of a row."""
    full = [k for k, x in enumerate(space.accesses) if not x.is_index and any(axis.strides[k] for axis in inner)]
    along = sum(inner[-1].strides[k] == 1 for k in full)
    return prod(axis.length for axis in outer) > 1 and sum(outer[-1].strides[k] == 1 for k in full) > along
