"""Result slots: arrays that are handed out, and written again only once nobody else holds them."""
from __future__ import annotations

import sys
from typing import Any

import numpy as np

from linalg.arrays import Shape


def _references(slots: list[Any], i: int) -> int:
    return sys.getrefcount(slots[i])


_ALONE = _references([object()], 0)  # what it counts for an object that only the list holds
_COUNTS = getattr(sys, "_is_gil_enabled", lambda: True)()  # without the GIL counts tell nothing

KEPT = 3
"""Arrays that a slot holds: a loop that rebinds its result needs two."""


class ResultSlot:
    """The arrays of one result. An array that the caller, or a view of his, still holds is never written again."""

    __slots__ = ("arrays", "dtype", "shape")

    def __init__(self, shape: Shape, dtype: np.dtype):
        self.shape, self.dtype = shape, dtype
        self.arrays: list[np.ndarray] = []

    def take(self) -> np.ndarray:
        """An array for the next result: one that was handed out and let go of, or a new one."""
        arrays = self.arrays
        if _COUNTS:
            for i in range(len(arrays)):
                if sys.getrefcount(arrays[i]) == _ALONE:
                    x = arrays[i]
                    if x.shape == self.shape and x.dtype == self.dtype and x.flags.carray:  # the caller may have changed that
                        return x
        x = np.empty(self.shape, self.dtype)
        if len(arrays) == KEPT:
            del arrays[0]  # is the caller's alone from now on
        arrays.append(x)
        return x
