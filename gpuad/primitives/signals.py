"""Convolutions and correlations of ``scipy.signal``.

The element chooses between the direct sum and the FFT: ``method`` has no other effect on traced arrays than that it is checked.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.dispatch import implements
from gpuad.primitives.convolutions import convolution
from gpuad.primitives.scipy_fourier import single
from gpuad.primitives.shapes import arrays_of
from linalg.arrays import Shape, namespace
from linalg.elements.convolution import window

_BOUNDARIES: dict[str, Any] = {"fill": "constant", "pad": "constant", "wrap": "wrap", "circular": "wrap", "symm": "symmetric",
                               "symmetric": "symmetric"}


def _pair(name: str, in1: Any, in2: Any, ndim: int | None = None) -> list[Any]:
    in1, in2 = arrays_of(in1, in2)
    if in1.ndim != in2.ndim or ndim not in (None, in1.ndim):
        raise ValueError(f"{name} expected two {'arrays of as many axes' if ndim is None else 'matrices'}, got shapes "
                         f"{in1.shape} and {in2.shape}")
    return [in1, in2]


def _require_mode(name: str, mode: str, m: Shape, n: Shape) -> None:
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"{name} expected mode 'full', 'same' or 'valid', got {mode!r}")
    if mode == "valid" and any(p < q for p, q in zip(m, n, strict=True)) and any(p > q for p, q in zip(m, n, strict=True)):
        raise ValueError(f"{name} expected for mode 'valid' one array that is at least as long as the other along every axis, "
                         f"got lengths {m} and {n}")


def _over_all_axes(name: str, in1: Any, in2: Any, mode: str, method: str) -> Any:
    if method not in ("auto", "direct", "fft"):
        raise ValueError(f"{name} expected method 'auto', 'direct' or 'fft', got {method!r}")
    if not in1.ndim:
        return in1 * in2
    if not in1.size or not in2.size:
        raise ValueError(f"{name} expected arrays with at least one entry each, got shapes {in1.shape} and {in2.shape}")
    _require_mode(name, mode, in1.shape, in2.shape)
    start, length = window(mode, in1.shape, in2.shape)
    return convolution(in1, in2, start=start, length=length)


def _turned(x: Any) -> Any:
    """The conjugate of x, turned round along every axis."""
    x = x[(slice(None, None, -1),) * x.ndim]
    return np.conjugate(x) if x.dtype.kind == "c" else x


@implements(scipy.signal.convolve)
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Σ_j in1[j] in2[i − j]: all of it, the middle of the shape of in1, or where one array covers the other whole."""
    in1, in2 = _pair("convolve", in1, in2)
    return _over_all_axes("convolve", in1, in2, mode, method)


@implements(scipy.signal.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Σ_j in1[j + i] conj(in2[j]), in the parts that ``convolve`` has."""
    in1, in2 = _pair("correlate", in1, in2)
    return _over_all_axes("correlate", in1, _turned(in2), mode, method)


@implements(scipy.signal.fftconvolve, scipy.signal.oaconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """``convolve`` over axes, all by default; the others broadcast."""
    a, b = map(single, _pair("fftconvolve", in1, in2))
    if not a.size or not b.size:
        return namespace(a, b).zeros(0)
    n = a.ndim
    over = normalize_axis_tuple(range(n) if axes is None else axes, n)
    if axes is not None and not over:
        raise ValueError("fftconvolve expected at least one axis, got none")
    batch = tuple(i for i in range(n) if i not in over)
    m, k = (tuple(x.shape[i] for i in over) for x in (a, b))
    if any(a.shape[i] != b.shape[i] and 1 not in (a.shape[i], b.shape[i]) for i in batch):
        raise ValueError(f"fftconvolve expected shapes that broadcast along the axes {batch}, got {a.shape} and {b.shape}")
    longer = [i for i in range(len(over)) if 1 not in (m[i], k[i])]  # along the others any lengths fit
    _require_mode("fftconvolve", mode, tuple(m[i] for i in longer), tuple(k[i] for i in longer))
    start, length = window(mode, m, k)
    order = batch + over
    y = convolution(np.transpose(a, order), np.transpose(b, order), start=start, length=length)
    y = np.transpose(y, [order.index(i) for i in range(n)])
    return y[tuple(map(_middle, y.shape, a.shape))] if mode == "same" else y


def _middle(length: int, part: int) -> slice:
    return slice((length - part) // 2, (length - part) // 2 + part)


# ---- planes, with values outside of them

@implements(scipy.signal.convolve2d)
def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """``convolve`` of two matrices; outside of the first there are copies of a value, of it, or of its mirror image."""
    in1, in2 = _pair("convolve2d", in1, in2, 2)
    _require_mode("convolve2d", mode, in1.shape, in2.shape)
    return _over_a_plane("convolve2d", in1, in2, mode, window(mode, in1.shape, in2.shape)[0], boundary, fillvalue)


@implements(scipy.signal.correlate2d)
def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """``correlate`` of two matrices, with values outside as in ``convolve2d``.

    As in SciPy, mode "same" begins at k // 2, and for mode "valid" with a larger in2 it is in1 that is conjugated.
    """
    in1, in2 = _pair("correlate2d", in1, in2, 2)
    _require_mode("correlate2d", mode, in1.shape, in2.shape)
    start = window(mode, in1.shape, in2.shape)[0] if mode != "same" else tuple(k // 2 for k in in2.shape)
    y = _over_a_plane("correlate2d", in1, _turned(in2), mode, start, boundary, fillvalue)
    exchanged = mode == "valid" and y.dtype.kind == "c" and in1.size < in2.size
    return np.conjugate(y) if exchanged else y


def _over_a_plane(name: str, x: Any, kernel: Any, mode: str, start: Shape, boundary: str, fillvalue: Any) -> Any:
    if boundary not in _BOUNDARIES:
        raise ValueError(f"{name} expected boundary 'fill', 'wrap' or 'symm', got {boundary!r}")
    length, around = window(mode, x.shape, kernel.shape)[1], _BOUNDARIES[boundary]
    if mode == "valid" or (around == "constant" and type(fillvalue) in (int, float, complex) and fillvalue == 0):
        return convolution(x, kernel, start=start, length=length)
    widths = [(k - 1 - s, s + n - m) for k, s, n, m in zip(kernel.shape, start, length, x.shape, strict=True)]
    x = np.pad(x, widths, around, **({"constant_values": fillvalue} if around == "constant" else {}))
    return convolution(x, kernel, start=tuple(k - 1 for k in kernel.shape), length=length)


__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve"]
