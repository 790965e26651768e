"""Integrals: rules for samples, linear in them, and quadrature of functions, differentiated under the integral sign."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree
import scipy.integrate
from numpy.lib.array_utils import normalize_axis_index

import gpuad.numpy
from gpuad.differential import Primitive
from gpuad.dispatch import implements
from gpuad.outside import Repeated, closed, parted, refuse_device, vector
from gpuad.packing import Packing
from gpuad.traced import TracedArray, raw, stand_in, underlying
from gpuad.transforms import jacobian
from linalg import Dense, LinearOperator
from linalg.arrays import Shape, is_array, is_cupy, namespace, records

# ---- rules for samples

def _at(y: Any, axis: int, part: Any) -> Any:
    return y[(slice(None),) * axis + (part,)]


def _steps(y: Any, x: Any, axis: int, name: str) -> Any:
    """Differences of the samples' places, laid out to broadcast with y."""
    x = x if is_array(x) else gpuad.numpy.asarray(x)
    if x.ndim == 1:
        x = np.reshape(x, tuple(-1 if i == axis else 1 for i in range(y.ndim)))
    elif x.ndim != y.ndim:
        raise ValueError(f"{name} expected x with one axis, or as many as y ({y.ndim}), got shape {x.shape}")
    if x.shape[axis] != y.shape[axis]:
        raise ValueError(f"{name} expected as many places x as samples y along the axis, got {x.shape[axis]} and {y.shape[axis]}")
    return np.diff(x, axis=axis)


def _arguments(y: Any, axis: int) -> tuple[Any, int]:
    y = y if is_array(y) else gpuad.numpy.asarray(y)
    return y, normalize_axis_index(axis, y.ndim)


@implements(scipy.integrate.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Σ hᵢ (yᵢ + yᵢ₊₁) / 2 along an axis."""
    y, axis = _arguments(y, axis)
    h = dx if x is None else _steps(y, x, axis, "trapezoid")
    total = np.sum(h * (_at(y, axis, slice(1, None)) + _at(y, axis, slice(None, -1))) / 2.0, axis=axis)
    return total.astype(np.result_type(y.dtype, np.float16)) if y.dtype.kind in "fc" else total


@implements(scipy.integrate.cumulative_trapezoid)
def cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None) -> Any:
    """The partial sums of ``trapezoid``; with ``initial=0`` a zero comes first."""
    y, axis = _arguments(y, axis)
    if not y.shape[axis]:
        raise ValueError("cumulative_trapezoid expected at least one sample along the axis, got none")
    if initial is not None and initial != 0:
        raise ValueError(f"cumulative_trapezoid expected initial=None or initial=0, got {initial!r}")
    h = dx if x is None else _steps(y, x, axis, "cumulative_trapezoid")
    sums = np.cumsum(h * (_at(y, axis, slice(1, None)) + _at(y, axis, slice(None, -1))) / 2.0, axis=axis)
    return sums if initial is None else np.concatenate([np.zeros_like(_at(y, axis, slice(0, 1)), sums.dtype), sums], axis)


def _double(dx: Any) -> Any:
    """A spacing in double precision, which results take then."""
    return dx if stand_in((dx,)) is not None else np.float64(dx)


def _ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is: at places that coincide."""
    return np.where(b != 0, a / np.where(b != 0, b, 1.0), 0.0)


def _parabolas(y: Any, h: Any, dx: Any, axis: int) -> Any:
    """Simpson's rule for an odd number of samples."""
    y0, y1, y2 = (_at(y, axis, slice(k, y.shape[axis] - 2 + k, 2)) for k in range(3))
    if h is None:
        return np.sum(y0 + 4.0 * y1 + y2, axis=axis) * (dx / 3.0)
    h0, h1 = _at(h, axis, slice(0, None, 2)).astype(float), _at(h, axis, slice(1, None, 2)).astype(float)
    both, quotient = h0 + h1, _ratio(h0, h1)
    return np.sum(both / 6.0 * (y0 * (2.0 - _ratio(1.0, quotient)) + y1 * (both * _ratio(both, h0 * h1))
                                + y2 * (2.0 - quotient)), axis=axis)


@implements(scipy.integrate.simpson)
def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """Simpson's rule along an axis; with an even number of samples, Cartwright's correction for the last interval."""
    y, axis = _arguments(y, axis)
    n, h = y.shape[axis], None if x is None else _steps(y, x, axis, "simpson")
    if n % 2:
        return _parabolas(y, h, dx, axis)
    last = [_at(y, axis, -k) for k in (1, 2, 3)[:min(n, 3)]]
    if n == 2:
        return 0.5 * (dx if h is None else _at(h, axis, -1)) * (last[0] + last[1])
    result = _parabolas(_at(y, axis, slice(None, -1)), h if h is None else _at(h, axis, slice(None, -1)), dx, axis)
    if h is None:
        correction = _double(dx) * (5.0 * last[0] + 8.0 * last[1] - last[2]) / 12.0
    else:
        h0, h1 = (_at(h, axis, k).astype(float) for k in (-2, -1))
        correction = (_ratio(2 * h1**2 + 3 * h0 * h1, 6 * (h1 + h0)) * last[0]
                      + _ratio(h1**2 + 3.0 * h0 * h1, 6 * h0) * last[1] - _ratio(h1**3, 6 * h0 * (h0 + h1)) * last[2])
    total = result + correction
    return total.astype(result.dtype) if result.ndim else total


@implements(scipy.integrate.romb)
def romb(y: Any, dx: Any = 1.0, axis: int = -1, show: Any = False) -> Any:
    """Romberg's extrapolation of the trapezoidal rule, of 2ᵏ + 1 equally spaced samples."""
    y, axis = _arguments(y, axis)
    if show:
        raise TypeError("romb: show is not available for traced arrays; leave it out")
    n = y.shape[axis] - 1
    if n < 1 or n & (n - 1):
        raise ValueError(f"romb expected 2ᵏ + 1 samples along the axis, got {n + 1}")
    h = n * _double(dx)
    row = [(_at(y, axis, 0) + _at(y, axis, -1)) / 2.0 * h]
    for i in range(1, n.bit_length()):
        inner = np.sum(_at(y, axis, slice(n >> i, n, 2 * (n >> i))), axis=axis)
        new = [0.5 * (row[0] + h / 2 ** (i - 1) * inner)]
        for j, before in enumerate(row, 1):
            new.append(new[-1] + (new[-1] - before) / (4**j - 1))
        row = new
    return row[-1]


# ---- functions

def fixed_quad(func: Callable[..., Any], a: Any, b: Any, args: tuple[Any, ...] = (), n: int = 5) -> Any:
    """``scipy.integrate.fixed_quad``: Gauss–Legendre quadrature of order n; differentiable in a, b and all that func reads."""
    if stand_in([a, b]) is None and any(map(np.isinf, (a, b))):
        raise ValueError(f"fixed_quad expected finite limits, got {a} and {b}")
    leaves: list[Any] = optree.tree_leaves((a, b, args))  # type: ignore[arg-type]
    like = next((x for x in leaves if is_cupy(underlying(x))), None)
    places, weights = map(namespace(like).asarray, np.polynomial.legendre.leggauss(n))
    return (b - a) / 2.0 * np.sum(weights * func((b - a) * (places + 1) / 2.0 + a, *args), axis=-1), None


@dataclass(frozen=True)
class Integral:
    """∫ from a to b of ``integrand(x, leaves)``, a vector, as a function of v, the traced ones among a, b and the leaves."""

    integrand: Callable[[Any, Sequence[Any]], Any]
    ends: Packing
    parameters: Packing
    options: tuple[tuple[str, Any], ...]
    known: Any = None

    def split(self, v: Any) -> tuple[Any, Any, Any]:
        """[a, b], all leaves, and the vector of the variable ones."""
        q = v[self.ends.size:]
        return self.ends.leaves(v), self.parameters.leaves(q), q


def _integrate(integrand: Callable[..., Any], ends: Sequence[Any], leaves: Sequence[Any], options: Any,
               known: Any = None) -> Any:
    """The integral, where any of the ends and leaves may be traced; ``known`` is its value where it is known already."""
    if any(type(x) is TracedArray for x in (*ends, *leaves)):
        integral = Integral(integrand, Packing.of(ends), Packing.of(leaves), options, known)
        return _integral(np.concatenate([*integral.ends.parts(ends), *integral.parameters.parts(leaves)]), integral=integral)
    if known is not None:
        return known
    if (staged := next(filter(records, (*ends, *leaves)), None)) is not None:
        return staged._record(_adaptive, integrand, list(ends), list(leaves), options, ordered=True)
    return _adaptive(integrand, ends, leaves, options)


def _adaptive(integrand: Callable[..., Any], ends: Sequence[Any], leaves: Sequence[Any], options: Any) -> Any:
    f = Repeated(lambda x: integrand(x, leaves))
    value, _, info = scipy.integrate.quad_vec(f, *ends, norm="max", full_output=True, **dict(options))
    if not info.success:
        warnings.warn(f"the derivative of an integral did not converge: {info.message}", scipy.integrate.IntegrationWarning,
                      stacklevel=2)
    return value


def _value(v: Any, *, integral: Integral) -> Any:
    return _integrate(integral.integrand, *integral.split(v)[:2], integral.options, integral.known)


def _differential(shape: Shape, y: Any, v: Any, *, integral: Integral) -> LinearOperator:
    """dI = f(b) db − f(a) da + ∫ (∂f/∂q) dq dx."""
    f, parameters = integral.integrand, integral.parameters
    ends, leaves, q = integral.split(v)
    columns = [np.reshape(sign * f(end, leaves), (*y.shape, 1))
               for end, sign, constant in zip(ends, (-1, 1), integral.ends.constants, strict=True) if constant is None]
    if parameters.size:
        def slopes(x: Any, leaves: Sequence[Any]) -> Any:
            q, *constants = leaves
            return np.ravel(jacobian(lambda q: f(x, parameters.having(constants).leaves(q)))(q))

        g = _integrate(slopes, ends, [q, *parameters.constants], integral.options)
        columns.append(np.reshape(g, (*y.shape, parameters.size)))
    return Dense(np.concatenate(columns, axis=1), shape, y.shape)


_integral = Primitive("integral", _value, _differential)


def quad(func: Callable[..., Any], a: Any, b: Any, args: Any = (), full_output: Any = 0, epsabs: float = 1.49e-8,
         epsrel: float = 1.49e-8, limit: int = 50, points: Any = None, weight: Any = None, wvar: Any = None,
         wopts: Any = None, maxp1: int = 50, limlst: int = 50, complex_func: bool = False) -> Any:
    """``scipy.integrate.quad``: (∫ func(x, *args) dx from a to b, error estimate); differentiable in a, b and args.

    Derivatives are integrals of the integrand's derivatives, to the same tolerances. ``weight``, ``full_output`` and
    ``complex_func`` are for plain arguments. Raises ArrayConversionError where func reads traced arrays from outside.
    """
    args = args if isinstance(args, tuple) else (args,)
    leaves, joined = parted(args)
    refuse_device("quad", [a, b, *leaves])
    plain = closed(func, "quad")
    limits = {"epsabs": epsabs, "epsrel": epsrel, "limit": limit, "points": points}
    if stand_in([a, b, leaves]) is None:
        return scipy.integrate.quad(plain, a, b, args, full_output, weight=weight, wvar=wvar, wopts=wopts, maxp1=maxp1,
                                    limlst=limlst, complex_func=complex_func, **limits)
    if full_output or weight is not None or complex_func:
        raise TypeError("quad: full_output, weight and complex_func are not available for traced arrays and in plans; write the "
                        "weight into the function, and integrate real and imaginary parts")

    def once(a: Any, b: Any, leaves: Sequence[Any]) -> Any:
        return scipy.integrate.quad(plain, a, b, joined(leaves), **limits)

    def integrand(x: Any, leaves: Sequence[Any]) -> Any:
        return vector(func(x, *joined(leaves)))

    values = [raw(x) for x in (a, b, *leaves)]
    staged = next(filter(records, values), None)
    given = values[0], values[1], values[2:]
    found = once(*given) if staged is None else staged._record(once, *given, ordered=True)
    options = (("epsabs", epsabs), ("epsrel", epsrel), ("points", points))
    total = _integrate(integrand, [a, b], leaves, options, np.reshape(found[0], (1,)))
    return np.reshape(total, ()) if type(total) is TracedArray else found[0], found[1]
