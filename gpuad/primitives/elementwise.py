"""Elementwise functions: each with its partial derivatives, as in a table of derivatives.

A rule is ``(y, *args) -> partial derivative``; a parameter with a leading underscore is not used, hence not kept.

Kinks, where the derivative jumps, take the mean of the two one-sided derivatives: |x| has 0 at 0; maximum and minimum give
half to each argument in a tie, so ReLU as ``maximum(x, 0)`` has 1/2 at 0; clip has 1/2 at its bounds. Where NaN decides, as in
``maximum(nan, 0)``, the derivatives are NaN. hypot and the absolute value of complex numbers have 0 at 0. Steps (sign, floor,
round, heaviside in its first argument, comparisons) are constant. Powers: aᵇ has 0 with respect to a where b = 0, and 0 with
respect to b where a = 0.

Complex arguments: rules of holomorphic functions are plain complex derivatives. abs, angle, real, imag and conj are linear over
the reals, in which ``linalg`` states their transposes.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.aliasing import view
from gpuad.differential import Block, Elementwise, Primitive, linear
from gpuad.dispatch import TABLE, implements
from gpuad.primitives.views import IMAGINARY, REAL
from gpuad.program import Row, Rows
from gpuad.traced import raw, stands_for_number, value_of
from linalg import Cast, Conjugate, Diagonal, ImaginaryPart, LinearOperator, Product, RealPart, entrywise
from linalg.arrays import ON_HOST, Array, Shape, is_array, is_traced, namespace


class Floating(Elementwise):
    """A function of two arguments whose rules see constant integers of an array in the result's dtype, which does not wrap."""

    def blocks(self, row: Row, rows: Rows) -> list[Block]:
        if -1 in row.parents:
            constant = row.args[row.parents.index(-1)]
            if getattr(constant, "dtype", row.dtype).kind in "iu":
                row = row._replace(args=[constant.astype(row.dtype) if a is constant else a for a in row.args])
        return super().blocks(row, rows)


def elementwise(ufunc: Any, *rules: Callable[..., Any] | None, kind: type[Elementwise] = Elementwise) -> Elementwise:
    """Enter a ufunc with its partial derivatives into the table."""
    primitive = kind(ufunc.__name__, ufunc, *rules)
    TABLE[ufunc] = primitive
    return primitive


LN2, LN10 = float(np.log(2.0)), float(np.log(10.0))
DEGREE = float(np.pi / 180)

# arithmetic
add = elementwise(np.add, lambda _y, _a, _b: 1, lambda _y, _a, _b: 1)
subtract = elementwise(np.subtract, lambda _y, _a, _b: 1, lambda _y, _a, _b: -1)
multiply = elementwise(np.multiply, lambda _y, _a, b: b, lambda _y, a, _b: a)
divide = elementwise(np.divide, lambda _y, _a, b: _reciprocal(b), lambda y, _a, b: -y / b, kind=Floating)
negative = elementwise(np.negative, lambda _y, _x: -1)
positive = elementwise(np.positive, lambda _y, _x: 1)
reciprocal = elementwise(np.reciprocal, lambda y, _x: -y * y)
square = elementwise(np.square, lambda _y, x: 2 * x)
remainder = elementwise(np.remainder, lambda _y, _a, _b: 1, lambda _y, a, b: -np.floor_divide(a, b), kind=Floating)
fmod = elementwise(np.fmod, lambda _y, _a, _b: 1, lambda y, a, b: np.rint((y - a) / b), kind=Floating)

# powers, exponentials, logarithms
sqrt = elementwise(np.sqrt, lambda y, _x: 0.5 / y)
cbrt = elementwise(np.cbrt, lambda y, _x: 1 / (3 * y * y))
exp = elementwise(np.exp, lambda y, _x: y)
exp2 = elementwise(np.exp2, lambda y, _x: LN2 * y)
expm1 = elementwise(np.expm1, lambda y, _x: y + 1)
log = elementwise(np.log, lambda _y, x: 1 / x)
log2 = elementwise(np.log2, lambda _y, x: 1 / (LN2 * x))
log10 = elementwise(np.log10, lambda _y, x: 1 / (LN10 * x))
log1p = elementwise(np.log1p, lambda _y, x: 1 / (1 + x))
logaddexp = elementwise(np.logaddexp, lambda y, a, _b: _exp_below(a, y), lambda y, _a, b: _exp_below(b, y))
logaddexp2 = elementwise(np.logaddexp2, lambda y, a, _b: _exp_below(LN2 * a, LN2 * y),
                         lambda y, _a, b: _exp_below(LN2 * b, LN2 * y))

# trigonometric and hyperbolic functions, and their inverses
sin = elementwise(np.sin, lambda _y, x: np.cos(x))
cos = elementwise(np.cos, lambda _y, x: -np.sin(x))
tan = elementwise(np.tan, lambda y, _x: 1 + y * y)
arcsin = elementwise(np.arcsin, lambda _y, x: 1 / np.sqrt((1 - x) * (1 + x)))
arccos = elementwise(np.arccos, lambda _y, x: -1 / np.sqrt((1 - x) * (1 + x)))
arctan = elementwise(np.arctan, lambda _y, x: _over_square(1, _distance(x)))
arctan2 = elementwise(np.arctan2, lambda _y, a, b: _over_square(b, np.hypot(a, b)),
                      lambda _y, a, b: -_over_square(a, np.hypot(a, b)), kind=Floating)
sinh = elementwise(np.sinh, lambda _y, x: np.cosh(x))
cosh = elementwise(np.cosh, lambda _y, x: np.sinh(x))
tanh = elementwise(np.tanh, lambda y, _x: 1 - y * y)
arcsinh = elementwise(np.arcsinh, lambda _y, x: 1 / _distance(x))
arccosh = elementwise(np.arccosh, lambda _y, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)))
arctanh = elementwise(np.arctanh, lambda _y, x: 1 / ((1 - x) * (1 + x)))
hypot = elementwise(np.hypot, lambda y, a, _b: a / _nonzero(y), lambda y, _a, b: b / _nonzero(y))
deg2rad = elementwise(np.deg2rad, lambda _y, _x: DEGREE)
rad2deg = elementwise(np.rad2deg, lambda _y, _x: 1 / DEGREE)
TABLE[np.radians], TABLE[np.degrees] = deg2rad, rad2deg

# choices
ge, le, eq = np.greater_equal, np.less_equal, np.equal  # operators would hand CuPy's arrays a number of NumPy's as an array
maximum = elementwise(np.maximum, lambda _y, a, b: _share(ge(a, b), ge(b, a)), lambda _y, a, b: _share(ge(b, a), ge(a, b)),
                      kind=Floating)
minimum = elementwise(np.minimum, lambda _y, a, b: _share(le(a, b), le(b, a)), lambda _y, a, b: _share(le(b, a), le(a, b)),
                      kind=Floating)
fmax = elementwise(np.fmax, lambda y, a, b: _share(eq(a, y), eq(b, y)), lambda y, a, b: _share(eq(b, y), eq(a, y)), kind=Floating)
fmin = elementwise(np.fmin, lambda y, a, b: _share(eq(a, y), eq(b, y)), lambda y, a, b: _share(eq(b, y), eq(a, y)), kind=Floating)
fabs = elementwise(np.fabs, lambda _y, x: np.sign(x))
copysign = elementwise(np.copysign, lambda y, a, _b: np.copysign(1, y) * np.copysign(1, a), None)
heaviside = elementwise(np.heaviside, None, lambda _y, a, _b: a == 0)
_select = Elementwise("where", np.where, None, lambda _y, mask, _a, _b: mask, lambda _y, mask, _a, _b: ~mask)


def _reciprocal(b: Any) -> Any:
    """1/b, infinite at 0 for Python's numbers too."""
    if stands_for_number(b):
        return b._record(_reciprocal, b)
    return 1 / b if is_array(b) or b else math.copysign(math.inf, b.real)


def _distance(x: Any) -> Any:
    """√(1 + x²), which does not overflow where x is real."""
    return np.sqrt(1 + x * x) if x.dtype.kind == "c" else np.hypot(1, x)


def _over_square(x: Any, length: Any) -> Any:
    """x / length², whose square may overflow where this does not."""
    return x / length / length


def _nonzero(y: Array) -> Array:
    """y with ones in place of zeros."""
    return namespace(y).where(y == 0, 1, y)


def _exp_below(a: Any, y: Array) -> Array:
    """exp(a − y) where y = log(eᵃ + eᵇ): a share between 0 and 1. Where y is −∞ it is 1/2; where y is ∞, 1 if a is."""
    xp = namespace(a, y)
    infinite = abs(y) == np.inf
    share = xp.exp(xp.where(infinite, 0, a) - xp.where(infinite, 0, y))
    return xp.where(infinite & (y < 0), 0.5, xp.where(infinite, a == y, share))


def _share(chosen: Array, other: Array) -> Array:
    """1 where this one is chosen, 0 where the other is, 1/2 where both are, NaN where none is (float32, which widens nothing)."""
    with np.errstate(invalid="ignore"):
        return np.divide(chosen, np.add(chosen, other, dtype=np.float32))


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:  # noqa: ARG001
    """x under another name."""
    return a.copy(order)


@implements(np.where)
def where(condition: Any, *branches: Any) -> Any:
    """``where(condition, a, b)``; the condition carries no derivative."""
    condition = value_of(condition)
    if not branches:
        return np.where(condition)
    if not is_array(condition):
        condition = namespace(*map(raw, branches)).asarray(condition)
    return _select(condition if condition.dtype == bool else condition != 0, *branches)


@implements(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """``clip`` as minimum of maximum."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    a = a if low is None else maximum(a, low)
    return a if high is None else minimum(a, high)


_power = Floating("power", np.power, lambda _y, a, b: _power_base(a, b), lambda y, a, _b: _power_exponent(y, a))


def _power_base(a: Any, b: Any) -> Any:
    """b aᵇ⁻¹, and 0 for b = 0 where a = 0 too."""
    if stands_for_number(b):
        return b * a ** b._record(_one_less, b)
    if not is_array(b):
        return b * a ** (b - 1) if b != 0 else 0.0
    return b * a ** where((b == 0) & (a == 0), 1, b - 1)


def _one_less(b: Any) -> Any:
    """The exponent of the derivative of a power: 0 of a constant."""
    return b - 1 if b != 0 else b


def _power_exponent(y: Any, a: Any) -> Any:
    """aᵇ log a in the dtype of aᵇ, and 0 for a = 0."""
    if not is_array(a):
        return y * np.log(y.dtype.type(a if a != 0 else 1))
    a = a if a.dtype == y.dtype else a.astype(y.dtype)
    return y * np.log(where(a == 0, 1, a))


@implements(np.power)
def power(a: Any, b: Any) -> Any:
    """aᵇ, with the square as the short way."""
    return square(a) if type(b) in (int, float) and b == 2 else _power(a, b)


@implements(np.float_power)
def float_power(a: Any, b: Any) -> Any:
    """aᵇ in double precision."""
    return power(_double(a), _double(b))


def _double(x: Any) -> Any:
    if not is_array(x):
        return x
    dtype = np.result_type(x.dtype, np.float64)
    return astype(x, dtype) if is_traced(x) else x.astype(dtype)


@implements(np.sign)
def sign(x: Any) -> Any:
    """The sign, constant for real x; z/|z| for complex z (0 at 0)."""
    return x / where(value_of(x) == 0, 1, absolute(x)) if x.dtype.kind == "c" else np.sign(value_of(x))


@implements(np.divmod)
def divmod_(a: Any, b: Any) -> tuple[Any, Any]:
    """Quotient rounded down, which is constant, and remainder."""
    return TABLE[np.floor_divide](a, b), remainder(a, b)


def _absolute_rule(shape: Shape, y: Array, z: Array) -> LinearOperator:
    """d|x| = sign(x) dx; for complex z, d|z| = Re(z̄ dz)/|z|, and 0 at 0."""
    if z.dtype.kind != "c":
        return Diagonal(np.sign(z), shape) if type(z) in ON_HOST else entrywise(_sign, (z,), shape)
    return Product(RealPart(shape), Diagonal(z.conj() / _nonzero(y), shape))


def _sign(x: Array) -> Array:
    """NumPy's: array_api_compat's waits for the device."""
    return np.sign(x)


absolute = implements(np.absolute)(Primitive("absolute", np.absolute, _absolute_rule))
_angle = Primitive("angle", np.angle, lambda shape, _y, z: Product(
    RealPart(shape), Diagonal(-1j * _over_square(z.conj(), abs(z)), shape)))


@implements(np.conjugate)
def conjugate(x: Any) -> Any:
    """The complex conjugate; a copy where x is real."""
    return linear(x, operator=Conjugate(x.shape)) if x.dtype.kind == "c" else x.copy()


@implements(np.real)
def real(x: Any) -> Any:
    """The real part; x itself where x is real."""
    return view(linear(x, operator=RealPart(x.shape)), x, REAL, None) if x.dtype.kind == "c" else x


@implements(np.imag)
def imag(x: Any) -> Any:
    """The imaginary part; zeros where x is real."""
    if x.dtype.kind != "c":
        return np.zeros_like(value_of(x))
    return view(linear(x, operator=ImaginaryPart(x.shape)), x, IMAGINARY, None)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """The angle of a complex number, in radians (or degrees)."""
    radians = _angle(z) if z.dtype.kind == "c" else np.angle(value_of(z))
    return rad2deg(radians) if deg else radians


@implements(np.astype)
def astype(x: Any, dtype: Any, order: str = "K", casting: str = "unsafe",
           subok: bool = True, copy: bool = True, *, device: Any = None) -> Any:  # noqa: ARG001
    """x as another floating or complex dtype; an integer or boolean dtype gives a plain array, which carries no derivative."""
    if device is not None:
        raise TypeError(f"astype: device={device!r} is not available for traced arrays; move the argument before it is traced")
    target = np.dtype(dtype)
    if target.kind == "V":  # as bfloat16's of ml_dtypes, which is a floating-point number all the same
        raise TypeError(f"astype: expected a dtype of NumPy's own, got {target.name}, which gpuad cannot differentiate; use "
                        "numpy.float16 or numpy.float32")
    if target.kind not in "fc":
        return value_of(x).astype(target)
    if not np.can_cast(x.dtype, target, casting):  # type: ignore[arg-type]
        raise TypeError(f"astype: cannot cast from {x.dtype} to {target} by the rule casting={casting!r}")
    if target == x.dtype:
        return x.copy(order) if copy else x
    return linear(x, operator=Cast(x.shape, x.dtype, target)).copy(order)


def _sinc_rule(shape: Shape, _y: Any, x: Array) -> LinearOperator:
    """d(sin z/z) = (z cos z − sin z)/z² dz with z = πx, by its power series near 0."""
    z = np.pi * x
    near = abs(z) < 1
    far = where(near, 1, z)
    small = where(near, z, 0)
    square, series = small * small, 0.0
    for n in range(10, 0, -1):
        series = (-1) ** n * 2 * n / math.factorial(2 * n + 1) + square * series
    slope = where(near, small * series, (np.cos(far) - np.sin(far) / far) / far)
    return Diagonal(np.pi * slope, shape)


sinc = implements(np.sinc)(Primitive("sinc", np.sinc, _sinc_rule))


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """NaN and infinities replaced by numbers, which are constant."""
    if not copy:
        raise TypeError("nan_to_num: copy=False is not available for traced arrays, which are immutable; assign the result")
    if x.dtype.kind == "c":
        return nan_to_num(real(x), True, nan, posinf, neginf) + 1j * nan_to_num(imag(x), True, nan, posinf, neginf)
    value = value_of(x)
    return where(np.isfinite(value), x, np.nan_to_num(value, nan=nan, posinf=posinf, neginf=neginf))
