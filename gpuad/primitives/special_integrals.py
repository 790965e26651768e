"""Exponential, trigonometric and logarithmic integrals, Lambert's W, Owen's T, and hypergeometric functions in their argument."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from gpuad.dispatch import TABLE, implements
from gpuad.primitives.special import UNKNOWN, Special, outputs, sc, ufunc
from gpuad.primitives.special_elementary import log1p_over

ufunc("exp1", lambda _y, x: -np.exp(-x) / x)
ufunc("expi", lambda _y, x: np.exp(x) / x)
ufunc("expn", UNKNOWN, lambda y, n, x: np.where(n == 0, -y * (1 + 1 / x), -sc.expn(n - (n > 0), x)))
outputs("sici", [lambda _y, x: np.sinc(x / np.pi)], [lambda _y, x: np.cos(x) / x])
outputs("shichi", [lambda _y, x: _sinhc(x)], [lambda _y, x: np.cosh(x) / x])
ufunc("spence", lambda _y, z: -log1p_over(z - 1))
ufunc("wrightomega", lambda y, _z: y / (1 + y))
ufunc("owens_t", lambda _y, h, a: -np.exp(-h * h / 2) * sc.erf(a * h / math.sqrt(2)) / math.sqrt(8 * math.pi),
      lambda _y, h, a: np.exp(-h * h * (1 + a * a) / 2) / (2 * np.pi * (1 + a * a)))

ufunc("hyp0f1", UNKNOWN, lambda _y, v, z: sc.hyp0f1(v + 1, z) / v)
ufunc("hyp1f1", UNKNOWN, UNKNOWN, lambda _y, a, b, z: a / b * sc.hyp1f1(a + 1, b + 1, z))
ufunc("hyp2f1", UNKNOWN, UNKNOWN, UNKNOWN, lambda _y, a, b, c, z: a * b / c * sc.hyp2f1(a + 1, b + 1, c + 1, z))
ufunc("hyperu", UNKNOWN, UNKNOWN, lambda _y, a, b, z: -a * sc.hyperu(a + 1, b + 1, z))
ufunc("wright_bessel", UNKNOWN, UNKNOWN, lambda _y, a, b, x: sc.wright_bessel(a, a + b, x))
ufunc("log_wright_bessel", UNKNOWN, UNKNOWN, lambda y, a, b, x: np.exp(sc.log_wright_bessel(a, a + b, x) - y))


def _sinhc(x: Any) -> Any:
    """sinh x/x."""
    return np.sinc(1j * x / np.pi) if x.dtype.kind == "c" else (sc.exprel(x) + sc.exprel(-x)) / 2


_lambertw = Special("lambertw", lambda z, k, tol: sc.lambertw(z, k, tol), lambda y, _z, _k, _tol: np.exp(-y) / (1 + y), None,
                    None)


@implements(scipy.special.lambertw)
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """The branch k of W exp(W) = z: dW = dz/(exp(W) (1 + W))."""
    return _lambertw(z, k, tol)


if hasattr(scipy.special, "_ufuncs") and hasattr(scipy.special._ufuncs, "_lambertw"):  # what scipy.special.lambertw calls
    TABLE[scipy.special._ufuncs._lambertw] = lambertw
