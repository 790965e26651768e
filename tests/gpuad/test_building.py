"""Functions that build arrays: what they refuse, what they give beyond the catalogue, and what decides in a plan."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import gpuad as ad
from gpuad.errors import ArrayConversionError, NotDifferentiableError, PlanError
from gpuad.traced import TracedArray

X = np.array([1.0, 2.0, 3.0])

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "pad function": (lambda x: np.pad(x, 1, lambda *_: None), "expected the name of a mode, got a function.*numpy.concatenate"),
    "pad mode": (lambda x: np.pad(x, 1, "nonsense"), "expected one of the modes constant, linear_ramp.*'nonsense'"),
    "pad option": (lambda x: np.pad(x, 1, "mean", reflect_type="odd"), "'mean' does not take.*reflect_type"),
    "pad width": (lambda x: np.pad(x, 1.5), "pad_width of integers, got float64"),
    "pad negative": (lambda x: np.pad(x, -1), "at least 0, got -1"),
    "pad reflect_type": (lambda x: np.pad(x, 1, "reflect", reflect_type="no"), "'even' or 'odd', got 'no'"),
    "pad nothing": (lambda x: np.pad(x[:0], 1, "edge"), r"cannot extend the empty axis 0 of shape \(0,\); use 'constant'"),
    "pad stat_length": (lambda x: np.pad(x, 1, "maximum", stat_length=0), "stat_length 0 leaves no entries"),
    "pad negative stat_length": (lambda x: np.pad(x, 1, "mean", stat_length=-1), "stat_length of at least 0, got -1"),
    "select count": (lambda x: np.select([x > 0], [x, x]), "as many choices as conditions.*2 and 1"),
    "select condition": (lambda x: np.select([X], [x]), "conditions of dtype bool, got float64 as number 0"),
    "choose float": (lambda x: np.choose(X, [x, x]), "array of integers to choose by, got float64"),
    "choose range": (lambda x: np.choose([0, 2, -1], [x, x]), "numbers from 0 to 1, got -1 to 2; use mode 'clip' or 'wrap'"),
    "choose mode": (lambda x: np.choose([0, 1, 0], [x, x], mode="no"), "mode 'raise', 'clip' or 'wrap', got 'no'"),
    "piecewise count": (lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), "1 conditions expected as many functions.*got 3"),
    "piecewise shape": (lambda x: np.piecewise(x, [np.array([True, False])], [1]), r"shape of x, \(3,\), got \(2,\)"),
    "apply_along_axis": (lambda x: np.apply_along_axis(np.sum, 1, x[None][:0]), "no vectors along axis 1"),
    "apply_over_axes": (lambda x: np.apply_over_axes(lambda a, _: a[None], x, 0), "keeps 1 axes or takes one away.*2"),
    "convolve mode": (lambda x: np.convolve(x, x, "no"), "mode 'full', 'same' or 'valid', got 'no'"),
    "convolve shape": (lambda x: np.convolve(x[None], x), r"two vectors.*\(1, 3\) and \(3,\)"),
    "correlate nothing": (lambda x: np.correlate(x, x[:0]), r"at least one entry each.*\(3,\) and \(0,\)"),
    "linspace number": (lambda x: np.linspace(x, 1, -1), "at least 0, got -1"),
    "linspace device": (lambda x: np.linspace(x, 1, 2, device="cpu"), "device"),
    "geomspace zero": (lambda x: np.geomspace(x - 1, 1), "ends other than zero"),
    "resize": (lambda x: np.resize(x, -1), r"at least 0, got \(-1,\)"),
    "dsplit": (lambda x: np.dsplit(x, 1), r"three axes, got shape \(3,\)"),
    "vsplit": (lambda x: np.vsplit(x, 1), r"two axes, got shape \(3,\)"),
    "split": (lambda x: np.split(x, -1), "at least one section"),
    "insert": (lambda x: np.insert(x, [[0]], 1.0), r"along one axis, got int64 of shape \(1, 1\)"),
    "ix_": (lambda x: np.ix_(x[None]), r"vectors, got shape \(1, 3\)"),
    "trim_zeros": (lambda x: np.trim_zeros(x, "no"), "trim 'f', 'b' or 'fb', got 'no'"),
    "compress": (lambda x: np.compress([[True]], x), r"vector as condition, got shape \(1, 1\)"),
    "windows writeable": (lambda x: sliding_window_view(x, 2, writeable=True), "writeable=True is not available"),
    "windows too long": (lambda x: sliding_window_view(x, 4), "length 4 does not fit axis 0 of length 3"),
    "windows count": (lambda x: sliding_window_view(x, (2, 2)), r"window with 1 lengths for shape \(3,\), got \(2, 2\)"),
    "windows negative": (lambda x: sliding_window_view(x, -1), "length of at least 0"),
    "vander columns": (lambda x: np.vander(x, -1), "columns of at least 0, got -1"),
    "vander shape": (lambda x: np.vander(x[None]), r"vectors of coefficients, got shapes \[\(1, 3\)\]"),
    "polyder": (lambda x: np.polyder(x, -1), "order of at least 0, got -1; polyint"),
    "polyint": (lambda x: np.polyint(x, -1), "order of at least 0, got -1; polyder"),
    "polyint constants": (lambda x: np.polyint(x, 3, [1, 2]), "3 constants of integration, or one for all, got 2"),
    "poly": (lambda x: np.poly(x[None]), r"vector of roots or a square matrix, got shape \(1, 3\)"),
    "polyfit degree": (lambda x: np.polyfit(x, x, -1), r"degree of at least 0.*got degree -1 and shapes \(3,\) and \(3,\)"),
    "polyfit lengths": (lambda x: np.polyfit(x, x[:2], 1), r"same length.*\(3,\) and \(2,\)"),
    "polyfit weights": (lambda x: np.polyfit(x, x, 1, w=X[:2]), r"weight for each entry of x, of shape \(3,\), got shape \(2,\)"),
    "polyfit covariance": (lambda x: np.polyfit(x, x, 2, cov=True), "more points than coefficients"),
    "diag_indices_from": (lambda x: np.diag_indices_from(x), r"two axes, all of one length, got shape \(3,\)"),
    "tril_indices_from": (lambda x: np.tril_indices_from(x), r"a matrix, got shape \(3,\)"),
    "meshgrid": (lambda x: np.meshgrid(x, indexing="no"), "'xy' or 'ij', got 'no'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused(what: str) -> None:
    f, message = REFUSED[what]
    with pytest.raises((TypeError, ValueError), match=message):
        ad.vjp(f, X)


@pytest.mark.parametrize("f", [np.gcd, np.bitwise_and, np.left_shift])
def test_functions_of_integers_say_that_they_have_no_differential(f: Any) -> None:
    with pytest.raises(NotDifferentiableError, match=f.__name__):
        ad.vjp(lambda x: f(x, 1), X)


@pytest.mark.parametrize("f", [np.packbits, lambda x: np.unravel_index(x, (4,)), lambda x: np.ravel_multi_index((x,), (4,))])
def test_so_do_those_of_indices_and_bits(f: Any) -> None:
    with pytest.raises(NotDifferentiableError):
        ad.vjp(f, X)


def wrapped(function: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda x: np.vectorize(lambda i: function(i, x))(np.arange(3))


@pytest.mark.parametrize("f", [
    np.arange, lambda x: np.arange(0, x[2], 1), np.vectorize(np.sin), wrapped(lambda i, x: x[i] * i), np.frompyfunc(abs, 1, 1),
    lambda x: np.require(x, float), lambda x: np.r_[x, 1.0], lambda x: np.broadcast(x, x), lambda x: np.fromiter(x, float),
    lambda x: np.polynomial.Polynomial(x), lambda x: np.polynomial.chebyshev.chebval(2.0, x),
    lambda x: np.kaiser(3, x[0])])
def test_no_array_of_objects_comes_of_what_is_not_dispatched(f: Any) -> None:
    with pytest.raises((ArrayConversionError, NotDifferentiableError, ValueError)):
        ad.vjp(f, X)


def test_fromfunction_takes_traced_arrays() -> None:
    f = lambda x: np.fromfunction(lambda i, j, s: np.sin(x[0] * i) + j * s, (2, 3), s=x[1])
    np.testing.assert_allclose(ad.jacobian(f)(X)[..., 1], [[0, 1, 2], [0, 1, 2]])
    np.testing.assert_allclose(ad.jacobian(f)(X)[1, :, 0], np.cos(1.0) * np.ones(3))


def test_functions_of_shapes_give_plain_arrays() -> None:
    def f(x: Any) -> Any:
        found = [*np.tril_indices_from(x, 1), *np.triu_indices_from(x), *np.diag_indices_from(x)]
        assert not any(isinstance(a, TracedArray) for a in found)
        assert np.einsum_path("ij,jk,kl", x, x, x)[0][0] == "einsum_path"
        assert ad.numpy.iterable(x) and np.iterable(x) and not ad.numpy.isscalar(x)
        return sum(x[found[2 * k], found[2 * k + 1]].sum() for k in range(3))

    expected = [[3.0, 2.0], [1.0, 3.0]]
    np.testing.assert_array_equal(ad.grad(f)(np.eye(2)), expected)
    np.testing.assert_array_equal(ad.plan(ad.grad(f))(np.eye(2)), expected)


def test_padding_with_undefined_entries_is_constant() -> None:
    y, pull = ad.vjp(lambda x: np.pad(x, ((1, 0), (0, 2)), "empty"), np.ones((2, 2)))
    assert y.shape == (3, 4)
    np.testing.assert_array_equal(y[1:, :2], 1)
    np.testing.assert_array_equal(pull(np.ones((3, 4)))[0], np.ones((2, 2)))


def test_padding_of_a_constant_with_what_is_traced() -> None:
    gradient = ad.grad(lambda c: np.sum(ad.numpy.pad(np.ones((2, 2)), 1, constant_values=((c, 2 * c), (3.0, c)))))
    assert gradient(1.0) == 2 + 4 + 0 + 4  # the corners are the second axis's


def test_the_default_of_select_and_arguments_of_functions_may_be_traced_alone() -> None:
    gradient = ad.grad(lambda d: np.sum(ad.numpy.select([X > 1.5], [X], d)))
    assert gradient(2.0) == 1
    gradient = ad.grad(lambda a: np.sum(ad.numpy.piecewise(X, [X > 1.5], [lambda t, a: t * a], a)))
    assert gradient(2.0) == 5
    gradient = ad.grad(lambda a: np.sum(ad.numpy.apply_along_axis(lambda t, a: t * a, 0, X, a)))
    assert gradient(2.0) == 6


def test_polynomials_may_be_objects() -> None:
    def f(c: Any) -> Any:
        p, q = np.poly1d(c), np.poly1d([1.0, 2.0])
        return ((p * q)(0.5) + (p + q)(1.0) * p.deriv()(2.0) + p.integ()(1.0) + np.abs(np.sum(p.roots)) + (p**2)(0.3)
                + np.polyval(q, p)(0.2) + np.polymul(q, c)(1.5) + np.polyder(c)[0] + p[1])

    c, h = np.array([2.0, 1.0, -3.0]), 1e-6
    expected = [(f(c + h * e) - f(c - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(ad.grad(f)(c), expected, rtol=1e-7)


def test_a_root_at_zero_moves_too() -> None:
    jacobian = ad.jacobian(lambda p: np.sort(np.roots(p)))(np.array([2.0, 3.0, 0.0]))
    np.testing.assert_allclose(jacobian, [[0.75, -0.5, 1 / 3], [0, 0, -1 / 3]], atol=1e-14)


def test_a_multiple_root_has_no_finite_derivative() -> None:
    with np.errstate(all="ignore"):
        jacobian = ad.jacobian(np.roots)(np.array([1.0, 0.0, 0.0]))
    assert not np.isfinite(jacobian).all()


def test_a_fit_that_is_not_determined_warns() -> None:
    with pytest.warns(np.exceptions.RankWarning, match="not of full rank"):
        c, pull = ad.vjp(lambda y: np.polyfit([1.0, 1.0, 1.0], y, 1), X)
    np.testing.assert_allclose(c, [1, 1])
    np.testing.assert_allclose(pull(np.array([1.0, 0.0]))[0], np.ones(3) / 6)


def test_a_fit_to_many_points_takes_little_memory() -> None:
    x = np.linspace(-1, 1, 100_000)
    gradient = ad.grad(lambda y: np.polyfit(x, y, 3)[0])(np.sin(x))
    basis = np.vander(x, 4)
    np.testing.assert_allclose(gradient, np.linalg.solve(basis.T @ basis, basis.T)[0], rtol=1e-9, atol=1e-12)


def test_a_plan_is_for_one_number_of_leading_zeros() -> None:
    product = ad.plan(ad.grad(lambda p: np.sum(np.polymul(p, [1.0, 2.0]) ** 2)))
    np.testing.assert_allclose(product(X), ad.grad(lambda p: np.sum(np.convolve(p, [1.0, 2.0]) ** 2))(X))
    product(X + 1)
    with pytest.raises(PlanError, match="leading coefficients that are zero: 0 when the plan was made, 1 in this run"):
        product(np.array([0.0, 1.0, 2.0]))


def test_a_plan_checks_what_decides_at_each_run() -> None:
    chosen = ad.plan(lambda x, i: ad.grad(lambda t: np.sum(np.choose(i, [t, t * t])))(x))
    np.testing.assert_array_equal(chosen(X, np.array([0, 1, 0])), [1, 4, 1])
    with pytest.raises(ValueError, match="numbers from 0 to 1, got 0 to 2"):
        chosen(X, np.array([0, 2, 0]))
    spaced = ad.plan(ad.grad(lambda a: np.sum(np.geomspace(a, 2.0, 3))))
    spaced(1.0)
    with pytest.raises(ValueError, match="ends other than zero"):
        spaced(0.0)


def test_pieces_are_seen_by_their_functions_only() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradient = ad.grad(lambda x: np.sum(np.piecewise(x, [x > 0, x <= 0], [np.sqrt, np.square])))(np.array([4.0, -3.0, 0.0]))
    np.testing.assert_array_equal(gradient, [0.25, -6, 0])


def test_whole_numbers_in_equal_ratios_are_numpys() -> None:
    gradient = ad.grad(lambda a: a * np.sum(np.geomspace(a, 9.0, 3, dtype=int)))
    assert gradient(1.0) == np.geomspace(1, 9, 3, dtype=int).sum()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_dtypes_are_numpys(dtype: Any) -> None:
    x = np.array([1, 2], dtype)
    for f in (lambda t: np.linspace(t, 3.0, 3), lambda t: np.logspace(t, 2, 3), lambda t: np.geomspace(t, 3, 3),
              lambda t: np.convolve(t, [1, 2]), lambda t: np.pad(t, 1, "linear_ramp", end_values=2.0),
              lambda t: np.pad(t, 3, "reflect", reflect_type="odd"), lambda t: np.select([t != 1], [t], 1.5),
              lambda t: np.choose([0, 1], [t, 1.0]), lambda t: np.piecewise(t, [t != 1], [lambda u: u * np.float64(2), 3]),
              lambda t: np.polyval(t, t), lambda t: np.polyder(t), lambda t: np.polyint(t), lambda t: np.vander(t)):
        y, pull = ad.vjp(f, x)
        expected = f(x)
        assert (y.dtype, y.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(y, expected, rtol=5e-3 if dtype == np.float16 else 1e-5)
        assert pull(np.ones_like(y))[0].dtype == dtype


def test_lists_may_hold_traced_arrays() -> None:
    def f(x: Any) -> Any:
        xp = ad.numpy
        return (xp.sum(xp.convolve([x[0], 2.0, x[1]], [1.0, x[2]])) + xp.sum(xp.polyval([x[0], 1.0], [x[1], 3.0]))
                + xp.sum(xp.linspace([x[0], 0.0], [1.0, x[2]], 3)) + len(xp.trim_zeros([0.0, x[0], 0.0])) * x[0]
                + xp.sum(xp.roots([1.0, x[0], -x[1]])) + xp.sum(xp.select([[True, False]], [[x[0], x[1]]], [x[2], x[1]])))

    h = 1e-6
    expected = [(f(X + h * e) - f(X - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(ad.grad(f)(X), expected, rtol=1e-8)
