"""Discrete Fourier transforms: each is a ``linalg`` element applied to its argument, its own differential.

Transforms of real arrays are linear over the reals, so that the gradient of a real argument is real.
"""
from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from gpuad.differential import linear
from gpuad.dispatch import implements
from gpuad.primitives.shapes import refuse_options
from gpuad.traced import raw
from linalg import Fourier, FromHalfFourier, Gather, HalfFourier, Scatter
from linalg.arrays import namespace
from linalg.elements.spectral import SWAPPED

# ---- what NumPy's and SciPy's functions are made of

def resized(a: Any, n: int, axis: int) -> Any:
    """The first n entries along an axis, zeros behind those that there are."""
    m = a.shape[axis]
    lead = (slice(None),) * axis
    if n < m:
        return linear(a, operator=Gather(a.shape, (*lead, slice(n))))
    return a if n == m else linear(a, operator=Scatter((*a.shape[:axis], n, *a.shape[axis + 1:]), (*lead, slice(m))))


def complex_transform(name: str, a: Any, s: Any, axes: Any, norm: str | None, inverse: bool = False) -> Any:
    """The Fourier transform along axes, of lengths s."""
    lengths, norm = lengths_along(name, a, s, axes), checked_norm(name, norm)
    places = tuple(axis for _, axis in lengths)
    dtype = np.result_type(a.dtype, np.complex64)
    if all(a.shape[axis] == n for n, axis in lengths) and len(set(places)) == len(places):
        return linear(a, operator=Fourier(a.shape, places, inverse, norm, dtype)) if places else a
    for n, axis in lengths[::-1]:
        a = resized(a, n, axis)
        a = linear(a, operator=Fourier(a.shape, (axis,), inverse, norm, dtype))
    return a


def real_transform(name: str, a: Any, s: Any, axes: Any, norm: str | None, conjugated: bool = False) -> Any:
    """The half spectrum of a real array: along the last of the axes first, the others are transformed after it."""
    if a.dtype.kind == "c":
        raise TypeError(f"{name} expected a real array, got {a.dtype}; use fft, or take x.real first")
    norm = checked_norm(name, norm)
    *others, (n, axis) = _some(name, lengths_along(name, a, s, axes))
    a = resized(a, n, axis)
    half = HalfFourier(a.shape, axis, norm, conjugated, np.result_type(a.dtype, np.complex64))
    return complex_transform(name, linear(a, operator=half), *_columns(others), SWAPPED[norm] if conjugated else norm, conjugated)


def real_inverse(name: str, a: Any, s: Any, axes: Any, norm: str | None, conjugated: bool = False) -> Any:
    """The real array that a half spectrum belongs to: along the last of the axes last."""
    norm = checked_norm(name, norm)
    *others, (n, axis) = _some(name, lengths_along(name, a, s, axes, half=True))
    dtype = np.result_type(a.dtype, np.complex64)
    z = a if a.dtype == dtype else a.astype(dtype)
    z = complex_transform(name, z, *_columns(others[::-1]), SWAPPED[norm] if conjugated else norm, not conjugated)
    z = resized(z, n // 2 + 1, axis)
    shape = (*z.shape[:axis], n, *z.shape[axis + 1:])
    x = linear(z, operator=FromHalfFourier(shape, axis, norm, conjugated, dtype))
    return x.astype(a.dtype) if a.dtype == np.float16 else x


def checked_norm(name: str, norm: str | None) -> str:
    """The norm, "backward" by default."""
    norm = "backward" if norm is None else norm
    if norm not in SWAPPED:
        raise ValueError(f"{name} expected norm 'backward', 'ortho' or 'forward', got {norm!r}")
    return norm


def lengths_along(name: str, a: Any, s: Any, axes: Any, half: bool = False) -> list[tuple[int, int]]:
    """(length of the transform, axis) for each axis.

    All axes by default, or as many of the last ones as there are lengths. A length is that of the axis by default, and where it
    is None or −1. ``half``: a half spectrum lies along the last axis, so that its length is 2 (m − 1) by default.
    """
    if axes is None:
        axes = range(a.ndim) if s is None else range(-len(s), 0)
    places = [normalize_axis_index(index(axis), a.ndim) for axis in axes]
    if s is not None and len(s) != len(places):
        raise ValueError(f"{name} expected as many lengths as axes, got s={tuple(s)} for axes={tuple(axes)}")
    lengths = [a.shape[axis] for axis in places]
    if half and s is None and lengths:
        lengths[-1] = 2 * (lengths[-1] - 1)
    if s is not None:
        lengths = [m if n is None or n == -1 else index(n) for n, m in zip(s, lengths, strict=True)]
    if any(n < 1 for n in lengths):
        raise ValueError(f"{name} expected transforms of at least one entry, got lengths {lengths}")
    return list(zip(lengths, places, strict=True))


def _some(name: str, lengths: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not lengths:
        raise ValueError(f"{name} expected at least one axis to transform along, got none")
    return lengths


def _columns(lengths: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Lengths and axes."""
    return [n for n, _ in lengths], [axis for _, axis in lengths]


def _one(name: str, n: int | None) -> tuple[int] | None:
    """The length of a transform along one axis."""
    if n is not None and n < 1:
        raise ValueError(f"{name} expected a transform of at least one entry, got n={n}")
    return None if n is None else (n,)


# ---- numpy.fft

@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """y_k = Σ_j exp(−2πi jk/n) a_j along an axis."""
    refuse_options("fft", out=out)
    return complex_transform("fft", a, _one("fft", n), (axis,), norm)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """y_j = Σ_k exp(2πi jk/n) a_k / n along an axis."""
    refuse_options("ifft", out=out)
    return complex_transform("ifft", a, _one("ifft", n), (axis,), norm, inverse=True)


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """``fft`` along several axes, all by default."""
    refuse_options("fftn", out=out)
    return complex_transform("fftn", a, s, axes, norm)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """``ifft`` along several axes, all by default."""
    refuse_options("ifftn", out=out)
    return complex_transform("ifftn", a, s, axes, norm, inverse=True)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """``fftn``, along the last two axes by default."""
    return fftn(a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """``ifftn``, along the last two axes by default."""
    return ifftn(a, s, axes, norm, out)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The entries 0 … n/2 of ``fft(a)`` for real a."""
    refuse_options("rfft", out=out)
    return real_transform("rfft", a, _one("rfft", n), (axis,), norm)


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The real array of n entries, 2 (m − 1) by default, that the m entries of a half spectrum belong to."""
    refuse_options("irfft", out=out)
    return real_inverse("irfft", a, _one("irfft", n), (axis,), norm)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """``rfft`` along the last of several axes, ``fft`` along the others."""
    refuse_options("rfftn", out=out)
    return real_transform("rfftn", a, s, axes, norm)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """``irfft`` along the last of several axes, ``ifft`` along the others."""
    refuse_options("irfftn", out=out)
    return real_inverse("irfftn", a, s, axes, norm)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """``rfftn``, along the last two axes by default."""
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """``irfftn``, along the last two axes by default."""
    return irfftn(a, s, axes, norm, out)


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The real spectrum of a signal with Hermitian symmetry, of which a is the first half."""
    refuse_options("hfft", out=out)
    return real_inverse("hfft", a, _one("hfft", n), (axis,), SWAPPED[checked_norm("hfft", norm)], conjugated=True)


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The first half of the signal with Hermitian symmetry whose spectrum is the real a."""
    refuse_options("ihfft", out=out)
    return real_transform("ihfft", a, _one("ihfft", n), (axis,), SWAPPED[checked_norm("ihfft", norm)], conjugated=True)


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Entries rotated so that the frequency zero comes to the middle of the axes, all by default."""
    places = tuple(range(x.ndim)) if axes is None else normalize_axis_tuple(axes, x.ndim, allow_duplicate=True)
    return np.roll(x, [x.shape[axis] // 2 for axis in places], places)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """The opposite of ``fftshift``."""
    places = tuple(range(x.ndim)) if axes is None else normalize_axis_tuple(axes, x.ndim, allow_duplicate=True)
    return np.roll(x, [-(x.shape[axis] // 2) for axis in places], places)


@implements(np.fft.fftfreq)
def fftfreq(n: int, d: Any = 1.0, device: Any = None) -> Any:
    """The frequencies of ``fft`` for samples at distances d."""
    refuse_options("fftfreq", device=device)
    return namespace(raw(d)).fft.fftfreq(n) / d


@implements(np.fft.rfftfreq)
def rfftfreq(n: int, d: Any = 1.0, device: Any = None) -> Any:
    """The frequencies of ``rfft`` for samples at distances d."""
    refuse_options("rfftfreq", device=device)
    return namespace(raw(d)).fft.rfftfreq(n) / d
