"""Fourier transforms: the suite of all operators on complex arrays; transforms of real arrays as real matrices."""
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.fft

import linalg
from linalg import CosineTransform, Fourier, FromHalfFourier, HalfFourier, Identity, LinearOperator
from linalg.arrays import to_host
from linalg.elements.spectral import _cosines_by_fourier
from tests.linalg.making import Case, Maker, columns
from tests.linalg.test_conformance import (  # noqa: F401 (they run here with the fixtures below)
    test_assembled,
    test_dot_products,
    test_products,
    test_solves,
)

CASES: dict[str, Callable[[np.dtype], tuple[LinearOperator, Callable[[np.ndarray], Any]]]] = {
    "fourier": lambda d: (Fourier((5,), (0,), dtype=d), np.fft.fft),
    "inverse": lambda d: (Fourier((2, 3), (0,), True, dtype=d), lambda x: np.fft.ifft(x, axis=0)),
    "ortho": lambda d: (Fourier((2, 3, 2), (0, -1), norm="ortho", dtype=d), lambda x: np.fft.fftn(x, axes=(0, 2), norm="ortho")),
    "forward": lambda d: (Fourier((3, 4), (-1, 0), True, "forward", d), lambda x: np.fft.ifftn(x, norm="forward")),
    "twice": lambda d: (Fourier((4,), (0, 0), dtype=d), lambda x: np.fft.fft(np.fft.fft(x))),
    "no_rows": lambda d: (Fourier((0, 3), (1,), dtype=d), np.fft.fft),
}
"""Operators on arrays of dtype d, and the functions that they stand for."""


@pytest.fixture(params=["complex64", "complex128"])
def maker(request: pytest.FixtureRequest, xp: ModuleType) -> Maker:
    return Maker(xp, request.param)


@pytest.fixture(params=CASES)
def made(request: pytest.FixtureRequest, maker: Maker) -> Case:
    operator, function = CASES[request.param](maker.dtype)
    return Case(operator, columns(function, operator.in_shape, complex))


# ---- transforms of real arrays: matrices on real and imaginary parts

SHAPES = [((1,), 0), ((2,), 0), ((5,), 0), ((6,), -1), ((2, 3), 0), ((3, 4), 1)]
NORMS = ("backward", "ortho", "forward")


def of_real(operator: LinearOperator, xp: ModuleType) -> np.ndarray:
    """The matrix of a map from real to complex arrays, with the imaginary parts of the results below their real parts."""
    units = np.eye(operator.in_size).reshape(operator.in_size, *operator.in_shape)
    y = to_host(operator @ xp.asarray(units)).reshape(operator.in_size, operator.out_size)
    return np.concatenate([y.real, y.imag], 1).T


def to_real(operator: LinearOperator, xp: ModuleType) -> np.ndarray:
    """The matrix of a map from complex to real arrays."""
    units = np.concatenate([np.eye(operator.in_size), 1j * np.eye(operator.in_size)])
    return to_host(operator @ xp.asarray(units.reshape(-1, *operator.in_shape))).reshape(-1, operator.out_size).T


@pytest.mark.parametrize("conjugated", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_half_fourier(shape: tuple[int, ...], axis: int, norm: Any, conjugated: bool, xp: ModuleType) -> None:
    def function(x: np.ndarray) -> np.ndarray:
        y = np.fft.rfft(x, axis=axis, norm=norm)
        return y.conj() if conjugated else y

    a = HalfFourier(shape, axis, norm, conjugated)
    expected = columns(lambda x: np.stack([function(x).real, function(x).imag]), shape).reshape(2 * a.out_size, a.in_size)
    np.testing.assert_allclose(of_real(a, xp), expected, atol=1e-14)
    np.testing.assert_allclose(to_real(a.H, xp), expected.T, atol=1e-14)
    flip = np.repeat([1.0, -1.0], a.out_size)  # the transpose is the adjoint between conjugations
    np.testing.assert_allclose(to_real(a.T, xp), expected.T * flip, atol=1e-14)
    np.testing.assert_allclose(of_real(a.conj(), xp), expected * flip[:, None], atol=1e-14)


@pytest.mark.parametrize("conjugated", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_from_half_fourier(shape: tuple[int, ...], axis: int, norm: Any, conjugated: bool, xp: ModuleType) -> None:
    a, n = FromHalfFourier(shape, axis, norm, conjugated), shape[axis]

    def function(parts: np.ndarray) -> np.ndarray:
        z = parts[0] + 1j * parts[1]
        return np.fft.irfft(z.conj() if conjugated else z, n, axis, norm)

    expected = columns(function, (2, *a.in_shape)).reshape(a.out_size, 2 * a.in_size)
    np.testing.assert_allclose(to_real(a, xp), expected, atol=1e-14)
    np.testing.assert_allclose(of_real(a.H, xp), expected.T, atol=1e-14)
    flip = np.repeat([1.0, -1.0], a.in_size)
    np.testing.assert_allclose(of_real(a.T, xp), (expected * flip).T, atol=1e-14)
    np.testing.assert_allclose(to_real(a.conj(), xp), expected * flip, atol=1e-14)
    inverse = of_real(HalfFourier(shape, axis, norm, conjugated), xp)
    np.testing.assert_allclose(expected @ inverse, np.eye(a.out_size), atol=1e-14)


@pytest.mark.parametrize("operator", [HalfFourier((4,), 0), FromHalfFourier((4,), 0)], ids=repr)
def test_has_no_complex_matrix(operator: LinearOperator) -> None:
    with pytest.raises(TypeError, match="linear over the reals only"):
        operator.to_dense()


@pytest.mark.parametrize("operator", [Fourier((2, 4), (0, 1)), HalfFourier((2, 4), 1), FromHalfFourier((2, 4), 1)], ids=repr)
def test_single_precision_stays(operator: LinearOperator, xp: ModuleType) -> None:
    x, y = xp.ones(operator.in_shape, "F"), xp.ones(operator.out_shape, "F")
    assert (operator @ x).dtype.itemsize == (8 if isinstance(operator, HalfFourier | Fourier) else 4)
    assert {(operator.T @ y).dtype.char, (operator.H @ y).dtype.char} < {"f", "F"}


def test_opposites_cancel() -> None:
    f = Fourier((2, 4), (1,), norm="ortho")
    assert isinstance(Fourier((2, 4), (-1,), True, "ortho") @ f, Identity)
    assert isinstance(f.H @ f, Identity)
    assert isinstance(f @ f, linalg.Product)
    assert f.T is f


@pytest.mark.parametrize("build", [lambda s, a: Fourier(s, (a,)), HalfFourier, FromHalfFourier, CosineTransform])
def test_bad_axes_and_shapes(build: Callable[..., LinearOperator]) -> None:
    with pytest.raises(ValueError, match=r"expected one of the 2 axes of \(2, 3\), got axis 2"):
        build((2, 3), 2)
    with pytest.raises(TypeError, match="expected a shape"):
        build([2, 3], 0)


def test_bad_type() -> None:
    with pytest.raises(ValueError, match="type 1, 2, 3 or 4, got 5"):
        CosineTransform((3,), 0, 5)


@pytest.mark.parametrize("sine", [False, True])
@pytest.mark.parametrize("kind", [1, 4])
@pytest.mark.parametrize("dtype", "fdFD")
def test_cosines_by_fourier_are_scipys(dtype: str, kind: int, sine: bool, xp: ModuleType) -> None:
    """What takes the place of the types that CuPy has not."""
    x = Maker(xp, dtype).host(2, 5, 3)
    expected = (scipy.fft.dst if sine else scipy.fft.dct)(x, type=kind, axis=1, norm="ortho")
    got = to_host(_cosines_by_fourier(xp.asarray(x), 1, kind, sine))
    assert got.dtype == x.dtype
    np.testing.assert_allclose(got, expected, atol=20 * np.finfo(dtype).eps)
