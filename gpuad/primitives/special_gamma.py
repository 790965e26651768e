"""The gamma function and its kin: its logarithm, derivatives and inverse, the beta function, binomials, Hurwitz' zeta function.

Where ψ has a pole (gamma, beta, poch, binom at non-positive integers) the derivatives are infinite or NaN; 1/Γ has none.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from gpuad.dispatch import TABLE, implements
from gpuad.primitives.special import UNKNOWN, Special, constant, like, sc, ufunc
from gpuad.traced import raw, value_of
from linalg.arrays import records

ufunc("gamma", lambda y, x: y * sc.psi(x))
ufunc("gammaln", lambda _y, x: sc.psi(x))
ufunc("loggamma", lambda _y, x: sc.psi(x))
ufunc("rgamma", lambda y, x: _reciprocal_slope(y, x))
ufunc("psi", lambda _y, x: _trigamma(x))
ufunc("beta", lambda y, a, b: -y * psi_step(a, b), lambda y, a, b: -y * psi_step(b, a))
ufunc("betaln", lambda _y, a, b: -psi_step(a, b), lambda _y, a, b: -psi_step(b, a))
ufunc("poch", lambda y, x, m: y * psi_step(x, m), lambda y, x, m: y * sc.psi(x + m))
ufunc("binom", lambda y, n, k: y * (sc.psi(n + 1) - sc.psi(n - k + 1)), lambda y, n, k: y * (sc.psi(n - k + 1) - sc.psi(k + 1)))
constant("gammasgn")

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)

_polygamma = Special("polygamma", lambda n, x: sc.polygamma(n, x), UNKNOWN, lambda _y, n, x: sc.polygamma(n + 1, x))
_zeta = Special("zeta", lambda x, q: sc.zeta(x, q), UNKNOWN, lambda _y, x, q: -x * sc.zeta(x + 1, q))


def _reciprocal_slope(y: Any, x: Any) -> Any:
    """d(1/Γ) = −ψ/Γ dx; left of 1/2 as that of Γ(1 − x) sin(πx)/π, which has no poles."""
    left = x.real < 0.5
    z = np.where(left, 1 - x, 1.0)
    turned = sc.gamma(z) * (np.cos(np.pi * z) + np.sin(np.pi * z) * sc.psi(z) / np.pi)
    return np.where(left, -turned, -y * sc.psi(np.where(left, 1.0, x)))


def psi_step(a: Any, b: Any) -> Any:
    """ψ(a + b) − ψ(a), for large arguments by the differences of the terms of the asymptotic series."""
    far = (a > 15) & (a + b > 15)
    x = np.where(far, a, 16.0)
    step = np.where(far, b, 1.0)
    u, v = 1 / x, 1 / (x + step)
    total, quotient, power = step * u * v / 2, like(x, 0), like(x, 1)
    for k, bernoulli in enumerate(BERNOULLI[:6], 1):
        quotient, power = u * u * quotient + power, power * v * v  # (u²ᵏ − v²ᵏ)/(u² − v²), v²ᵏ
        total = total + bernoulli / (2 * k) * step * u * v * (u + v) * quotient
    near = sc.psi(np.where(far, 1.0, a + b)) - sc.psi(np.where(far, 1.0, a))
    return np.where(far, np.log1p(step * u) + total, near)


def _trigamma(z: Any) -> Any:
    """ψ′; for complex z by its asymptotic series after steps to the right, and by reflection from the left."""
    if z.dtype.kind != "c":
        return sc.zeta(2.0, z)
    left = (z.real < 0.5) & (abs(z.imag) < 30)
    w = np.where(left, 1 - z, z)
    total, far = 0.0, w + 10
    for k in range(10):
        total = total + 1 / (w + k) ** 2
    inverse = 1 / far
    total = total + inverse + inverse**2 / 2 + sum(b * inverse ** (2 * k + 3) for k, b in enumerate(BERNOULLI))
    return np.where(left, (np.pi / np.sin(np.pi * np.where(left, z, 0.5))) ** 2 - total, total)


@implements(scipy.special.polygamma)
def polygamma(n: Any, x: Any) -> Any:
    """ψ⁽ⁿ⁾, differentiable in x."""
    return _polygamma(n, x)


@implements(scipy.special.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:  # noqa: ARG001
    """Hurwitz' Σ (k + q)⁻ˣ, differentiable in q."""
    return _zeta(x, 1.0 if q is None else q)


for _name in ("_zeta", "_riemann_zeta"):  # what scipy.special.zeta calls
    if (_function := getattr(getattr(scipy.special, "_ufuncs", None), _name, None)) is not None:
        TABLE[_function] = zeta


@implements(scipy.special.multigammaln)
def multigammaln(a: Any, d: int) -> Any:
    """log Γ_d(a) = d(d − 1)/4 log π + Σ log Γ(a − j/2) over j < d."""
    d = int(d)
    outside = raw(a) <= (d - 1) / 2
    if not records(outside) and outside.any():
        raise ValueError(f"multigammaln expected a > (d - 1)/2 = {(d - 1) / 2}, got {raw(a)}")
    total = d * (d - 1) / 4 * math.log(math.pi) + sum(sc.gammaln(a - j / 2) for j in range(d))
    return np.where(outside, np.nan, total) if records(outside) else total


@implements(scipy.special.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """Γ(n + 1), and 0 for n < 0 unless ``extend="complex"``."""
    _refuse_exact("factorial", exact)
    y = sc.gamma(n + 1)
    return y if extend == "complex" else np.where(value_of(n) < 0, 0.0, y)


@implements(scipy.special.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """Γ(N + 1)/(Γ(k + 1) Γ(N − k + 1)), and 0 where k is not between 0 and N."""
    _refuse_exact("comb", exact)
    n, m = value_of(N), value_of(k)
    if repetition:
        return np.where((m == 0) & (n >= 0), 1.0, sc.binom(N + k - 1, k))
    inside = (m <= n) & (n >= 0) & (m >= 0)
    return np.where(inside, sc.binom(np.where(inside, N, 1.0), np.where(inside, k, 1.0)), 0.0)


@implements(scipy.special.perm)
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """Γ(N + 1)/Γ(N − k + 1), and 0 where k is not between 0 and N."""
    _refuse_exact("perm", exact)
    n, m = value_of(N), value_of(k)
    inside = (m <= n) & (n >= 0) & (m >= 0)
    return np.where(inside, sc.poch(np.where(inside, N - k + 1, 1.0), np.where(inside, k, 1.0)), 0.0)


def _refuse_exact(name: str, exact: bool) -> None:
    if exact:
        raise TypeError(f"{name}: exact=True is arithmetic of integers, which have no derivative; leave it out here")
