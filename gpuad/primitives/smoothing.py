"""Smoothing and detrending of ``scipy.signal``: linear filters with constant coefficients, and medians of windows."""
from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import scipy.signal
from numpy.lib.array_utils import normalize_axis_index

from gpuad.dispatch import implements
from gpuad.primitives.convolutions import convolution
from gpuad.primitives.signals import correlate
from gpuad.traced import raw
from linalg.arrays import namespace

_EXTENSIONS: dict[str, Any] = {"mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}


def _constant(x: Any, values: Any) -> Any:
    """Real numbers as an array that lies where x does, in its precision."""
    return namespace(raw(x)).asarray(values, dtype=np.finfo(x.dtype).dtype)


@implements(scipy.signal.savgol_filter)
def savgol_filter(x: Any, window_length: int, polyorder: int, deriv: int = 0, delta: float = 1.0, axis: int = -1,
                  mode: str = "interp", cval: float = 0.0) -> Any:
    """The value (or a derivative) in the middle of a polynomial that is fitted to each window: a convolution with constants.

    With mode "interp" the first and last entries are values of the polynomials of the first and last window.
    """
    if mode not in (*_EXTENSIONS, "interp"):
        raise ValueError(f"savgol_filter expected mode 'mirror', 'constant', 'nearest', 'wrap' or 'interp', got {mode!r}")
    _require_real("savgol_filter", x)
    x = x if x.dtype.char in "fd" else x.astype(np.float64)
    axis, n = normalize_axis_index(axis, x.ndim), window_length
    lines, half = np.moveaxis(x, axis, -1), n // 2
    taps = _constant(x, scipy.signal.savgol_coeffs(n, polyorder, deriv=deriv, delta=delta))
    if mode == "interp":
        if n > lines.shape[-1]:
            raise ValueError(f"savgol_filter expected a window of at most {lines.shape[-1]} entries for mode 'interp', got {n}")
        ends = _constant(x, scipy.signal.savgol_filter(np.eye(n), n, polyorder, deriv, delta, axis=0))
        inside = convolution(lines, taps, start=(2 * half,), length=(lines.shape[-1] - 2 * half,))
        y = np.concatenate([lines[..., :n] @ ends[:half].T, inside, lines[..., -n:] @ ends[n - half:].T], -1)
    else:
        widths = [(0, 0)] * (x.ndim - 1) + [(half, half)]
        options: Any = {"constant_values": cval} if mode == "constant" else {}
        around = np.pad(lines, widths, _EXTENSIONS[mode], **options)
        y = convolution(around, taps, start=(2 * half,), length=lines.shape[-1:])
    return np.moveaxis(y, -1, axis)


def _require_real(name: str, x: Any) -> None:
    if x.dtype.kind == "c":
        raise TypeError(f"{name} expected a real array, got {x.dtype}; filter x.real and x.imag")


@implements(scipy.signal.detrend)
def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False) -> Any:  # noqa: A002
    """Data less their mean, or less the lines that fit best between the breakpoints: I − Q Qᵀ with an orthonormal basis Q."""
    del overwrite_data
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError(f"detrend expected type 'linear' or 'constant', got {type!r}")
    if type in ("constant", "c"):
        return data - np.mean(data, axis, keepdims=True)
    data = data if data.dtype.char in "fdFD" else data.astype(np.float64)
    lines = np.moveaxis(data, axis, -1)
    ends = np.unique(np.concatenate(np.atleast_1d(0, bp, lines.shape[-1])))
    if ends[-1] > lines.shape[-1]:
        raise ValueError(f"detrend expected breakpoints of at most {lines.shape[-1]}, the length of the data, got {bp}")
    pieces = []
    for i, j in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        piece = lines[..., i:j]
        basis = _constant(data, np.linalg.qr(np.vander(np.arange(1, j - i + 1) / (j - i), 2))[0])
        pieces.append(piece - (piece @ basis) @ basis.T)
    return np.moveaxis(np.concatenate(pieces, -1), -1, axis)


# ---- windows, sorted

@implements(scipy.signal.order_filter)
def order_filter(a: Any, domain: Any, rank: int) -> Any:
    """Of each window, zeros outside of the array, the entry of a rank; ``domain`` marks the entries of a window."""
    _require_real("order_filter", a)
    domain = np.asarray(domain)
    if domain.ndim != a.ndim or any(n % 2 == 0 for n in domain.shape):
        raise ValueError(f"order_filter expected a domain of {a.ndim} axes of odd lengths, got shape {domain.shape}")
    return _ranked(a, domain != 0, rank)


@implements(scipy.signal.medfilt)
def medfilt(volume: Any, kernel_size: Any = None) -> Any:
    """The median of each window, zeros outside of the array: its derivative is one at the entry that it is."""
    return _median("medfilt", volume, 3 if kernel_size is None else kernel_size)


@implements(scipy.signal.medfilt2d)
def medfilt2d(input: Any, kernel_size: Any = 3) -> Any:  # noqa: A002
    """``medfilt`` of a matrix."""
    if input.ndim != 2:
        raise ValueError(f"medfilt2d expected a matrix, got shape {input.shape}")
    return _median("medfilt2d", input, kernel_size)


def _median(name: str, x: Any, kernel_size: Any) -> Any:
    if x.dtype.char not in "fd":
        raise ValueError(f"{name} expected an array of dtype float32 or float64, got {x.dtype}")
    lengths = tuple(np.broadcast_to(kernel_size, x.ndim).tolist())
    if any(n % 2 == 0 for n in lengths):
        raise ValueError(f"{name} expected windows of odd lengths, got kernel_size={kernel_size}")
    return _ranked(x, np.ones(lengths, bool), prod(lengths) // 2)


def _ranked(x: Any, inside: np.ndarray, rank: int) -> Any:
    """The entry of a rank of each window whose entries are marked."""
    padded = np.pad(x, [(n // 2, n // 2) for n in inside.shape])
    places = np.arange(padded.size).reshape(padded.shape)
    windows = np.lib.stride_tricks.sliding_window_view(places, inside.shape)[..., inside]
    return np.sort(np.take(np.ravel(padded), namespace(raw(x)).asarray(windows)), axis=-1)[..., rank]


@implements(scipy.signal.wiener)
def wiener(im: Any, mysize: Any = None, noise: Any = None) -> Any:
    """The local mean, and of the deviation from it as much as the local variance exceeds the noise (its mean by default)."""
    _require_real("wiener", im)
    lengths = tuple(np.broadcast_to(3 if mysize is None else mysize, im.ndim).tolist())
    ones = namespace(raw(im)).ones(lengths)
    mean = correlate(im, ones, "same") / prod(lengths)
    variance = correlate(im * im, ones, "same") / prod(lengths) - mean * mean
    if noise is None:
        noise = variance.mean()
    exceeds = variance >= noise
    return mean + np.where(exceeds, (im - mean) * (1 - noise / np.where(exceeds, variance, 1)), 0)


__all__ = ["detrend", "medfilt", "medfilt2d", "order_filter", "savgol_filter", "wiener"]
