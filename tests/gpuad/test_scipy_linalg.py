"""scipy.linalg, and what NumPy's has beside decompositions: degenerate points, options, plans, what is refused."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import gpuad as ad
import linalg

s = ad.scipy.linalg
ONE = np.eye(2)
DEFECTIVE = np.array([[1.0, 1.0], [0.0, 1.0]])
TURNED = np.array([[0.0, 1.0], [-1.0, 0.0]])


def along(f: Callable[..., Any], a: np.ndarray, e: np.ndarray) -> Any:
    return ad.jvp(f, (a,), (e,))[1]


# ---- where functions of matrices are smooth although eigenvectors are not

E = np.array([[0.3, -1.0], [0.7, 0.2]])


def block(f: Callable[..., Any], a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """The derivative, off the function of a larger matrix."""
    return f(np.block([[a, e], [np.zeros_like(a), a]]))[:2, 2:]


@pytest.mark.parametrize("a", [ONE, DEFECTIVE, 2 * ONE + TURNED], ids=["one", "defective", "pair"])
@pytest.mark.parametrize("name", ["expm", "logm", "sqrtm"])
def test_functions_of_matrices_need_no_eigenvectors(name: str, a: np.ndarray) -> None:
    f, g = getattr(s, name), getattr(scipy.linalg, name)
    np.testing.assert_allclose(along(f, a, E), block(g, a, E), atol=1e-12)
    ad.check_grads(f, (a,), order=2)


def test_the_logarithm_undoes_the_exponential_to_the_third_order() -> None:
    a = np.array([[0.3, -0.5, 0.2], [0.1, 0.4, -0.6], [0.2, 0.0, -0.3]])
    ad.check_grads(s.expm, (a,), order=3, atol=1e-4, rtol=1e-4)
    f: Callable[..., Any] = lambda x: s.logm(s.expm(x))
    np.testing.assert_allclose(ad.jacobian(f)(a).reshape(9, 9), np.eye(9), atol=1e-12)
    np.testing.assert_allclose(ad.hessian(lambda x: np.sum(f(x) * a))(a), np.zeros((3, 3, 3, 3)), atol=1e-10)


def test_logarithms_of_large_and_small_matrices() -> None:
    for scale in (1e-10, 1e10):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy's, of its own errors
            got = along(s.logm, scale * (2 * ONE + TURNED), scale * E)
        np.testing.assert_allclose(got, along(s.logm, 2 * ONE + TURNED, E), rtol=1e-11)


def test_small_and_large_directions_keep_their_accuracy() -> None:
    for f in (s.expm, s.logm, s.sqrtm):
        for scale in (1e-40, 1e40):
            np.testing.assert_allclose(along(f, 2 * ONE + TURNED, scale * E), scale * along(f, 2 * ONE + TURNED, E), rtol=1e-13)


@pytest.mark.parametrize("a", [np.zeros((2, 2)), np.ones((2, 2))])
def test_the_square_root_of_a_singular_matrix_has_no_derivative(a: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's
        with pytest.raises(np.linalg.LinAlgError, match="Sylvester"):
            along(s.sqrtm, a, E)


def test_the_sign_of_a_rotation_has_no_derivative() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="Sylvester"):
        along(s.signm, TURNED, E)


def test_the_global_generator_stays_where_it_is() -> None:
    a = 2 * ONE + TURNED
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    along(lambda x: s.logm(x) + s.fractional_matrix_power(x, 0.3).real, a, E)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


# ---- eigenvalues

def test_eigenvalues_keep_a_derivative_where_they_coincide() -> None:
    for f in (np.linalg.eigvals, lambda a: s.eigvals(a).real, np.linalg.eigvalsh, s.eigvalsh):
        np.testing.assert_allclose(ad.grad(lambda a, f=f: np.sum(f(a)))(ONE), ONE, atol=1e-14)


@pytest.mark.parametrize("vectors", [lambda a: np.linalg.eig(a)[1], lambda a: s.eig(a)[1], lambda a: s.eigh(a)[1]])
def test_eigenvectors_have_none_there(vectors: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not np.isfinite(along(vectors, ONE, E)).all()


def test_eigenvectors_keep_their_length_and_phase() -> None:
    a = np.array([[1.0, 2.0, 0.5], [-1.0, 3.0, 0.3], [0.2, -0.7, -1.0]])
    for eig in (np.linalg.eig, s.eig):
        v = eig(a)[1]
        np.testing.assert_allclose(np.sum(v.conj() * along(lambda x, eig=eig: eig(x)[1], a, a.T), axis=0), 0, atol=1e-14)


def test_real_matrices_have_the_results_of_numpy() -> None:
    for a, dtype in ((np.diag([1.0, 2.0]), float), (TURNED, complex)):
        w, v = ad.vjp(lambda x: tuple(np.linalg.eig(x)), a)[0]
        assert w.dtype == v.dtype == dtype
    result = []
    ad.vjp(lambda x: result.append(np.linalg.eig(x)) or x, ONE)
    assert hasattr(result[0], "eigenvectors")


def test_defective_matrices_have_eigenvalues_with_no_finite_derivative() -> None:
    with suppress(np.linalg.LinAlgError):
        assert np.abs(ad.jacobian(np.linalg.eigvals)(DEFECTIVE)).max() > 1e12


# ---- singular systems and factors

SINGULAR: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "solve": (lambda a: s.solve(a, ONE), np.zeros((2, 2))),
    "diagonal": (lambda a: s.solve(a, ONE, assume_a="diagonal"), np.diag([1.0, 0.0])),
    "triangular": (lambda a: s.solve_triangular(a, ONE), np.diag([1.0, 0.0])),
    "banded": (lambda a: s.solve_banded((0, 0), a, ONE), np.array([[1.0, 0.0]])),
    "one band, one row": (lambda a: s.solve_banded((0, 0), a, np.ones(1)), np.zeros((1, 1))),
    "definite band": (lambda a: s.solveh_banded(a, ONE), np.zeros((1, 2))),
    "inverse": (s.inv, np.zeros((2, 2))),
    "Toeplitz": (lambda c: s.solve_toeplitz(c, np.ones(2)), np.array([0.0, 1.0])),
    "circulant": (lambda c: s.solve_circulant(c, np.ones(2)), np.ones(2)),
    "Sylvester": (lambda a: s.solve_sylvester(a, -a, ONE), ONE),
    "Lyapunov": (lambda a: s.solve_continuous_lyapunov(a, ONE), np.diag([1.0, -1.0])),
    "discrete Lyapunov": (lambda a: s.solve_discrete_lyapunov(a, ONE), -ONE),
    "Cholesky": (s.cholesky, np.zeros((2, 2))),
    "not definite": (s.cho_factor, -ONE),
    "polar": (s.polar, np.ones((2, 2))),
    "range": (s.orth, np.zeros((2, 2))),
    "ranges": (lambda a: s.subspace_angles(a, ONE), np.ones((2, 2))),
    "condition in the first norm": (lambda a: np.linalg.cond(a, 1), np.zeros((2, 2))),
    "empty condition": (np.linalg.cond, np.zeros((0, 0))),
    "tensorinv": (lambda a: np.linalg.tensorinv(a, 1), np.zeros((2, 2))),
}


@pytest.mark.parametrize("what", SINGULAR)
def test_singular_systems_say_so(what: str) -> None:
    f, a = SINGULAR[what]
    with pytest.raises(np.linalg.LinAlgError):
        ad.vjp(f, a)[1](f(a + 0.1 * np.ones_like(a)) if what == "polar" else 1.0)


def test_factors_of_a_singular_matrix_have_no_derivative() -> None:
    a = np.array([[1.0, 1.0], [1.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's
        with pytest.raises(np.linalg.LinAlgError):
            ad.jacobian(lambda x: s.lu(x)[2])(a)


def test_the_norm_at_zero_and_the_condition_number_at_one() -> None:
    np.testing.assert_array_equal(ad.grad(s.norm)(np.zeros(3)), np.zeros(3))
    np.testing.assert_array_equal(ad.grad(lambda x: s.norm(x, "fro"))(np.zeros((2, 2))), np.zeros((2, 2)))
    with np.errstate(all="ignore"):
        assert np.linalg.cond(np.zeros((2, 2))) == np.inf


def test_a_null_space_of_nothing_and_of_everything() -> None:
    np.testing.assert_array_equal(ad.jacobian(s.null_space)(ONE).shape, (2, 0, 2, 2))
    np.testing.assert_array_equal(ad.vjp(s.null_space, np.zeros((1, 2)))[1](np.ones((2, 2)))[0], np.zeros((1, 2)))


# ---- what a structure leaves out

def test_what_is_not_read_has_no_derivative() -> None:
    a, b = np.array([[4.0, 1.0, 2.0], [3.0, 5.0, 1.0], [2.0, 1.0, 6.0]]), np.array([1.0, 2.0, 3.0])
    for assume, mask in (("diagonal", np.eye(3)), ("upper triangular", np.triu(np.ones((3, 3)))),
                         ("lower triangular", np.tril(np.ones((3, 3)))), ("tridiagonal", np.tri(3, k=1) - np.tri(3, k=-2))):
        g = ad.grad(lambda x, s_=assume: np.sum(s.solve(x, b, assume_a=s_)))(a)
        assert (g[mask == 0] == 0).all() and (g[mask != 0] != 0).all()


@pytest.mark.parametrize("assume", ["sym", "her", "pos"])
def test_gradients_of_hermitian_systems_are_hermitian(assume: str) -> None:
    a = np.array([[4.0, 1.0 + 1j], [1.0 - 1j, 5.0]]) if assume != "sym" else np.array([[4.0, 1.0 + 1j], [1.0 + 1j, 5.0]])
    for lower in (False, True):
        g = ad.grad(lambda x, w=lower: np.sum(np.abs(s.solve(x, np.array([1.0, 2.0]), assume_a=assume, lower=w))))(a)
        np.testing.assert_allclose(g, g.T if assume == "sym" else g.conj().T, rtol=1e-14)


@pytest.mark.parametrize("f", [lambda a: np.linalg.svd(a, hermitian=True, compute_uv=False), s.pinvh,
                               lambda a: np.linalg.pinv(a, hermitian=True)])
def test_gradients_of_functions_of_hermitian_matrices_are_hermitian(f: Any) -> None:
    g = ad.grad(lambda x: np.sum(np.sin(f(x))))(np.array([[4.0, 1.0], [1.0, 5.0]]))
    np.testing.assert_allclose(g, g.T, rtol=1e-14)


def test_options_that_concern_memory_and_checks_are_taken() -> None:
    a, b = np.array([[4.0, 1.0], [1.0, 5.0]]), np.array([1.0, 2.0])
    plain = ad.grad(lambda x: np.sum(s.solve(x, b)))(a)
    for f in (lambda x: s.solve(x, b, False, True, True, False),
              lambda x: s.cho_solve(s.cho_factor(x, True, True, False), b, True),
              lambda x: s.lu_solve(s.lu_factor(x, overwrite_a=True), b, overwrite_b=True, check_finite=False)):
        g = ad.grad(lambda x, f=f: np.sum(f(x)))(a)
        np.testing.assert_allclose(g + g.T, plain + plain.T, rtol=1e-13)
    trace = ad.grad(lambda x: np.sum(s.eigvalsh(x, driver="ev", overwrite_a=True, check_finite=False)))
    np.testing.assert_allclose(trace(a), ONE, atol=1e-14)


def test_stacks_are_broadcast() -> None:
    rng = np.random.default_rng(0)
    a, b, q = (rng.standard_normal(shape) for shape in ((2, 1, 2, 2), (3, 2, 2), (2, 2)))
    x = ad.vjp(s.solve_sylvester, a + 4 * ONE, b + 4 * ONE, q)[0]
    assert x.shape == (2, 3, 2, 2)
    np.testing.assert_allclose((a + 4 * ONE) @ x + x @ (b + 4 * ONE), np.broadcast_to(q, x.shape), atol=1e-12)


def test_banded_systems_stay_banded() -> None:
    n = 20_000  # a full matrix would take 3.2 GB
    bands = np.array([[0.0] + [1.0] * (n - 1), [4.0] * n, [1.0] * (n - 1) + [0.0]])
    g = ad.grad(lambda x: np.sum(s.solve_banded((1, 1), x, np.ones(n))))(bands)
    x = scipy.linalg.solve_banded((1, 1), bands, np.ones(n))
    np.testing.assert_allclose(g[1], -x * x, rtol=1e-12)  # symmetric: the weights' solution is x itself


def test_toeplitz_products_are_convolutions() -> None:
    n = 20_000
    c, x = np.zeros(n), np.arange(n) / n
    c[:2] = 1.0, 0.5
    np.testing.assert_allclose(ad.grad(lambda t: s.matmul_toeplitz((t, c), x)[-1])(c), x[::-1], atol=1e-12)


# ---- plans

UNSTEADY: dict[str, tuple[Callable[..., Any], np.ndarray, np.ndarray]] = {
    "sqrtm": (s.sqrtm, ONE, -np.diag([1.0, 2.0])),
    "logm": (s.logm, ONE, -np.diag([1.0, 2.0])),
    "fractional_matrix_power": (lambda a: s.fractional_matrix_power(a, 0.3), np.diag([1.0, 2.0]), -np.diag([1.0, 2.0])),
    "null_space": (s.null_space, np.diag([1.0, 0.0]), ONE),
    "orth": (s.orth, np.diag([1.0, 2.0]), np.diag([1.0, 0.0])),
    "vectors": (lambda a: s.eig(a)[1], np.diag([1.0, 2.0]), TURNED),
}


@pytest.mark.parametrize("what", UNSTEADY)
def test_results_that_change_their_kind_are_refused_in_a_plan(what: str) -> None:
    f, first, then = UNSTEADY[what]
    for program in (f, lambda a: ad.jvp(f, (a,), (np.ones((2, 2)),))[0]):
        planned = ad.plan(program)
        np.testing.assert_allclose(planned(first), program(first), atol=1e-14)
        with pytest.raises((TypeError, np.linalg.LinAlgError), match=r"depend on values|full rank"):
            planned(then)


def test_complex_arguments_allow_both_kinds() -> None:
    planned = ad.plan(lambda a: s.sqrtm(a.astype(complex)))
    for a in (ONE, -np.diag([1.0, 2.0])):
        np.testing.assert_allclose(planned(a), scipy.linalg.sqrtm(a), atol=1e-14)


def test_the_derivative_of_a_logarithm_in_a_plan_says_where_it_ends() -> None:
    planned = ad.plan(lambda x: ad.jvp(s.logm, (x,), (ONE,))[1])
    np.testing.assert_allclose(planned(2 * ONE), 0.5 * ONE, rtol=1e-13)
    far = scipy.linalg.expm(np.array([[0.0, 5000.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="expected a logarithm of norm"):
        planned(far)


def test_a_singular_circulant_matrix_is_found_in_a_plan() -> None:
    planned = ad.plan(lambda c: s.solve_circulant(c, np.ones(2)))
    traced = ad.plan(ad.grad(lambda c: np.sum(s.solve_circulant(c, np.ones(2)))))
    for p in (planned, traced):
        p(np.array([2.0, 1.0]))
        with pytest.raises(np.linalg.LinAlgError):
            p(np.ones(2))


# ---- what is refused

REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "generalised types": (lambda x: s.eigh(x, x, type=2), "type=1"),
    "homogeneous eigenvalues": (lambda x: s.eig(x, homogeneous_eigvals=True), "homogeneous_eigvals=False"),
    "raw qr": (lambda x: s.qr(x, mode="raw"), "'full'"),
    "mode of rq": (lambda x: s.rq(x, mode="raw"), "'full'"),
    "mode of qr_multiply": (lambda x: s.qr_multiply(x, x, mode="up"), "'left' or 'right'"),
    "side of polar": (lambda x: s.polar(x, side="up"), "'right' or 'left'"),
    "structure": (lambda x: s.solve(x, x, assume_a="green"), "structure"),
    "transposed complex": (lambda x: s.solve(x, 1j * ONE, transposed=True), "real"),
    "trans": (lambda x: s.solve_triangular(x, x, trans="X"), "'N', 'T' or 'C'"),
    "rows of ab": (lambda x: s.solve_banded((1, 1), x, ONE), "rows"),
    "rows of b": (lambda x: s.solve_triangular(x, np.ones(3)), "one row for each column"),
    "shapes of Sylvester": (lambda x: s.solve_sylvester(x, x, np.ones(2)[:, None] * np.ones(3)), r"\(…, m, m\)"),
    "shapes of Lyapunov": (lambda x: s.solve_continuous_lyapunov(x, np.ones((3, 3))), "one shape"),
    "shapes of eig": (lambda x: s.eig(x, np.ones((3, 3))), "one shape"),
    "no matrix": (lambda x: s.expm(x[0]), "square"),
    "no square": (lambda x: s.logm(x[:1]), "square"),
    "option": (lambda x: s.logm(x, disp=False), "disp"),
    "stack in lstsq": (lambda x: s.lstsq(x[None], x), "one by one"),
    "hankel of a matrix": (s.hankel, "two vectors"),
    "companion of one": (lambda x: s.companion(x[0, :1]), "two coefficients"),
    "columns of khatri_rao": (lambda x: s.khatri_rao(x, np.ones((2, 3))), "as many columns"),
    "rows of a Toeplitz product": (lambda x: s.matmul_toeplitz(x[0], np.ones(3)), "as many rows"),
    "Toeplitz that is not square": (lambda x: s.solve_toeplitz((x[0], np.ones(3)), np.ones(3)), "one length"),
    "length of circulant": (lambda x: s.solve_circulant(x[0], np.ones(3)), "one length"),
    "selection from a stack": (lambda x: s.eigvalsh(x[None], subset_by_value=(0, 1)), "one matrix"),
    "tensorsolve": (lambda x: np.linalg.tensorsolve(x, np.ones(3)), "expected"),
    "ind of tensorinv": (lambda x: np.linalg.tensorinv(x, 0), "positive"),
    "shape for tensorinv": (lambda x: np.linalg.tensorinv(x[:1], 1), "expected"),
    "schur": (lambda x: s.schur(x), "schur has no differential"),
    "funm": (lambda x: s.funm(x, np.exp), "funm has no differential"),
    "expm_cond": (lambda x: s.expm_cond(x), "expm_cond has no differential"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_says_what_was_expected(what: str) -> None:
    f, said = REFUSED[what]
    with pytest.raises((TypeError, ValueError, NotImplementedError, np.linalg.LinAlgError), match=said):
        ad.vjp(f, np.array([[4.0, 1.0], [1.0, 5.0]]))


@pytest.mark.parametrize("make", [lambda: linalg.Sylvester(np.ones((2, 3)), ONE, (2, 2)) @ ONE,
                                  lambda: linalg.Banded(np.ones((2, 3)), 2, (3, 1)) @ np.ones((3, 1)),
                                  lambda: linalg.Toeplitz(np.ones(4), (2, 1)) @ np.ones((2, 1)),
                                  lambda: linalg.ExponentialDerivative(np.ones((2, 3)), (2, 3)) @ np.ones((2, 3)),
                                  lambda: linalg.TriangularProduct(np.ones((2, 3)), (2, 3), True) @ np.ones((2, 3))])
def test_elements_say_what_they_expected(make: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        make()


def test_constant_questions() -> None:
    seen = []
    ad.vjp(lambda x: seen.extend([s.bandwidth(x), s.issymmetric(x), s.ishermitian(x)]) or x, np.tri(3))
    assert seen == [(2, 0), False, False]
