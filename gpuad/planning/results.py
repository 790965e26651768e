"""Results: arrays that are handed out, and written again only once nobody else holds them."""
from __future__ import annotations

import sys
from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from gpuad.planning.program import Spec

KEPT = 3
"""Arrays that are kept for one result: a loop that binds its result anew needs two."""


def _count_alone() -> int:
    """What ``getrefcount(x)`` says, in a loop as below, of an object that only the list holds."""
    counts = [getrefcount(x) for x in [object()]]
    return counts[0]


ALONE = _count_alone()
COUNTS = getattr(sys, "_is_gil_enabled", lambda: True)()  # without the GIL counts tell nothing


class Results:
    """Memory for the array results of a schedule. An array that the caller still holds, or a view of it, is not written again."""

    __slots__ = ("_kept", "_specs")

    def __init__(self, specs: Sequence[Spec]):
        self._specs = [(tuple(s.shape), s.dtype) for s in specs]
        self._kept: list[tuple[list[Any], tuple[int, ...], Any]] = [([], shape, dtype) for shape, dtype in self._specs]

    def take(self) -> list[np.ndarray]:
        """An array for each result: one that was handed out and let go of, or a new one."""
        taken = []
        for arrays, shape, dtype in self._kept:
            for x in arrays:
                # alone, and as it was made: the caller may have reshaped, cast or locked it
                if getrefcount(x) == ALONE and x.shape == shape and x.dtype == dtype and x.flags.carray:
                    taken.append(x)
                    break
            else:
                taken.append(self._new(len(taken)))
        return taken

    def _new(self, i: int) -> np.ndarray:
        x = np.empty(*self._specs[i])
        if not COUNTS:
            return x
        arrays = self._kept[i][0]
        if len(arrays) == KEPT:
            del arrays[0]  # the caller's alone from now on
        arrays.append(x)
        return x
