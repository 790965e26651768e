"""Results on the device: arrays at fixed places, which are handed out, and written again only once nobody else holds them."""
from __future__ import annotations

from collections.abc import Mapping
from sys import getrefcount
from typing import Any

import numpy as np

from gpuad.planning.device.schedule import DeviceSchedule
from gpuad.planning.results import ALONE, COUNTS
from linalg.arrays import Array, cupy, size
from linalg.kernels.memory import array_at, unowned

ALIGNMENT = 256
"""Bytes: that of CUDA's own allocations."""


class ResultSet:
    """Memory for all results of a schedule, and for the donated arguments in which some of them lie.

    ``arrays`` are the places where the schedule writes, by number of the output; ``donated`` those of them that it reads, by
    input. What callers get are other arrays over the same memory, so that it can be told whether anybody holds them.
    """

    def __init__(self, schedule: DeviceSchedule):
        self.lies_in = dict(schedule.storage.donated)  # output -> input
        self.arrays: dict[int, Array] = {}
        self._out: list[tuple[int, Array, tuple[Any, ...]]] = []
        places, end = [], 0
        for k, spec in sorted(schedule.result_specs.items()):
            nbytes = size(spec.shape) * np.dtype(spec.dtype).itemsize
            if not spec.shape:  # a loop that keeps every loss would hold all sets
                places.append((k, end, tuple(spec.shape), spec.dtype))
                end += -(-nbytes // ALIGNMENT) * ALIGNMENT
                continue
            own = self.arrays[k] = cupy().empty(spec.shape, spec.dtype)
            out = unowned(own, own)
            self._out.append((k, out, _made(out)))
        self._places = places
        self._block = cupy().empty(end, np.uint8)
        self.arrays |= {k: array_at(self._block.data, offset, shape, dtype) for k, offset, shape, dtype in places}
        self.donated = {d: self.arrays[k] for k, d in self.lies_in.items()}

    def is_free(self, given: Mapping[int, Array]) -> bool:
        """Whether it may be written: nobody holds its arrays, but for donated ones that are ``given`` (by input) back to it."""
        if not COUNTS:
            return False
        for k, x, made in self._out:
            if getrefcount(x) == ALONE and _made(x) == made:  # the tuple's, x, and the argument
                continue
            if k not in self.lies_in or given.get(self.lies_in[k]) is not x or _made(x) != made:
                return False
        return True

    def places(self) -> dict[int, int]:
        """The bytes of the arrays that callers get, by their addresses."""
        return {x.data.ptr: x.nbytes for _, x, _ in self._out}

    def holds(self, d: int, x: Array) -> bool:
        """Whether an array that is given as input d is the one that lies there."""
        return any(x is out for k, out, _ in self._out if self.lies_in.get(k) == d)

    def hand_out(self) -> dict[int, Array]:
        """The results, as the caller's own: numbers as copies."""
        return {k: x for k, x, _ in self._out} | self._small()

    def copies(self) -> dict[int, Array]:
        """The results, all as copies."""
        return {k: x.copy() for k, x, _ in self._out} | self._small()

    def _small(self) -> dict[int, Array]:
        if not self._places:
            return {}
        block = self._block.copy()
        return {k: array_at(block.data, offset, shape, dtype) for k, offset, shape, dtype in self._places}


def _made(x: Array) -> tuple[Any, ...]:
    """What a caller may change of an array in place, besides its entries."""
    return x.shape, x.strides, x.dtype, x.data.ptr, getrefcount(x.data.mem)  # which arrays made of x.data hold too


__all__ = ["ALIGNMENT", "ResultSet"]
