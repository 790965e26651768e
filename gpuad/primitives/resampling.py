"""Analytic signals and changes of the sampling rate of ``scipy.signal``: Fourier transforms, and filters between zeros."""
from __future__ import annotations

from math import gcd
from operator import index
from typing import Any

import numpy as np
import scipy.signal
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import linear
from gpuad.dispatch import implements
from gpuad.primitives import fourier
from gpuad.primitives.convolutions import convolution
from gpuad.primitives.filters import sosfilt, sosfiltfilt
from gpuad.primitives.fourier import resized
from gpuad.primitives.scipy_fourier import single
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw
from linalg import Scatter
from linalg.arrays import is_array, namespace

# ---- through Fourier transforms

@implements(scipy.signal.hilbert)
def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """The analytic signal x + i H x: the Fourier transform without negative frequencies, and twice the positive ones."""
    if x.dtype.kind == "c":
        raise ValueError(f"hilbert expected a real array, got {x.dtype}")
    x = single(x)
    axis = normalize_axis_index(axis, x.ndim)
    n = x.shape[axis] if N is None else index(N)
    if n < 1:
        raise ValueError(f"hilbert expected at least one entry, got N={n}")
    weights = namespace(raw(x)).zeros(n, dtype=x.dtype)
    weights[: n // 2 + 1] = 2
    weights[0] = 1
    if n % 2 == 0:
        weights[n // 2] = 1
    spectrum = fourier.fft(x, n, axis) * weights.reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    return fourier.ifft(spectrum, axis=axis)


@implements(scipy.signal.resample)
def resample(x: Any, num: int, t: Any = None, axis: int = 0, window: Any = None, domain: str = "time") -> Any:
    """x as ``num`` samples of the trigonometric polynomial through its own; with t, (samples, times)."""
    if domain not in ("time", "freq"):
        raise ValueError(f"resample expected domain 'time' or 'freq', got {domain!r}")
    axis, num = normalize_axis_index(axis, x.ndim), index(num)
    lines = np.moveaxis(single(x), axis, -1)
    n = lines.shape[-1]
    weights = _window(lines, window, n)
    y = _real_samples(lines, n, num, weights) if domain == "time" and lines.dtype.kind != "c" else _complex_samples(
        fourier.fft(lines) if domain == "time" else lines, n, num, weights)
    y = np.moveaxis(y, -1, axis)
    return y if t is None else (y, t[0] + (t[1] - t[0]) * (n / num) * namespace(raw(t)).arange(num))


def _window(x: Any, window: Any, n: int) -> Any:
    """The weights of the frequencies in the order of the transform; None where there are none."""
    if window is None:
        return None
    if callable(window):
        window = window(np.fft.fftfreq(n))
    elif not is_array(window):
        window = np.fft.fftshift(scipy.signal.get_window(window, n))
    if window.shape != (n,):
        raise ValueError(f"resample expected a window of shape {(n,)}, got {window.shape}")
    return window if is_array(window) and type(window) is not np.ndarray else namespace(raw(x)).asarray(window)


def _real_samples(x: Any, n: int, num: int, weights: Any) -> Any:
    m = min(n, num)
    spectrum = fourier.rfft(x)
    if weights is not None:
        k = spectrum.shape[-1]
        folded = (weights + np.roll(weights[::-1], 1)) / 2
        spectrum = spectrum * folded[:k].astype(x.dtype)
    spectrum = spectrum[..., : m // 2 + 1] * (num / n)
    if m % 2 == 0 and num != n:
        spectrum = spectrum * _last(spectrum, 2 if num < n else 0.5)
    return fourier.irfft(spectrum, num)


def _last(x: Any, weight: float) -> Any:
    """Ones, and a weight in the last place."""
    weights = namespace(raw(x)).ones(x.shape[-1], dtype=np.finfo(x.dtype).dtype)
    weights[-1] = weight
    return weights


def _complex_samples(spectrum: Any, n: int, num: int, weights: Any) -> Any:
    if weights is not None:
        spectrum = spectrum * weights
    m, half = min(n, num), min(n, num) // 2
    low, high = spectrum[..., : half + 1], spectrum[..., n - (m - half - 1):] if m > half + 1 else spectrum[..., :0]
    if m % 2 == 0 and num < n:  # the pair of frequencies ±m/2 falls on one
        low = np.concatenate([low[..., :-1], low[..., -1:] + spectrum[..., n - half: n - half + 1]], -1)
    elif m % 2 == 0 and num > n:  # one frequency becomes a pair
        low = low * _last(low, 0.5)
        high = np.concatenate([low[..., -1:], high], -1)
    gap = resized(low, num - high.shape[-1], low.ndim - 1)
    return fourier.ifft(np.concatenate([gap, high], -1) * (num / n))


# ---- filters between zeros

@implements(scipy.signal.upfirdn)
def upfirdn(h: Any, x: Any, up: int = 1, down: int = 1, axis: int = -1, mode: str = "constant", cval: float = 0) -> Any:
    """up − 1 zeros between the entries of x, the convolution of that with h, and each down-th entry of it; mode "constant"."""
    if mode != "constant" or cval != 0:
        raise TypeError(f"upfirdn: mode {mode!r} with cval={cval} has no differential in gpuad; use mode='constant' and cval=0, "
                        "and continue the signal with numpy.pad")
    h, x = arrays_of(h, x)
    up, down = index(up), index(down)
    if h.ndim != 1 or not h.size or up < 1 or down < 1:
        raise ValueError("upfirdn expected a filter h of shape (k,), k ≥ 1, and up and down of at least one, got shape "
                         f"{h.shape}, {up} and {down}")
    lines = np.moveaxis(single(x), axis, -1)
    n = (lines.shape[-1] - 1) * up + 1
    if up > 1:
        lines = linear(lines, operator=Scatter((*lines.shape[:-1], n), (Ellipsis, slice(None, None, up))))
    y = convolution(lines, single(h), start=(0,), length=(n + h.size - 1,))
    return np.moveaxis(y[..., ::down], -1, axis)


_BACKGROUNDS: dict[str, Any] = {"mean": np.mean, "median": np.median, "minimum": np.min, "maximum": np.max}


@implements(scipy.signal.resample_poly)
def resample_poly(x: Any, up: int, down: int, axis: int = 0, window: Any = ("kaiser", 5.0), padtype: str = "constant",
                  cval: float | None = None) -> Any:
    """Samples at up / down times the rate, through a low-pass filter with zero phase.

    Outside of x there are zeros (padtype "constant"), or its mean, median, minimum or maximum.
    """
    if padtype not in (*_BACKGROUNDS, "constant") or cval not in (None, 0):
        raise TypeError(f"resample_poly: padtype {padtype!r} with cval={cval} has no differential in gpuad; use 'constant' with "
                        f"zeros, or one of {', '.join(_BACKGROUNDS)}")
    up, down = index(up), index(down)
    if up < 1 or down < 1:
        raise ValueError(f"resample_poly expected up and down of at least one, got {up} and {down}")
    up, down = up // gcd(up, down), down // gcd(up, down)
    if up == down == 1:
        return x.copy()
    if isinstance(window, list):
        window = np.asarray(window, float)
    if not is_array(window):
        window = scipy.signal.firwin(20 * max(up, down) + 1, 1 / max(up, down), window=window)
        window = namespace(raw(x)).asarray(window, dtype=x.dtype)
    background = _BACKGROUNDS[padtype](x, axis=axis, keepdims=True) if padtype in _BACKGROUNDS else 0
    half, n = (window.size - 1) // 2, -(-x.shape[axis] * up // down)
    before = down - half % down
    h = np.pad(window * up, (before, max(0, (n + (half + before) // down) * down - window.size - before)))
    first = (half + before) // down
    y = upfirdn(h, x - background if padtype in _BACKGROUNDS else x, up, down, axis)
    y = y[(slice(None),) * normalize_axis_index(axis, x.ndim) + (slice(first, first + n),)]
    return y + background if padtype in _BACKGROUNDS else y


@implements(scipy.signal.decimate)
def decimate(x: Any, q: int, n: int | None = None, ftype: Any = "iir", axis: int = -1, zero_phase: bool = True) -> Any:
    """Each q-th entry of x behind a low-pass filter: Chebyshev's of order n (8), or with ``ftype="fir"`` one of n + 1 taps."""
    if ftype not in ("iir", "fir"):
        raise TypeError(f"decimate: ftype {ftype!r} has no differential in gpuad; use 'iir' or 'fir', or filter and take x[::q]")
    q, axis = index(q), normalize_axis_index(axis, x.ndim)
    x = x.astype(np.float64) if x.dtype == np.float16 else x
    every = (slice(None),) * axis + (slice(None, None, q),)
    put = namespace(raw(x)).asarray
    if ftype == "iir":
        sos = put(scipy.signal.cheby1(8 if n is None else index(n), 0.05, 0.8 / q, output="sos"), dtype=np.finfo(x.dtype).dtype)
        return (sosfiltfilt if zero_phase else sosfilt)(sos, x, axis)[every]
    taps = put(scipy.signal.firwin((20 * q if n is None else index(n)) + 1, 1 / q, window="hamming"), dtype=x.dtype)
    if zero_phase:
        return resample_poly(x, 1, q, axis, taps)
    return upfirdn(taps, x, 1, q, axis)[(slice(None),) * axis + (slice(-(-x.shape[axis] // q)),)]


__all__ = ["decimate", "hilbert", "resample", "resample_poly", "upfirdn"]
