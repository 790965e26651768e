"""Programs of the catalogue: scipy.stats. Methods that follow from others are in tests/gpuad/test_stats.py."""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats as st

import gpuad as ad
from tests.gpuad.cases import Maker, between, case, like, positive
from tests.gpuad.special_programs import on_host

stats: Any = ad.scipy.stats
unit = between(0.1, 0.9, (3,))

one = between(0.8, 2.5, (3,))
SHAPES: dict[str, list[Maker]] = {
    **{name: [] for name in """norm logistic laplace cauchy gumbel_r gumbel_l uniform expon halfnorm halfcauchy rayleigh
                               maxwell""".split()},
    **{name: [one] for name in "gamma chi2 lognorm weibull_min pareto exponnorm skewnorm invgauss vonmises".split()},
    **{name: [between(0.2, 0.4, (3,))] for name in "genpareto genextreme triang".split()},
    "t": [between(2.2, 4, (3,))], "invgamma": [between(2.2, 4, (3,))], "beta": [one, one],
    "f": [between(1.5, 3, (3,)), between(4.5, 6, (3,))], "truncnorm": [between(-2, -1, (3,)), between(1, 2, (3,))],
}
"""Continuous distributions, and makers of their shapes."""
ON_CUPY = set(SHAPES) - set("exponnorm skewnorm invgauss vonmises t truncnorm gumbel_r".split())


def continuous(name: str) -> None:
    dist, shapes = getattr(stats, name), SHAPES[name]

    def density(z: Any, loc: Any, scale: Any, *s: Any) -> Any:
        x = loc + scale * (z + 1 if name == "pareto" else z)
        return dist.logpdf(x, *s, loc=0.9 * loc, scale=scale)

    def functions(q: Any, *s: Any) -> Any:
        y = dist.cdf(q + (name == "pareto"), *s)
        return y if name in ("beta", "f", "truncnorm") else (y, dist.ppf(q, *s))  # the quantiles of others are in test_stats

    def moments(*s: Any) -> Any:
        return [getattr(dist, m)(*s) for m in ("entropy", "mean", "var") if m in dist.differentiable]

    wrapped = (lambda f: f) if name in ON_CUPY else on_host
    case((f"scipy.stats.{name}.logpdf",), wrapped(density), between(0.1, 0.7, (3,)), positive(()), positive(()), *shapes,
         kinds="d", name=f"{name}.logpdf")
    if "ppf" in dist.differentiable:
        case((f"scipy.stats.{name}.cdf", f"scipy.stats.{name}.ppf"), wrapped(functions), unit, *shapes, kinds="d",
             name=f"{name}.cdf")
    if shapes:
        case((f"scipy.stats.{name}.mean",), wrapped(moments), *shapes, kinds="d", name=f"{name}.mean")


for _name in SHAPES:
    continuous(_name)

DISCRETE: dict[str, tuple[tuple[Any, ...], tuple[Maker, ...]]] = {
    "bernoulli": (([0, 1, 1],), (unit,)), "poisson": (([0, 1, 4],), (positive((3,)),)), "geom": (([1, 2, 5],), (unit,)),
    "binom": (([0, 2, 4], 6), (unit,)), "nbinom": (([0, 2, 4],), (positive((3,)), unit)),
    "betabinom": (([0, 2, 4], 6), (positive((3,)), positive((3,)))),
}


def discrete(name: str) -> None:
    dist, (given, makers) = getattr(stats, name), DISCRETE[name]

    def mass(*s: Any) -> Any:
        k, *counts = (like(s[0], c) for c in given)
        return dist.logpmf(k, *counts, *s), dist.cdf(k, *counts, *s), dist.mean(*counts, *s), dist.var(*counts, *s)

    case((f"scipy.stats.{name}.logpmf", f"scipy.stats.{name}.cdf"), mass, *makers, kinds="d", name=f"{name}.logpmf")


for _name in DISCRETE:
    discrete(_name)


def definite(a: Any) -> Any:
    return a @ a.T + like(a, 2 * np.eye(a.shape[0]))


case(("scipy.stats.multivariate_normal.logpdf",), lambda x, m, a: (
    stats.multivariate_normal.logpdf(x, m, definite(a)), stats.multivariate_normal.entropy(m, definite(a)),
    stats.multivariate_normal(m).logpdf(x[0])), (2, 3), (3,), (3, 3), kinds="d", name="multivariate_normal")
case(("scipy.stats.multivariate_t.logpdf",), on_host(lambda x, m, a, v: stats.multivariate_t.logpdf(x, m, definite(a), v)),
     (3,), (3,), (3, 3), positive(()), kinds="d", name="multivariate_t")
case(("scipy.stats.dirichlet.logpdf",), lambda x, a: (stats.dirichlet.logpdf(x, a), stats.dirichlet.mean(a),
                                                      stats.dirichlet.var(a),
                                                      stats.dirichlet.entropy(a)),
     between(0.1, 0.3, (2, 2)), positive((3,)), kinds="d", name="dirichlet")
case(("scipy.stats.wishart.logpdf", "scipy.stats.invwishart.logpdf"), lambda x, v, a: (
    stats.wishart.logpdf(definite(x), v, definite(a)), stats.invwishart.logpdf(definite(x), v, definite(a))),
     (2, 2), between(3, 4, ()), (2, 2), kinds="d", name="wishart")
case(("scipy.stats.multinomial.logpmf",), lambda p: stats.multinomial.logpmf(like(p, [[1, 2, 3], [0, 6, 0]]), 6, p / p.sum()),
     positive((3,)), kinds="d", name="multinomial")

# sample statistics
case(st.kurtosis, lambda x: (stats.kurtosis(x, fisher=False), stats.kurtosis(x, axis=None) + 3), between(0.4, 2, (4, 3)),
     kinds="d", name="stats.kurtosis")
for _name in "skew sem variation zscore gzscore gmean hmean entropy circvar circmean".split():
    case(getattr(st, _name), lambda x, f=_name: (getattr(stats, f)(x), getattr(stats, f)(x, axis=1)), between(0.4, 2, (4, 3)),
         kinds="d", name=f"stats.{_name}")
case((st.skew, st.kurtosis), lambda x: stats.skew(x, axis=None, bias=False) * stats.kurtosis(x, axis=1, bias=False,
                                                                                             keepdims=True), (3, 5),
     kinds="d", name="stats.unbiased")
case(st.moment, lambda x, c: (stats.moment(x, 3), stats.moment(x, [2, 4], axis=1), stats.moment(x, 2, center=c)), (4, 3), (),
     kinds="d",
     name="stats.moment")
case(st.pmean, lambda x, w: (stats.pmean(x, 2.5, weights=w), stats.pmean(x, 0, axis=1), stats.gmean(x, weights=w[0], axis=1)),
     positive((4, 3)), positive((4, 3)), kinds="d", name="stats.pmean")
case((st.zmap, st.entropy), lambda x, y: (stats.zmap(x, y, ddof=1), stats.entropy(x, y, base=2)), positive((4, 3)),
     positive((4, 3)),
     kinds="d", name="stats.zmap")
case(st.circstd, lambda x: stats.circstd(x, high=4.0, low=-1.0, axis=0), between(0.4, 2, (4, 3)), kinds="d", name="stats.circstd")
case(st.trim_mean, lambda x: stats.trim_mean(x, 0.3, axis=1), (2, 5), kinds="d", name="stats.trim_mean")
case(st.boxcox_llf, lambda p, x: stats.boxcox_llf(p, x), positive(()), positive((4,)), kinds="d", name="stats.boxcox_llf")
case(st.pearsonr, lambda x, y: tuple(stats.pearsonr(x, y)) + tuple(stats.pearsonr(x, y, axis=1, alternative="less")), (4, 4),
     (4, 4),
     kinds="d", name="stats.pearsonr")
