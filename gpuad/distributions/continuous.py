"""Continuous distributions on the whole line and on half of it: a table of formulas in the standard variable z."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpuad.distributions.integrals import owens_tail, solved, vonmises_moment
from gpuad.distributions.univariate import Continuous
from gpuad.primitives.special import like, log, sc
from gpuad.primitives.special_numeric import Numeric

PI, EULER, LOG_2PI = math.pi, float(np.euler_gamma), math.log(2 * math.pi)
ROOT_2, INFINITE = math.sqrt(2), np.inf


def log1m(q: Any) -> Any:
    """log(1 − q), −∞ at 1 without a warning."""
    return sc.xlog1py(like(q, 1), -q)


def beyond(shape: Any, least: float, value: Any, otherwise: float = np.inf) -> Any:
    """A moment that exists where a shape is larger than a bound."""
    return np.where(shape > least, value, otherwise)


# ---- the whole line

norm = Continuous(
    "norm", logpdf=lambda z: -z * z / 2 - LOG_2PI / 2, cdf=lambda z: sc.ndtr(z), sf=lambda z: sc.ndtr(-z),
    logcdf=lambda z: sc.log_ndtr(z), logsf=lambda z: sc.log_ndtr(-z), ppf=lambda q: sc.ndtri(q), isf=lambda q: -sc.ndtri(q),
    entropy=lambda: (LOG_2PI + 1) / 2, mean=lambda: 0.0, var=lambda: 1.0)
logistic = Continuous(
    "logistic", logpdf=lambda z: sc.log_expit(z) + sc.log_expit(-z), cdf=lambda z: sc.expit(z), sf=lambda z: sc.expit(-z),
    logcdf=lambda z: sc.log_expit(z), logsf=lambda z: sc.log_expit(-z), ppf=lambda q: sc.logit(q), isf=lambda q: -sc.logit(q),
    entropy=lambda: 2.0, mean=lambda: 0.0, var=lambda: PI * PI / 3)
laplace = Continuous(
    "laplace", logpdf=lambda z: -abs(z) - math.log(2), cdf=lambda z: _laplace(z), sf=lambda z: _laplace(-z),
    logcdf=lambda z: _log_laplace(z), logsf=lambda z: _log_laplace(-z), ppf=lambda q: _laplace_quantile(q),
    isf=lambda q: -_laplace_quantile(q), entropy=lambda: math.log(2) + 1, mean=lambda: 0.0, var=lambda: 2.0)
cauchy = Continuous(
    "cauchy", logpdf=lambda z: -math.log(PI) - np.log1p(z * z), cdf=lambda z: np.arctan2(like(z, 1), -z) / PI,
    sf=lambda z: np.arctan2(like(z, 1), z) / PI, ppf=lambda q: -_cotangent(q), isf=lambda q: _cotangent(q),
    entropy=lambda: math.log(4 * PI), mean=lambda: math.nan, var=lambda: math.nan)
gumbel_r = Continuous(
    "gumbel_r", logpdf=lambda z: -z - np.exp(-z), cdf=lambda z: np.exp(-np.exp(-z)), sf=lambda z: -np.expm1(-np.exp(-z)),
    logcdf=lambda z: -np.exp(-z), ppf=lambda q: -log(-log(q)), isf=lambda q: -log(-log1m(q)), entropy=lambda: EULER + 1,
    mean=lambda: EULER, var=lambda: PI * PI / 6)
gumbel_l = Continuous(
    "gumbel_l", logpdf=lambda z: z - np.exp(z), cdf=lambda z: -np.expm1(-np.exp(z)), sf=lambda z: np.exp(-np.exp(z)),
    logsf=lambda z: -np.exp(z), ppf=lambda q: log(-log1m(q)), isf=lambda q: log(-log(q)), entropy=lambda: EULER + 1,
    mean=lambda: -EULER, var=lambda: PI * PI / 6)
t = Continuous(
    "t", "df", logpdf=lambda z, v: -(v + 1) / 2 * np.log1p(z * z / v) - sc.betaln(v / 2, like(v, 0.5)) - np.log(v) / 2,
    cdf=lambda z, v: sc.stdtr(v, z), sf=lambda z, v: sc.stdtr(v, -z), ppf=lambda q, v: sc.stdtrit(v, q),
    isf=lambda q, v: -sc.stdtrit(v, q),
    entropy=lambda v: (v + 1) / 2 * (sc.psi((v + 1) / 2) - sc.psi(v / 2)) + np.log(v) / 2 + sc.betaln(v / 2, like(v, 0.5)),
    mean=lambda v: beyond(v, 1, 0.0 * v), var=lambda v: np.where(v > 1, beyond(v, 2, v / np.where(v > 2, v - 2, 1.0)), np.nan))
exponnorm = Continuous(
    "exponnorm", "K", logpdf=lambda z, k: -np.log(k) + _tilted(z, k), sf=lambda z, k: sc.ndtr(-z) + np.exp(_tilted(z, k)),
    cdf=lambda z, k: sc.ndtr(z) - np.exp(_tilted(z, k)), ppf=lambda q, k: _exponnorm[0](q, k),
    isf=lambda q, k: _exponnorm[1](q, k), mean=lambda k: k, var=lambda k: 1 + k * k)
skewnorm = Continuous(
    "skewnorm", "a", allowed=lambda a: [np.isfinite(a)],
    logpdf=lambda z, a: math.log(2) - z * z / 2 - LOG_2PI / 2 + sc.log_ndtr(a * z),
    cdf=lambda z, a: _skewed(z, a), sf=lambda z, a: _skewed(-z, -a), ppf=lambda q, a: _skewnorm[0](q, a),
    isf=lambda q, a: _skewnorm[1](q, a), mean=lambda a: math.sqrt(2 / PI) * a / np.hypot(a, 1.0),
    var=lambda a: 1 - 2 / PI * a * a / (1 + a * a))
vonmises = Continuous(
    "vonmises", "kappa", inner=0.0, logpdf=lambda z, k: _vonmises_logpdf(z, k), cdf=lambda z, k: vonmises_moment(0)(z, k),
    ppf=lambda q, k: _vonmises[0](q, k), isf=lambda q, k: _vonmises[1](q, k),
    entropy=lambda k: k - k * sc.i1e(k) / sc.i0e(k) + LOG_2PI + np.log(sc.i0e(k)))


def _laplace(z: Any) -> Any:
    right = z > 0
    return np.where(right, 1 - np.exp(-np.where(right, z, 0.0)) / 2, np.exp(np.where(right, 0.0, z)) / 2)


def _log_laplace(z: Any) -> Any:
    right = z > 0
    return np.where(right, np.log1p(-np.exp(-np.where(right, z, 0.0)) / 2), z - math.log(2))


def _laplace_quantile(q: Any) -> Any:
    return np.where(q > 0.5, -math.log(2) - log1m(q), math.log(2) + log(q))


def _cotangent(q: Any) -> Any:
    """cot(πq) for q between 0 and 1."""
    right = q > 0.5
    return np.where(right, -1.0, 1.0).astype(q.dtype) / np.tan(PI * np.where(right, 1 - q, q))


def _tangent(q: Any) -> Any:
    """tan(πq/2) for q between 0 and 1."""
    right = q > 0.5
    return np.where(right, 1 / np.tan(PI / 2 * np.where(right, 1 - q, 0.5)), np.tan(PI / 2 * np.where(right, 0.5, q)))


def _tilted(z: Any, k: Any) -> Any:
    """log(e^(1/(2k²) − z/k) Φ(z − 1/k))."""
    return (0.5 / k - z) / k + sc.log_ndtr(z - 1 / k)


def _exponnorm_slope(z: Any, k: Any) -> Any:
    return -(np.exp(_tilted(z, k)) * (z - 1 / k) + np.exp(-z * z / 2 - LOG_2PI / 2)) / (k * k)


_exponnorm: tuple[Numeric, Numeric] = solved("exponnorm", lambda z, k: -np.log(k) + _tilted(z, k), _exponnorm_slope)


def _skewed(z: Any, a: Any) -> Any:
    """Φ(z) − 2 T(z, a), in the tail by one integral."""
    tail = (a > 0) & (z < 0) & (-z * np.maximum(a, 1.0) > 1)
    return np.where(tail, owens_tail(np.where(tail, -z, 2.0), np.where(tail, a, 1.0)),
                    sc.ndtr(z) - 2 * sc.owens_t(np.where(tail, 0.0, z), a))


_skewnorm: tuple[Numeric, Numeric] = solved(
    "skewnorm", lambda z, a: math.log(2) - z * z / 2 - LOG_2PI / 2 + sc.log_ndtr(a * z),
    lambda z, a: -np.exp(-z * z * (1 + a * a) / 2) / (PI * (1 + a * a)))


def _vonmises_logpdf(z: Any, k: Any) -> Any:
    return k * sc.cosm1(z) - LOG_2PI - np.log(sc.i0e(k))


_vonmises: tuple[Numeric, Numeric] = solved("vonmises", _vonmises_logpdf, lambda z, k: vonmises_moment(1)(z, k))


# ---- half of the line

expon = Continuous(
    "expon", support=(0, INFINITE), logpdf=lambda z: -z, cdf=lambda z: -np.expm1(-z), sf=lambda z: np.exp(-z), logsf=lambda z: -z,
    ppf=lambda q: -log1m(q), isf=lambda q: -log(q), entropy=lambda: 1.0, mean=lambda: 1.0, var=lambda: 1.0)
gamma = Continuous(
    "gamma", "a", support=(0, INFINITE), logpdf=lambda z, a: sc.xlogy(a - 1, z) - z - sc.gammaln(a),
    cdf=lambda z, a: sc.gammainc(a, z), sf=lambda z, a: sc.gammaincc(a, z), ppf=lambda q, a: sc.gammaincinv(a, q),
    isf=lambda q, a: sc.gammainccinv(a, q), entropy=lambda a: sc.psi(a) * (1 - a) + a + sc.gammaln(a), mean=lambda a: a,
    var=lambda a: a)
chi2 = Continuous(
    "chi2", "df", support=(0, INFINITE),
    logpdf=lambda z, v: sc.xlogy(v / 2 - 1, z) - z / 2 - sc.gammaln(v / 2) - math.log(2) / 2 * v,
    cdf=lambda z, v: sc.chdtr(v, z), sf=lambda z, v: sc.chdtrc(v, z), ppf=lambda q, v: 2 * sc.gammaincinv(v / 2, q),
    isf=lambda q, v: sc.chdtri(v, q), entropy=lambda v: v / 2 + math.log(2) + sc.gammaln(v / 2) + (1 - v / 2) * sc.psi(v / 2),
    mean=lambda v: v, var=lambda v: 2 * v)
invgamma = Continuous(
    "invgamma", "a", support=(0, INFINITE), open=True, logpdf=lambda z, a: -(a + 1) * log(z) - sc.gammaln(a) - 1 / z,
    cdf=lambda z, a: sc.gammaincc(a, 1 / z), sf=lambda z, a: sc.gammainc(a, 1 / z), ppf=lambda q, a: 1 / sc.gammainccinv(a, q),
    isf=lambda q, a: 1 / sc.gammaincinv(a, q), entropy=lambda a: a - (a + 1) * sc.psi(a) + sc.gammaln(a),
    mean=lambda a: beyond(a, 1, 1 / np.where(a > 1, a - 1, 1.0)),
    var=lambda a: beyond(a, 2, 1 / np.where(a > 2, (a - 1) ** 2 * (a - 2), 1.0)))
f = Continuous(
    "f", "dfn dfd", support=(0, INFINITE),
    logpdf=lambda z, m, n: m / 2 * np.log(m) + n / 2 * np.log(n) + sc.xlogy(m / 2 - 1, z) - (m + n) / 2 * np.log(n + m * z)
    - sc.betaln(m / 2, n / 2),
    cdf=lambda z, m, n: sc.fdtr(m, n, z), sf=lambda z, m, n: sc.fdtrc(m, n, z), ppf=lambda q, m, n: sc.fdtri(m, n, q),
    entropy=lambda m, n: (sc.betaln(m / 2, n / 2) + np.log(n / m) + (1 - m / 2) * sc.psi(m / 2) - (1 + n / 2) * sc.psi(n / 2)
                          + (m + n) / 2 * sc.psi((m + n) / 2)),
    mean=lambda m, n: beyond(n, 2, 0.0 * m + n / np.where(n > 2, n - 2, 1.0)),
    var=lambda m, n: beyond(n, 4, 2 * n * n * (m + n - 2) / (m * np.where(n > 4, (n - 2) ** 2 * (n - 4), 1.0))))
lognorm = Continuous(
    "lognorm", "s", support=(0, INFINITE), open=True,
    logpdf=lambda z, s: -((log(z) / s) ** 2) / 2 - np.log(s) - log(z) - LOG_2PI / 2,
    cdf=lambda z, s: sc.ndtr(log(z) / s), sf=lambda z, s: sc.ndtr(-log(z) / s), logcdf=lambda z, s: sc.log_ndtr(log(z) / s),
    logsf=lambda z, s: sc.log_ndtr(-log(z) / s), ppf=lambda q, s: np.exp(s * sc.ndtri(q)),
    isf=lambda q, s: np.exp(-s * sc.ndtri(q)),
    entropy=lambda s: (LOG_2PI + 1) / 2 + np.log(s), mean=lambda s: np.exp(s * s / 2),
    var=lambda s: np.expm1(s * s) * np.exp(s * s))
invgauss = Continuous(
    "invgauss", "mu", support=(0, INFINITE), open=True, logpdf=lambda z, m: _invgauss_logpdf(z, m),
    logcdf=lambda z, m: np.logaddexp(_invgauss_near(z, m), _invgauss_far(z, m)),
    cdf=lambda z, m: np.exp(_invgauss_near(z, m)) + np.exp(_invgauss_far(z, m)), sf=lambda z, m: np.exp(_invgauss_logsf(z, m)),
    logsf=lambda z, m: _invgauss_logsf(z, m), ppf=lambda q, m: _invgauss[0](q, m), isf=lambda q, m: _invgauss[1](q, m),
    mean=lambda m: m, var=lambda m: m**3)
weibull_min = Continuous(
    "weibull_min", "c", support=(0, INFINITE), logpdf=lambda z, c: np.log(c) + sc.xlogy(c - 1, z) - z**c,
    cdf=lambda z, c: -np.expm1(-(z**c)), sf=lambda z, c: np.exp(-(z**c)), logsf=lambda z, c: -(z**c),
    ppf=lambda q, c: (-log1m(q)) ** (1 / c), isf=lambda q, c: (-log(q)) ** (1 / c),
    entropy=lambda c: EULER - EULER / c - np.log(c) + 1, mean=lambda c: sc.gamma(1 + 1 / c),
    var=lambda c: sc.gamma(1 + 2 / c) - sc.gamma(1 + 1 / c) ** 2)
pareto = Continuous(
    "pareto", "b", support=(1, INFINITE), inner=2.0, logpdf=lambda z, b: np.log(b) - (b + 1) * np.log(z),
    cdf=lambda z, b: -np.expm1(-b * np.log(z)), sf=lambda z, b: z**-b, logsf=lambda z, b: -b * np.log(z),
    ppf=lambda q, b: np.exp(-log1m(q) / b), isf=lambda q, b: np.exp(-log(q) / b), entropy=lambda b: 1 + 1 / b - np.log(b),
    mean=lambda b: beyond(b, 1, b / np.where(b > 1, b - 1, 1.0)),
    var=lambda b: beyond(b, 2, b / np.where(b > 2, (b - 1) ** 2 * (b - 2), 1.0)))
halfnorm = Continuous(
    "halfnorm", support=(0, INFINITE), logpdf=lambda z: math.log(2 / PI) / 2 - z * z / 2, cdf=lambda z: sc.erf(z / ROOT_2),
    sf=lambda z: sc.erfc(z / ROOT_2), logsf=lambda z: math.log(2) + sc.log_ndtr(-z), ppf=lambda q: ROOT_2 * sc.erfinv(q),
    isf=lambda q: ROOT_2 * sc.erfcinv(q), entropy=lambda: (math.log(PI / 2) + 1) / 2, mean=lambda: math.sqrt(2 / PI),
    var=lambda: 1 - 2 / PI)
halfcauchy = Continuous(
    "halfcauchy", support=(0, INFINITE), logpdf=lambda z: math.log(2 / PI) - np.log1p(z * z), cdf=lambda z: 2 / PI * np.arctan(z),
    sf=lambda z: 2 / PI * np.arctan2(like(z, 1), z), ppf=lambda q: _tangent(q), isf=lambda q: _cotangent(q / 2),
    entropy=lambda: LOG_2PI, mean=lambda: INFINITE, var=lambda: INFINITE)
rayleigh = Continuous(
    "rayleigh", support=(0, INFINITE), logpdf=lambda z: log(z) - z * z / 2, cdf=lambda z: -np.expm1(-z * z / 2),
    sf=lambda z: np.exp(-z * z / 2), logsf=lambda z: -z * z / 2, ppf=lambda q: np.sqrt(-2 * log1m(q)),
    isf=lambda q: np.sqrt(-2 * log(q)), entropy=lambda: EULER / 2 + 1 - math.log(2) / 2, mean=lambda: math.sqrt(PI / 2),
    var=lambda: 2 - PI / 2)
maxwell = Continuous(
    "maxwell", support=(0, INFINITE), logpdf=lambda z: math.log(2 / PI) / 2 + 2 * log(z) - z * z / 2,
    cdf=lambda z: sc.gammainc(like(z, 1.5), z * z / 2), sf=lambda z: sc.gammaincc(like(z, 1.5), z * z / 2),
    ppf=lambda q: np.sqrt(2 * sc.gammaincinv(like(q, 1.5), q)), isf=lambda q: np.sqrt(2 * sc.gammainccinv(like(q, 1.5), q)),
    entropy=lambda: EULER + LOG_2PI / 2 - 0.5, mean=lambda: 2 * math.sqrt(2 / PI), var=lambda: 3 - 8 / PI)


def _invgauss_logpdf(z: Any, m: Any) -> Any:
    return -LOG_2PI / 2 - 1.5 * np.log(z) - (z / m - 1) ** 2 / (2 * z)


_invgauss: tuple[Numeric, Numeric] = solved(
    "invgauss", _invgauss_logpdf, lambda z, m: -2 / (m * m) * np.exp(_invgauss_far(z, m)))


def _invgauss_near(z: Any, m: Any) -> Any:
    return sc.log_ndtr((z / m - 1) / np.sqrt(z))


def _invgauss_far(z: Any, m: Any) -> Any:
    return 2 / m + sc.log_ndtr(-(z / m + 1) / np.sqrt(z))


def _invgauss_logsf(z: Any, m: Any) -> Any:
    main = sc.log_ndtr(-(z / m - 1) / np.sqrt(z))
    return main + np.log1p(-np.exp(_invgauss_far(z, m) - main))
