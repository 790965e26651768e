"""Frequency responses of the filters of ``scipy.signal``: quotients of polynomials on the unit circle."""
from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
import scipy.signal

from gpuad.dispatch import TABLE, implements
from gpuad.primitives.shapes import arrays_of
from gpuad.primitives.signals import convolve
from gpuad.traced import raw
from linalg.arrays import is_array, namespace


def _frequencies(name: str, worN: Any, whole: bool, fs: Any, like: Any, kind: Any, endpoint: bool = False) -> Any:
    """Angles: so many at equal distances, or those of given frequencies."""
    if (is_array(worN) and worN.ndim) or isinstance(worN, (list, tuple)):
        w = worN if is_array(worN) else namespace(raw(like)).asarray(worN, dtype=kind)
        return 2 * np.pi * (w if w.dtype == kind else w.astype(kind)) / fs
    try:
        n = index(512 if worN is None else worN)
    except TypeError as error:
        raise TypeError(f"{name} expected a number of frequencies or an array of them, got {worN!r}") from error
    return namespace(raw(like)).linspace(0, 2 * np.pi if whole else np.pi, n, endpoint=endpoint and not whole,
                                         dtype=np.finfo(kind).dtype)


def _on_the_circle(c: Any, w: Any) -> Any:
    """Σ_k c_k exp(−i k w)."""
    return np.exp(-1j * np.multiply.outer(w, namespace(raw(w)).arange(c.size, dtype=np.finfo(w.dtype).dtype))) @ c


def _vectors(name: str, b: Any, a: Any) -> list[Any]:
    b, a = map(np.atleast_1d, arrays_of(b, a))
    if b.ndim != 1 or a.ndim != 1:
        raise ValueError(f"{name} expected coefficients b and a of shape (k,), got {b.shape} and {a.shape}")
    return [b, a]


@implements(scipy.signal.freqz)
def freqz(b: Any, a: Any = 1, worN: Any = 512, whole: bool = False, plot: Any = None, fs: Any = 2 * np.pi,
          include_nyquist: bool = False) -> tuple[Any, Any]:
    """(frequencies, h = Σ_k b_k e^(−ikw) / Σ_k a_k e^(−ikw))."""
    b, a = _vectors("freqz", b, a)
    w = _frequencies("freqz", worN, whole, fs, b, np.result_type(b.dtype, a.dtype, np.float32), include_nyquist)
    h = _on_the_circle(b, w) / _on_the_circle(a, w)
    period = w.size if whole else 2 * (w.size - include_nyquist)
    if a.size == 1 and period >= b.size and np.ndim(worN) == 0:  # SciPy's way through the FFT of b
        h = h.astype(np.result_type(b.dtype, np.complex64))
    w = w * (fs / (2 * np.pi))
    if plot is not None:
        plot(w, h)
    return w, h


def freqz_sos(sos: Any, worN: Any = 512, whole: bool = False, fs: Any = 2 * np.pi) -> tuple[Any, Any]:
    """(frequencies, the product of the responses of all sections)."""
    if sos.ndim != 2 or sos.shape[1] != 6 or not len(sos):
        raise ValueError(f"freqz_sos expected sections of shape (n, 6), n ≥ 1, got {sos.shape}")
    w, h = freqz(sos[0, :3], sos[0, 3:], worN, whole, fs=fs)
    for i in range(1, len(sos)):
        h = h * freqz(sos[i, :3], sos[i, 3:], worN, whole, fs=fs)[1]
    return w, h


for _name in ("freqz_sos", "sosfreqz"):  # its new name, and its old one
    if hasattr(scipy.signal, _name):
        TABLE[getattr(scipy.signal, _name)] = freqz_sos


@implements(scipy.signal.group_delay)
def group_delay(system: Any, w: Any = 512, whole: bool = False, fs: Any = 2 * np.pi) -> tuple[Any, Any]:
    """(frequencies, −d arg h / dw) of a filter (b, a), by the derivative of the polynomial b ∗ conj(a) turned round."""
    b, a = _vectors("group_delay", *system)
    w = _frequencies("group_delay", w, whole, fs, b, np.float64)
    c = convolve(b, np.conjugate(a[::-1]))
    slope = c * namespace(raw(c)).arange(c.size)
    delay = (_on_the_circle(slope, w) / _on_the_circle(c, w)).real - (a.size - 1)
    return w * (fs / (2 * np.pi)), delay


__all__ = ["freqz", "freqz_sos", "group_delay"]
