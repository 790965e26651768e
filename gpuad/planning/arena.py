"""An arena: one block of memory in which every buffer of a schedule has its place, first fit by liveness."""
from __future__ import annotations

import bisect

import numpy as np

from linalg.arrays import Shape

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


class Arena:
    """Places for buffers that are taken and freed in the order in which a schedule runs. ``size`` is the peak in bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []  # (offset, length), by offset, never adjacent

    def take(self, nbytes: int) -> tuple[int, int]:
        """The offset and the length of the smallest free place that is large enough; the arena grows where there is none."""
        length = -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
        fitting = [(n, at) for at, n in self._free if n >= length]
        if not fitting:
            return self._grow(length), length
        n, at = min(fitting)
        self._free.remove((at, n))
        if n > length:
            bisect.insort(self._free, (at + length, n - length))
        return at, length

    def _grow(self, length: int) -> int:
        """Room at the end, where the last free place may already begin."""
        start = self.size
        if self._free and sum(self._free[-1]) == self.size:
            start = self._free.pop()[0]
        self.size = start + length
        return start

    def free(self, at: int, length: int) -> None:
        """Give a place back; free neighbours become one."""
        i = bisect.bisect(self._free, (at, length))
        if i < len(self._free) and self._free[i][0] == at + length:
            length += self._free.pop(i)[1]
        if i and sum(self._free[i - 1]) == at:
            start, before = self._free.pop(i - 1)
            at, length = start, before + length
            i -= 1
        self._free.insert(i, (at, length))

    def allocate(self) -> np.ndarray:
        """The memory, aligned."""
        raw = np.empty(self.size + ALIGNMENT, np.uint8)
        skip = -raw.ctypes.data % ALIGNMENT
        return raw[skip: skip + self.size]


def placed(memory: np.ndarray, offset: int, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """The C-contiguous array at an offset of the memory."""
    return np.ndarray(shape, dtype, memory, offset)
