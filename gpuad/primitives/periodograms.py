"""Spectra of ``scipy.signal``: Fourier transforms of windowed segments of a signal, and averages of their squares."""
from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

import numpy as np
import scipy.signal
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import linear
from gpuad.dispatch import implements
from gpuad.primitives import fourier
from gpuad.primitives.filters import extended
from gpuad.primitives.fourier import resized
from gpuad.primitives.shapes import arrays_of
from gpuad.primitives.smoothing import detrend as detrended
from gpuad.traced import raw
from linalg import Scatter
from linalg.arrays import is_array, namespace

Detrend = str | bool | Callable[..., Any]

# ---- segments

class Segments:
    """How a signal of n entries is cut: windows of ``length`` entries, ``step`` apart, transformed with ``nfft`` entries."""

    def __init__(self, name: str, like: Any, n: int, window: Any, nperseg: Any, noverlap: Any, nfft: Any, share: int = 2):
        if isinstance(window, (str, tuple)):
            length = min(256 if nperseg is None else index(nperseg), n)
            window = scipy.signal.get_window(window, max(length, 1))
        else:
            window = window if is_array(window) else np.asarray(window)
            length = window.size if nperseg is None else index(nperseg)
        self.length, self.nfft = length, length if nfft is None else index(nfft)
        self.step = length - (length // share if noverlap is None else index(noverlap))
        if window.shape != (length,) or not 0 < length <= min(n, self.nfft) or self.step < 1:
            raise ValueError(f"{name} expected a window of shape (nperseg,), noverlap < nperseg ≤ nfft and a signal of at least "
                             f"nperseg entries, got a window of shape {window.shape}, nperseg={length}, "
                             f"noverlap={length - self.step}, nfft={self.nfft} and {n} entries")
        self.xp = namespace(raw(like))
        self.window = self.xp.asarray(window) if type(window) is np.ndarray else window
        self.window = self.window.astype(np.finfo(like.dtype).dtype)

    def of(self, x: Any) -> Any:
        """The segments of x as rows."""
        count = (x.shape[-1] - self.length) // self.step + 1
        places = np.add.outer(np.arange(count) * self.step, np.arange(self.length))
        return np.take(x, self.xp.asarray(places), axis=-1)

    def spectra(self, x: Any, detrend: Detrend, onesided: bool, axis: int = -1) -> Any:
        """The Fourier transforms of the segments, detrended and weighed with the window."""
        rows = _detrended(self.of(x), detrend, axis) * self.window
        return (fourier.rfft if onesided else fourier.fft)(rows, self.nfft)

    def frequencies(self, fs: Any, onesided: bool) -> Any:
        return (self.xp.fft.rfftfreq if onesided else self.xp.fft.fftfreq)(self.nfft) * fs

    def scale(self, scaling: str, fs: Any) -> Any:
        """What makes of squares a density, or a spectrum."""
        if scaling not in ("density", "spectrum"):
            raise ValueError(f"expected scaling 'density' or 'spectrum', got {scaling!r}")
        return 1 / (fs * (self.window**2).sum()) if scaling == "density" else 1 / self.window.sum() ** 2

    def weights(self, like: Any, onesided: bool) -> Any:
        """Two for frequencies that stand for a pair, one for the others."""
        if not onesided:
            return 1.0
        weights = self.xp.full(self.nfft // 2 + 1, 2.0, dtype=np.finfo(like.dtype).dtype)
        weights[0] = 1
        if self.nfft % 2 == 0:
            weights[-1] = 1
        return weights


def _detrended(rows: Any, detrend: Detrend, axis: int) -> Any:
    if detrend is False or detrend is None:
        return rows
    if isinstance(detrend, str):
        return detrended(rows, type=detrend)
    return detrend(rows) if axis == -1 else np.moveaxis(detrend(np.moveaxis(rows, -1, axis)), axis, -1)  # type: ignore[operator]


def _power(p: Any, q: Any) -> Any:
    """conj(p) q; real where they are one."""
    return p.real**2 + p.imag**2 if p is q else np.conjugate(p) * q


# ---- averages over segments

@implements(scipy.signal.csd)
def csd(x: Any, y: Any, fs: Any = 1.0, window: Any = "hann", nperseg: Any = None, noverlap: Any = None, nfft: Any = None,
        detrend: Detrend = "constant", return_onesided: bool = True, scaling: str = "density", axis: int = -1,
        average: str = "mean") -> tuple[Any, Any]:
    """(frequencies, the average of conj(X) Y over the transforms X and Y of the segments)."""
    same = y is x
    x, y = (x, x) if same else arrays_of(x, y)
    kind = np.result_type(x.dtype, y.dtype, np.complex64)
    onesided = return_onesided and "c" not in x.dtype.kind + y.dtype.kind
    lines, others = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    n = max(lines.shape[-1], others.shape[-1])
    cut = Segments("csd", x, n, window, nperseg, noverlap, nfft)
    p = cut.spectra(resized(lines, n, lines.ndim - 1), detrend, onesided)
    q = p if same else cut.spectra(resized(others, n, others.ndim - 1), detrend, onesided)
    power = _average(_power(p, q), average) * cut.scale(scaling, fs) * cut.weights(p, onesided)
    power = power.astype(np.finfo(kind).dtype if same else kind)
    return cut.frequencies(fs, onesided), np.moveaxis(power, -1, axis)


def _average(power: Any, average: str) -> Any:
    if average not in ("mean", "median"):
        raise ValueError(f"csd expected average 'mean' or 'median', got {average!r}")
    n = power.shape[-2]
    if average == "mean" or n == 1:
        return power.mean(axis=-2)
    even = 2 * np.arange(1.0, (n - 1) // 2 + 1)
    bias = float(1 + (1 / (even + 1) - 1 / even).sum())
    if power.dtype.kind == "c":
        return (np.median(power.real, axis=-2) + 1j * np.median(power.imag, axis=-2)) / bias
    return np.median(power, axis=-2) / bias


@implements(scipy.signal.welch)
def welch(x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: Any = None, noverlap: Any = None, nfft: Any = None,
          detrend: Detrend = "constant", return_onesided: bool = True, scaling: str = "density", axis: int = -1,
          average: str = "mean") -> tuple[Any, Any]:
    """(frequencies, the average of |X|² over the transforms X of the segments)."""
    return csd(x, x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average)


@implements(scipy.signal.periodogram)
def periodogram(x: Any, fs: Any = 1.0, window: Any = "boxcar", nfft: Any = None, detrend: Detrend = "constant",
                return_onesided: bool = True, scaling: str = "density", axis: int = -1) -> tuple[Any, Any]:
    """``welch`` with one segment: the whole signal, or its first ``nfft`` entries."""
    axis = normalize_axis_index(axis, x.ndim)
    n = x.shape[axis] if nfft is None else min(index(nfft), x.shape[axis])
    window = "boxcar" if window is None else window
    return welch(resized(x, n, axis), fs, window, n, 0, nfft, detrend, return_onesided, scaling, axis)


@implements(scipy.signal.coherence)
def coherence(x: Any, y: Any, fs: Any = 1.0, window: Any = "hann", nperseg: Any = None, noverlap: Any = None, nfft: Any = None,
              detrend: Detrend = "constant", axis: int = -1) -> tuple[Any, Any]:
    """(frequencies, |Pxy|² / (Pxx Pyy)) of averages over segments."""
    options = (fs, window, nperseg, noverlap, nfft, detrend)
    (f, p), (_, q), (_, r) = (csd(u, v, *options, axis=axis) for u, v in ((x, x), (y, y), (x, y)))
    return f, abs(r) ** 2 / p / q


# ---- one spectrum for each segment

@implements(scipy.signal.spectrogram)
def spectrogram(x: Any, fs: Any = 1.0, window: Any = ("tukey", 0.25), nperseg: Any = None, noverlap: Any = None, nfft: Any = None,
                detrend: Detrend = "constant", return_onesided: bool = True, scaling: str = "density", axis: int = -1,
                mode: str = "psd") -> tuple[Any, Any, Any]:
    """(frequencies, times, |X|² of each segment); mode "complex" gives X itself, "magnitude" |X|, "angle" its phase."""
    if mode not in ("psd", "complex", "magnitude", "angle"):
        raise TypeError(f"spectrogram: mode {mode!r} has no differential in gpuad; use 'psd', 'complex', 'magnitude' or 'angle'")
    f, t, z = _segments("spectrogram", x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis,
                        squares=mode == "psd", share=8)
    return f, t, abs(z) if mode == "magnitude" else np.angle(z) if mode == "angle" else z


@implements(scipy.signal.stft)
def stft(x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: Any = 256, noverlap: Any = None, nfft: Any = None,
         detrend: Detrend = False, return_onesided: bool = True, boundary: str | None = "zeros", padded: bool = True,
         axis: int = -1, scaling: str = "spectrum") -> tuple[Any, Any, Any]:
    """(frequencies, times, transforms of the segments) of a signal that is continued at both ends."""
    if boundary not in ("zeros", "even", "odd", "constant", None):
        raise ValueError(f"stft expected boundary 'zeros', 'even', 'odd', 'constant' or None, got {boundary!r}")
    return _segments("stft", x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided,
                     "density" if scaling == "psd" else scaling, axis, boundary, padded)


def _segments(name: str, x: Any, fs: Any, window: Any, nperseg: Any, noverlap: Any, nfft: Any, detrend: Detrend, onesided: bool,
              scaling: str, axis: int, boundary: str | None = None, padded: bool = False, squares: bool = False,
              share: int = 2) -> tuple[Any, Any, Any]:
    onesided = onesided and x.dtype.kind != "c"
    lines = np.moveaxis(x, axis, -1)
    cut = Segments(name, x, lines.shape[-1], window, nperseg, noverlap, nfft, share)
    if boundary is not None:
        lines = extended(lines, lines.ndim - 1, boundary, cut.length // 2)
    if padded:
        missing = -(lines.shape[-1] - cut.length) % cut.step % cut.length
        lines = resized(lines, lines.shape[-1] + missing, lines.ndim - 1)
    z = cut.spectra(lines, detrend, onesided, axis)
    z = _power(z, z) * cut.weights(z, onesided) * cut.scale(scaling, fs) if squares else z * cut.scale(scaling, fs) ** 0.5
    z = z.astype(np.result_type(x.dtype, np.complex64) if not squares else np.finfo(np.result_type(x.dtype, np.float32)).dtype)
    times = cut.xp.arange(cut.length / 2, lines.shape[-1] - cut.length / 2 + 1, cut.step) / fs
    return (cut.frequencies(fs, onesided), times if boundary is None else times - cut.length / 2 / fs,
            np.moveaxis(z, -1, axis if axis >= 0 else axis - 1))


@implements(scipy.signal.istft)
def istft(Zxx: Any, fs: Any = 1.0, window: Any = "hann", nperseg: Any = None, noverlap: Any = None, nfft: Any = None,
          input_onesided: bool = True, boundary: bool = True, time_axis: int = -1, freq_axis: int = -2,
          scaling: str = "spectrum") -> tuple[Any, Any]:
    """(times, the signal of which ``stft`` makes Zxx): weighed segments, added up where they overlap."""
    time_axis, freq_axis = (normalize_axis_index(axis, Zxx.ndim) for axis in (time_axis, freq_axis))
    if time_axis == freq_axis:
        raise ValueError(f"istft expected different axes of time and frequency, got {time_axis} twice")
    rows = np.moveaxis(Zxx, (time_axis, freq_axis), (-2, -1))
    count, m = rows.shape[-2:]
    default = 2 * (m - 1) if input_onesided else m
    length = default if nperseg is None else index(nperseg)
    if nfft is None:
        nfft = length if input_onesided and length == default + 1 else default
    total = length + (count - 1) * (length - (length // 2 if noverlap is None else index(noverlap)))
    cut = Segments("istft", Zxx, total, window, length, noverlap, nfft)
    rows = (fourier.irfft if input_onesided else fourier.ifft)(rows, nfft)[..., :length]
    rows = rows * cut.window / cut.scale({"psd": "density"}.get(scaling, scaling), fs) ** 0.5
    places = np.add.outer(np.arange(count) * cut.step, np.arange(length))
    x = linear(rows, operator=Scatter((*rows.shape[:-2], total), (Ellipsis, cut.xp.asarray(places))))
    norm = sum(resized(np.pad(cut.window**2, (i * cut.step, 0)), total, 0) for i in range(count))
    if boundary:
        inside = slice(length // 2, total - length // 2)
        x, norm = x[..., inside], norm[inside]
    x = x / np.where(norm > 1e-10, norm, 1.0)
    x = np.moveaxis(x, -1, time_axis - (freq_axis < time_axis))
    return cut.xp.arange(x.shape[0]) / fs, x  # of the first axis, as in SciPy


__all__ = ["Segments", "coherence", "csd", "istft", "periodogram", "spectrogram", "stft", "welch"]
