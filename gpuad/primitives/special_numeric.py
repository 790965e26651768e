"""Functions that are computed by quadrature, as one operation of a program and of a plan: families with their derivatives."""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from gpuad.primitives.special import Special, like
from gpuad.traced import TracedArray, stand_in
from linalg.arrays import Array, is_array, namespace, size


class Numeric(Special):
    """An elementwise function that is computed, in double precision, from flat arrays of one shape."""

    def __init__(self, name: str, compute: Callable[..., Array], *rules: Callable[..., Any] | None):
        super().__init__(name, self._anywhere, *rules)
        self._compute = compute

    def _anywhere(self, *args: Any) -> Any:
        """The function of plain, traced or staged arrays."""
        if any(type(a) is TracedArray for a in args):
            return self(*args)
        staged = stand_in(args)
        return self._plain(*args) if staged is None else staged._record(self._plain, *args)

    def _plain(self, *args: Any) -> Array:
        xp = namespace(*filter(is_array, args))
        arrays = xp.broadcast_arrays(*map(xp.asarray, args))
        flat = [a.astype(np.float64).reshape(-1) for a in arrays]
        parts = [self._compute(*[a[i:i + BLOCK] for a in flat]) for i in range(0, max(1, size(arrays[0].shape)), BLOCK)]
        return xp.concatenate(parts).reshape(arrays[0].shape).astype(np.result_type(*args))


BLOCK = 1 << 14
"""Entries that are computed together."""


# ---- the gamma and the beta distribution beyond a point: conditional means of logarithms

NODES, WEIGHTS = (np.polynomial.legendre.leggauss(48)[0] + 1) / 2, np.polynomial.legendre.leggauss(48)[1] / 2
STEPS = 2.0 ** np.arange(-2, 12, 0.5)


def integrals_beyond(exponent: Callable[[Any], Any], weight: Callable[[Any], Any], width: Array) -> tuple[Array, Array]:
    """∫ eᴱ and ∫ g eᴱ over u > 0 for concave E, by Gauss' rule up to where eᴱ is below rounding."""
    with np.errstate(all="ignore"):
        steps = width[:, None] * like(width, STEPS)
        reach = np.where(exponent(steps) > -37, steps, 0.0).max(axis=1, keepdims=True) * 2**0.5
        u = reach * like(width, NODES)
        density = np.exp(exponent(u)) * reach * like(width, WEIGHTS)
        return density.sum(axis=1), (density * weight(u)).sum(axis=1)


def _gamma_mean(n: int, b: Array, x: Array, sign: Array) -> Array:
    """E log(T/x)ⁿ for T on one side of x, with log T = log x ± u; for n = 0 the density at x over that side's probability."""
    width = 1 / (abs(x - b) + np.sqrt(np.maximum(x, b)))
    b, s, column = b[:, None], sign[:, None], x[:, None]
    total, moment = integrals_beyond(lambda u: s * u * b - column * np.expm1(s * u), lambda u: (s * u) ** n, width)
    return moment / total if n else 1 / (x * total)


@lru_cache
def gamma_moment(n: int) -> Numeric:
    """The function (b, x, ±1) ↦ E log(T/x)ⁿ =: mₙ for T beyond x (or below), where T has the gamma distribution of shape b.

    ∂mₙ/∂b = mₙ₊₁ − mₙ m₁ and ∂mₙ/∂x = −n/x mₙ₋₁ ± mₙ h with the hazard rate h, for which n = 0 stands.
    """
    if n == 0:
        return Numeric("gamma hazard", partial(_gamma_mean, 0), lambda h, b, x, s: -h * gamma_moment(1)(b, x, s),
                       lambda h, b, x, s: h * ((b - 1) / x - 1 + s * h), None)
    return Numeric(f"gamma moment {n}", partial(_gamma_mean, n),
                   lambda y, b, x, s: gamma_moment(n + 1)(b, x, s) - y * gamma_moment(1)(b, x, s),
                   lambda y, b, x, s: s * y * gamma_moment(0)(b, x, s) - n / x * (gamma_moment(n - 1)(b, x, s) if n > 1 else 1.0),
                   None)


def _beta_mean(i: int, j: int, a: Array, b: Array, x: Array, y: Array, sign: Array) -> Array:
    """E log(T/x)ⁱ log((1 − T)/y)ʲ for T on one side of x, whose log odds are those of x ± u."""
    width = np.minimum(1.0, 1 / (abs(a * y - b * x) + np.sqrt((a + b) * x * y)))
    a, b, s, p, q = (v[:, None] for v in (a, b, sign, x, y))

    def logs(u: Array) -> tuple[Array, Array]:
        return -np.log1p(q * np.expm1(-s * u)), -np.log1p(p * np.expm1(s * u))

    def weight(u: Array) -> Array:
        first, second = logs(u)
        return first**i * second**j

    def exponent(u: Array) -> Array:
        first, second = logs(u)
        return a * first + b * second

    total, moment = integrals_beyond(exponent, weight, width)
    return moment / total if i + j else 1 / (x * y * total)


@lru_cache
def beta_moment(i: int, j: int) -> Numeric:
    """The function (a, b, x, 1 − x, ±1) ↦ E log(T/x)ⁱ log((1 − T)/(1 − x))ʲ =: mᵢⱼ for T beyond x (or below), where T has the
    beta distribution; the hazard rate h for i = j = 0. All of its derivative in x is that of the argument x.

    ∂mᵢⱼ/∂a = mᵢ₊₁ⱼ − mᵢⱼ m₁₀, ∂mᵢⱼ/∂b = mᵢⱼ₊₁ − mᵢⱼ m₀₁ and ∂mᵢⱼ/∂x = −i/x mᵢ₋₁ⱼ + j/(1 − x) mᵢⱼ₋₁ ± mᵢⱼ h.
    """
    m = beta_moment
    if i == j == 0:
        return Numeric("beta hazard", partial(_beta_mean, 0, 0), lambda h, *args: -h * m(1, 0)(*args),
                       lambda h, *args: -h * m(0, 1)(*args),
                       lambda h, a, b, x, y, s: h * ((a - 1) / x - (b - 1) / y + s * h), None, None)

    def lower(k: int, over: Any, *args: Any, i: int, j: int) -> Any:
        return 0.0 if k == 0 else k / over * (m(i, j)(*args) if i + j else 1.0)

    return Numeric(f"beta moment {i} {j}", partial(_beta_mean, i, j),
                   lambda f, *args: m(i + 1, j)(*args) - f * m(1, 0)(*args),
                   lambda f, *args: m(i, j + 1)(*args) - f * m(0, 1)(*args),
                   lambda f, a, b, x, y, s: (s * f * m(0, 0)(a, b, x, y, s) - lower(i, x, a, b, x, y, s, i=i - 1, j=j)
                                             + lower(j, y, a, b, x, y, s, i=i, j=j - 1)), None, None)


# ---- Carlson's integrals

def _carlson_integral(powers: tuple[float, ...], *args: Array) -> Array:
    """By the trapezoidal rule in log t, which converges geometrically."""
    columns = [a[:, None] for a in args]
    largest = np.log(np.max(np.stack(args), axis=0))
    least = np.log(np.min(np.where(np.stack(args) > 0, np.stack(args), np.inf), axis=0))
    start, end = least - 76, largest + 38 / (sum(powers) - 1)
    step = (end - start) / 320
    t = np.exp(start[:, None] + step[:, None] * like(step, np.arange(321.0)))
    logs = sum(p * np.log(t + c) for p, c in zip(powers, columns, strict=True))
    return (np.exp(np.log(t) - logs)).sum(axis=1) * step


@lru_cache
def carlson(*powers: float) -> Numeric:
    """The function ∫ (t + x₁)^−p₁ (t + x₂)^−p₂ … dt over t > 0, of x ≥ 0: ∂/∂x₁ is −p₁ times that with p₁ + 1."""
    def raised(k: int) -> Callable[..., Any]:
        return lambda _y, *args: -powers[k] * carlson(*[p + (i == k) for i, p in enumerate(powers)])(*args)

    return Numeric(f"Carlson integral {powers}", partial(_carlson_integral, powers), *map(raised, range(len(powers))))
