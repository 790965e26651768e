"""Several arrays as one vector: how a solver's function of many parameters becomes a function of one variable."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuad.program import own
from gpuad.traced import TracedArray
from linalg.arrays import Shape, is_array, size


@dataclass(frozen=True)
class Packing:
    """Which leaves are variable, being traced (position, shape, dtype), and the others; None stands for a variable one."""

    variables: tuple[tuple[int, Shape, Any], ...]
    constants: tuple[Any, ...]

    @classmethod
    def of(cls, leaves: Sequence[Any]) -> Packing:
        traced = [type(x) is TracedArray for x in leaves]
        return cls(tuple((i, x.shape, x.dtype) for i, x in enumerate(leaves) if traced[i]),
                   tuple(None if t else own(x) if is_array(x) else x for x, t in zip(leaves, traced, strict=True)))

    @property
    def size(self) -> int:
        """Number of entries of all variables."""
        return sum(size(shape) for _, shape, _ in self.variables)

    def parts(self, leaves: Sequence[Any]) -> list[Any]:
        """The variables among the leaves, raveled."""
        return [np.ravel(leaves[i]) for i, _, _ in self.variables]

    def leaves(self, q: Any) -> list[Any]:
        """All leaves, from the vector of the variable ones."""
        leaves, first = list(self.constants), 0
        for i, shape, dtype in self.variables:
            part = np.reshape(q[first: first + size(shape)], shape)
            leaves[i] = (part if dtype.kind == "c" else np.real(part)).astype(dtype)
            first += size(shape)
        return leaves

    def having(self, constants: Sequence[Any]) -> Packing:
        """The same with other constants: as a plan reads them anew."""
        return Packing(self.variables, tuple(constants))
