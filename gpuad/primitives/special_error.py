"""The error functions, the normal distribution function and its inverses, Dawson's, Faddeeva's, Voigt's and Fresnel's functions.

Where x is large, the derivatives of erfcx, dawsn and wofz are small differences of large terms: their asymptotic series are used.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpuad.primitives.special import outputs, power_series, sc, ufunc

ROOT_PI, ROOT_2, ROOT_2PI = math.sqrt(math.pi), math.sqrt(2), math.sqrt(2 * math.pi)
TAIL = [(-1) ** n * math.prod(range(1, 2 * n + 2, 2)) / 2**n for n in range(20)]
"""(−1)ⁿ (2n + 1)!!/2ⁿ: −Σ cₙ x⁻²ⁿ⁻²/√π is the derivative of erfcx."""

ufunc("erf", lambda _y, x: 2 / ROOT_PI * np.exp(-x * x))
ufunc("erfc", lambda _y, x: -2 / ROOT_PI * np.exp(-x * x))
ufunc("erfi", lambda _y, x: 2 / ROOT_PI * np.exp(x * x))
ufunc("erfinv", lambda y, _x: ROOT_PI / 2 * np.exp(y * y))
ufunc("erfcinv", lambda y, _x: -ROOT_PI / 2 * np.exp(y * y))
ufunc("erfcx", lambda y, x: _tail(x.real > 8, x, 1, -1 / ROOT_PI, 2 * x * y - 2 / ROOT_PI))
ufunc("dawsn", lambda y, x: _tail((abs(x.real) > 8) & (abs(x.imag) < abs(x.real)), x, -1, -0.5, 1 - 2 * x * y))
ufunc("wofz", lambda y, x: _wofz_slope(y, x))
ufunc("ndtr", lambda _y, x: np.exp(-x * x / 2) / ROOT_2PI)
ufunc("log_ndtr", lambda _y, x: ROOT_2 / ROOT_PI / sc.erfcx(-x / ROOT_2))
ufunc("ndtri", lambda y, _p: ROOT_2PI * np.exp(y * y / 2))
ufunc("ndtri_exp", lambda y, _p: ROOT_PI / ROOT_2 * sc.erfcx(-y / ROOT_2))
outputs("fresnel", [lambda _y, x: np.sin(np.pi / 2 * x * x)], [lambda _y, x: np.cos(np.pi / 2 * x * x)])
ufunc("voigt_profile", lambda _y, x, s, g: _voigt(x, s, g)[0], lambda _y, x, s, g: _voigt(x, s, g)[1],
      lambda _y, x, s, g: _voigt(x, s, g)[2])


def _tail(far: Any, x: Any, sign: float, factor: complex, near: Any) -> Any:
    """The derivative near 0, and far from it factor × Σ sⁿ cₙ x⁻²ⁿ⁻²."""
    square = 1 / np.where(far, x * x, 64.0)
    return np.where(far, factor * square * power_series([sign**n * c for n, c in enumerate(TAIL)], square), near)


def _wofz_slope(w: Any, z: Any) -> Any:
    return _tail((abs(z) > 8) & (z.imag >= 0), z, -1, -1j / ROOT_PI, 2j / ROOT_PI - 2 * z * w)


def _voigt(x: Any, s: Any, g: Any) -> tuple[Any, Any, Any]:
    """The derivatives of Re w(z)/(s√(2π)), with z = (x + ig)/(s√2) and Faddeeva's w."""
    z = (x + 1j * g) / (s * ROOT_2)
    w = sc.wofz(z)
    slope = _wofz_slope(w, z) / (2 * ROOT_PI * s * s)
    return slope.real, -(w / (ROOT_2PI * s * s) + slope * z * ROOT_2).real, -slope.imag


