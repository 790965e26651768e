"""The parts of floating-point numbers: fraction, mantissa, exponent, neighbours.

Integer parts, exponents and spacings are constant, as steps are. The neighbour of x is x to rounding, and moves as x does.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.differential import Elementwise
from gpuad.dispatch import implements
from gpuad.primitives.constants import constant
from gpuad.primitives.elementwise import elementwise
from gpuad.traced import raw, value_of
from linalg.arrays import Array

constant(np.spacing)
nextafter = elementwise(np.nextafter, lambda _y, _a, _b: 1, None)
ldexp = elementwise(np.ldexp, lambda y, _x, n: _power_of_two(n, y), None)


def _power_of_two(n: Any, y: Array) -> Array:
    return np.ldexp(y.dtype.type(1), n)


_fraction = Elementwise("modf[0]", lambda x: np.modf(x)[0], lambda _y, _x: 1)
_mantissa = Elementwise("frexp[0]", lambda x: np.frexp(x)[0], lambda y, x: _power_of_two(-np.frexp(raw(x))[1], y))


@implements(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """The fractional part, and the integer part, which is constant."""
    return _fraction(x), np.modf(value_of(x))[1]


@implements(np.frexp)
def frexp(x: Any) -> tuple[Any, Any]:
    """The mantissa x 2⁻ᵉ, and the exponent e, which is constant."""
    return _mantissa(x), np.frexp(value_of(x))[1]
