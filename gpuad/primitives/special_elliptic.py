"""Elliptic integrals of Legendre and Carlson, Jacobi's elliptic functions, the arithmetic-geometric mean.

Derivatives in the parameter m are written with Carlson's R_D, which is a sum of positive terms: nothing cancels at m = 0.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from gpuad.dispatch import TABLE
from gpuad.primitives.special import like, outputs, sc, ufunc
from gpuad.primitives.special_numeric import Numeric, carlson
from gpuad.traced import raw
from linalg.arrays import is_cupy


def _by_duplication(x: Any, y: Any, z: Any) -> Any:
    """R_D by Carlson's duplication and a series of order 5, where SciPy's does not run."""
    total, scale, first = 0.0, 1.0, (x + y + 3 * z) / 5
    mean, u, v = first, first - x, first - y
    for _ in range(18):
        rx, ry, rz = np.sqrt(x), np.sqrt(y), np.sqrt(z)
        step = rx * (ry + rz) + ry * rz
        total, scale = total + scale / (rz * (z + step)), scale / 4
        x, y, z, mean = (x + step) / 4, (y + step) / 4, (z + step) / 4, (mean + step) / 4
    u, v = scale * u / mean, scale * v / mean
    w = -(u + v) / 3
    e2, e3, e4, e5 = u * v - 6 * w**2, (3 * u * v - 8 * w**2) * w, 3 * (u * v - w**2) * w**2, u * v * w**3
    series = 1 - 3 * e2 / 14 + e3 / 6 + 9 * e2**2 / 88 - 3 * e4 / 22 - 9 * e2 * e3 / 52 + 3 * e5 / 26
    return 3 * total + scale * series / (mean * np.sqrt(mean))


_rd = Numeric("elliprd", lambda x, y, z: _by_duplication(x, y, z) if is_cupy(x) else scipy.special.elliprd(x, y, z),
              lambda _y, a, b, c: -0.75 * carlson(1.5, 0.5, 1.5)(a, b, c),
              lambda _y, a, b, c: -0.75 * carlson(0.5, 1.5, 1.5)(a, b, c),
              lambda _y, a, b, c: -2.25 * carlson(0.5, 0.5, 2.5)(a, b, c))
TABLE[scipy.special.elliprd] = _rd
ufunc("elliprj", lambda _y, a, b, c, p: -0.75 * carlson(1.5, 0.5, 0.5, 1)(a, b, c, p),
      lambda _y, a, b, c, p: -0.75 * carlson(0.5, 1.5, 0.5, 1)(a, b, c, p),
      lambda _y, a, b, c, p: -0.75 * carlson(0.5, 0.5, 1.5, 1)(a, b, c, p),
      lambda _y, a, b, c, p: -1.5 * carlson(0.5, 0.5, 0.5, 2)(a, b, c, p))
ufunc("elliprc", lambda _y, a, b: -_rd(b, b, a) / 6, lambda _y, a, b: -_rd(a, b, b) / 3)
ufunc("elliprf", lambda _y, a, b, c: -_rd(b, c, a) / 6, lambda _y, a, b, c: -_rd(a, c, b) / 6,
      lambda _y, a, b, c: -_rd(a, b, c) / 6)
ufunc("elliprg", lambda _y, a, b, c: _rg_slope(a, b, c), lambda _y, a, b, c: _rg_slope(b, a, c),
      lambda _y, a, b, c: _rg_slope(c, a, b))

ufunc("ellipk", lambda _y, m: _rd(like(m, 0), like(m, 1), 1 - m) / 6)
ufunc("ellipkm1", lambda _y, p: -_rd(like(p, 0), like(p, 1), p) / 6)
ufunc("ellipe", lambda _y, m: -_rd(like(m, 0), 1 - m, like(m, 1)) / 6)
ufunc("ellipkinc", lambda _y, p, m: 1 / _delta(p, m), lambda _y, p, m: _first_slope(p, m))
ufunc("ellipeinc", lambda _y, p, m: _delta(p, m), lambda _y, p, m: _second_slope(p, m))
ufunc("agm", lambda y, a, b: _agm_slope(y, a, b), lambda y, a, b: _agm_slope(y, b, a))


def _rg_slope(a: Any, b: Any, c: Any) -> Any:
    return (sc.elliprf(a, b, c) - a * _rd(b, c, a) / 3) / 4


def _delta(phi: Any, m: Any) -> Any:
    """√(1 − m sin² φ)."""
    return np.sqrt(np.where(m < 0.5, 1 - m * np.sin(phi) ** 2, np.cos(phi) ** 2 + (1 - m) * np.sin(phi) ** 2))


def _turns(phi: Any) -> tuple[Any, Any, Any]:
    """Half turns in φ, and sin and cos² of the rest."""
    turns = np.round(raw(phi) / np.pi)
    rest = phi - np.pi * turns
    return turns, np.sin(rest), np.cos(rest) ** 2


def _first_slope(phi: Any, m: Any) -> Any:
    """∂F/∂m = ½∫ sin²/Δ³ = sin³φ R_D(cos²φ, 1, Δ²)/6, and for each half turn that of 2 K."""
    turns, s, c2 = _turns(phi)
    one = like(m, 1)
    return s**3 * _rd(c2, one, c2 + (1 - m) * s * s) / 6 + turns * _rd(like(m, 0), one, 1 - m) / 3


def _second_slope(phi: Any, m: Any) -> Any:
    """∂E/∂m = −½∫ sin²/Δ = −sin³φ R_D(cos²φ, Δ², 1)/6, and for each half turn that of 2 E."""
    turns, s, c2 = _turns(phi)
    one = like(m, 1)
    return -(s**3) * _rd(c2, c2 + (1 - m) * s * s, one) / 6 - turns * _rd(like(m, 0), 1 - m, one) / 3


def _agm_slope(y: Any, a: Any, b: Any) -> Any:
    """Of agm = π(a + b)/(4 K), where K has the complementary parameter p = 4ab/(a + b)²."""
    p, slope = 4 * a * b / (a + b) ** 2, 4 * b * (b - a) / (a + b) ** 3
    return y / (a + b) + y * y * 4 / (np.pi * (a + b)) * _rd(like(p, 0), like(p, 1), p) / 6 * slope


def _amplitude_slope(y: Any, m: Any) -> Any:
    """∂am/∂m at constant u = F(am, m)."""
    return -y[2] * _first_slope(y[3], m)


outputs("ellipj",
        [lambda y, _u, _m: y[1] * y[2], lambda y, _u, m: y[1] * _amplitude_slope(y, m)],
        [lambda y, _u, _m: -y[0] * y[2], lambda y, _u, m: -y[0] * _amplitude_slope(y, m)],
        [lambda y, _u, m: -m * y[0] * y[1],
         lambda y, _u, m: -y[0] * (y[0] + 2 * m * y[1] * _amplitude_slope(y, m)) / (2 * y[2])],
        [lambda y, _u, _m: y[2], lambda y, _u, m: _amplitude_slope(y, m)])
