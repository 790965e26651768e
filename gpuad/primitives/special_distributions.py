"""Distribution functions of scipy.special and their inverses, in their continuous arguments: all are gammainc or betainc of other
arguments. Counts are constants. The derivative of an inverse is that of the equation which it solves.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpuad.primitives.special import UNKNOWN, counted, like, sc, ufunc
from gpuad.primitives.special_elementary import boxcox_slope
from gpuad.primitives.special_incomplete import beta_density, beta_slope, gamma_density, gamma_slope

ROOT_2PI = math.sqrt(2 * math.pi)

# the χ² distribution: P(v/2, x/2)
ufunc("chdtr", lambda _y, v, x: gamma_slope(v / 2, x / 2) / 2, lambda _y, v, x: gamma_density(v / 2, x / 2) / 2)
ufunc("chdtrc", lambda _y, v, x: -gamma_slope(v / 2, x / 2) / 2, lambda _y, v, x: -gamma_density(v / 2, x / 2) / 2)
ufunc("chdtri", lambda x, v, _p: -gamma_slope(v / 2, x / 2) / gamma_density(v / 2, x / 2),
      lambda x, v, _p: -2 / gamma_density(v / 2, x / 2))
ufunc("chdtriv", lambda v, _p, x: 2 / gamma_slope(v / 2, x / 2),
      lambda v, _p, x: -gamma_density(v / 2, x / 2) / gamma_slope(v / 2, x / 2))

# the gamma distribution: P(b, ax)
for _name, _sign in (("gdtr", 1), ("gdtrc", -1)):
    ufunc(_name, lambda _y, a, b, x, s=_sign: s * x * gamma_density(b, a * x),
          lambda _y, a, b, x, s=_sign: s * gamma_slope(b, a * x),
          lambda _y, a, b, x, s=_sign: s * a * gamma_density(b, a * x))
ufunc("gdtrix", lambda x, a, _b, _p: -x / a, lambda x, a, b, _p: -gamma_slope(b, a * x) / (a * gamma_density(b, a * x)),
      lambda x, a, b, _p: 1 / (a * gamma_density(b, a * x)))
ufunc("gdtria", lambda a, _p, b, x: 1 / (x * gamma_density(b, a * x)),
      lambda a, _p, b, x: -gamma_slope(b, a * x) / (x * gamma_density(b, a * x)), lambda a, _p, _b, x: -a / x)
ufunc("gdtrib", lambda b, a, _p, x: -x * gamma_density(b, a * x) / gamma_slope(b, a * x),
      lambda b, a, _p, x: 1 / gamma_slope(b, a * x),
      lambda b, a, _p, x: -a * gamma_density(b, a * x) / gamma_slope(b, a * x))

# the Poisson distribution: Q(⌊k⌋ + 1, m)
ufunc("pdtr", UNKNOWN, lambda _y, k, m: -gamma_density(np.floor(k) + 1, m))
ufunc("pdtrc", UNKNOWN, lambda _y, k, m: gamma_density(np.floor(k) + 1, m))
ufunc("pdtri", UNKNOWN, lambda m, k, _y: -1 / gamma_density(counted(k, m) + 1, m))

# the binomial distribution: 1 − I_p(⌊k⌋ + 1, n − ⌊k⌋); the negative one: I_p(n, k + 1)
ufunc("bdtr", UNKNOWN, UNKNOWN, lambda _y, k, n, p: -_binomial(k, n, p))
ufunc("bdtrc", UNKNOWN, UNKNOWN, lambda _y, k, n, p: _binomial(k, n, p))
ufunc("bdtri", UNKNOWN, UNKNOWN, lambda p, k, n, _y: -1 / _binomial(k, n, p))
ufunc("nbdtr", UNKNOWN, UNKNOWN, lambda _y, k, n, p: beta_density(counted(n, p), counted(k, p) + 1, p))
ufunc("nbdtrc", UNKNOWN, UNKNOWN, lambda _y, k, n, p: -beta_density(counted(n, p), counted(k, p) + 1, p))
ufunc("nbdtri", UNKNOWN, UNKNOWN, lambda p, k, n, _y: 1 / beta_density(counted(n, p), counted(k, p) + 1, p))


def _binomial(k: Any, n: Any, p: Any) -> Any:
    k = np.floor(counted(k, p))
    return beta_density(k + 1, counted(n, p) - k, p)


# the F distribution: I_w(m/2, n/2) with w = mx/(mx + n)
def _f_density(m: Any, n: Any, x: Any) -> Any:
    total = m * x + n
    return beta_density(m / 2, n / 2, m * x / total) * m * n / (total * total)


def _f_slope_m(m: Any, n: Any, x: Any) -> Any:
    total = m * x + n
    return beta_slope(m / 2, n / 2, m * x / total, n / total) / 2 + _f_density(m, n, x) * x / m


def _f_slope_n(m: Any, n: Any, x: Any) -> Any:
    total = m * x + n
    return -beta_slope(n / 2, m / 2, n / total, m * x / total) / 2 - _f_density(m, n, x) * x / n


for _name, _sign in (("fdtr", 1), ("fdtrc", -1)):
    ufunc(_name, lambda _y, m, n, x, s=_sign: s * _f_slope_m(m, n, x), lambda _y, m, n, x, s=_sign: s * _f_slope_n(m, n, x),
          lambda _y, m, n, x, s=_sign: s * _f_density(m, n, x))
ufunc("fdtri", lambda x, m, n, _p: -_f_slope_m(m, n, x) / _f_density(m, n, x),
      lambda x, m, n, _p: -_f_slope_n(m, n, x) / _f_density(m, n, x), lambda x, m, n, _p: 1 / _f_density(m, n, x))
ufunc("fdtridfd", lambda n, m, _p, x: -_f_slope_m(m, n, x) / _f_slope_n(m, n, x), lambda n, m, _p, x: 1 / _f_slope_n(m, n, x),
      lambda n, m, _p, x: -_f_density(m, n, x) / _f_slope_n(m, n, x))


# Student's t distribution: I_w(v/2, 1/2)/2 left of 0, with w = v/(v + t²)
def _t_density(v: Any, t: Any) -> Any:
    return np.exp(-(v + 1) / 2 * np.log1p(t * t / v) - sc.betaln(v / 2, like(v, 0.5))) / np.sqrt(v)


def _t_slope(v: Any, t: Any) -> Any:
    total = v + t * t
    w, rest = v / total, t * t / total
    slope = beta_slope(v / 2, like(v, 0.5), w, rest) / 4
    return -np.sign(t) * slope - t / (2 * v) * _t_density(v, t)


ufunc("stdtr", lambda _y, v, t: _t_slope(v, t), lambda _y, v, t: _t_density(v, t))
ufunc("stdtrit", lambda t, v, _p: -_t_slope(v, t) / _t_density(v, t), lambda t, v, _p: 1 / _t_density(v, t))
ufunc("stdtridf", lambda v, _p, t: 1 / _t_slope(v, t), lambda v, _p, t: -_t_density(v, t) / _t_slope(v, t))

# parameters of the beta distribution, Iₓ(a, b) = p
ufunc("btdtria", lambda a, _p, b, x: 1 / beta_slope(a, b, x),
      lambda a, _p, b, x: beta_slope(b, a, 1 - x, x) / beta_slope(a, b, x),
      lambda a, _p, b, x: -beta_density(a, b, x) / beta_slope(a, b, x))
ufunc("btdtrib", lambda b, a, _p, x: beta_slope(a, b, x) / beta_slope(b, a, 1 - x, x),
      lambda b, a, _p, x: -1 / beta_slope(b, a, 1 - x, x), lambda b, a, _p, x: beta_density(a, b, x) / beta_slope(b, a, 1 - x, x))

# parameters of the normal distribution, Φ((x − mean)/std) = p
ufunc("nrdtrimn", lambda mean, _p, std, x: -std * ROOT_2PI * np.exp(((x - mean) / std) ** 2 / 2),
      lambda mean, _p, std, x: -(x - mean) / std, lambda _mean, _p, _std, _x: 1)
ufunc("nrdtrisd", lambda std, mean, _p, x: -std / (x - mean),
      lambda std, mean, _p, x: -std * std / (x - mean) * ROOT_2PI * np.exp(((x - mean) / std) ** 2 / 2),
      lambda std, mean, _p, x: std / (x - mean))


# the non-central χ² distribution
def _noncentral_density(x: Any, v: Any, c: Any) -> Any:
    root = np.sqrt(x) - np.sqrt(c)
    return np.exp(-root * root / 2 + sc.xlogy(v / 4 - 0.5, x / c)) * sc.ive(v / 2 - 1, np.sqrt(c * x)) / 2


ufunc("chndtr", lambda _y, x, v, c: _noncentral_density(x, v, c), UNKNOWN, lambda y, x, v, c: (sc.chndtr(x, v + 2, c) - y) / 2)


# Tukey's λ distribution, whose quantiles are boxcox(p, λ) − boxcox(1 − p, λ)
def _tukey_slopes(p: Any, shape: Any) -> tuple[Any, Any]:
    inside = (p > 0) & (p < 1)
    p = np.where(inside, p, 0.5)
    density = np.where(inside, 1 / (p ** (shape - 1) + (1 - p) ** (shape - 1)), 0.0)
    return density, -density * (boxcox_slope(np.log(p), shape) - boxcox_slope(np.log1p(-p), shape))


ufunc("tklmbda", lambda p, _x, shape: _tukey_slopes(p, shape)[0], lambda p, _x, shape: _tukey_slopes(p, shape)[1])
