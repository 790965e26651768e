"""E5 of the lectures: a symmetric tridiagonal matrix stores 2n − 1 numbers and solves in O(n), by the same solve."""
import tracemalloc
from types import ModuleType

import numpy as np
import pytest

from linalg import SymTridiagonal, solve
from linalg.arrays import to_host


def second_difference(n: int, xp: ModuleType = np, dtype: str = "float64") -> SymTridiagonal:
    return SymTridiagonal(2 * xp.ones(n, dtype=dtype), -xp.ones(n - 1, dtype=dtype))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_stores_2n_minus_1_numbers(n: int) -> None:
    a = second_difference(n)
    assert a.d.size + a.e.size == 2 * n - 1
    assert set(SymTridiagonal.__slots__) == {"d", "e"}


@pytest.mark.parametrize("n", [1, 2, 3, 4, 50])
def test_is_the_matrix(n: int, xp: ModuleType) -> None:
    a = second_difference(n, xp)
    matrix = np.array([[2.0 if i == j else -1.0 if abs(i - j) == 1 else 0.0 for j in range(n)] for i in range(n)])
    np.testing.assert_array_equal(to_host(a.to_dense()), matrix)
    b = np.random.default_rng(n).normal(size=(3, n))
    np.testing.assert_allclose(to_host(solve(a, xp.asarray(b))), np.linalg.solve(matrix, b.T).T, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes(dtype: str, xp: ModuleType) -> None:
    rng = np.random.default_rng(0)
    d, e, b = ((rng.normal(size=s) + 1j * rng.normal(size=s)) for s in (8, 7, (2, 8)))
    d, e, b = (np.asarray(v if dtype.startswith("complex") else v.real, dtype) for v in (d + 5, e, b))
    a = SymTridiagonal(xp.asarray(d), xp.asarray(e))
    x = solve(a, xp.asarray(b))
    assert x.dtype == dtype
    np.testing.assert_allclose(to_host(a @ x), b, atol=2e-5 if dtype in ("float32", "complex64") else 1e-13)


def test_complex_symmetric_is_not_hermitian() -> None:
    a = SymTridiagonal(np.array([1j, 2.0]), np.array([1 + 1j]))
    assert a.T is a
    np.testing.assert_array_equal(a.to_dense(), a.to_dense().T)
    np.testing.assert_array_equal(a.H.to_dense(), a.to_dense().conj().T)
    assert (a.H.to_dense() != a.to_dense()).any()


def test_pivots(xp: ModuleType) -> None:
    """A zero diagonal has no LU without row exchanges."""
    a = SymTridiagonal(xp.zeros(6), xp.ones(5))
    b = xp.arange(12.0).reshape(2, 6)
    np.testing.assert_allclose(to_host(a @ solve(a, b)), to_host(b), atol=1e-12)


def test_a_million_unknowns(xp: ModuleType) -> None:
    """−u″ = 1 with u = 0 at both ends: u = t (1 − t)/2, which the difference scheme solves exactly."""
    n = 10**6
    a = second_difference(n, xp)
    t = np.arange(1, n + 1) / (n + 1)
    x = to_host(solve(a, xp.full(n, 1 / (n + 1) ** 2)))
    np.testing.assert_allclose(x, t * (1 - t) / 2, rtol=1e-5)


def test_memory_is_linear() -> None:
    peaks = []
    for n in (10**4, 10**5):
        a, b = second_difference(n), np.ones(n)
        tracemalloc.start()
        solve(a, b)
        a @ b
        peaks.append(tracemalloc.get_traced_memory()[1] / (8 * n))
        tracemalloc.stop()
    assert max(peaks) < 20  # arrays of n numbers


def test_mixed_dtypes_and_integers() -> None:
    a = SymTridiagonal(np.full(4, 2), np.full(3, -1.0, np.float32))
    assert a.d.dtype == a.e.dtype == np.float64
    integers = SymTridiagonal(np.full(4, 2), np.full(3, -1))
    np.testing.assert_array_equal(integers @ np.ones(4, int), [1, 0, 0, 1])
    np.testing.assert_allclose(solve(integers, np.array([1.0, 0, 0, 1])), 1)


def test_does_not_touch_its_data() -> None:
    d, e, b = np.array([2.0, 3, 4]), np.array([1.0, 1]), np.ones((2, 3))
    for x in (d, e, b):
        x.flags.writeable = False
    a = SymTridiagonal(d, e)
    solve(a, b)
    a @ b


@pytest.mark.parametrize(("d", "e"), [(np.ones(3), np.ones(3)), (np.ones((3, 3)), np.ones(2)), (np.ones(0), np.ones(0))])
def test_bad_shapes(d: np.ndarray, e: np.ndarray) -> None:
    with pytest.raises(ValueError, match="SymTridiagonal expected"):
        SymTridiagonal(d, e)
