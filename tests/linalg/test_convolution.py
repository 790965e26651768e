"""Convolutions: long sums through the Fourier transform, windows by name, and parts that do not fit."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal

from linalg import Convolution
from linalg.elements import convolution
from linalg.elements.convolution import convolve, window

LONG = [((400,), (900,)), ((1500,), (1500,)), ((30, 30), (20, 40)), ((12, 2, 30), (12, 3, 30))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize(("k", "x"), LONG)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_long_sums_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch, k: Any, x: Any, mode: str, dtype: Any) -> None:
    if mode == "valid":  # one covers the other
        x = tuple(map(max, x, k))
    rng, taken = np.random.default_rng(0), []
    by_fft = convolution._by_fft
    monkeypatch.setattr(convolution, "_by_fft", lambda *args: taken.append(1) or by_fft(*args))
    kernel, signal = (np.asarray(rng.standard_normal(s) + 1j * rng.standard_normal(s)) for s in (k, x))
    kernel, signal = (a.astype(dtype) if np.dtype(dtype).kind == "c" else a.real.astype(dtype) for a in (kernel, signal))
    start, length = window(mode, x, k)
    element = Convolution(kernel, x, start, length)
    expected = scipy.signal.convolve(signal.astype(complex), kernel.astype(complex), mode, "direct")
    y = element @ signal
    assert (y.shape, y.dtype) == (expected.shape, dtype)
    scale = np.finfo(dtype).eps * 50 * np.linalg.norm(kernel) * np.linalg.norm(signal)
    np.testing.assert_allclose(y, expected, rtol=0, atol=scale)
    np.testing.assert_allclose(np.vdot(y, y).real, np.vdot(element.H @ y, signal).real, rtol=1e-3 if y.itemsize <= 8 else 1e-9)
    assert taken or mode == "valid"


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("m", "n"), [(5, 3), (5, 4), (3, 3), (6, 1)])
def test_windows_are_numpys(mode: Any, m: int, n: int) -> None:
    a, v = np.arange(1.0, m + 1), np.arange(2.0, n + 2)
    np.testing.assert_array_equal(convolve(v, a, *window(mode, (m,), (n,))), np.convolve(a, v, mode))


def test_infinities_stay_where_they_are_in_short_sums() -> None:
    y = Convolution(np.array([1.0, 2.0]), (4,), (0,), (5,)) @ np.array([0.0, np.inf, 0.0, 1.0])
    np.testing.assert_array_equal(y, [0, np.inf, np.inf, 1, 2])


def test_operations_are_counted() -> None:
    assert Convolution(np.ones(3), (5,), (0,), (7,)).flops == 2 * 15
    assert Convolution(np.ones(3), (5,), (2,), (3,)).flops == 2 * 9
    assert Convolution(np.ones((2, 2)), (4, 3, 3), (1, 1), (2, 2)).flops == 2 * 4 * 16


@pytest.mark.parametrize(("element", "error", "message"), [
    (lambda: Convolution([1.0], (3,), (0,), (3,)), TypeError, "Convolution expected an array as its kernel, got list"),
    (lambda: Convolution(np.ones(2), (3,), (0, 0), (3, 3)), ValueError, r"a start and a length for each axis.*\(2,\), \(3,\)"),
    (lambda: Convolution(np.ones((3, 2)), (2, 3), (0,), (3,)), ValueError, r"got \(3, 2\), \(2, 3\), \(0,\) and \(3,\)")])
def test_parts_that_do_not_fit(element: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        _ = element() @ np.ones((2, 3))


def test_there_are_three_modes() -> None:
    with pytest.raises(ValueError, match="mode 'full', 'same' or 'valid', got 'no'"):
        window("no", (3,), (2,))
