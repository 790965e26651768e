"""What public entries ask of shapes and arrays, and the words in which they say so."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Shape, is_array


def require_array(x: Any, name: str, what: str) -> None:
    """Raise TypeError, naming what was expected, unless x is an array of NumPy or CuPy, or stands in for one."""
    if not is_array(x):
        raise TypeError(f"{name} expected an array as {what}, got {type(x).__name__}; make it one with numpy.asarray or "
                        "cupy.asarray")


def require_shape(shape: Any, name: str) -> None:
    """Raise TypeError unless shape is a tuple of lengths."""
    if isinstance(shape, tuple):
        for n in shape:
            if (type(n) is not int and not isinstance(n, np.integer)) or n < 0:
                break
        else:
            return
    raise TypeError(f"{name} expected a shape, a tuple of lengths such as (2, 3) or (), got {shape!r}")


def require_operators(operators: Any, name: str) -> None:
    """Raise TypeError unless there is an operator, and nothing else is there; each checks its own parts."""
    for operator in operators:
        if not hasattr(operator, "_validate"):
            raise TypeError(f"{name} expected linear operators, got {type(operator).__name__}; wrap a full matrix as "
                            "linalg.Dense(matrix), a block matrix as linalg.BlockOperator(blocks)")
        operator._validate()
    if not operators:
        raise TypeError(f"{name} expected at least one linear operator, got none")


def broadcasts(shape: Shape, target: Shape) -> bool:
    """Whether an array of this shape broadcasts to the target shape, by NumPy's rule."""
    k = len(target) - len(shape)
    return shape == target or (k >= 0 and all(n in (1, m) for n, m in zip(shape, target[k:], strict=True)))
