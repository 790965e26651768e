"""Kinks, ties, zeros and infinities; large arguments in float32; precisions; degenerate matrices."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg import Inverse, Product
from linalg.arrays import to_host

pytestmark = pytest.mark.usefixtures("both_modes")

NAN, INF = np.nan, np.inf


def gradient(f: Callable[..., Any], *args: Any, argnums: Any = 0) -> Any:
    """The gradient of the sum of f."""
    return ad.grad(lambda *a: np.sum(f(*a)), argnums)(*[np.asarray(a, float) for a in args])


KINKS: dict[str, tuple[Callable[..., Any], Any, Any]] = {
    "abs": (np.abs, [-1.0, 0.0, 2.0], [-1, 0, 1]),
    "fabs": (np.fabs, [0.0], [0]),
    "relu": (lambda x: np.maximum(x, 0), [-1.0, 0.0, 2.0], [0, 0.5, 1]),
    "maximum, tie": (lambda x: np.maximum(x, 1.0) + np.minimum(x, 1.0), [1.0], [1]),
    "clip at its bounds": (lambda x: np.clip(x, 0, 1), [-1.0, 0.0, 0.5, 1.0, 2.0], [0, 0.5, 1, 0.5, 0]),
    "max, tie": (np.max, [3.0, 1.0, 3.0], [0.5, 0, 0.5]),
    "min, tie": (np.min, [1.0, 1.0, 1.0, 1.0], [0.25] * 4),
    "ptp of equal entries": (np.ptp, [2.0, 2.0], [0, 0]),
    "sign": (lambda x: x * np.sign(x), [-2.0, 0.0, 1.0], [-1, 0, 1]),
    "floor": (lambda x: x * np.floor(x), [1.5], [1]),
    "remainder": (lambda x: x % 2, [0.5, 3.0], [1, 1]),
    "sinc at zero": (np.sinc, [0.0], [0]),
    "power zero": (lambda x: x**0, [0.0, 2.0], [0, 0]),
    "power one at zero": (lambda x: x**1, [0.0], [1]),
    "power two at zero": (lambda x: x**2 + x**3, [0.0], [0]),
    "exponent of zero": (lambda b: np.power(0.0, b), [2.0], [0]),
    "where takes one side": (lambda x: np.where(x > 0, x, 3 * x), [-1.0, 0.0, 1.0], [3, 3, 1]),
    "heaviside, first argument": (lambda x: np.heaviside(x, 0.5), [-1.0, 0.0, 1.0], [0, 0, 0]),
    "heaviside, second argument": (lambda x: np.heaviside([-1.0, 0.0, 1.0], x), [5.0, 5.0, 5.0], [0, 1, 0]),
    "max, tie with initial": (lambda x: np.max(x, initial=1.0), [1.0, 0.0, 1.0], [1 / 3, 0, 1 / 3]),
    "min, below initial": (lambda x: np.min(x, initial=1.0), [1.0, 0.0, 1.0], [0, 1, 0]),
    "maximum with NaN": (lambda x: np.maximum(x, [0.0, NAN, INF]), [NAN, 0.0, INF], [NAN, NAN, 0.5]),
    "minimum with NaN": (lambda x: np.minimum(x, 0), [NAN, -INF], [NAN, 1]),
    "fmin ignores NaN": (lambda x: np.fmin(x, [NAN, 1.0, 5.0]), [2.0, NAN, 1.0], [1, 0, 1]),
    "fmax of NaN": (lambda x: np.fmax(x, NAN), [NAN], [NAN]),
    "fmin of booleans": (lambda x: np.fmin(x, [True, False]), [0.5, 0.5], [1, 0]),
    "take by booleans": (lambda x: np.take(x, [True, True, False]), [3.0, 4.0, 5.0], [1, 2, 0]),
    "take by a boolean": (lambda x: np.take(x, True), [3.0, 4.0, 5.0], [0, 1, 0]),
    "histogram of equal entries": (lambda x: np.histogram(x, 2)[1], [3.0, 3.0], [1.5, 1.5]),
    "norm at zero": (np.linalg.norm, [0.0, 0.0], [0, 0]),
    "norm of order 3 at zero": (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0, 0]),
    "norm of order 3, a zero": (lambda x: np.linalg.norm(x, 3), [0.0, 2.0], [0, 1]),
    "norm of order 1": (lambda x: np.linalg.norm(x, 1), [0.0, -2.0], [0, -1]),
    "norm of order inf, tie": (lambda x: np.linalg.norm(x, np.inf), [2.0, -2.0], [0.5, -0.5]),
    "norm of order 0": (lambda x: x[0] * np.linalg.norm(x, 0), [2.0, 1.0], [2, 0]),
    "product with one zero": (np.prod, [2.0, 0.0, 3.0], [0, 6, 0]),
    "product with two zeros": (np.prod, [0.0, 0.0, 3.0], [0, 0, 0]),
    "nan_to_num": (np.nan_to_num, [1.0, NAN, INF], [1, 0, 0]),
    "sort with ties": (lambda x: np.sort(x) * np.array([1.0, 1.0, 2.0]), [3.0, 1.0, 1.0], [2, 1, 1]),
    "fmax ignores NaN": (lambda x: np.fmax(x, [NAN, 1.0, 5.0]), [2.0, NAN, 1.0], [1, 0, 0]),
    "copysign": (lambda x: np.copysign(x, -1.0), [2.0, -3.0], [-1, 1]),
    "logaddexp of −∞": (lambda x: np.logaddexp(x, -INF), [0.0, -INF], [1, 0.5]),
    "logaddexp of ∞": (lambda x: np.logaddexp(x, 0.0), [INF, -INF], [1, 0]),
}


@pytest.mark.parametrize("what", KINKS)
def test_the_choice_at_a_kink(what: str) -> None:
    f, x, expected = KINKS[what]
    np.testing.assert_array_equal(gradient(f, x), np.asarray(expected, float))


def test_ties_are_shared_by_both_arguments() -> None:
    for f in (np.maximum, np.minimum, np.fmax, np.fmin):
        assert gradient(f, 1.0, 1.0, argnums=(0, 1)) == (0.5, 0.5)
    assert gradient(np.hypot, 0.0, 0.0, argnums=(0, 1)) == (0.0, 0.0)


def test_the_absolute_value_of_a_complex_zero_has_gradient_zero() -> None:
    np.testing.assert_allclose(ad.grad(lambda z: np.sum(np.abs(z)))(np.array([0j, 3 + 4j])), [0, 0.6 + 0.8j], rtol=1e-15)
    np.testing.assert_array_equal(ad.grad(lambda z: np.sum(np.sign(z).real))(np.array([0j])), [1])


def test_division_by_the_number_zero_gives_infinity() -> None:
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert gradient(lambda x: x / 0, 1.0) == INF


def test_division_by_negative_zero_gives_negative_infinity() -> None:
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert gradient(lambda x: x / -0.0, 1.0) == -INF


def test_second_derivatives_at_kinks() -> None:
    power = ad.hessian(lambda p: p[0] ** p[1])(np.array([2.0, 0.0]))
    np.testing.assert_allclose(power, [[0, 0.5], [0.5, np.log(2) ** 2]], rtol=1e-15)
    assert ad.hessian(lambda p: p[0] ** p[1])(np.zeros(2)).tolist() == [[0, 0], [0, 0]]
    for p in (4, 3, 2.5):
        for field in (lambda x: x, lambda x: x + 0j * x):
            h = ad.hessian(lambda x, p=p, field=field: np.linalg.norm(field(x), p))(np.array([0.0, 1.0]))
            np.testing.assert_allclose(h, np.zeros((2, 2)), atol=1e-14)
    assert ad.grad(lambda x: np.linalg.norm(x, 1.5))(np.array([0.0, 2.0])).tolist() == [0, 1]


LARGE_AND_SMALL: list[tuple[Callable[..., Any], Any, Any]] = [
    (lambda x: np.arctan2(x, np.uint8(20)), np.float16(1), 20 / 401),
    (lambda x: np.arctan2(np.uint8(20), x), np.float32(1), -20 / 401),
    (lambda x: np.arctan2(x, np.array(100_000, np.int32)), 1.0, 1e5 / (1 + 1e10)),
    (lambda x: np.arctan2(x, np.float16(300)), np.float16(0), 1 / 300),
    (lambda x: np.arctan2(x, np.float32(1e-25)), np.float32(0), 1e25),
    (lambda x: np.arctan2(x, 1e200), 0.0, 1e-200),
    (np.arcsinh, np.float32(1e20), 1e-20),
    (np.arcsinh, -1e200, 1e-200),
    (np.arctan, np.float16(300), 1 / 90001),
    (lambda x: np.angle(1j * x + x.dtype.type(1e-25)), np.float32(0), 1e25),
    (np.arcsin, 1 - 2.0**-50, (2.0**-49 - 2.0**-100) ** -0.5),
    (np.arctanh, 1 - 2.0**-50, 1 / (2.0**-49 - 2.0**-100)),
    (lambda x: np.fmin(x, np.array(3, np.uint8)), 2.0, 1),
    (lambda x: np.fmin(x, np.array(-(2**31), np.int32)), 2.0, 0),
    (lambda x: np.fmod(1.0, x), 0.1, -9),
    (lambda x: x / np.array(3, np.uint8), np.float32(1), 1 / 3),
    (lambda x: x / np.array(3, np.uint8), 1.0, 1 / 3),
    (lambda x: np.power(np.array(3, np.uint8), x), 1.0, 3 * np.log(3)),
    (lambda x: np.power(x, np.array(0, np.uint8)), 3.0, 0),
]


@pytest.mark.parametrize("i", range(len(LARGE_AND_SMALL)))
def test_nothing_wraps_or_overflows(i: int) -> None:
    f, x, expected = LARGE_AND_SMALL[i]
    with np.errstate(all="raise", under="ignore"):
        g = ad.grad(f)(np.asarray(x))
    assert g.dtype == np.asarray(x).dtype
    np.testing.assert_allclose(g, expected, rtol=4 * np.finfo(g.dtype).eps + 1e-3 * (g.dtype == np.float16))


def test_complex_powers_of_negative_constants() -> None:
    for base in (-2.0, np.float64(-2.0), np.array(-2)):
        _, got = ad.jvp(lambda z, base=base: np.power(base, z), (np.array(0.5 + 0.1j),), (np.array(1 + 0j),))
        np.testing.assert_allclose(got, np.power(-2 + 0j, 0.5 + 0.1j) * np.log(-2 + 0j), rtol=1e-14)


def test_nan_to_num_replaces_the_parts_of_complex_numbers() -> None:
    z = np.array([complex(1, NAN), complex(INF, 2), 3 + 4j])
    out, system = ad.linearize(np.nan_to_num, z)
    np.testing.assert_array_equal(out, np.nan_to_num(z))
    np.testing.assert_array_equal(system.pushforward(np.full(3, 1 + 1j)), [1, 1j, 1 + 1j])


def test_inserted_values_are_cast() -> None:
    x, y = np.ones(3, np.float32), np.full(2, 5.7)
    for f in (lambda x, y: np.insert(x, 1, 5.7) * y[0].astype(np.float32), lambda x, y: np.insert(x, 1, y),
              lambda x, y: np.ediff1d(x, to_begin=y[:1], to_end=1.0)):
        assert ad.linearize(f, x, y)[0].dtype == np.float32 == f(x, y).dtype
    assert [g.dtype for g in ad.grad(lambda x, y: np.sum(np.insert(x, 1, y)), (0, 1))(x, y)] == [np.float32, np.float64]
    assert ad.jacobian(lambda y: y[0] * np.insert(np.arange(3), 1, y))(y)[:, 0].tolist() == [0, 5, 5, 1, 2]


def test_nan_passes_through() -> None:
    assert np.isnan(gradient(np.exp, [NAN, 0.0])[0])
    assert np.isnan(gradient(lambda x: x * x, [NAN])[0])
    assert np.isnan(gradient(np.max, [1.0, NAN])).all()


# ---- float32

def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def log_sum_exp(x: Any) -> Any:
    top = np.max(x, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=-1)) + top[..., 0]


def exact_softmax(x: np.ndarray) -> np.ndarray:
    x = x.astype(float)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4, 1e30])
def test_softmax_and_log_sum_exp_are_stable(scale: float, xp: Any) -> None:
    x = (np.random.default_rng(0).standard_normal((4, 5)) * scale).astype(np.float32)
    g = ad.grad(lambda t: np.sum(log_sum_exp(t)))(xp.asarray(x))
    assert g.dtype == np.float32
    np.testing.assert_allclose(to_host(g), exact_softmax(x), rtol=2e-5 * max(1, min(scale, 100)), atol=1e-6)
    weights = xp.arange(5, dtype=np.float32)
    got = to_host(ad.grad(lambda t: np.sum(softmax(t) * weights))(xp.asarray(x)))
    p, w = exact_softmax(x), np.arange(5.0)
    np.testing.assert_allclose(got, p * (w - (p * w).sum(-1, keepdims=True)), rtol=1e-3, atol=1e-5)


LN2 = np.float32(np.log(2))


@pytest.mark.parametrize("softplus", [
    lambda x: np.logaddexp(x, 0), lambda x: np.logaddexp(0, x), lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    lambda x: np.logaddexp2(x / LN2, 0) * LN2])
def test_softplus_is_stable(softplus: Callable[[Any], Any], xp: Any) -> None:
    x = np.array([-1e30, -1e4, -100, -20, -1, 0.25, 1, 20, 100, 1e4, 1e30], np.float32)
    g = ad.grad(lambda t: np.sum(softplus(t)))(xp.asarray(x))
    assert g.dtype == np.float32
    with np.errstate(over="ignore"):
        exact = 1 / (1 + np.exp(-x.astype(float)))
    np.testing.assert_allclose(to_host(g), exact, rtol=1e-5, atol=1e-30)


def test_tanh_and_the_logistic_function_are_stable(xp: Any) -> None:
    x = xp.asarray(np.array([-1e30, -100, 0, 100, 1e30], np.float32))
    np.testing.assert_array_equal(to_host(ad.grad(lambda t: np.sum(np.tanh(t)))(x)), [0, 0, 1, 0, 0])
    logistic = ad.grad(lambda t: np.sum(0.5 * (1 + np.tanh(0.5 * t))))(x)
    np.testing.assert_array_equal(to_host(logistic), [0, 0, 0.25, 0, 0])


NETWORK_OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "mean": lambda x: np.mean(x, axis=0),
    "masked mean": lambda x: np.mean(x, where=[True, False, True]),
    "var": lambda x: np.var(x, axis=0),
    "std": np.std,
    "max": lambda x: np.max(x, axis=1),
    "softmax": softmax,
    "where": lambda x: np.where(x > 0, x, 0),
    "copysign": lambda x: np.copysign(x, -1),
    "fmax": lambda x: np.fmax(x, 0),
    "clip": lambda x: np.clip(x, 0, 1),
    "power": lambda x: x**3 + np.abs(x)**1.5 + 2**x + np.power(2.5, x) + np.abs(x) ** np.arange(3, dtype=np.int16),
    "divide by integers": lambda x: x / np.arange(1, 4, dtype=np.uint8),
    "fmin": lambda x: np.fmin(x, np.arange(3, dtype=np.uint8)),
    "arctan2": lambda x: np.arctan2(x, np.arange(1, 4, dtype=np.uint8)) + np.arctan2(2, x) + np.arcsinh(x),
    "fmod": lambda x: np.fmod(np.arange(3, dtype=np.uint8), x) + np.remainder(x, 2) + np.remainder(2, x),
    "max with initial": lambda x: np.max(x, initial=np.float64(0)),
    "var with ddof": lambda x: np.var(x, ddof=np.int64(1)),
    "norm of order 3": lambda x: np.linalg.norm(x, np.float64(3), axis=0),
    "histogram": lambda x: np.histogram_bin_edges(x, 3),
    "logaddexp": lambda x: np.logaddexp(x, 0),
    "logaddexp2": lambda x: np.logaddexp2(1, x),
    "hypot": lambda x: np.hypot(x, 1),
    "sinc": np.sinc,
    "norm": lambda x: np.linalg.norm(x, axis=0),
    "sort": np.sort,
    "tril": np.tril,
    "prod": np.prod,
    "pad": lambda x: np.pad(x, 1),
    "inv": lambda x: np.linalg.inv(x @ x.T + np.eye(3, dtype=np.float32)),
    "det": np.linalg.det,
    "cholesky": lambda x: np.linalg.cholesky(x @ x.T + np.eye(3, dtype=np.float32)),
    "eigh": lambda x: np.linalg.eigh(x + x.T)[1],
    "svd": lambda x: np.linalg.svd(x, compute_uv=False),
    "qr": lambda x: np.linalg.qr(x)[0],
    "einsum": lambda x: np.einsum("ij,jk->i", x, x),
}


@pytest.mark.parametrize("what", NETWORK_OPERATIONS)
def test_nothing_is_widened(what: str) -> None:
    """Float32 in, float32 in every row and in every contribution to the solve."""
    x = np.random.default_rng(3).standard_normal((3, 3)).astype(np.float32)
    f = NETWORK_OPERATIONS[what]
    out, system = ad.linearize(f, x)
    assert out.dtype == np.float32 == np.asarray(f(x)).dtype
    for i, row in enumerate(system._blocks):
        for _, element in row:
            side = np.ones(system.rows[i].shape, np.float32)
            assert np.asarray(element.T @ side).dtype == np.float32, element


def test_mixed_precision_and_mixed_fields_cast_back() -> None:
    x32, x64, z = np.ones(2, np.float32), np.ones(2), np.ones(2, np.complex64)
    for args in ((x32, x64), (x64, x32), (x32, z), (z, x64)):
        for f in (np.add, np.multiply, np.divide, np.matmul, lambda a, b: np.concatenate([a, b]) * 2):
            g = ad.grad(lambda a, b, f=f: np.sum(np.real(f(a, b))), (0, 1))(*args)
            assert [x.dtype for x in g] == [a.dtype for a in args]


# ---- matrices

def cofactor_matrix(a: np.ndarray) -> np.ndarray:
    n = len(a)
    minors = [[np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)] for i in range(n)]
    return np.array(minors) * (-1.0) ** np.add.outer(np.arange(n), np.arange(n))


@pytest.mark.parametrize("rank", [4, 3, 2, 0])
def test_the_gradient_of_det_is_right_at_singular_matrices(rank: int) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((4, rank)) @ rng.standard_normal((rank, 4))
    np.testing.assert_allclose(ad.grad(np.linalg.det)(a), cofactor_matrix(a), atol=1e-12)


def test_the_hessian_of_det_is_right_at_repeated_singular_values() -> None:
    h = ad.hessian(np.linalg.det)(np.eye(2))
    expected = np.zeros((2, 2, 2, 2))
    expected[0, 0, 1, 1] = expected[1, 1, 0, 0] = 1
    expected[0, 1, 1, 0] = expected[1, 0, 0, 1] = -1
    np.testing.assert_allclose(h, expected, atol=1e-14)


def test_singular_matrices_are_named() -> None:
    for f in (np.linalg.inv, lambda a: np.linalg.solve(a, np.ones(2)), lambda a: np.linalg.slogdet(a)[1]):
        with pytest.raises(np.linalg.LinAlgError):
            ad.jacobian(f)(np.zeros((2, 2)))
    with pytest.raises(np.linalg.LinAlgError, match="ingular"):
        ad.hessian(np.linalg.det)(np.zeros((2, 2)))


def test_equal_eigenvalues_keep_their_sum_and_lose_their_vectors() -> None:
    x = np.eye(3)
    np.testing.assert_allclose(ad.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(x), np.eye(3), atol=1e-15)
    np.testing.assert_allclose(ad.grad(lambda a: np.linalg.norm(a, "nuc"))(x), np.eye(3), atol=1e-15)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not np.isfinite(ad.grad(lambda a: np.sum(np.linalg.eigh(a)[1] ** 3))(x)).all()
        assert not np.isfinite(ad.grad(lambda a: np.sum(np.linalg.svd(a)[0] ** 3))(x)).all()


def test_gradients_of_hermitian_decompositions_are_hermitian() -> None:
    a = np.array([[4.0, 1.0], [1.0, 3.0]])
    for f in (np.linalg.cholesky, np.linalg.eigvalsh, lambda a: np.linalg.eigh(a)[1][0]):
        g = ad.grad(lambda a, f=f: np.sum(f(a) ** 3))(a)
        np.testing.assert_allclose(g, g.T, atol=1e-14)


def test_decompositions_give_numpys_named_results() -> None:
    seen = []
    def f(a: Any) -> Any:
        svd, qr, eigh, slogdet = np.linalg.svd(a), np.linalg.qr(a), np.linalg.eigh(a), np.linalg.slogdet(a)
        seen.extend(type(r).__name__ for r in (svd, qr, eigh, slogdet))
        assert isinstance(slogdet.sign, np.generic)
        return np.sum(svd.S) + np.sum(qr.R**2) + np.sum(eigh.eigenvalues) + slogdet.logabsdet
    ad.grad(f)(np.array([[2.0, 1.0], [1.0, 3.0]]))
    assert seen == ["SVDResult", "QRResult", "EighResult", "SlogdetResult"]


def test_the_jacobian_of_the_svd_has_the_known_determinant() -> None:
    """Edelman's change of variables: that of A ↦ (U, Σ, V) is 1 / ∏ |σ_i² − σ_j²|, in the skew parts Uᵀ dU and Vᵀ dV."""
    a = np.random.default_rng(2).standard_normal((3, 3))
    u, s, vh = np.linalg.svd(a)
    du, ds, dv = ad.jacobian(lambda x: tuple(np.linalg.svd(x)))(a)
    low = np.tril_indices(3, -1)
    turn_u = np.einsum("ki,kjab->ijab", u, du)[low]
    turn_v = np.einsum("ikab,jk->ijab", dv, vh)[low]
    matrix = np.concatenate([turn_u, ds, turn_v]).reshape(9, 9)
    expected = np.prod([abs(s[i] ** 2 - s[j] ** 2) for i in range(3) for j in range(i)])
    np.testing.assert_allclose(abs(1 / np.linalg.det(matrix)), expected, rtol=1e-10)


def test_the_rows_of_a_solve_can_be_run_again() -> None:
    """Every row's function gives its value from those of its parents, at other arguments too."""
    rng = np.random.default_rng(0)
    _, system = ad.linearize(np.linalg.solve, rng.standard_normal((3, 3)), rng.standard_normal((3, 2)))
    a, b = rng.standard_normal((3, 3)), rng.standard_normal((3, 2))
    values = [a, b]
    for row in system.rows[2:]:
        values.append(row.primitive.fun(*[values[j] for j in row.parents], **row.kwargs))
    np.testing.assert_allclose(values[-1], np.linalg.solve(a, b), rtol=1e-14)


def test_a_solve_has_one_inverse_for_both_arguments() -> None:
    a, b = np.array([[2.0, 1.0], [0.0, 3.0]]), np.ones(2)
    _, system = ad.linearize(np.linalg.solve, a, b)
    elements = [e for row in system._blocks for _, e in row]
    assert sum(isinstance(e, Inverse) for e in elements) == 1
    assert not any(isinstance(f, Inverse) for e in elements if isinstance(e, Product) for f in e.factors)
