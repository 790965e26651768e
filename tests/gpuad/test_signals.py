"""Functions of ``scipy.signal``: what is special, and what is refused with what message."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.signal

import gpuad as ad
from gpuad import NotDifferentiableError
from gpuad.planning import plan

signal = ad.scipy.signal
X = np.random.default_rng(0).standard_normal((3, 8))
SOS = scipy.signal.butter(3, 0.3, output="sos")


def test_a_filter_is_a_triangular_system() -> None:
    """The row of a filter in the system of a program is the impulse response as a Toeplitz matrix."""
    b, a = scipy.signal.butter(2, 0.4)
    _, system = ad.linearize(lambda x: signal.lfilter(b, a, x), X[0])
    _, d = system.to_sparse()
    response = scipy.signal.lfilter(b, a, np.eye(8)[0])
    np.testing.assert_allclose(d.toarray()[-8:], scipy.linalg.toeplitz(response, np.zeros(8)), atol=1e-15)


def test_states_join_parts_of_a_signal() -> None:
    """Filtering in two parts, with the state handed over, has the gradients of filtering at once."""
    b, a = scipy.signal.butter(3, 0.4)
    w = np.random.default_rng(1).standard_normal(8)

    def at_once(b: Any, a: Any, x: Any) -> Any:
        return w @ signal.lfilter(b, a, x)

    def in_parts(b: Any, a: Any, x: Any) -> Any:
        z, parts = np.zeros(3), []
        for part in (x[:1], x[1:3], x[3:]):
            y, z = signal.lfilter(b, a, part, zi=z)
            parts.append(y)
        return w @ np.concatenate(parts)

    for got, expected in zip(ad.grad(in_parts, (0, 1, 2))(b, a, X[0]), ad.grad(at_once, (0, 1, 2))(b, a, X[0]), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_scaling_all_coefficients_changes_nothing() -> None:
    b, a = scipy.signal.butter(2, 0.3)
    gb, ga = ad.grad(lambda b, a: np.sum(signal.lfilter(b, a, X) ** 2), (0, 1))(b, a)
    assert abs(gb @ b + ga @ a) < 1e-10


def test_long_convolutions_go_through_the_fft() -> None:
    rng = np.random.default_rng(2)
    x, h = rng.standard_normal(3000), rng.standard_normal(2000)
    y, pullback = ad.vjp(lambda x, h: signal.convolve(x, h, "same"), x, h)
    np.testing.assert_allclose(y, scipy.signal.convolve(x, h, "same"), atol=1e-9)
    gx, gh = pullback(y)
    full = np.zeros(4999)
    full[999:3999] = y
    np.testing.assert_allclose(gx, scipy.signal.correlate(full, h, "valid"), atol=1e-7)
    np.testing.assert_allclose(gh, scipy.signal.correlate(full, x, "valid"), atol=1e-7)


@pytest.mark.parametrize("dtype", "fF")
def test_single_precision_stays(dtype: str) -> None:
    x = X.astype(dtype)
    taps = np.array([1.0, 0.5], "f")
    programs: list[Callable[[Any], Any]] = [
        lambda x: signal.lfilter(taps, taps, x), lambda x: signal.convolve(x, x), lambda x: signal.detrend(x),
        lambda x: signal.resample(x, 5), lambda x: signal.upfirdn(taps, x, 2), lambda x: signal.sosfilt(SOS.astype("f"), x),
        lambda x: signal.welch(x, nperseg=4, return_onesided=False)[1], lambda x: signal.hilbert(x.real)]
    for f in programs:
        out, pullback = ad.vjp(f, x)
        assert out.dtype == f(x).dtype and out.dtype in (np.float32, np.complex64)
        assert pullback(np.ones_like(out))[0].dtype == x.dtype


def test_ties_of_a_median_have_one_place() -> None:
    jacobian = ad.jacobian(signal.medfilt)(np.array([1.0, 1.0, 1.0, 2.0]))
    assert set(np.unique(jacobian)) <= {0.0, 1.0}
    np.testing.assert_array_equal(jacobian.sum(axis=1), [1, 1, 1, 1])


def test_coefficients_of_a_plan_may_change() -> None:
    p = plan(lambda b, a, x: ad.value_and_grad(lambda a: np.sum(signal.filtfilt(b, a, x) ** 2))(a))
    for cutoff in (0.2, 0.3, 0.4):
        b, a = scipy.signal.butter(1, cutoff)
        value, gradient = p(b, a, X)
        expected, other = ad.value_and_grad(lambda a, b=b: np.sum(signal.filtfilt(b, a, X) ** 2))(a)
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        np.testing.assert_allclose(gradient, other, rtol=1e-10)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "numbers of axes": (lambda x: signal.convolve(x, x[0]), r"two arrays of as many axes, got shapes \(3, 8\) and \(8,\)"),
    "vectors in the plane": (lambda x: signal.convolve2d(x[0], x[0]), "convolve2d expected two matrices"),
    "mode": (lambda x: signal.correlate(x, x, "middle"), "expected mode 'full', 'same' or 'valid', got 'middle'"),
    "method": (lambda x: signal.convolve(x, x, method="slow"), "expected method 'auto', 'direct' or 'fft', got 'slow'"),
    "neither covers the other": (lambda x: signal.convolve(x, x.T, "valid"), r"got lengths \(3, 8\) and \(8, 3\)"),
    "nothing": (lambda x: signal.convolve(x, x[:0]), "at least one entry each"),
    "boundary": (lambda x: signal.convolve2d(x, x, boundary="mirror"), "boundary 'fill', 'wrap' or 'symm', got 'mirror'"),
    "shapes that do not broadcast": (lambda x: signal.fftconvolve(x, x[:2], axes=1), r"broadcast along the axes \(0,\)"),
    "no axes": (lambda x: signal.fftconvolve(x, x, axes=()), "at least one axis"),
    "leading coefficient": (lambda x: signal.lfilter([1.0], [0.0, 1.0], x), r"a\[0\] other than zero, got a = \[0. 1.\]"),
    "matrix of coefficients": (lambda x: signal.lfilter(x, [1.0], x), r"coefficients b and a of shape \(k,\)"),
    "state": (lambda x: signal.lfilter([1.0, 2.0], [1.0], x, zi=np.zeros((3, 2))), r"to shape \(3, 1\), got shape \(3, 2\)"),
    "states of sections": (lambda x: signal.sosfilt(SOS, x, zi=np.zeros((2, 3))), r"zi of shape \(2, 3, 2\), got \(2, 3\)"),
    "number as a signal": (lambda x: signal.lfilter([1.0], [2.0], x[0, 0]), "at least one axis"),
    "sections": (lambda x: signal.sosfilt(x, x), r"sections sos of shape \(n, 6\), got \(3, 8\)"),
    "sections that are not normalised": (lambda x: signal.sosfilt(2 * SOS, x), "the leading coefficients a, to be one"),
    "Gustafsson's method": (lambda x: signal.filtfilt([1.0], [1.0], x, method="gust"), "use method='pad'"),
    "padtype": (lambda x: signal.filtfilt([1.0], [1.0], x, padtype="zeros"), "padtype 'even', 'odd', 'constant' or None"),
    "short signal": (lambda x: signal.filtfilt([1.0], [1.0, 0, 0], x), "longer than padlen=9 along axis 1"),
    "mode of savgol": (lambda x: signal.savgol_filter(x, 3, 1, mode="reflect"), "savgol_filter expected mode"),
    "window of savgol": (lambda x: signal.savgol_filter(x, 9, 1), "a window of at most 8 entries for mode 'interp', got 9"),
    "type of detrend": (lambda x: signal.detrend(x, type="quadratic"), "detrend expected type 'linear' or 'constant'"),
    "breakpoints": (lambda x: signal.detrend(x, bp=9), "breakpoints of at most 8"),
    "even windows": (lambda x: signal.medfilt(x, 2), "windows of odd lengths, got kernel_size=2"),
    "median of planes": (lambda x: signal.medfilt2d(x[None]), "medfilt2d expected a matrix"),
    "domain": (lambda x: signal.order_filter(x, np.ones((2, 2)), 0), "domain of 2 axes of odd lengths"),
    "domain of resample": (lambda x: signal.resample(x, 4, domain="space"), "domain 'time' or 'freq'"),
    "window of resample": (lambda x: signal.resample(x, 4, window=np.ones(4)), r"window of shape \(3,\), got \(4,\)"),
    "mode of upfirdn": (lambda x: signal.upfirdn([1.0], x, mode="edge"), "use mode='constant' and cval=0"),
    "up": (lambda x: signal.upfirdn([1.0], x, 0), "up and down of at least one"),
    "padtype of resample_poly": (lambda x: signal.resample_poly(x, 2, 3, padtype="line"), "or one of mean"),
    "ftype": (lambda x: signal.decimate(x, 2, ftype="bessel"), "use 'iir' or 'fir'"),
    "window of welch": (lambda x: signal.welch(x, window=np.ones(3), nperseg=4), r"a window of shape \(3,\), nperseg=4"),
    "overlap": (lambda x: signal.welch(x, nperseg=4, noverlap=4), "noverlap=4"),
    "scaling": (lambda x: signal.welch(x, nperseg=4, scaling="power"), "scaling 'density' or 'spectrum', got 'power'"),
    "average": (lambda x: signal.welch(x, nperseg=4, average="mode"), "average 'mean' or 'median', got 'mode'"),
    "boundary of stft": (lambda x: signal.stft(x, nperseg=4, boundary="wrap"), "stft expected boundary"),
    "unwrapped phases": (lambda x: signal.spectrogram(x, nperseg=4, mode="phase"), "mode 'phase' has no differential"),
    "axes of istft": (lambda x: signal.istft(x, time_axis=0, freq_axis=0), "different axes of time and frequency"),
    "number of frequencies": (lambda x: signal.freqz(x[0], worN=2.5), "a number of frequencies or an array of them, got 2.5"),
    "coefficients of freqz": (lambda x: signal.freqz(x), r"freqz expected coefficients b and a of shape \(k,\)"),
    "sections of freqz": (lambda x: signal.freqz_sos(x), r"sections of shape \(n, 6\), n ≥ 1, got \(3, 8\)"),
    "complex hilbert": (lambda x: signal.hilbert(x + 0j), "hilbert expected a real array"),
    "no samples of hilbert": (lambda x: signal.hilbert(x, 0), "at least one entry, got N=0"),
    "complex savgol": (lambda x: signal.savgol_filter(x + 0j, 3, 1), "savgol_filter expected a real array"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused(what: str) -> None:
    f, message = REFUSED[what]
    with pytest.raises((TypeError, ValueError), match=message):
        ad.vjp(f, X)


def test_functions_without_a_differential_name_themselves() -> None:
    with pytest.raises(NotDifferentiableError, match=r"gpuad\.scipy\.signal\.find_peaks"):
        ad.vjp(lambda x: signal.find_peaks(x), X[0])
