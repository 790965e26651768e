"""What stands between elementary and special functions: logistic functions, x log y and entropies, losses, powers, degrees.

x log y has the derivative log y in x, −∞ at y = 0, and the derivative 0 in y where both are 0. Where both are 0, rel_entr and
kl_div have the derivative 0 in x.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from gpuad.dispatch import implements
from gpuad.primitives.special import by_parts, constant, like, log, power_series, sc, ufunc

DEGREE, LN2, LN10 = math.pi / 180, math.log(2), math.log(10)

# logistic functions
ufunc("expit", lambda y, x: y * sc.expit(-x))
ufunc("log_expit", lambda _y, x: sc.expit(-x))
ufunc("logit", lambda _y, x: 1 / (x * (1 - x)))

# x log y, entropies, losses
ufunc("xlogy", lambda _y, _a, b: log(b), lambda _y, a, b: _ratio(a, b))
ufunc("xlog1py", lambda _y, _a, b: sc.xlog1py(like(b, 1).astype(b.dtype), b), lambda _y, a, b: _ratio(a, 1 + b))
ufunc("entr", lambda _y, x: -log(x) - 1)
ufunc("rel_entr", lambda _y, a, b: np.where((a == 0) & (b == 0), 0.0, log(_ratio(a, b)) + 1), lambda _y, a, b: -_ratio(a, b))
ufunc("kl_div", lambda _y, a, b: np.where((a == 0) & (b == 0), 0.0, log(_ratio(a, b))), lambda _y, a, b: 1 - _ratio(a, b))
ufunc("huber", lambda _y, d, r: np.maximum(abs(r) - d, 0.0), lambda _y, d, r: np.clip(r, -d, d))
ufunc("pseudo_huber", lambda _y, d, r: _pseudo_huber_width(d, r), lambda _y, d, r: r / np.hypot(1.0, r / d))

# powers, exponentials, logarithms
ufunc("cbrt", lambda y, _x: 1 / (3 * y * y))
ufunc("exp2", lambda y, _x: LN2 * y)
ufunc("exp10", lambda y, _x: LN10 * y)
ufunc("expm1", lambda y, _x: y + 1)
ufunc("log1p", lambda _y, x: 1 / (1 + x))
ufunc("exprel", lambda _y, x: exprel_slope(x))
ufunc("powm1", lambda y, a, b: b * (y + 1) / a, lambda y, a, _b: (y + 1) * np.log(a))
ufunc("boxcox", lambda _y, x, p: np.exp((p - 1) * np.log(x)), lambda _y, x, p: boxcox_slope(np.log(x), p))
ufunc("boxcox1p", lambda _y, x, p: np.exp((p - 1) * np.log1p(x)), lambda _y, x, p: boxcox_slope(np.log1p(x), p))
ufunc("inv_boxcox", lambda x, _y, p: np.exp((1 - p) * np.log(x)),
      lambda x, _y, p: -np.exp((1 - p) * np.log(x)) * boxcox_slope(np.log(x), p))
ufunc("inv_boxcox1p", lambda x, _y, p: np.exp((1 - p) * np.log1p(x)),
      lambda x, _y, p: -np.exp((1 - p) * np.log1p(x)) * boxcox_slope(np.log1p(x), p))

# trigonometric functions
ufunc("cosm1", lambda _y, x: -np.sin(x))
ufunc("sindg", lambda _y, x: DEGREE * sc.cosdg(x))
ufunc("cosdg", lambda _y, x: -DEGREE * sc.sindg(x))
ufunc("tandg", lambda y, _x: DEGREE * (1 + y * y))
ufunc("cotdg", lambda y, _x: -DEGREE * (1 + y * y))
ufunc("radian", lambda _y, _d, _m, _s: DEGREE, lambda _y, _d, _m, _s: DEGREE / 60, lambda _y, _d, _m, _s: DEGREE / 3600)
constant("round")


def _ratio(a: Any, b: Any) -> Any:
    """a/b, and 0 where both are 0."""
    return a / np.where((a == 0) & (b == 0), 1.0, b)


def _pseudo_huber_width(d: Any, r: Any) -> Any:
    """δ (s − 1)²/s with s = √(1 + r²/δ²)."""
    square = (r / d) ** 2
    s = np.sqrt(1 + square)
    return d * (square / (s + 1)) ** 2 / s


def exprel_slope(x: Any) -> Any:
    """The derivative of (eˣ − 1)/x."""
    def far(x: Any) -> Any:
        y = sc.exprel(x)
        return np.where(x < 0, (np.exp(np.minimum(x, 0.0)) - y) / x, y * (1 - 1 / x) + 1 / x)

    return by_parts(abs(x) < 1, x, lambda x: power_series([(n + 1) / math.factorial(n + 2) for n in range(18)], x), far)


def log1p_over(x: Any) -> Any:
    """log(1 + x)/x, 1 at 0."""
    return by_parts(abs(x) < 0.2, x, lambda x: power_series([(-1) ** n / (n + 1) for n in range(23)], x),
                    lambda x: np.log1p(x) / x)


def boxcox_slope(u: Any, p: Any) -> Any:
    """The derivative of (eᵖᵘ − 1)/p in p."""
    return u * u * exprel_slope(p * u)


if hasattr(scipy.special, "softplus"):
    @implements(scipy.special.softplus)
    def softplus(x: Any) -> Any:
        """log(1 + eˣ)."""
        return np.logaddexp(0.0, x)


