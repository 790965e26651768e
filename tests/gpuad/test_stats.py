"""scipy.stats: values are SciPy's, every method has its derivatives, supports and parameters are respected."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import gpuad as ad
from gpuad import NotDifferentiableError
from gpuad.scipy.stats import DISTRIBUTIONS, STATUS
from tests.gpuad.test_primitives import differences

stats: Any = ad.scipy.stats

SHAPES: dict[str, tuple[float, ...]] = {
    "t": (3.7,), "exponnorm": (1.5,), "skewnorm": (2.0,), "vonmises": (1.3,), "gamma": (1.7,), "chi2": (3.3,), "invgamma": (4.5,),
    "f": (3.2, 6.5), "lognorm": (0.7,), "invgauss": (1.4,), "weibull_min": (1.6,), "pareto": (2.6,), "beta": (1.5, 2.5),
    "triang": (0.35,), "genpareto": (-0.2,), "genextreme": (0.2,), "truncnorm": (-1.0, 2.0), "bernoulli": (0.3,),
    "binom": (7, 0.3),
    "poisson": (2.5,), "geom": (0.3,), "nbinom": (2.5, 0.4), "betabinom": (6, 1.5, 2.5),
}
OTHERS: dict[str, list[tuple[float, ...]]] = {
    "t": [(0.7,), (1e6,)], "genpareto": [(0.3,), (0.0,)], "genextreme": [(-0.3,), (0.0,), (0.01,)], "invgamma": [(0.5,)],
    "truncnorm": [(1.0, 5.0), (-np.inf, 3.0), (-30.0, -20.0)], "f": [(1.0, 1.5)], "gamma": [(0.5,), (-1.0,)],
    "triang": [(0.0,), (1.0,)],
    "beta": [(0.5, 0.3), (-1.0, 2.0)], "skewnorm": [(-3.0,)], "binom": [(7, 1.0), (6.5, 0.5)], "poisson": [(0.0,), (-1.0,)],
}
UNIVARIATE = [name for name, d in DISTRIBUTIONS.items() if hasattr(d, "shapes")]
CONTINUOUS = [name for name in UNIVARIATE if "logpdf" in DISTRIBUTIONS[name].differentiable]
MOMENTS = ("entropy", "mean", "var", "std", "median", "stats")
POINTS = np.array([-np.inf, -35.0, -5.0, -1.0, -0.5, 0.0, 0.1, 0.3, 0.5, 1.0, 1.5, 2.0, 5.0, 8.0, 30.0, np.inf, np.nan])
QUANTILES = np.array([-0.1, 0, 1e-9, 0.1, 0.3, 0.5, 0.9, 0.999, 1, 1.1, np.nan])


def same(got: Any, expected: Any, what: str, places: np.ndarray) -> None:
    """Equal, where SciPy has an accurate value: its logarithms of 1 − ε and sums of tails are not, nor NaN at infinity."""
    for a, b in zip(np.atleast_2d(got), np.atleast_2d(expected), strict=True):
        a, b, x = np.broadcast_arrays(a, b, places)
        left_out = (np.isinf(x) & np.isnan(b)) | ((abs(b) < 1e-9) & np.array("log" in what)) | (x == 1e-9)
        np.testing.assert_allclose(a[~left_out], b[~left_out], rtol=2e-8 if "skewnorm" in what else 1e-9, atol=1e-15,
                                   err_msg=what)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", UNIVARIATE)
def test_values_are_scipys(name: str) -> None:
    dist, scipys = getattr(stats, name), getattr(st, name)
    places = [{}, {"loc": 2, **({"scale": 1.7} if name in CONTINUOUS else {})},
              *([{"scale": -1.0}] if name in CONTINUOUS else [])]
    for shapes, keywords in [(SHAPES.get(name, ()), k) for k in places] + [(s, {}) for s in OTHERS.get(name, [])]:
        for method in dist.differentiable:
            lead = () if method in MOMENTS else (0.8,) if method == "interval" else (
                QUANTILES if method in ("ppf", "isf") else POINTS,)
            got, expected = (getattr(d, method)(*lead, *shapes, **keywords) for d in (dist, scipys))
            assert np.shape(got) == np.shape(expected)
            if not (method == "entropy" and np.isnan(expected)):  # SciPy's formula, where a probability or a bound is extreme
                same(got, expected, f"{name}.{method}{shapes}", lead[0] if lead else np.zeros(()))


def at(name: str) -> np.ndarray:
    """Points inside the support, and quantiles."""
    return np.array([1.2, 1.9]) if name == "pareto" else np.array([0.25, 0.7])


def directional(f: Callable[..., Any], primals: list[np.ndarray], tolerance: float = 1e-7) -> None:
    """The derivatives along a direction, forward and reverse, against two-sided differences."""
    rng = np.random.default_rng(3)
    along = [rng.uniform(0.5, 1, np.shape(a)) for a in primals]
    out, system = ad.linearize(f, *primals)
    expected = differences(lambda *a: [np.asarray(f(*a))], primals, along)[0]
    forward = system.pushforward(*along)
    np.testing.assert_allclose(forward, expected, rtol=tolerance, atol=tolerance)
    reverse = system.pullback(np.ones_like(out))
    np.testing.assert_allclose(sum(np.sum(g * v) for g, v in zip(reverse, along, strict=True)), np.sum(forward), rtol=1e-10)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_every_method_has_its_derivatives(name: str) -> None:
    dist, shapes = getattr(stats, name), [np.array(s) for s in SHAPES.get(name, ())]
    place = [np.array(0.1), np.array(1.3)]
    for method in dist.differentiable:
        if method in ("interval", "stats", "mean", "var", "std", "entropy", "median"):
            if (shapes or method in ("mean", "std")) and method not in ("interval", "stats") and np.isfinite(dist.var(*shapes)):
                directional(lambda *a, m=method: getattr(dist, m)(*a), [*shapes, *place])
            continue
        lead = at(name) if method not in ("ppf", "isf") else np.array([0.25, 0.7])
        lead = lead if method in ("ppf", "isf") else 0.1 + 1.3 * lead
        directional(lambda *a, m=method: getattr(dist, m)(*a), [lead, *shapes, *place],
                    3e-6 if method in ("ppf", "isf") else 1e-7)


@pytest.mark.parametrize("name", [n for n in UNIVARIATE if n not in CONTINUOUS])
def test_discrete_methods_have_derivatives_in_their_parameters(name: str) -> None:
    dist = getattr(stats, name)
    given = [np.array(s) for s in SHAPES[name]]
    counts, free = given[:len(dist.counts)], given[len(dist.counts):]
    for method in dist.differentiable:
        if method == "stats":
            continue
        lead = () if method in MOMENTS else (np.array([1.0, 3.0]) if name != "bernoulli" else np.array([0.0, 1.0]),)
        if name == "bernoulli" and method in ("logsf", "logcdf"):
            lead = (np.array([0.0, 0.0]),)
        directional(lambda *a, m=method, x=lead: getattr(dist, m)(*x, *counts, *a), free)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_derivatives_vanish_outside_the_support(name: str) -> None:
    dist, shapes = getattr(stats, name), SHAPES.get(name, ())
    low, high = getattr(st, name).support(*shapes)
    for x in [*([low - 1.0] if np.isfinite(low) else []), *([high + 1.0] if np.isfinite(high) else []), np.inf]:
        for method in [m for m in ("logpdf", "pdf", "cdf", "sf") if m in dist.differentiable]:
            gradients = ad.grad(lambda *a, m=method: getattr(dist, m)(*a), tuple(range(len(shapes) + 1)))(x, *map(float, shapes))
            np.testing.assert_array_equal(gradients, 0.0)


def test_parameters_that_are_not_allowed_give_nan() -> None:
    assert np.isnan(ad.value_and_grad(lambda a: stats.gamma.logpdf(1.0, a))(-1.0)).all()
    assert np.isnan(stats.norm.logpdf(1.0, 0.0, -1.0)) and np.isnan(stats.norm.cdf(np.array([-9.0, 9.0]), scale=0.0)).all()
    assert np.isnan(stats.binom.pmf(2, 3.5, 0.5)) and np.isnan(stats.beta.logpdf(9.0, -1.0, 1.0))
    assert np.isnan(stats.multinomial.logpmf([1, 1], 2, [1.5, -0.5]))


def test_frozen_distributions_and_keywords() -> None:
    x = np.array([0.3, 1.1])
    gradient = ad.grad(lambda m, s: np.sum(stats.norm(m, s).logpdf(x)), (0, 1))(0.5, 2.0)
    np.testing.assert_allclose(gradient, [np.sum(x - 0.5) / 4, np.sum((x - 0.5) ** 2 / 8 - 0.5)], rtol=1e-12)
    np.testing.assert_array_equal(ad.grad(lambda s: np.sum(stats.gamma(2.0, scale=s).logpdf(x)))(3.0),
                                  ad.grad(lambda s: np.sum(stats.gamma.logpdf(x, a=2.0, scale=s)))(3.0))
    assert stats.norm(1.0, 2.0).mean() == 1.0 and stats.gamma(2.0, scale=3.0).std() == np.sqrt(18.0)
    np.testing.assert_array_equal(stats.norm(1.0, 2.0).rvs(size=3, random_state=1), st.norm(1.0, 2.0).rvs(size=3, random_state=1))
    np.testing.assert_allclose(ad.jacobian(lambda p: stats.dirichlet(p).mean())(np.array([1.0, 3.0])), [[3 / 16, -1 / 16]] * 1 + [
        [-3 / 16, 1 / 16]])


def test_single_precision_stays() -> None:
    x = np.array([0.3, 0.6], np.float32)
    for name in CONTINUOUS:
        dist, shapes = getattr(stats, name), SHAPES.get(name, ())
        for method in ("logpdf", "cdf"):
            if method in dist.differentiable:
                out, system = ad.linearize(lambda t, m=method, d=dist, s=shapes: getattr(d, m)(t, *s), x)
                assert out.dtype == system.pullback(np.ones_like(out))[0].dtype == np.float32, (name, method)


def test_quantiles_at_the_ends() -> None:
    np.testing.assert_array_equal(ad.grad(lambda c: stats.genpareto.ppf(1.0, c))(-0.5), 4.0)
    np.testing.assert_array_equal(ad.grad(lambda b: stats.truncnorm.ppf(1.0, 0.0, b))(2.0), 1.0)
    np.testing.assert_array_equal(ad.grad(lambda m: stats.uniform.ppf(0.0, m, 2.0))(0.5), 1.0)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "scipy.stats.norm.rvs": lambda x: stats.norm.rvs(x),
    "scipy.stats.nct.pdf": lambda x: stats.nct.pdf(x, 3, 0.5),
    "scipy.stats.poisson.ppf": lambda m: stats.poisson.ppf(0.3, m),
    "scipy.stats.multivariate_normal.cdf": lambda x: stats.multivariate_normal.cdf(x, 0.0, 1.0),
    "gpuad.scipy.stats.spearmanr": lambda x: stats.spearmanr(np.stack([x, 2 * x]), np.ones(2))[0],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_formula_names_itself(name: str) -> None:
    with pytest.raises(NotDifferentiableError, match=name):
        ad.grad(REFUSED[name])(2.0)


def test_what_is_asked_for_wrongly() -> None:
    with pytest.raises(TypeError, match=r"gamma\.logpdf expected the arguments x, a, loc, scale, got 1 by position"):
        stats.gamma.logpdf(1.0)
    with pytest.raises(TypeError, match=r"norm\.cdf expected"):
        stats.norm.cdf(1.0, 0.0, 1.0, 5.0)
    with pytest.raises(NotDifferentiableError, match="k is a whole number, got a traced array"):
        ad.grad(lambda k: stats.poisson.logpmf(k, 2.0))(3.0)
    with pytest.raises(NotDifferentiableError, match="n is a whole number"):
        ad.grad(lambda n: stats.binom.logpmf(2, n, 0.4))(5.0)
    with pytest.raises(TypeError, match="allow_singular=True"):
        stats.multivariate_normal.logpdf(np.ones(2), None, np.ones((2, 2)), allow_singular=True)
    with pytest.raises(np.linalg.LinAlgError):
        stats.multivariate_normal.logpdf(np.ones(2), np.zeros(2), -np.eye(2))
    with pytest.raises(ValueError, match="expected proportions"):
        stats.dirichlet.logpdf(np.array([0.2, 0.2]), np.ones(2))
    with pytest.raises(TypeError, match="nan_policy='omit'"):
        ad.vjp(lambda x: stats.skew(x, nan_policy="omit"), np.ones(3))
    with pytest.raises(TypeError, match="method="):
        ad.vjp(lambda x: stats.pearsonr(x, x, method=st.PermutationMethod())[0], np.arange(3.0))


def test_status_says_what_is_differentiable() -> None:
    assert STATUS["norm.logpdf"] == STATUS["multinomial.logpmf"] == STATUS["zscore"] == "differentiable"
    assert STATUS["norm.rvs"] == STATUS["nct.pdf"] == STATUS["spearmanr"] == "values only"
    assert sum(s == "differentiable" for s in STATUS.values()) > 450


def test_multivariate_values_are_scipys() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3, 3))
    cov, mean = a @ a.T + np.eye(3), rng.standard_normal(3)
    for x in (rng.standard_normal(3), rng.standard_normal((2, 4, 3))):
        for c in (cov, 2.0, [1.0, 2.0, 3.0]):
            np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, mean, c), st.multivariate_normal.logpdf(x, mean, c),
                                       rtol=1e-11)
        np.testing.assert_allclose(stats.multivariate_t.pdf(x, mean, cov, 4.0), st.multivariate_t.pdf(x, mean, cov, 4.0),
                                   rtol=1e-11)
    for x in (0.3, np.arange(4.0)):
        np.testing.assert_allclose(stats.multivariate_normal.logpdf(x), st.multivariate_normal.logpdf(x), rtol=1e-12)
    alpha = np.array([1.5, 2.0, 0.7])
    x = rng.dirichlet(alpha, 4).T
    for y in (x, x[:2], x[:, 0]):
        np.testing.assert_allclose(stats.dirichlet.pdf(y, alpha), st.dirichlet.pdf(y, alpha), rtol=1e-11)
    for m in ("mean", "var", "cov", "entropy"):
        np.testing.assert_allclose(getattr(stats.dirichlet, m)(alpha), getattr(st.dirichlet, m)(alpha), rtol=1e-11)
    for name in ("wishart", "invwishart"):
        mine, scipys = getattr(stats, name), getattr(st, name)
        many = np.moveaxis(st.wishart.rvs(5, cov, size=4, random_state=1), 0, -1)
        for x, scale in ((many, cov), (many[..., 0], cov), (many[..., 0], [1.0, 2.0, 3.0])):
            np.testing.assert_allclose(mine.logpdf(x, 5.0, scale), scipys.logpdf(x, 5.0, np.array(scale)), rtol=1e-11)
        np.testing.assert_allclose(mine.logpdf(np.array([0.7, 0.3]), 3.0, 2.0), scipys.logpdf(np.array([0.7, 0.3]), 3.0, 2.0),
                                   rtol=1e-11)
    counts = [[1, 2, 3], [2, 2, 3], [0, 0, 6], [-1, 3, 4]]
    np.testing.assert_allclose(stats.multinomial.pmf(counts, 6, [0.2, 0.3, 0.5]), st.multinomial.pmf(counts, 6, [0.2, 0.3, 0.5]),
                               rtol=1e-11)
