"""Donated arguments: arrays that a plan may write its results over, and the checks that make that safe."""
from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from linalg.arrays import Array, is_cupy, namespace


class Donation:
    """The donated leaves of a call. Arrays that were checked once, as in a training loop, are not checked again."""

    def __init__(self, name: str, donated: Sequence[int], captured: Sequence[Array]):
        self.name, self.donated, self.captured = name, list(donated), captured
        self._checked: list[weakref.ref[Any]] = []

    def check(self, leaves: Sequence[Any]) -> None:
        """Raise ValueError where a donated array cannot be written over, or shares memory with another argument."""
        arrays = [x for x in leaves if type(x) is np.ndarray or is_cupy(x)]
        checked = self._checked
        if len(checked) == len(arrays) and all(ref() is x for ref, x in zip(checked, arrays, strict=True)):
            return
        for i in self.donated:
            x = leaves[i]
            writeable = is_cupy(x) or x.flags.writeable
            if not (writeable and x.flags.c_contiguous):
                what = "not C-contiguous" if writeable else "read-only"
                raise ValueError(f"plan({self.name}): expected donated arrays that can be written over, got shape {x.shape} "
                                 f"that is {what}; pass x.copy(), or do not donate this argument")
            for j, other in enumerate((*leaves, *self.captured)):
                if j != i and isinstance(other, type(x)) and namespace(x).may_share_memory(x, other):
                    raise ValueError(f"plan({self.name}): a donated array of shape {x.shape} shares memory with another "
                                     f"argument, or an array from outside, of shape {other.shape}, which the results would "
                                     "overwrite; pass a copy of one of them")
        self._checked = [weakref.ref(x) for x in arrays]
