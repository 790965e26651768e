"""The operators and methods of a staged array, attached: NumPy's ufuncs and functions.

Where both sides are numbers of Python's, an operator is Python's own: such numbers promote as numbers do.
"""
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.planning.staged import NUMBERS, StagedArray, values_of
from gpuad.primitives import assignment
from gpuad.traced import TracedArray
from linalg import LinearOperator

SHORT_POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}
"""What ndarray's ** calls for some exponents."""


def _binary(symbol: str, ufunc: Any) -> None:
    plain = getattr(operator, symbol if symbol not in ("and", "or") else symbol + "_")

    def both(a: Any, b: Any) -> Any:
        staged = a if type(a) is StagedArray else b
        if type(a) is TracedArray or type(b) is TracedArray or isinstance(b, LinearOperator):
            return NotImplemented
        values = values_of((a, b))
        if symbol == "pow" and isinstance(values[0], np.ndarray) and type(b) in (int, float) and b in SHORT_POWERS \
                and (b == 2 or values[0].dtype.kind in "fc"):
            return staged.recorder.call(SHORT_POWERS[b], a)
        return staged.recorder.call(plain if all(type(v) in NUMBERS for v in values) else ufunc, a, b)

    setattr(StagedArray, f"__{symbol}__", lambda self, other: both(self, other))
    if symbol not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(StagedArray, f"__r{symbol}__", lambda self, other: both(other, self))
        setattr(StagedArray, f"__i{symbol}__", _rebind(symbol, both))


def _rebind(symbol: str, both: Callable[..., Any]) -> Callable[..., Any]:
    def in_place(self: StagedArray, other: Any) -> Any:
        if self.is_number:
            return both(self, other)  # as with NumPy's scalars and Python's numbers: the name is bound to a new one
        new = both(self, other)
        return new if new is NotImplemented else assignment.update(self, new, symbol)
    return in_place


for _symbol, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power, "mod": np.remainder,
    "floordiv": np.floor_divide, "matmul": np.matmul, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}.items():
    _binary(_symbol, _ufunc)


def _unary(plain: Any, ufunc: Any) -> Callable[..., Any]:
    def apply(x: StagedArray) -> Any:
        return x.recorder.call(plain if type(x.value) in NUMBERS else ufunc, x)
    return apply


for _name, _plain, _ufunc in (("neg", operator.neg, np.negative), ("pos", operator.pos, np.positive),
                              ("abs", operator.abs, np.absolute), ("invert", operator.invert, np.invert)):
    setattr(StagedArray, f"__{_name}__", _unary(_plain, _ufunc))

StagedArray.__divmod__ = lambda x, y: (x // y, x % y)  # type: ignore[attr-defined, operator]
StagedArray.__rdivmod__ = lambda x, y: (y // x, y % x)  # type: ignore[attr-defined]
StagedArray.__round__ = lambda x, *n: x.recorder.call(round, x, *n)  # type: ignore[attr-defined]


def _attach(name: str) -> None:
    function = getattr(np, name)
    setattr(StagedArray, name, lambda self, *args, **kwargs: function(self, *args, **kwargs))


for _name in """sum mean prod max min var std cumsum cumprod ptp dot clip take repeat diagonal trace swapaxes
        squeeze ravel argmax argmin argsort argpartition any all nonzero searchsorted round compress choose""".split():
    _attach(_name)


for _name in ("real", "imag"):
    setattr(StagedArray, _name, vars(StagedArray)[_name].setter(assignment.set_part(_name)))

for _name, _method in assignment.IN_PLACE.items():
    setattr(StagedArray, _name, _method)
