"""Casts, and maps that are linear over the reals only: checked as real matrices on (real part, imaginary part)."""
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import linalg
from linalg import Cast, Conjugate, Dense, Diagonal, ImaginaryPart, LinearOperator, Product, RealPart, Scaling
from linalg.arrays import to_host

SHAPE = (3,)


def real_form(apply: Callable[[Any], Any], xp: ModuleType, complex_argument: bool, complex_result: bool) -> np.ndarray:
    """The matrix that maps the real and imaginary parts of the argument to those of the result."""
    units = [*np.eye(3), *(1j * np.eye(3))] if complex_argument else list(np.eye(3))
    results = [to_host(apply(xp.asarray(u))) for u in units]
    return np.array([np.concatenate([r.real, r.imag]) if complex_result else r for r in results]).T


MATRIX = np.array([[1 + 2j, 0, 3j], [0.5, -1j, 2], [1, 1 + 1j, -2]])
UNIT, NONE = np.eye(3), np.zeros((3, 3))
CASES = {
    "real": (lambda _: RealPart(SHAPE), np.block([UNIT, NONE]), True, False),
    "imaginary": (lambda _: ImaginaryPart(SHAPE), np.block([NONE, UNIT]), True, False),
    "conjugate": (lambda _: Conjugate(SHAPE), np.block([[UNIT, NONE], [NONE, -UNIT]]), True, True),
    "embed": (lambda _: Cast(SHAPE, np.dtype("f8"), np.dtype("c16")), np.block([[UNIT], [NONE]]), False, True),
    "drop": (lambda _: Cast(SHAPE, np.dtype("c16"), np.dtype("f8")), np.block([UNIT, NONE]), True, False),
    "imaginary_of_product": (lambda xp: Product(ImaginaryPart(SHAPE), Dense(xp.asarray(MATRIX))),
                             np.block([MATRIX.imag, MATRIX.real]), True, False),
    "scaled_conjugate": (lambda _: Scaling(2j, SHAPE) @ Conjugate(SHAPE),
                         np.block([[NONE, 2 * UNIT], [2 * UNIT, NONE]]), True, True),
    "sum": (lambda xp: Conjugate(SHAPE) + Diagonal(xp.asarray(MATRIX[:, 2])),
            np.block([[UNIT + np.diag(MATRIX[:, 2].real), -np.diag(MATRIX[:, 2].imag)],
                      [np.diag(MATRIX[:, 2].imag), np.diag(MATRIX[:, 2].real) - UNIT]]), True, True),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, xp: ModuleType) -> tuple[LinearOperator, np.ndarray, bool, bool]:
    build, *rest = CASES[request.param]
    return (build(xp), *rest)


def test_applies(case: Any, xp: ModuleType) -> None:
    a, matrix, complex_in, complex_out = case
    np.testing.assert_allclose(real_form(lambda x: a @ x, xp, complex_in, complex_out), matrix)
    np.testing.assert_allclose(real_form(lambda x: a.T.T @ x, xp, complex_in, complex_out), matrix)
    np.testing.assert_allclose(real_form(lambda x: a.H.H @ x, xp, complex_in, complex_out), matrix)


def test_adjoint_is_the_transpose_of_the_real_form(case: Any, xp: ModuleType) -> None:
    a, matrix, complex_in, complex_out = case
    np.testing.assert_allclose(real_form(lambda y: a.H @ y, xp, complex_out, complex_in), matrix.T)


def test_transpose_is_the_conjugated_adjoint(case: Any, xp: ModuleType) -> None:
    a, matrix, complex_in, complex_out = case
    flip_in, flip_out = (np.diag([1.0] * 3 + [-1.0] * 3) if c else UNIT for c in (complex_in, complex_out))
    np.testing.assert_allclose(real_form(lambda y: a.T @ y, xp, complex_out, complex_in), flip_in @ matrix.T @ flip_out)


@pytest.mark.parametrize("operator", [RealPart(SHAPE), ImaginaryPart(SHAPE).T, Conjugate(SHAPE) + linalg.Identity(SHAPE),
                                      Product(Conjugate(SHAPE), Scaling(2, SHAPE)), linalg.Inverse(Conjugate(SHAPE)),
                                      Cast(SHAPE, np.dtype("c8"), np.dtype("f4"))], ids=repr)
def test_has_no_complex_matrix(operator: LinearOperator) -> None:
    with pytest.raises(TypeError, match="linear over the reals only"):
        operator.to_dense()
    with pytest.raises(TypeError, match="linear over the reals only"):
        operator.to_sparse()


def test_solves(xp: ModuleType) -> None:
    b = xp.asarray(MATRIX[0])
    np.testing.assert_array_equal(to_host(linalg.solve(Conjugate(SHAPE), b)), MATRIX[0].conj())
    np.testing.assert_array_equal(to_host(linalg.solve(Cast(SHAPE, np.dtype("f8"), np.dtype("c16")), b)), MATRIX[0].real)
    for lossy in (RealPart(SHAPE), ImaginaryPart(SHAPE), Cast(SHAPE, np.dtype("c16"), np.dtype("f8"))):
        with pytest.raises(np.linalg.LinAlgError, match="imaginary parts are lost"):
            linalg.solve(lossy, xp.asarray(MATRIX[0].real))


def test_casts_keep_the_dtype_they_promise(xp: ModuleType) -> None:
    cast = Cast(SHAPE, np.dtype("f4"), np.dtype("f8"))
    assert (cast @ xp.ones(3, dtype="f4")).dtype == np.float64
    assert (cast.T @ xp.ones(3)).dtype == np.float32
    assert (ImaginaryPart(SHAPE).T @ xp.ones(3, dtype="f4")).dtype == np.complex64
