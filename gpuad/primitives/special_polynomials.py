"""Orthogonal polynomials, Legendre functions and spherical harmonics: in their argument. Degrees and parameters are constants.

The derivative of a Jacobi polynomial is one of lower degree and higher parameters; the others are its relatives.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from gpuad.dispatch import implements
from gpuad.primitives.special import UNKNOWN, Special, sc, ufunc


def _lower(name: str, n: Any, x: Any, *parameters: Any) -> Any:
    """The function of degree n − 1, which is zero for n = 0."""
    positive = n != 0
    return positive * getattr(sc, name)(n - positive, *parameters, x)


# on (−1, 1)
ufunc("eval_jacobi", UNKNOWN, UNKNOWN, UNKNOWN,
      lambda _y, n, a, b, x: (n + a + b + 1) / 2 * _lower("eval_jacobi", n, x, a + 1, b + 1))
ufunc("eval_legendre", UNKNOWN, lambda _y, n, x: (n + 1) / 2 * _lower("eval_jacobi", n, x, 1, 1))
ufunc("eval_gegenbauer", UNKNOWN, UNKNOWN, lambda _y, n, a, x: 2 * a * _lower("eval_gegenbauer", n, x, a + 1))
ufunc("eval_chebyt", UNKNOWN, lambda _y, n, x: n * _lower("eval_chebyu", n, x))
ufunc("eval_chebyu", UNKNOWN, lambda _y, n, x: 2 * _lower("eval_gegenbauer", n, x, 2))

# on (−2, 2), and on (0, 1)
ufunc("eval_chebyc", UNKNOWN, lambda _y, n, x: n * _lower("eval_chebys", n, x))
ufunc("eval_chebys", UNKNOWN, lambda _y, n, x: _lower("eval_gegenbauer", n, x / 2, 2))
ufunc("eval_sh_legendre", UNKNOWN, lambda _y, n, x: (n + 1) * _lower("eval_jacobi", n, 2 * x - 1, 1, 1))
ufunc("eval_sh_chebyt", UNKNOWN, lambda _y, n, x: 2 * n * _lower("eval_sh_chebyu", n, x))
ufunc("eval_sh_chebyu", UNKNOWN, lambda _y, n, x: 4 * _lower("eval_gegenbauer", n, 2 * x - 1, 2))
ufunc("eval_sh_jacobi", UNKNOWN, UNKNOWN, UNKNOWN, lambda _y, n, p, q, x: n * _lower("eval_sh_jacobi", n, x, p + 2, q + 1))

# on half of the line, and on all of it
ufunc("eval_laguerre", UNKNOWN, lambda _y, n, x: -_lower("eval_genlaguerre", n, x, 1))
ufunc("eval_genlaguerre", UNKNOWN, UNKNOWN, lambda _y, n, a, x: -_lower("eval_genlaguerre", n, x, a + 1))
ufunc("eval_hermite", UNKNOWN, lambda _y, n, x: 2 * n * _lower("eval_hermite", n, x))
ufunc("eval_hermitenorm", UNKNOWN, lambda _y, n, x: n * _lower("eval_hermitenorm", n, x))

# Legendre functions
ufunc("lpmv", UNKNOWN, UNKNOWN, lambda y, m, v, x: (v * x * y - (v + m) * sc.lpmv(m, v - 1, x)) / (x * x - 1))


@implements(scipy.special.assoc_laguerre)
def assoc_laguerre(x: Any, n: Any, k: Any = 0.0) -> Any:
    """The generalized Laguerre polynomial of degree n."""
    return sc.eval_genlaguerre(n, k, x)


def legendre_p(n: Any, z: Any, *, diff_n: int = 0) -> Any:
    """P_n, and its derivatives up to order ``diff_n``: P_n⁽ᵏ⁾ = (n + 1)…(n + k)/2ᵏ P_{n−k}^(k,k)."""
    def derivative(k: int) -> Any:
        factor = math.prod([(n + j) / 2 for j in range(1, k + 1)])
        return factor * sc.eval_jacobi(n - k, k, k, z) if k else sc.eval_legendre(n, z)

    return np.stack([derivative(k) for k in range(diff_n + 1)]) if diff_n else derivative(0)


def _colatitude_slope(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    """∂Y/∂θ = (√((n − m)(n + m + 1)) e⁻ⁱᵠ Yₙᵐ⁺¹ − √((n + m)(n − m + 1)) eⁱᵠ Yₙᵐ⁻¹)/2, the ladder operators' difference."""
    def ladder(k: int) -> Any:
        factor = np.sqrt(np.maximum((n - k * m) * (n + k * m + 1), 0)).astype(theta.dtype)
        return factor * np.exp(-1j * k * phi) * sc.sph_harm_y(n, m + k, theta, phi)

    return (ladder(1) - ladder(-1)) / 2


_sph_harm_y = Special("sph_harm_y", lambda *args: sc.sph_harm_y(*args), UNKNOWN, UNKNOWN,
                      lambda _y, n, m, t, p: _colatitude_slope(n, m, t, p), lambda y, _n, m, _t, _p: 1j * m * y, whole=[0, 1])


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0) -> Any:
    """Spherical harmonics, differentiable in both angles."""
    if diff_n:
        raise TypeError(f"sph_harm_y: diff_n={diff_n} is not available for traced arrays; differentiate sph_harm_y itself")
    return _sph_harm_y(n, m, theta, phi)


for _function in (legendre_p, sph_harm_y):
    if hasattr(scipy.special, _function.__name__):
        implements(getattr(scipy.special, _function.__name__))(_function)
