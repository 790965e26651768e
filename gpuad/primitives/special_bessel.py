"""Bessel functions of both kinds, modified, scaled and spherical ones, Hankel functions, and their derivatives: in the argument.

The order is a constant. Scaled functions e⁻ˣ I_v and eˣ K_v decay like powers, their derivatives are small differences: where
|x| > 30 + v² their asymptotic series are used.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from gpuad.dispatch import TABLE, implements
from gpuad.primitives.special import UNKNOWN, Special, counted, power_series, sc, ufunc

# orders 0 and 1
ufunc("j0", lambda _y, x: -sc.j1(x))
ufunc("j1", lambda y, x: sc.j0(x) - _over(y, x, _first_over(-1, x)))
ufunc("y0", lambda _y, x: -sc.y1(x))
ufunc("y1", lambda y, x: sc.y0(x) - y / x)
ufunc("i0", lambda _y, x: sc.i1(x))
ufunc("i1", lambda y, x: sc.i0(x) - _over(y, x, _first_over(1, x)))
ufunc("k0", lambda _y, x: -sc.k1(x))
ufunc("k1", lambda y, x: -sc.k0(x) - y / x)
ufunc("i0e", lambda y, x: _scaled(y, 0, x, -1, sc.i1e(x) - np.sign(x) * y))
ufunc("i1e", lambda y, x: _scaled(y, 1, x, -1, sc.i0e(x) - _over(y, x, np.exp(-abs(x)) * _first_over(1, x)) - np.sign(x) * y))
ufunc("k0e", lambda y, x: _scaled(y, 0, x, 1, y - sc.k1e(x)))
ufunc("k1e", lambda y, x: _scaled(y, 1, x, 1, y - sc.k0e(x) - y / x))

# any order
for _name in ("jv", "yv", "yn", "hankel1", "hankel2"):
    ufunc(_name, UNKNOWN, lambda _y, v, x, f=_name: _difference(f, v, x))
for _name in ("jve", "yve"):
    ufunc(_name, UNKNOWN, lambda _y, v, x, f=_name: _difference(f, v, x), real=True)
ufunc("hankel1e", UNKNOWN, lambda y, v, x: _difference("hankel1e", v, x) - 1j * y)
ufunc("hankel2e", UNKNOWN, lambda y, v, x: _difference("hankel2e", v, x) + 1j * y)
ufunc("iv", UNKNOWN, lambda _y, v, x: _sum("iv", v, x))
ufunc("ive", UNKNOWN, lambda y, v, x: _scaled(y, v, x, -1, _sum("ive", v, x) - np.sign(x) * y), real=True)
ufunc("kv", UNKNOWN, lambda _y, v, x: -_sum("kv", v, x))
ufunc("kn", UNKNOWN, lambda _y, v, x: -_sum("kn", v, x))
ufunc("kve", UNKNOWN, lambda y, v, x: _scaled(y, v, x, 1, y - _sum("kve", v, x)))


def _difference(name: str, v: Any, x: Any) -> Any:
    """The derivative of J, Y and H: (f_{v−1} − f_{v+1})/2."""
    f = getattr(sc, name)
    return (f(v - 1, x) - f(v + 1, x)) / 2


def _sum(name: str, v: Any, x: Any) -> Any:
    """The derivative of I, and −1 times that of K: (f_{v−1} + f_{v+1})/2."""
    f = getattr(sc, name)
    return (f(v - 1, x) + f(v + 1, x)) / 2


def _first_over(sign: int, x: Any) -> Any:
    """The power series of J₁(x)/x and I₁(x)/x, for |x| < 1."""
    small = np.where(abs(x) < 1, x, 0.0)
    return power_series([0.5 * sign**k / (4**k * math.factorial(k) * math.factorial(k + 1)) for k in range(10)], small * small)


def _over(y: Any, x: Any, series: Any) -> Any:
    """y/x, by its series near 0."""
    return np.where(abs(x) < 1, series, y / np.where(abs(x) < 1, 1.0, x))


def _scaled(y: Any, v: Any, x: Any, sign: int, near: Any) -> Any:
    """The derivative of a scaled function y ~ x^(−1/2) Σ aₖ (±1/x)ᵏ with aₖ = Π (4v² − (2j − 1)²)/(8j)."""
    if x.dtype.kind == "c":
        return near
    far = abs(x) > 30 + v * v
    inverse = 1 / np.where(far, abs(x), 30.0 + v * v)
    term, total, slope = 1.0, 1.0, 0.0
    for k in range(1, 20):
        term = term * (sign * (4 * v * v - (2 * k - 1) ** 2) / (8 * k)) * inverse
        total, slope = total + term, slope - k * term
    return np.where(far, y * np.sign(x) * inverse * (slope / total - 0.5), near)


def _spherical(name: str, lower: int, upper: int) -> None:
    """f_n′ = (±n f_{n−1} ± (n + 1) f_{n+1})/(2n + 1)."""
    function = getattr(scipy.special, name)

    def slope(n: Any, z: Any) -> Any:
        f = getattr(sc, name)
        k = counted(n, z)
        return (lower * k * f(n - (n > 0), z) + upper * (k + 1) * f(n + 1, z)) / (2 * k + 1)

    primitive = Special(name, lambda n, z: getattr(sc, name)(n, z), UNKNOWN, lambda _y, n, z: slope(n, z), whole=[0])
    TABLE[function] = lambda n, z, derivative=False: slope(n, z) if derivative else primitive(n, z)


_spherical("spherical_jn", 1, -1)
_spherical("spherical_yn", 1, -1)
_spherical("spherical_in", 1, 1)
_spherical("spherical_kn", -1, -1)


def _derivative(name: str, of: str, phase: int) -> None:
    """The nth derivative, Σₖ C(n, k) (±1)ᵏ f_{v − n + 2k}/2ⁿ, times (−1)ⁿ for K."""
    sign = -1 if of == "kv" else 1

    def derivative(v: Any, z: Any, n: int = 1) -> Any:
        f: Callable[..., Any] = getattr(sc, of)
        return sum(math.comb(n, k) * phase**k * f(v - n + 2 * k, z) for k in range(n + 1)) * (sign / 2) ** n

    implements(getattr(scipy.special, name))(derivative)


for _name, _of, _phase in (("jvp", "jv", -1), ("yvp", "yv", -1), ("h1vp", "hankel1", -1), ("h2vp", "hankel2", -1),
                           ("ivp", "iv", 1),
                           ("kvp", "kv", 1)):
    _derivative(_name, _of, _phase)

