"""Functions whose result carries no derivative: they run on the values of traced arguments and give plain arrays."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.dispatch import TABLE
from gpuad.traced import value_of

UFUNCS = """
    equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor logical_not
    isfinite isinf isnan signbit floor ceil trunc rint floor_divide
""".split()

FUNCTIONS = """
    all any argmax argmin nanargmax nanargmin argsort argpartition argwhere nonzero flatnonzero count_nonzero lexsort searchsorted
    digitize array_equal array_equiv allclose isclose isin isneginf isposinf iscomplex isreal iscomplexobj isrealobj round around
    fix shape ndim size result_type can_cast common_type min_scalar_type may_share_memory shares_memory
    array_repr array_str array2string
""".split()


CONSTANTS: set[Any] = set()
"""The functions of the table that are constant in all their arguments."""


def constant(function: Any) -> Callable[..., Any]:
    """Enter a function that is constant in all its arguments into the table."""
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_value, args), **{k: _value(v) for k, v in kwargs.items()})
    evaluate.__name__ = evaluate.__qualname__ = function.__name__
    evaluate.__wrapped__ = function  # type: ignore[attr-defined]  # whose signature it has
    TABLE[function] = evaluate
    CONSTANTS.add(function)
    return evaluate


def _value(x: Any) -> Any:
    return type(x)(map(_value, x)) if type(x) in (list, tuple) else value_of(x)


for _name in UFUNCS + FUNCTIONS:
    constant(getattr(np, _name))

constant(np.linalg.matrix_rank)
