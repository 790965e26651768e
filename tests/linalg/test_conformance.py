"""Every operator of the catalogue is the matrix that it should be, whichever way one looks at it."""
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import linalg
from linalg import LinearOperator
from linalg.arrays import is_cupy, to_host
from tests.linalg.catalogue import CASES, Case, Maker

RHS = [(), (2,), (3, 1, 2), (0,)]


@pytest.fixture(params=["float32", "float64", "complex128"])
def maker(request: pytest.FixtureRequest, xp: ModuleType) -> Maker:
    return Maker(xp, request.param)


@pytest.fixture(params=CASES)
def made(request: pytest.FixtureRequest, maker: Maker) -> Case:
    return CASES[request.param](maker)


def close(got: Any, expected: Any, dtype: np.dtype, scale: float = 1.0) -> None:
    """Equal up to the rounding of the dtype, relative to the largest entry."""
    expected = np.asarray(expected)
    size = max(scale, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(to_host(got), expected, rtol=0, atol=200 * np.finfo(dtype).eps * size)


def apply(matrix: np.ndarray, x: np.ndarray, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> np.ndarray:
    rhs = x.shape[: x.ndim - len(in_shape)]
    return (x.reshape(int(np.prod(rhs)), matrix.shape[1]) @ matrix.T).reshape(rhs + out_shape)


def test_assembled(made: Case, maker: Maker) -> None:
    like = maker.put(np.zeros(()))
    a, matrix = made
    assert a.shape == matrix.shape
    close(a.to_dense(like), matrix, maker.dtype)
    csr = a.to_sparse(like)
    assert csr.format == "csr"
    assert is_cupy(csr.data) == is_cupy(like)
    close(csr.toarray(), matrix, maker.dtype)
    close(a.T.to_dense(like), matrix.T, maker.dtype)
    close(a.T.to_sparse(like).toarray(), matrix.T, maker.dtype)
    close(a.H.to_dense(like), matrix.conj().T, maker.dtype)
    close(a.conj().to_dense(like), matrix.conj(), maker.dtype)
    assert isinstance(a.flops, int) and a.flops >= 0


def test_products(made: Case, maker: Maker) -> None:
    a, matrix = made
    for rhs in RHS:
        x, y = maker.host(*rhs, *a.in_shape), maker.host(*rhs, *a.out_shape)
        for operator, m, v in [(a, matrix, x), (a.T, matrix.T, y), (a.H, matrix.conj().T, y), (a.T.T, matrix, x),
                               (a.H.H, matrix, x), (a.conj(), matrix.conj(), x)]:
            check_product(operator, m, v, maker)
        close(maker.put(y) @ a, apply(matrix.T, y, a.out_shape, a.in_shape), maker.dtype, largest(matrix))


def check_product(operator: LinearOperator, matrix: np.ndarray, x: np.ndarray, maker: Maker) -> None:
    expected = apply(matrix, x, operator.in_shape, operator.out_shape)
    given = maker.put(x)
    result = operator @ given
    assert result.shape == expected.shape
    assert result.dtype == maker.dtype
    close(result, expected, maker.dtype, largest(matrix))
    np.testing.assert_array_equal(to_host(given), x)


def largest(matrix: np.ndarray) -> float:
    return 4 * float(np.abs(matrix).max(initial=1))


def test_dot_products(made: Case, maker: Maker) -> None:
    a, matrix = made
    x, y = maker.put(maker.host(*a.in_shape)), maker.put(maker.host(*a.out_shape))
    scale = matrix.size * float(np.abs(matrix).max(initial=1)) * 10
    inner = lambda u, v: (u.conj() * v).sum().real
    close(inner(y, a @ x), to_host(inner(a.H @ y, x)), maker.dtype, scale)
    close((y * (a @ x)).sum(), to_host(((a.T @ y) * x).sum()), maker.dtype, scale)


def test_solves(made: Case, maker: Maker) -> None:
    a, matrix = made
    if matrix.shape[0] != matrix.shape[1]:
        with pytest.raises(np.linalg.LinAlgError, match="not square"):
            linalg.solve(a, maker.put(maker.host(*a.out_shape)))
        return
    if np.linalg.matrix_rank(matrix) < len(matrix):
        return  # tests/linalg/test_solve.py
    for rhs in RHS:
        for operator, m in [(a, matrix), (a.T, matrix.T), (a.H, matrix.conj().T)]:
            check_solve(operator, m, maker.host(*rhs, *operator.out_shape), maker)


def check_solve(operator: LinearOperator, matrix: np.ndarray, b: np.ndarray, maker: Maker) -> None:
    given = maker.put(b)
    x = linalg.solve(operator, given)
    assert x.shape == b.shape[: b.ndim - len(operator.out_shape)] + operator.in_shape
    assert x.dtype == maker.dtype
    scale = 20 * float(np.linalg.cond(matrix)) if matrix.size else 1.0
    close(apply(matrix, to_host(x), operator.in_shape, operator.out_shape), b, maker.dtype, scale)
    np.testing.assert_array_equal(to_host(given), b)
    assert not np.shares_memory(to_host(x), b)
