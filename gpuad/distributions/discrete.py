"""Discrete distributions: a table of formulas in whole numbers k."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.distributions.univariate import Discrete
from gpuad.primitives.special import like, sc
from gpuad.traced import raw


def probability(p: Any) -> Any:
    return (p >= 0) & (p <= 1)


def whole(n: Any) -> Any:
    return (n >= 0) & (n == np.floor(n))


bernoulli = Discrete(
    "bernoulli", "p", support=(0, 1), allowed=lambda p: [probability(p)],
    logpmf=lambda k, p: sc.xlogy(k, p) + sc.xlog1py(1 - k, -p), cdf=lambda k, p: 1 - p + 0.0 * k, sf=lambda k, p: p + 0.0 * k,
    entropy=lambda p: sc.entr(p) + sc.entr(1 - p), mean=lambda p: p, var=lambda p: p * (1 - p))
binom = Discrete(
    "binom", "n p", counts=["n"], support=(0, lambda n, _p: n), allowed=lambda n, p: [whole(n), probability(p)],
    logpmf=lambda k, n, p: _log_choose(n, k) + sc.xlogy(k, p) + sc.xlog1py(n - k, -p),
    cdf=lambda k, n, p: sc.betainc(n - k, k + 1, 1 - p), sf=lambda k, n, p: sc.betainc(k + 1, n - k, p), mean=lambda n, p: n * p,
    var=lambda n, p: n * p * (1 - p))
poisson = Discrete(
    "poisson", "mu", support=(0, np.inf), allowed=lambda m: [m >= 0], logpmf=lambda k, m: sc.xlogy(k, m) - sc.gammaln(k + 1) - m,
    cdf=lambda k, m: sc.pdtr(k, m), sf=lambda k, m: sc.pdtrc(k, m), mean=lambda m: m, var=lambda m: m)
geom = Discrete(
    "geom", "p", support=(1, np.inf), allowed=lambda p: [(p > 0) & (p <= 1)],
    logpmf=lambda k, p: sc.xlog1py(k - 1, -p) + np.log(p),
    cdf=lambda k, p: -np.expm1(sc.xlog1py(k, -p)), sf=lambda k, p: np.exp(sc.xlog1py(k, -p)),
    logsf=lambda k, p: sc.xlog1py(k, -p),
    entropy=lambda p: (sc.entr(p) + sc.entr(1 - p)) / p, mean=lambda p: 1 / p, var=lambda p: (1 - p) / (p * p))
nbinom = Discrete(
    "nbinom", "n p", support=(0, np.inf), allowed=lambda n, p: [n > 0, (p > 0) & (p <= 1)],
    logpmf=lambda k, n, p: sc.gammaln(n + k) - sc.gammaln(k + 1) - sc.gammaln(n) + n * np.log(p) + sc.xlog1py(k, -p),
    cdf=lambda k, n, p: sc.betainc(n, k + 1, p), sf=lambda k, n, p: sc.betainc(k + 1, n, 1 - p),
    mean=lambda n, p: n * (1 - p) / p,
    var=lambda n, p: n * (1 - p) / (p * p))
betabinom = Discrete(
    "betabinom", "n a b", counts=["n"], support=(0, lambda n, _a, _b: n), allowed=lambda n, a, b: [whole(n), a > 0, b > 0],
    logpmf=lambda k, n, a, b: _log_choose(n, k) + sc.betaln(k + a, n - k + b) - sc.betaln(a, b),
    cdf=lambda k, n, a, b: _betabinom_cdf(k, n, a, b), mean=lambda n, a, b: n * a / (a + b),
    var=lambda n, a, b: n * (a + b + n) * a * b / ((a + b) ** 2 * (a + b + 1)))


def _log_choose(n: Any, k: Any) -> Any:
    """The logarithm of a binomial coefficient."""
    return -np.log(n + 1) - sc.betaln(n - k + 1, k + 1)


def _betabinom_cdf(k: Any, n: Any, a: Any, b: Any) -> Any:
    """The sum of the probabilities of 0 … k."""
    most = int(np.nan_to_num(raw(n)).max())
    values = like(a, np.arange(most + 1))
    k, n, a, b = (v[..., None] for v in (k, n, a, b))
    inside = np.minimum(values, n)
    return np.where(values <= k, np.exp(betabinom.formulas["logpmf"](inside, n, a, b)), 0.0).sum(axis=-1)
