"""The incomplete gamma and beta functions and their inverses.

They are distribution functions, F = P(T < x), of densities whose logarithm is concave in log T, or in the log odds of T. In a
parameter whose score is s(t) their derivative is a conditional mean,

    ∂F/∂a = F E[s(T) | T < x] = −(1 − F) E[s(T) | T > x],

of which the one is taken whose integrand has one sign: nothing cancels. Gauss' rule gives the mean to about twelve digits (nine
where a parameter of the beta function is below 1e-3). Parameters below 1 are raised by one first, by the recurrence of F.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.primitives.special import like, sc, ufunc
from gpuad.primitives.special_numeric import beta_moment, gamma_moment


def gamma_density(a: Any, x: Any) -> Any:
    """xᵃ⁻¹ e⁻ˣ/Γ(a)."""
    finite = x < np.inf
    x = np.where(finite, x, 1.0)
    return np.where(finite, np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a)), 0.0)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """xᵃ⁻¹ (1 − x)ᵇ⁻¹/B(a, b)."""
    return np.exp(sc.xlogy(a - 1, x) + sc.xlog1py(b - 1, -x) - sc.betaln(a, b))


def gamma_slope(a: Any, x: Any) -> Any:
    """The derivative of P(a, x) in a, by the score log t − ψ(a)."""
    inside = (x > 0) & (x < np.inf)
    x = np.where(inside, x, 1.0)
    raised = (a < 1) & (x < 1)
    b = a + raised
    score = np.log(x) - sc.psi(b)
    sign = _side(score)
    slope = np.where(sign > 0, -sc.gammaincc(b, x), sc.gammainc(b, x)) * (score + gamma_moment(1)(b, x, sign))
    step = (sc.gammainc(a, x) - sc.gammainc(a + 1, x)) * (np.log(x) - sc.psi(a + 1))
    return np.where(inside, slope + np.where(raised, step, 0.0), 0.0)


def beta_slope(a: Any, b: Any, x: Any, y: Any = None) -> Any:
    """The derivative of Iₓ(a, b) in a, by the score log t − ψ(a) + ψ(a + b); y = 1 − x where that is known better."""
    inside = (x > 0) & (x < 1) if y is None else (x > 0) & (y > 0)
    y = np.where(inside, 1 - x if y is None else y, 0.5)
    x = np.where(inside, x, 0.5)
    log = np.where(x > 0.5, np.log1p(-y), np.log(x))
    low = (a < 1) & (log < sc.psi(a + 1) - sc.psi(a + b))
    c = a + low
    high = (b < 1) & (log >= sc.psi(c) - sc.psi(c + b))
    d = b + high
    score = log - sc.psi(c) + sc.psi(c + d)
    sign = _side(score)
    slope = np.where(sign > 0, -sc.betainc(d, c, y), sc.betainc(c, d, x)) * (score + beta_moment(1, 0)(c, d, x, y, sign))
    step = (sc.betainc(a, b, x) - sc.betainc(a + 1, b, x)) * (log - sc.psi(a + 1) + sc.psi(a + b))
    back = (sc.betainc(b, c, y) - sc.betainc(b + 1, c, y)) * (log - sc.psi(c) + sc.psi(c + b))
    return np.where(inside, slope + np.where(low, step, 0.0) - np.where(high, back, 0.0), 0.0)


def _side(score: Any) -> Any:
    """On which side of x the score has one sign."""
    return np.where(score >= 0, like(score, 1.0), like(score, -1.0))


ufunc("gammainc", lambda _y, a, x: gamma_slope(a, x), lambda _y, a, x: gamma_density(a, x))
ufunc("gammaincc", lambda _y, a, x: -gamma_slope(a, x), lambda _y, a, x: -gamma_density(a, x))
ufunc("gammaincinv", lambda y, a, _p: -gamma_slope(a, y) / gamma_density(a, y), lambda y, a, _p: 1 / gamma_density(a, y))
ufunc("gammainccinv", lambda y, a, _p: -gamma_slope(a, y) / gamma_density(a, y), lambda y, a, _p: -1 / gamma_density(a, y))
ufunc("betainc", lambda _y, a, b, x: beta_slope(a, b, x), lambda _y, a, b, x: -beta_slope(b, a, 1 - x, x),
      lambda _y, a, b, x: beta_density(a, b, x))
ufunc("betaincc", lambda _y, a, b, x: -beta_slope(a, b, x), lambda _y, a, b, x: beta_slope(b, a, 1 - x, x),
      lambda _y, a, b, x: -beta_density(a, b, x))
for _name, _sign in (("betaincinv", 1), ("betainccinv", -1)):
    ufunc(_name, lambda y, a, b, _p: -beta_slope(a, b, y) / beta_density(a, b, y),
          lambda y, a, b, _p: beta_slope(b, a, 1 - y, y) / beta_density(a, b, y),
          lambda y, a, b, _p, sign=_sign: sign / beta_density(a, b, y))
