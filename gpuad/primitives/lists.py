"""Lists as arguments, which may hold arrays under differentiation."""
from __future__ import annotations

from typing import Any

import gpuad.numpy
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import TracedArray, stand_in
from linalg.arrays import namespace


def operands(*values: Any) -> list[Any]:
    """The values as arrays where the arrays among them lie: numbers, lists of numbers, and lists that hold arrays."""
    return arrays_of(*map(_joined, values))


def _joined(value: Any) -> Any:
    found = stand_in(value) if isinstance(value, (list, tuple)) else None
    if found is None:
        return value
    xp = namespace(found) if type(found) is TracedArray else gpuad.numpy
    return xp.asarray(value)


__all__ = ["operands"]
