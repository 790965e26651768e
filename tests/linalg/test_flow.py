"""The flow of a linear differential equation: the matrix that it should be, and its transpose the adjoint equation."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

import linalg
from linalg.elements.flow import LinearEquation
from tests.linalg import test_conformance
from tests.linalg.making import Case, Maker

TIMES = {"rising": np.array([0.0, 0.5, 0.7, 2.0]), "falling": np.array([1.0, 0.5, -1.0]), "repeated": np.array([0.0, 1.0, 1.0]),
         "one": np.array([3.0])}


def solve(field: Any, start: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Exact for polynomials in t of low order, which solutions with a nilpotent J are."""
    if times[0] == times[-1]:
        return np.repeat(start[None], len(times), 0)
    found = scipy.integrate.solve_ivp(field, (times[0], times[-1]), start, "DOP853", t_eval=np.unique(times)[::int(
        np.sign(times[-1] - times[0]))], first_step=0.1, rtol=1e-13, atol=1e-13)
    return found.y.T[np.searchsorted(np.unique(times), times) if times[-1] > times[0] else np.arange(len(times))]


def made(a: Maker, times: np.ndarray) -> Case:
    """η′ = J η + K q with a strictly triangular J."""
    n, m = 3, 2
    J, K = np.tril(a.host(n, n), -1), a.host(n, m)
    equation = LinearEquation(lambda _t, eta, q: eta @ J.T + q @ K.T, lambda _t, lam: (lam @ J, lam @ K), times, solve)
    joint = np.block([[J, K], [np.zeros((m, n + m))]])
    rows = [scipy.linalg.expm(joint * (t - times[0]))[:n] for t in times]
    return Case(linalg.LinearFlow(equation, (n + m,), (len(times), n), dtype=a.dtype), np.concatenate(rows).astype(a.dtype))


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_is_the_matrix_that_it_should_be(times: str, dtype: str) -> None:
    maker = Maker(np, dtype)
    one = made(maker, TIMES[times])
    for check in (test_conformance.test_assembled, test_conformance.test_products, test_conformance.test_dot_products):
        check(one, maker)


def test_backwards_it_stops_where_something_comes_in() -> None:
    """The transpose starts the solver anew at times where the right-hand side is not zero, and at no others."""
    spans: list[tuple[float, float]] = []

    def noting(field: Any, start: np.ndarray, times: np.ndarray) -> np.ndarray:
        spans.append((times[0], times[-1]))
        return solve(field, start, times)

    equation = LinearEquation(lambda _t, eta, q: 0 * eta + q, lambda _t, lam: (0 * lam, lam), np.arange(5.0), noting)
    flow = linalg.LinearFlow(equation, (2,), (5, 1))
    w = np.zeros((5, 1))
    np.testing.assert_array_equal(flow.T @ w, np.zeros(2))
    assert not spans
    w[3] = 1
    np.testing.assert_allclose(flow.T @ w, [1, 3])
    assert spans == [(3.0, 0.0)]


def test_coefficients_from_arrays() -> None:
    def equation(k: np.ndarray) -> LinearEquation:
        return LinearEquation(lambda _t, _eta, q: k * q, lambda _t, lam: (0 * lam, k * lam), np.array([0.0, 1.0]), solve)

    flow = linalg.LinearFlow(equation, (2,), (2, 1), [np.array([3.0])])
    np.testing.assert_allclose(flow @ np.array([1.0, 2.0]), [[1], [7]])
    assert flow.conj() is flow


@pytest.mark.parametrize(("in_shape", "out_shape"), [((2, 2), (2, 1)), ((2,), (2,)), ((1,), (2, 2))])
def test_shapes_that_do_not_fit(in_shape: Any, out_shape: Any) -> None:
    with pytest.raises(ValueError, match=r"LinearFlow expected in_shape \(n \+ m,\) and out_shape \(T, n\)"):
        linalg.LinearFlow(SimpleNamespace(), in_shape, out_shape)
