"""Python's numbers among the arguments of a plan: in device memory, written there at a run only where they have changed."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuad.planning.program import Spec
from linalg.arrays import Array
from linalg.kernels import memory

EACH = 16
"""Bytes of each: a complex number."""


class Numbers:
    """``arrays`` of shape () on the device, and their ``values`` on the host, by place among the inputs."""

    def __init__(self, specs: Sequence[Spec], first: int = 0):
        self._block = memory.allocate(EACH * len(specs), "numbers") if specs else None
        self.arrays: list[Array] = [memory.array_at(self._block, EACH * k, (), spec.dtype) for k, spec in enumerate(specs)]
        self.values: dict[int, Any] = {}
        self._first, self._written = first, [b""] * len(specs)

    def set(self, values: Sequence[Any]) -> None:
        """Write those that differ, bit by bit, from what is there, on the current stream."""
        changed = []
        for k, (x, array) in enumerate(zip(values, self.arrays, strict=True)):
            self.values[self._first + k] = x
            bits = np.asarray(x, array.dtype).tobytes()
            if bits != self._written[k]:
                changed.append((array, x))
                self._written[k] = bits
        if changed:
            memory.set_numbers([array for array, _ in changed], [x for _, x in changed])
