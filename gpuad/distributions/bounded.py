"""Continuous distributions whose support has an end that is finite, or that depends on the shapes."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from gpuad.distributions.continuous import EULER, LOG_2PI, beyond, log1m
from gpuad.distributions.univariate import Continuous
from gpuad.primitives.special import by_parts, log, power_series, sc
from gpuad.primitives.special_elementary import log1p_over

uniform = Continuous(
    "uniform", support=(0, 1), logpdf=lambda z: 0.0 * z, cdf=lambda z: z, sf=lambda z: 1 - z, ppf=lambda q: q,
    isf=lambda q: 1 - q, entropy=lambda: 0.0, mean=lambda: 0.5, var=lambda: 1 / 12)
beta = Continuous(
    "beta", "a b", support=(0, 1), logpdf=lambda z, a, b: sc.xlog1py(b - 1, -z) + sc.xlogy(a - 1, z) - sc.betaln(a, b),
    cdf=lambda z, a, b: sc.betainc(a, b, z), sf=lambda z, a, b: sc.betaincc(a, b, z), ppf=lambda q, a, b: sc.betaincinv(a, b, q),
    isf=lambda q, a, b: sc.betainccinv(a, b, q),
    entropy=lambda a, b: sc.betaln(a, b) - (a - 1) * sc.psi(a) - (b - 1) * sc.psi(b) + (a + b - 2) * sc.psi(a + b),
    mean=lambda a, b: a / (a + b), var=lambda a, b: a * b / ((a + b) ** 2 * (a + b + 1)))
triang = Continuous(
    "triang", "c", support=(0, 1), allowed=lambda c: [(c >= 0) & (c <= 1)],
    logpdf=lambda z, c: math.log(2) + np.where(_left(z, c), log(_rise(z, c)), log(_fall(z, c))),
    cdf=lambda z, c: np.where(_left(z, c), z * _rise(z, c), 1 - (1 - z) * _fall(z, c)),
    sf=lambda z, c: np.where(_left(z, c), 1 - z * _rise(z, c), (1 - z) * _fall(z, c)),
    ppf=lambda q, c: np.where(q < c, np.sqrt(c * q), 1 - np.sqrt((1 - c) * (1 - q))),
    entropy=lambda c: 0.5 - math.log(2) + 0.0 * c, mean=lambda c: (c + 1) / 3, var=lambda c: (1 - c + c * c) / 18)


def _left(z: Any, c: Any) -> Any:
    return (z < c) | (c == 1)


def _rise(z: Any, c: Any) -> Any:
    """z/c, left of c."""
    return np.where(_left(z, c), z, 0.5) / np.where(_left(z, c), c, 1.0)


def _fall(z: Any, c: Any) -> Any:
    """(1 − z)/(1 − c), right of c."""
    return (1 - np.where(_left(z, c), 0.5, z)) / np.where(_left(z, c), 1.0, 1 - c)


# ---- extreme values: log(1 + cz)/c is smooth at c = 0

def _log_over(z: Any, c: Any) -> Any:
    """log(1 + cz)/c."""
    return z * log1p_over(c * z)


genpareto = Continuous(
    "genpareto", "c", support=(0, lambda c: np.where(c < 0, -1 / np.where(c < 0, c, -1.0), np.inf)), inner=0.0,
    allowed=lambda c: [np.isfinite(c)], logpdf=lambda z, c: -(c + 1) * _log_over(z, c),
    cdf=lambda z, c: -np.expm1(-_log_over(z, c)), sf=lambda z, c: np.exp(-_log_over(z, c)), logsf=lambda z, c: -_log_over(z, c),
    ppf=lambda q, c: _power_over(-log1m(q), c), isf=lambda q, c: _power_over(-log(q), c), entropy=lambda c: 1 + c,
    mean=lambda c: beyond(-c, -1, 1 / np.where(c < 1, 1 - c, 1.0)),
    var=lambda c: beyond(-c, -0.5, 1 / np.where(c < 0.5, (1 - c) ** 2 * (1 - 2 * c), 1.0)))
genextreme = Continuous(
    "genextreme", "c", support=(lambda c: np.where(c < 0, 1 / np.where(c < 0, c, -1.0), -np.inf),
                                lambda c: np.where(c > 0, 1 / np.where(c > 0, c, 1.0), np.inf)), inner=0.0, open=True,
    allowed=lambda c: [np.isfinite(c)],
    logpdf=lambda z, c: -np.exp(-_log_over(z, -c)) - _log_over(z, -c) - np.log1p(-c * z),
    cdf=lambda z, c: np.exp(-np.exp(-_log_over(z, -c))), sf=lambda z, c: -np.expm1(-np.exp(-_log_over(z, -c))),
    logcdf=lambda z, c: -np.exp(-_log_over(z, -c)), ppf=lambda q, c: _power_over(-log(-log(q)), -c),
    isf=lambda q, c: _power_over(-log(-log1m(q)), -c), entropy=lambda c: EULER * (1 - c) + 1,
    mean=lambda c: beyond(c, -1, -_gamma_over(np.where(c > -1, c, 0.0))),
    var=lambda c: beyond(c, -0.5, _gamma_var(np.where(c > -0.5, c, 0.0))))

ZETA = [float(v) for v in scipy.special.zeta(np.arange(2.0, 24))]


def _power_over(u: Any, c: Any) -> Any:
    """(eᶜᵘ − 1)/c."""
    return u * sc.exprel(c * u)


def _gamma_over(c: Any) -> Any:
    """(Γ(1 + c) − 1)/c."""
    series = [-EULER] + [(-1) ** (k + 2) * z / (k + 2) for k, z in enumerate(ZETA)]
    slope = by_parts(abs(c) < 0.15, c, lambda c: power_series(series, c), lambda c: sc.gammaln(1 + c) / c)
    return slope * sc.exprel(c * slope)


def _gamma_var(c: Any) -> Any:
    """(Γ(1 + 2c) − Γ(1 + c)²)/c²."""
    series = [(-1) ** k * (2 ** (k + 2) - 2) * z / (k + 2) for k, z in enumerate(ZETA)]
    ratio = by_parts(abs(c) < 0.1, c, lambda c: power_series(series, c),
                     lambda c: (sc.gammaln(1 + 2 * c) - 2 * sc.gammaln(1 + c)) / (c * c))
    return sc.gamma(1 + c) ** 2 * ratio * sc.exprel(c * c * ratio)


# ---- the truncated normal distribution

def _log_mass(a: Any, b: Any) -> Any:
    """log(Φ(b) − Φ(a)), on the side of 0 where nothing cancels."""
    right = a > 0
    low, high = np.where(right, -b, a), np.where(right, -a, b)
    side = high <= 0
    top = sc.log_ndtr(np.where(side, high, -1.0))
    one_sided = top + np.log1p(-np.exp(sc.log_ndtr(np.where(side, low, -2.0)) - top))
    return np.where(side, one_sided, np.log1p(-sc.ndtr(np.where(side, -1.0, low)) - sc.ndtr(-np.where(side, 1.0, high))))


def _between(a: Any, b: Any) -> Any:
    """A point between a and b, 0 where that is one."""
    step = np.minimum(1.0, (b - a) / 2)
    return np.where(a >= 0, a + step, np.where(b <= 0, b - step, 0.0))


def _edge(z: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """φ(z)/(Φ(b) − Φ(a)), and z times that, 0 where z is infinite."""
    finite = np.where(np.isinf(z), 0.0, z)
    density = np.where(np.isinf(z), 0.0, np.exp(-finite * finite / 2 - LOG_2PI / 2 - _log_mass(a, b)))
    return density, finite * density


def _truncnorm_mean(a: Any, b: Any) -> Any:
    return _edge(a, a, b)[0] - _edge(b, a, b)[0]


def _truncnorm_quantile(q: Any, a: Any, b: Any) -> Any:
    left = sc.ndtri_exp(np.logaddexp(sc.log_ndtr(a), log(q) + _log_mass(a, b)))
    right = -sc.ndtri_exp(np.logaddexp(sc.log_ndtr(-b), log1m(q) + _log_mass(a, b)))
    return np.where(a < 0, left, right)


truncnorm = Continuous(
    "truncnorm", "a b", support=(lambda a, _b: a, lambda _a, b: b), inner=_between, allowed=lambda a, b: [a < b, a < b],
    logpdf=lambda z, a, b: -z * z / 2 - LOG_2PI / 2 - _log_mass(a, b),
    cdf=lambda z, a, b: np.exp(_log_mass(a, z) - _log_mass(a, b)),
    sf=lambda z, a, b: np.exp(_log_mass(z, b) - _log_mass(a, b)), logcdf=lambda z, a, b: _log_mass(a, z) - _log_mass(a, b),
    logsf=lambda z, a, b: _log_mass(z, b) - _log_mass(a, b), ppf=_truncnorm_quantile,
    entropy=lambda a, b: (LOG_2PI + 1) / 2 + _log_mass(a, b) + (_edge(a, a, b)[1] - _edge(b, a, b)[1]) / 2,
    mean=_truncnorm_mean, var=lambda a, b: 1 + _edge(a, a, b)[1] - _edge(b, a, b)[1] - _truncnorm_mean(a, b) ** 2)

