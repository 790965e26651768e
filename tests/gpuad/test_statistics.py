"""Statistics and calculus: values as NumPy's for all options, derivatives at special points, and what is refused."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad.primitives.quantiles import BETWEEN, CONTINUOUS, DISCRETE

RNG = np.random.default_rng(3)
X = np.array([3.0, -1.0, 2.0, 0.5])
NAN = np.array([[1.0, np.nan, 3.0, -2.0, 0.5], [np.nan, np.nan, 4.0, 1.0, 2.5], [2.0, 0.0, 1.0, 5.0, np.nan]])


def value(f: Callable[..., Any], *args: Any) -> Any:
    return ad.vjp(f, *args)[0]


# ---- values are NumPy's

@pytest.mark.parametrize("method", [*DISCRETE, *BETWEEN, *CONTINUOUS])
def test_quantiles_have_numpys_values(method: str) -> None:
    x = RNG.integers(-3, 4, (5, 6, 2)) + np.array([0.25, 0.0])
    for q in (0.0, 0.3, 1.0, 0.5, [0.1, 0.2, 0.75], np.linspace(0, 1, 12).reshape(3, 4)):
        for options in ({}, {"axis": 1}, {"axis": (0, -1), "keepdims": True}):
            for f in (np.quantile, np.nanquantile)[: 1 if np.ndim(q) == 2 else 2]:  # NumPy's nanquantile mixes up the axes then
                def run(a: Any, f: Any = f, q: Any = q, options: Any = options) -> Any:
                    return f(a, q, method=method, **options)
                np.testing.assert_allclose(value(run, x), run(x), rtol=1e-14, atol=1e-14)
    for axis in (None, 0, 1):
        np.testing.assert_allclose(value(lambda a, i=axis: np.nanpercentile(a, [20, 80], axis=i, method=method), NAN),
                                   np.nanpercentile(NAN, [20, 80], axis=axis, method=method), rtol=1e-14)


def test_slices_with_nan_are_nan() -> None:
    for f in (np.median, lambda a, axis: np.quantile(a, 0.4, axis=axis),
              lambda a, axis: np.percentile(a, [10, 60], axis, method="lower")):
        for axis in (0, 1):
            np.testing.assert_allclose(value(lambda a, f=f, i=axis: f(a, axis=i), NAN), f(NAN, axis=axis), rtol=1e-14)


OF_A_MATRIX: list[Callable[[Any], Any]] = [
    np.median, np.nanmedian, np.cumprod, np.nansum, np.nanmean, np.nanvar, np.nanmax, np.average, np.cov, np.corrcoef,
    np.trapezoid, np.unwrap, np.i0, np.sort_complex, np.unique, np.maximum.accumulate, np.logaddexp.reduce,
    lambda a: np.cumulative_prod(a[0]), lambda a: np.median(a, axis=0, keepdims=True),
    lambda a: np.quantile(a, 0.3), lambda a: np.quantile(a, [0.3]), lambda a: np.quantile(a, np.float32(0.3)),
    lambda a: np.nanquantile(a, 0.3, axis=0), lambda a: np.nanpercentile(a, np.array([30], np.float32), axis=1),
    lambda a: np.percentile(a, 30), lambda a: np.quantile(a, [0, 1]),
    lambda a: np.interp(a, [0.0, 5.0], [1.0, 2.0]),
    lambda a: np.gradient(a, 0.5, axis=1), lambda a: np.gradient(a, np.array([0.0, 1.0, 3.0]), axis=1),
    lambda a: np.histogram(a, 3, weights=a, density=True)[0], lambda a: np.histogram(a, 2, density=True)[1],
    lambda a: np.histogram2d(a[0], a[1], 2, weights=a[0])[0], lambda a: np.bincount([0, 2, 1], a[0]),
    lambda a: np.cov(a, aweights=a[0], dtype=a.dtype),
    lambda a: np.frexp(a)[0], lambda a: np.ldexp(a, 2), lambda a: np.modf(a)[0]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_dtypes_are_numpys(dtype: Any) -> None:
    x = np.array([[1.5, 2.0, 0.25], [3.0, 1.0, 4.0]], dtype)
    for f in OF_A_MATRIX:
        try:
            expected = f(x)
        except TypeError:
            continue  # NumPy has none in this dtype
        out = value(f, x)
        assert (out.shape, out.dtype) == (expected.shape, expected.dtype), (f, out.dtype, expected.dtype)
        tolerance = 32 * max(float(np.finfo(dtype).eps), 1e-16)
        np.testing.assert_allclose(np.asarray(out, complex), np.asarray(expected, complex), rtol=tolerance, atol=tolerance)


def test_weighted_quantiles_have_numpys_values() -> None:
    x, w = RNG.normal(size=(6, 3)), RNG.integers(0, 4, (6, 3)).astype(float)
    w[0] += 1
    for q in (0.0, 0.25, [0.5, 1.0], [0.1, 0.9, 0.33]):
        for axis, weights in ((0, w), (None, w), (0, w[:, 0]), (1, w + 1)):
            for f in (np.quantile, np.nanquantile) if weights.ndim == 2 else (np.quantile,):
                def run(a: Any, f: Any = f, q: Any = q, axis: Any = axis, weights: Any = weights) -> Any:
                    return f(a, q, axis=axis, weights=weights, method="inverted_cdf")
                np.testing.assert_array_equal(value(run, x), run(x))


# ---- derivatives at special points

def test_products_through_zeros() -> None:
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    expected = np.zeros((5, 5))
    for i in range(5):
        for j in range(i + 1):
            expected[i, j] = np.prod(np.delete(x[: i + 1], j))
    np.testing.assert_array_equal(ad.jacobian(np.cumprod)(x), expected)
    second = ad.hessian(lambda t: np.cumprod(t)[2])(x)
    np.testing.assert_array_equal(second[:3, :3], [[0, 3, 0], [3, 0, 2], [0, 2, 0]])


def test_long_accumulations_are_those_of_the_loop() -> None:
    x, w = 1 + 0.1 * RNG.normal(size=257), RNG.normal(size=257)

    def loop(t: Any) -> Any:
        total = y = t[0]
        total = w[0] * y
        for i in range(1, 257):
            y = y * t[i]
            total = total + w[i] * y
        return total

    np.testing.assert_allclose(ad.grad(lambda t: np.sum(w * np.cumprod(t)))(x), ad.grad(loop)(x), rtol=1e-10)


def test_ties_in_accumulated_extremes_share_step_by_step() -> None:
    jacobian = ad.jacobian(np.maximum.accumulate)(np.array([1.0, 1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(jacobian, [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0, 0.5]])


def test_logaddexp_of_nothing_but_minus_infinity() -> None:
    np.testing.assert_array_equal(ad.grad(np.logaddexp.reduce)(np.full(4, -np.inf)), np.full(4, 0.25))


def test_nan_has_no_derivative_where_it_is_skipped() -> None:
    for f in (np.nansum, np.nanmean, np.nanvar, np.nanstd, np.nanprod, np.nanmedian, np.nanmax,
              lambda a: np.nanquantile(a, 0.3), lambda a: np.nancumprod(a)[-1]):
        gradient = ad.grad(f)(NAN)
        assert np.isfinite(gradient).all() and not gradient[np.isnan(NAN)].any()


def test_quantiles_of_nothing_but_nan_are_nan() -> None:
    x = np.array([[np.nan, np.nan], [1.0, 2.0]])
    for f in (np.nanmedian, lambda a, axis: np.nanquantile(a, 0.5, axis=axis)):
        np.testing.assert_array_equal(value(lambda a, f=f: f(a, axis=1), x), [np.nan, 1.5])


def test_the_quantile_function_has_the_mean_slope_at_an_entry() -> None:
    x = np.array([0.0, 1.0, 5.0])
    slope = ad.grad(lambda q: np.quantile(x, q))
    np.testing.assert_allclose([slope(0.0), slope(0.25), slope(0.5), slope(0.75), slope(1.0)], [1, 2, 5, 8, 4])
    assert ad.grad(lambda q: np.percentile(x, q))(75.0) == 0.08
    assert ad.grad(lambda q: np.quantile(x, q, method="higher") + q)(0.3) == 1  # it jumps, and is constant in between


def test_interpolation_has_the_mean_slope_at_a_point() -> None:
    xp, fp = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0])
    at = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
    slopes = ad.elementwise_grad(lambda x: np.interp(x, xp, fp))(at)
    np.testing.assert_array_equal(slopes, [0, 0.5, 1, 2.5, 2, 0])
    np.testing.assert_array_equal(ad.jacobian(lambda f: np.interp(at, xp, f))(fp),
                                  [[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(ad.jacobian(lambda p: np.interp(at, p, fp))(xp).sum(1), -slopes)
    symmetric = ad.hessian(lambda f, x: np.sum(np.interp(x, xp, f)), (0, 1))(fp, at[3])
    np.testing.assert_array_equal(symmetric[0][1].ravel(), symmetric[1][0].ravel())
    assert np.isnan(ad.grad(lambda x: np.interp(x, xp, fp))(np.nan))
    assert np.isnan(ad.grad(lambda f: np.interp(np.nan, xp, f))(fp)).any()


def test_correlation_one_is_an_extreme() -> None:
    x = np.array([1.0, 2.0, 4.0])

    def correlation(y: Any) -> Any:
        return np.corrcoef(x, y)[0, 1]

    np.testing.assert_allclose(ad.grad(correlation)(2 * x), np.zeros(3), atol=1e-14)
    h = 1e-4
    step = np.eye(3)[0] * h
    second = (correlation(2 * x + step) - 2 * correlation(2 * x) + correlation(2 * x - step)) / h**2
    np.testing.assert_allclose(ad.hessian(correlation)(2 * x)[0, 0], second, rtol=1e-5)


def test_of_equal_entries_the_first_has_the_derivative() -> None:
    x = np.array([2.0, 1.0, 2.0, 1.0])
    np.testing.assert_array_equal(ad.jacobian(np.unique)(x), [[0, 1, 0, 0], [1, 0, 0, 0]])
    left, right = ad.jacobian(np.intersect1d, (0, 1))(x, np.array([2.0, 3.0]))
    np.testing.assert_array_equal(left, [[1, 0, 0, 0]])
    np.testing.assert_array_equal(right, [[0, 0]])


def test_locations_are_constant_and_numpys() -> None:
    x = np.array([[2.0, 1.0], [2.0, 3.0]])
    seen: list[Any] = []

    def f(a: Any) -> Any:
        values, *others = np.unique(a, return_index=True, return_inverse=True, return_counts=True)
        seen.extend(others)
        everything = np.unique_all(a)
        seen.extend(everything[1:])
        return np.sum(values) + np.sum(everything.values)

    ad.grad(f)(x)
    for got, expected in zip(seen, [*np.unique(x, True, True, True)[1:], *np.unique_all(x)[1:]], strict=True):
        assert type(got) is np.ndarray
        np.testing.assert_array_equal(got, expected)


def test_integer_parts_and_exponents_are_plain() -> None:
    seen: list[Any] = []

    def f(a: Any) -> Any:
        fraction, whole = np.modf(a)
        mantissa, exponent = np.frexp(a)
        seen.extend([whole, exponent, np.spacing(a)])
        return np.sum(fraction * whole + mantissa * 2.0**exponent)

    np.testing.assert_array_equal(ad.grad(f)(X), np.trunc(X) + 1)
    for got, expected in zip(seen, [np.modf(X)[1], np.frexp(X)[1], np.spacing(X)], strict=True):
        assert type(got) is np.ndarray
        np.testing.assert_array_equal(got, expected)


def test_counts_without_traced_weights_are_plain() -> None:
    for counts in (lambda a: np.histogram(a, 3)[0], lambda a: np.histogram(a, [-2.0, 0, 4], weights=[1, 2, 3, 4])[0],
                   lambda a: np.histogram2d(a, a, 2)[0], lambda a: np.histogramdd([a, a, a], (1, 2, 3), density=False)[0],
                   lambda a: np.bincount((a > 0).astype(int), minlength=3)):
        seen: list[Any] = []

        def f(a: Any, counts: Any = counts, seen: Any = seen) -> Any:
            seen.append(counts(a))
            return np.sum(a)

        ad.grad(f)(X)
        assert type(seen[0]) is np.ndarray and seen[0].dtype == counts(X).dtype
        np.testing.assert_array_equal(seen[0], counts(X))


@pytest.mark.parametrize("reduce", [np.multiply.reduce, np.logaddexp.reduce, np.fmax.reduce, np.multiply.accumulate])
def test_what_a_method_of_a_ufunc_gives_is_new(reduce: Callable[..., Any]) -> None:
    def f(x: Any) -> Any:
        y = reduce(x[None])
        y += 1
        return np.sum(x * x) + np.sum(y)

    total, gradient = ad.value_and_grad(f)(X)
    assert total == f(X)
    np.testing.assert_array_equal(gradient, 2 * X + 1)


def test_arguments_stay_as_they_are() -> None:
    x = X.copy()
    ad.grad(lambda a: np.median(a, overwrite_input=True) + np.quantile(a, 0.2, overwrite_input=True))(x)
    np.testing.assert_array_equal(x, X)


# ---- what is refused

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "method": (lambda x: np.quantile(x, 0.5, method="best"), "among"),
    "share": (lambda x: np.quantile(x, 1.5), "from 0 to 1"),
    "percent": (lambda x: np.nanpercentile(x, [10, 101]), "from 0 to 100"),
    "nan": (lambda x: np.quantile(x, np.nan), "from 0 to 1"),
    "complex": (lambda x: np.quantile(x * 1j, 0.5), "real numbers"),
    "weights with linear": (lambda x: np.quantile(x, 0.5, weights=x), "inverted_cdf"),
    "negative weights": (lambda x: np.quantile(x, 0.5, weights=-np.abs(x), method="inverted_cdf"), "at least 0"),
    "zero weights": (lambda x: np.quantile(x, 0.5, weights=np.zeros(4), method="inverted_cdf"), "not all zero"),
    "shape of weights": (lambda x: np.average(x, weights=[1.0, 2.0]), "no axis"),
    "shape of weights along an axis": (lambda x: np.average(x, axis=0, weights=[1.0, 2.0]), "of its"),
    "weights that cancel": (lambda x: np.average(x, weights=[1, -1, 1, -1]), "add up to zero"),
    "cov of a stack": (lambda x: np.cov(x[None, None]), "at most two axes"),
    "number of weights": (lambda x: np.cov(x, aweights=[1.0]), "one for each observation"),
    "real fweights": (lambda x: np.cov(x, fweights=[1, 1.5, 2, 2]), "integers"),
    "negative aweights": (lambda x: np.cov(x, aweights=[1, -1, 2, 2]), "at least 0"),
    "fractional ddof": (lambda x: np.cov(x, ddof=0.5), "integer"),
    "interp of unequal lengths": (lambda x: np.interp(x, [0.0, 1.0], x), "one shape"),
    "interp at complex places": (lambda x: np.interp(1j * x, [0.0, 1.0], [0.0, 1.0]), "order"),
    "period of zero": (lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0], period=0), "period"),
    "too few samples": (lambda x: np.gradient(x[:2], edge_order=2), "at least 3"),
    "edge order": (lambda x: np.gradient(x, edge_order=3), "edge_order"),
    "number of distances": (lambda x: np.gradient(x, 1.0, 2.0), "one for each"),
    "length of coordinates": (lambda x: np.gradient(x, [1.0, 2.0]), "coordinates of shape"),
    "axis of cumulative_sum": (lambda x: np.cumulative_sum(x[None]), "expected an axis"),
    "segment outside": (lambda x: np.add.reduceat(x, [0, 4]), "from 0 to 3"),
    "bincount of reals": (lambda x: np.bincount(x), "integers"),
    "bincount of negative numbers": (lambda x: np.bincount([-1, 0, 1, 2], x), "at least 0"),
    "complex weights": (lambda x: np.bincount([1, 0, 1, 2], x * 1j), "real weights"),
    "weights of a histogram": (lambda x: np.histogram(x, 2, weights=[1.0]), "one for each entry"),
    "edges in disorder": (lambda x: np.histogram(x, x), "increase"),
    "bins by rule in two dimensions": (lambda x: np.histogramdd([x, x], "auto"), "numbers of bins"),
    "number of bins": (lambda x: np.histogramdd([x, x], [1, 2, 3]), "each of the 2"),
    "unequal lengths": (lambda x: np.histogram2d(x, x[1:]), "equal lengths"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused(what: str) -> None:
    program, message = REFUSED[what]
    with pytest.raises((TypeError, ValueError, IndexError, RuntimeError, ZeroDivisionError), match=message):
        ad.vjp(program, X)


def test_a_plan_looks_at_the_shares_that_it_is_given() -> None:
    planned = ad.plan(ad.value_and_grad(lambda x, q: np.quantile(x, q), 1))
    assert planned(X, 0.25)[0] == np.quantile(X, 0.25)
    with pytest.raises(ValueError, match="from 0 to 1"):
        planned(X, 1.25)
