"""Fourier transforms: what is special, and what is refused with what message."""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad import NotDifferentiableError
from gpuad.planning import plan
from linalg.arrays import to_host

X, Z = np.random.default_rng(0).standard_normal((3, 4)), np.random.default_rng(1).standard_normal((3, 4)) + 1j


def test_gradients_of_real_arguments_are_real(xp: Any) -> None:
    x = xp.asarray(X)
    gradient = ad.grad(lambda x: np.sum(abs(np.fft.fft(x)) ** 2))(x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(to_host(gradient), 2 * 4 * X)  # Parseval
    half = ad.grad(lambda x: np.sum(np.fft.rfft(x, axis=0).imag))(x)
    assert half.dtype == np.float64


@pytest.mark.parametrize("dtype", "fF")
def test_single_precision_stays(dtype: str, xp: Any) -> None:
    x = xp.asarray((X if dtype == "f" else Z).astype(dtype))
    for f in (np.fft.fft, np.fft.ifft2, lambda x: np.fft.irfft(x + 0j), lambda x: np.fft.rfftn(x.real), ad.scipy.fft.dct,
              lambda x: ad.scipy.fft.idst(x, 3), lambda x: ad.scipy.fft.hfftn(x)):
        out, system = ad.linearize(f, x)
        assert out.dtype in (np.float32, np.complex64)
        assert system.pushforward(xp.ones_like(x)).dtype == out.dtype
        assert system.pullback(xp.ones_like(out))[0].dtype == x.dtype


def test_half_precision_and_extended_precision() -> None:
    for dtype in (np.float16, np.longdouble):
        x = X.astype(dtype)
        for f in (np.fft.fft, np.fft.irfft, np.fft.rfft, ad.scipy.fft.fft, ad.scipy.fft.irfft, ad.scipy.fft.dct):
            out, pullback = ad.vjp(f, x)
            assert out.dtype == f(x).dtype
            assert pullback(np.ones_like(out))[0].dtype == dtype


def test_the_spectrum_of_a_program_is_a_matrix() -> None:
    _, system = ad.linearize(np.fft.fft, Z[0])
    _, d = system.to_sparse()
    np.testing.assert_allclose(d.toarray(), np.fft.fft(np.eye(4)))
    _, system = ad.linearize(lambda x: ad.scipy.fft.dct(x, norm="ortho"), X[0])
    _, d = system.to_sparse()
    np.testing.assert_allclose(d.toarray(), ad.scipy.fft.dct(np.eye(4), norm="ortho").T, atol=1e-15)


def test_parallel_options_have_no_effect() -> None:
    expected = ad.grad(lambda x: np.sum(ad.scipy.fft.dctn(x) ** 3))(X)
    given = ad.grad(lambda x: np.sum(ad.scipy.fft.dctn(x, overwrite_x=True, workers=2) ** 3))(X)
    np.testing.assert_array_equal(given, expected)


def test_a_plan_overwrites_nothing() -> None:
    z = Z.copy()
    p = plan(lambda z: (ad.scipy.fft.fft(z, overwrite_x=True), ad.scipy.fft.dct(z, 2, None, -1, None, True), 2 * z))
    for _ in range(2):
        f, c, twice = p(z)
        np.testing.assert_allclose(f, np.fft.fft(Z))
        np.testing.assert_allclose(c, ad.scipy.fft.dct(Z))
        np.testing.assert_array_equal(twice, 2 * Z)
        np.testing.assert_array_equal(z, Z)


def test_results_are_written_to_arrays_under_differentiation() -> None:
    def power(x: Any) -> Any:
        y = x + 0j
        np.fft.fft(x, out=y)
        return np.sum(abs(y) ** 2)

    np.testing.assert_allclose(ad.grad(power)(X), 2 * 4 * X)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "out": (lambda x: np.fft.fft(x, out=np.zeros((3, 4), complex)), "out=: expected an array under differentiation"),
    "out by position": (lambda x: np.fft.fft(x, None, -1, None, np.zeros((3, 4), complex)), "out=: expected an array under"),
    "norm": (lambda x: np.fft.fft(x, norm="unitary"), "expected norm 'backward', 'ortho' or 'forward', got 'unitary'"),
    "norm of hfft": (lambda x: np.fft.hfft(x, norm="unitary"), "hfft expected norm"),
    "no entries": (lambda x: np.fft.fft(x, 0), "fft expected a transform of at least one entry, got n=0"),
    "negative length": (lambda x: np.fft.rfft(x, -1), "rfft expected a transform of at least one entry, got n=-1"),
    "too few for irfft": (lambda x: np.fft.irfft(x[:, :1]), r"transforms of at least one entry, got lengths \[0\]"),
    "empty axis": (lambda x: np.fft.fft(x[:, :0]), r"fft expected transforms of at least one entry, got lengths \[0\]"),
    "lengths and axes": (lambda x: np.fft.fftn(x, (2, 3), (0,)), r"as many lengths as axes, got s=\(2, 3\) for axes=\(0,\)"),
    "axis": (lambda x: np.fft.fft(x, axis=2), "axis 2 is out of bounds"),
    "number": (lambda x: np.fft.fft(x[0, 0]), "out of bounds"),
    "no axes": (lambda x: np.fft.rfftn(x, axes=()), "rfftn expected at least one axis"),
    "plan of CuPy": (lambda x: ad.scipy.fft.fft(x, plan=object()), r"fft: keyword arguments \['plan'\]"),
    "axes twice": (lambda x: ad.scipy.fft.fftn(x, axes=(0, -2)), "fftn expected different axes"),
    "type": (lambda x: ad.scipy.fft.dct(x, 5), "dct expected type 1, 2, 3 or 4, got 5"),
    "type 1 of one entry": (lambda x: ad.scipy.fft.dct(x[:, :1], 1), "at least two entries along the axis, got 1"),
    "norm of dct": (lambda x: ad.scipy.fft.idst(x, norm="unitary"), "idst expected norm"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused(what: str) -> None:
    f, message = REFUSED[what]
    with pytest.raises((TypeError, ValueError, IndexError), match=message):
        ad.vjp(f, X)


def test_complex_arrays_where_real_ones_are_wanted() -> None:
    for f in (np.fft.rfft, np.fft.ihfft, np.fft.rfftn, ad.scipy.fft.ihfft2):
        with pytest.raises(TypeError, match="expected a real array, got complex128"):
            ad.vjp(f, Z)
    with pytest.raises(TypeError, match="SciPy leaves orthogonalize out for complex arrays"):
        ad.vjp(lambda z: ad.scipy.fft.dct(z, orthogonalize=True), Z)


def test_functions_without_a_differential_name_themselves() -> None:
    with pytest.raises(NotDifferentiableError, match=r"gpuad\.scipy\.fft\.fht"):
        ad.vjp(lambda x: ad.scipy.fft.fht(x, 0.1, 0.5), X)


def test_importing_gpuad_leaves_scipy_signal_alone() -> None:
    code = "import sys, gpuad; print([m for m in ('scipy.signal', 'scipy.fft') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "scipy.signal" not in run.stdout


def test_namespaces_are_complete() -> None:
    for module, name in ((ad.scipy.fft, "dct"), (ad.scipy.signal, "lfilter")):
        assert name in dir(module)
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            _ = module.nonsense
    assert ad.scipy.fft.next_fast_len(7) == 7
