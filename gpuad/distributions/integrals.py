"""Distribution functions that are integrals without a closed form, and their derivatives, which are closed or integrals again."""
from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np
import scipy.stats

from gpuad.primitives.special import like, sc
from gpuad.primitives.special_numeric import NODES, WEIGHTS, Numeric, integrals_beyond
from linalg.arrays import Array, namespace, to_host


def solved(name: str, logpdf: Any, slope: Any) -> tuple[Numeric, Numeric]:
    """ppf and isf that SciPy finds by solving F(z; s) = q, or 1 − F = q: dz = (±dq − ∂F/∂s ds)/f with ``slope`` ∂F/∂s."""
    def solution(method: str, sign: float) -> Numeric:
        def compute(q: Any, s: Any) -> Any:
            return namespace(q).asarray(getattr(getattr(scipy.stats, name), method)(to_host(q), to_host(s)))

        return Numeric(f"{name}.{method}", compute, lambda z, _q, s: sign * np.exp(-logpdf(z, s)),
                       lambda z, _q, s: -slope(z, s) * np.exp(-logpdf(z, s)))

    return solution("ppf", 1.0), solution("isf", -1.0)


def _owens_tail(h: Array, a: Array) -> Array:
    column, shape = h[:, None] ** 2, a[:, None]
    _, tail = integrals_beyond(lambda u: -column * (shape * u + u * u / 2), lambda u: 1 / (1 + (shape + u) ** 2),
                               1 / (h * (h * a + 1)))
    return np.exp(-h * h * (1 + a * a) / 2) * tail / np.pi


owens_tail = Numeric("tail of Owen's T", _owens_tail,
                     lambda _y, h, a: -np.exp(-h * h / 2) * sc.erfc(a * h / 2**0.5) / (2 * np.pi) ** 0.5,
                     lambda _y, h, a: -np.exp(-h * h * (1 + a * a) / 2) / (np.pi * (1 + a * a)))
"""1/π ∫ exp(−h²(1 + t²)/2)/(1 + t²) dt over t > a, which is Φ(−h) − 2 T(h, a), for h max(a, 1) > 1."""


def _vonmises_mean(n: int, z: Array, k: Array) -> Array:
    """∫ (cos t − A)ⁿ f(t) dt from −π to z, by Gauss' rule where the density f is above rounding."""
    if n == 0:
        return namespace(z).asarray(scipy.stats.vonmises.cdf(to_host(z), to_host(k)))
    reach = np.where(k > 18.5, np.arccos(1 - np.minimum(37 / np.maximum(k, 1e-30), 2.0)), np.pi)
    start, end = -reach, np.clip(z - 2 * np.pi * np.round(z / (2 * np.pi)), -reach, reach)
    t = start[:, None] + (end - start)[:, None] * like(z, NODES)
    density = np.exp(-2 * k[:, None] * np.sin(t / 2) ** 2) * like(z, WEIGHTS)
    return (density * (np.cos(t) - _resultant(k)[:, None]) ** n).sum(axis=1) * (end - start) / (2 * np.pi * sc.i0e(k))


def _resultant(k: Any) -> Any:
    """A = I₁(κ)/I₀(κ), the mean of the cosine."""
    return sc.i1e(k) / sc.i0e(k)


def _vonmises_density(z: Any, k: Any) -> Any:
    return np.exp(-2 * k * np.sin(z / 2) ** 2) / (2 * np.pi * sc.i0e(k))


@lru_cache
def vonmises_moment(n: int) -> Numeric:
    """The function (z, κ) ↦ Sₙ = ∫ (cos t − A)ⁿ f(t) dt from −π to z: S₀ is von Mises' distribution function, S₁ its slope in κ.

    ∂Sₙ/∂z = (cos z − A)ⁿ f(z) and ∂Sₙ/∂κ = Sₙ₊₁ − n A′ Sₙ₋₁ with A′ = 1 − A/κ − A².
    """
    def rule(_y: Any, z: Any, k: Any) -> Any:
        above = vonmises_moment(n + 1)(z, k)
        a = _resultant(k)
        return above - n * (1 - a / k - a * a) * vonmises_moment(n - 1)(z, k) if n else above

    return Numeric(f"von Mises moment {n}", partial(_vonmises_mean, n),
                   lambda _y, z, k: _vonmises_density(z, k) * (np.cos(z) - _resultant(k)) ** n, rule)
