"""scipy.special: values and derivatives at special points and in the tails, precision, refusals."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special as sc

import gpuad as ad
from gpuad import NotDifferentiableError
from gpuad.dispatch import TABLE
from gpuad.primitives.special import Special

special: Any = ad.scipy.special
inf = np.inf

AT_POINTS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "expit right": (sc.expit, 40.0, np.exp(-40.0)),
    "expit far right": (sc.expit, 800.0, 0.0),
    "expit far left": (sc.expit, -700.0, np.exp(-700.0)),
    "log_expit": (sc.log_expit, -800.0, 1.0),
    "log_ndtr far left": (sc.log_ndtr, -1e5, 1e5 + 1e-5),
    "log_ndtr far right": (sc.log_ndtr, 50.0, 0.0),
    "erfcx far right": (sc.erfcx, 1e6, -1 / np.sqrt(np.pi) / 1e12),
    "dawsn far right": (sc.dawsn, 1e6, -0.5e-12),
    "i0e far right": (sc.i0e, 1e8, -0.5 / np.sqrt(2 * np.pi) / 1e12),
    "ive far right": (lambda x: sc.ive(2.5, x), 1e8, -0.5 / np.sqrt(2 * np.pi) / 1e12),
    "k1e far right": (sc.k1e, 1e8, -0.5 * np.sqrt(np.pi / 2) / 1e12),
    "i1e at 0": (sc.i1e, 0.0, 0.5),
    "j1 at 0": (sc.j1, 0.0, 0.5),
    "exprel at 0": (sc.exprel, 0.0, 0.5),
    "exprel far left": (sc.exprel, -1e8, 1e-16),
    "spence at 1": (sc.spence, 1.0, -1.0),
    "rgamma at a pole of Γ": (sc.rgamma, -3.0, -6.0),
    "xlogy at 0": (lambda y: sc.xlogy(0.0, y), 0.0, 0.0),
    "xlogy in x at 0": (lambda x: sc.xlogy(x, 0.5), 0.0, np.log(0.5)),
    "entr at 0": (sc.entr, 0.0, inf),
    "rel_entr of zeros": (lambda x: sc.rel_entr(x, 0.0), 0.0, 0.0),
    "gammainc at 0": (lambda a: sc.gammainc(a, 0.0), 2.0, 0.0),
    "gammainc at infinity": (lambda x: sc.gammainc(2.0, x), inf, 0.0),
    "gammainc of a small parameter": (lambda a: sc.gammainc(a, 1e-3), 1e-9, -sc.exp1(1e-3)),
    "betainc at 1": (lambda b: sc.betainc(2.0, b, 1.0), 3.0, 0.0),
    "ellipk at 0": (sc.ellipk, 0.0, np.pi / 8),
    "ellipe at 0": (sc.ellipe, 0.0, -np.pi / 8),
    "ellipkinc at m = 0": (lambda m: sc.ellipkinc(0.7, m), 0.0, (0.7 - np.sin(0.7) * np.cos(0.7)) / 4),
    "lambertw at 0": (lambda x: special.lambertw(x).real, 0.0, 1.0),
    "boxcox of no power": (lambda p: sc.boxcox(2.0, p), 0.0, np.log(2.0) ** 2 / 2),
    "betaln of large parameters": (lambda a: sc.betaln(a, 0.5), 1e9, -0.5e-9),
    "legendre at 1": (lambda x: sc.eval_legendre(5, x), 1.0, 15.0),
    "sph_harm_y at the pole": (lambda t: special.sph_harm_y(1, 0, t, 0.3).real, 0.0, 0.0),
    "logsumexp of −∞": (lambda x: special.logsumexp(x), np.array([-inf, 0.0, 1.0]), np.array([0, 1, np.e]) / (1 + np.e)),
    "logsumexp of masked entries": (lambda x: special.logsumexp(x), np.array([-inf, -inf]), np.array([0.5, 0.5])),
    "logsumexp of ∞": (lambda x: special.logsumexp(x), np.array([inf, 1.0]), np.array([1.0, 0.0])),
    "logsumexp of large entries": (lambda x: special.logsumexp(x), np.array([1e5, -1e5]), np.array([1.0, 0.0])),
    "softmax of −∞": (lambda x: special.softmax(x)[1], np.array([-inf, 1.0]), np.array([0.0, 0.0])),
    "log_softmax of small shares": (lambda x: special.log_softmax(x)[0], np.array([-1e9, 1.0]), np.array([1.0, -1.0])),
    "huber beyond its bound": (lambda r: sc.huber(1.0, r), -3.0, -1.0),
}


@pytest.mark.parametrize("what", AT_POINTS)
def test_derivatives_at_special_points(what: str) -> None:
    f, x, expected = AT_POINTS[what]
    np.testing.assert_allclose(ad.grad(f)(x), expected, rtol=1e-7, atol=1e-300)


@pytest.mark.parametrize(("a", "x"), [(0.01, 0.5), (0.5, 3.0), (3.0, 2.0), (30.0, 60.0), (1e3, 9e2), (1.0, 1e-8), (1e5, 1e5)])
def test_incomplete_gamma_in_its_parameter(a: float, x: float) -> None:
    """∂P/∂a against differences of the smaller one of P and −Q."""
    h = 3e-3 * min(a, a**0.5)
    def p(s: float) -> float:
        return float(sc.gammainc(s, x) if sc.gammainc(a, x) < 0.5 else -sc.gammaincc(s, x))
    differences = (45 * (p(a + h) - p(a - h)) - 9 * (p(a + 2 * h) - p(a - 2 * h)) + (p(a + 3 * h) - p(a - 3 * h))) / (60 * h)
    np.testing.assert_allclose(ad.grad(lambda s: sc.gammainc(s, x))(a), differences, rtol=1e-7)


@pytest.mark.parametrize(("a", "b", "x"), [(0.5, 0.5, 0.3), (2.0, 3.0, 0.7), (20.0, 0.3, 0.9), (0.01, 4.0, 0.2),
                                           (200.0, 100.0, 0.7),
                                           (1e-3, 1e-3, 0.5), (2.0, 0.1, 1 - 1e-9)])
def test_incomplete_beta_in_its_parameters(a: float, b: float, x: float) -> None:
    """Mixed derivatives do not depend on the order: that of the density in a is that of ∂I/∂a in x."""
    slope = ad.grad(lambda y: ad.grad(lambda s: sc.betainc(s, b, y))(a))(x)
    other = ad.grad(lambda s: ad.grad(lambda y: sc.betainc(s, b, y))(x))(a)
    np.testing.assert_allclose(slope, other, rtol=1e-8)
    h = 1e-4 * a
    def i(s: float) -> float:
        return float(sc.betainc(s, b, x) if sc.betainc(a, b, x) < 0.5 else -sc.betaincc(s, b, x))
    differences = (45 * (i(a + h) - i(a - h)) - 9 * (i(a + 2 * h) - i(a - 2 * h)) + (i(a + 3 * h) - i(a - 3 * h))) / (60 * h)
    np.testing.assert_allclose(ad.grad(lambda s: sc.betainc(s, b, x))(a), differences, rtol=1e-6)


def test_single_precision_stays() -> None:
    x = np.array([0.3, 0.6], np.float32)
    for f in (sc.gammaln, sc.erfcx, sc.log_ndtr, sc.i1e, sc.ellipk, sc.spence, sc.entr, lambda t: sc.gammainc(t, t),
              lambda t: sc.betainc(t, t, t), lambda t: sc.stdtr(t, t), lambda t: special.logsumexp(t, keepdims=True)):
        out, system = ad.linearize(f, x)
        gradient = system.pullback(np.ones_like(out))[0]
        assert out.dtype == gradient.dtype == np.float32
        assert {e.dtype for row in system._blocks for _, e in row} <= {np.dtype(np.float32), np.dtype(bool)}


def test_constants_are_given_in_any_form() -> None:
    for v in (2, 2.0, np.float32(2), np.array([1, 2]), [1, 2]):
        x = np.array([0.7, 1.3])
        np.testing.assert_allclose(ad.jvp(lambda t, v=v: sc.jv(v, t), (x,), (np.ones(2),))[1], sc.jvp(v, x), rtol=1e-12)
        np.testing.assert_allclose(ad.jvp(lambda t, v=v: special.polygamma(v, t), (x,), (np.ones(2),))[1],
                                   special.polygamma(np.asarray(v) + 1, x), rtol=1e-6)


UNKNOWN_ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "jv": lambda v: sc.jv(v, 1.0), "kv": lambda v: sc.kv(v, 1.0), "struve": lambda v: sc.struve(v, 1.0),
    "polygamma": lambda n: special.polygamma(n, 1.0), "zeta": lambda x: special.zeta(x, 1.0),
    "hyp1f1": lambda a: sc.hyp1f1(a, 2.0, 0.5), "eval_jacobi": lambda a: sc.eval_jacobi(2, a, 1.0, 0.5),
    "pdtr": lambda k: sc.pdtr(k, 1.0), "bdtr": lambda k: sc.bdtr(k, 4, 0.5), "pbdv": lambda v: sc.pbdv(v, 0.5)[0],
    "spherical_jn": lambda n: special.spherical_jn(n, 0.5), "chndtr": lambda v: sc.chndtr(1.0, v, 0.5),
}


@pytest.mark.parametrize("name", UNKNOWN_ARGUMENTS)
def test_what_has_no_closed_derivative_is_refused(name: str) -> None:
    with pytest.raises(NotDifferentiableError, match=rf"scipy\.special\.{name}: the derivative with respect to argument \d"):
        ad.grad(UNKNOWN_ARGUMENTS[name])(2.0)


def test_other_refusals() -> None:
    with pytest.raises(NotDifferentiableError, match="not holomorphic"):
        ad.vjp(lambda z: sc.ive(1.0, z), np.array([1 + 1j]))
    with pytest.raises(NotDifferentiableError, match="mathieu_a"):
        ad.grad(lambda q: sc.mathieu_a(2, q))(1.0)
    with pytest.raises(NotDifferentiableError, match="diric"):
        ad.grad(lambda x: special.diric(x, 3))(1.0)
    for f in (lambda x: special.factorial(x, exact=True), lambda x: special.comb(x, 2, exact=True),
              lambda x: special.perm(x, 2, True),
              lambda x: special.sph_harm_y(1, 0, x, x, diff_n=1)[0]):
        with pytest.raises(TypeError):
            ad.vjp(f, 3.0)
    with pytest.raises(ValueError, match="multigammaln expected a > "):
        ad.grad(lambda a: special.multigammaln(a, 4))(1.0)


def test_a_constant_that_may_be_written_to_is_a_constant() -> None:
    def f(x: Any) -> Any:
        order = ad.numpy.zeros(2)
        order[1] = 1.0
        return np.sum(sc.jv(order, x))
    np.testing.assert_allclose(ad.grad(f)(np.array([0.5, 0.7])), [-sc.j1(0.5), sc.jvp(1, 0.7)], rtol=1e-12)


def test_namespace_and_plain_functions_agree() -> None:
    x = np.array([0.4, 1.7])
    for name in ("gammaln", "erf", "expit", "j0", "xlogy"):
        args = (x, x) if name == "xlogy" else (x,)
        plain, named = getattr(sc, name), getattr(special, name)
        np.testing.assert_array_equal(ad.jacobian(lambda *a, f=plain: f(*a))(*args),
                                      ad.jacobian(lambda *a, f=named: f(*a))(*args))
        np.testing.assert_array_equal(named(*args), plain(*args))
    assert ad.grad(special.gammasgn)(2.5) == ad.grad(special.round)(2.5) == 0.0


def test_every_ufunc_of_the_table_keeps_its_name() -> None:
    named = {f: p for f, p in TABLE.items() if isinstance(p, Special) and isinstance(f, np.ufunc)}
    assert len(named) > 150
    for f, primitive in named.items():
        assert primitive.name == f.__name__.removeprefix("_").removeprefix("riemann_")
