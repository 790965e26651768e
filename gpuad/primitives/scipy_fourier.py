"""``scipy.fft``: the Fourier transforms of :mod:`gpuad.primitives.fourier`, and cosine and sine transforms.

``overwrite_x`` and ``workers`` have no effect on traced arrays. Cosine and sine transforms of every type, norm and scaling are
the orthogonal one, between two diagonal matrices that are multiples of the identity but for the first and last entries.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import linear
from gpuad.dispatch import TABLE, implements
from gpuad.primitives import fourier
from gpuad.primitives.fourier import checked_norm, complex_transform, lengths_along, real_inverse, real_transform, resized
from gpuad.primitives.shapes import refuse_options
from gpuad.traced import raw
from linalg import CosineTransform
from linalg.arrays import namespace
from linalg.elements.spectral import SWAPPED


def single(x: Any) -> Any:
    """x, of float32 where it is of float16, which SciPy's transforms do not keep."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _different(name: str, x: Any, s: Any, axes: Any) -> tuple[Any, Any]:
    """Lengths and axes, of which no two may be the same; each may be one number."""
    s, axes = ((n,) if isinstance(n, (int, np.integer)) else n for n in (s, axes))
    if axes is not None and len({normalize_axis_index(axis, x.ndim) for axis in axes}) < len(axes):
        raise ValueError(f"{name} expected different axes, got {axes}")
    return s, axes


# ---- Fourier transforms

def _along_one_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function with SciPy's parameters."""
    def transform(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None, overwrite_x: bool = False,
                  workers: int | None = None, *, plan: Any = None) -> Any:
        del overwrite_x, workers
        refuse_options(function.__name__, plan=plan)
        return function(single(x), n, axis, norm)

    return transform


for _f in (fourier.fft, fourier.ifft, fourier.rfft, fourier.irfft, fourier.hfft, fourier.ihfft):
    TABLE[getattr(scipy.fft, _f.__name__)] = _along_one_axis(_f)


def _along_axes(name: str, function: Callable[..., Any], default: Any) -> Callable[..., Any]:
    """A transform along several axes, with SciPy's parameters."""
    def transform(x: Any, s: Any = None, axes: Any = default, norm: str | None = None, overwrite_x: bool = False,
                  workers: int | None = None, *, plan: Any = None) -> Any:
        del overwrite_x, workers
        refuse_options(name, plan=plan)
        s, axes = _different(name, x, s, axes)
        return function(name, single(x), s, axes, norm)

    return transform


def _inverse_transform(name: str, x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return complex_transform(name, x, s, axes, norm, inverse=True)


def _hermitian(name: str, x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return real_inverse(name, x, s, axes, SWAPPED[checked_norm(name, norm)], conjugated=True)


def _inverse_hermitian(name: str, x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return real_transform(name, x, s, axes, SWAPPED[checked_norm(name, norm)], conjugated=True)


_FAMILIES: dict[str, Callable[..., Any]] = {
    "fft": complex_transform, "ifft": _inverse_transform, "rfft": real_transform, "irfft": real_inverse,
    "hfft": _hermitian, "ihfft": _inverse_hermitian}
for _name, _g in _FAMILIES.items():
    TABLE[getattr(scipy.fft, f"{_name}n")] = _along_axes(f"{_name}n", _g, None)
    TABLE[getattr(scipy.fft, f"{_name}2")] = _along_axes(f"{_name}2", _g, (-2, -1))

implements(scipy.fft.fftshift)(fourier.fftshift)
implements(scipy.fft.ifftshift)(fourier.ifftshift)


@implements(scipy.fft.fftfreq)
def fftfreq(n: int, d: Any = 1.0, *, xp: Any = None, device: Any = None) -> Any:
    """The frequencies of ``fft`` for samples at distances d."""
    refuse_options("fftfreq", xp=xp)
    return fourier.fftfreq(n, d, device)


@implements(scipy.fft.rfftfreq)
def rfftfreq(n: int, d: Any = 1.0, *, xp: Any = None, device: Any = None) -> Any:
    """The frequencies of ``rfft`` for samples at distances d."""
    refuse_options("rfftfreq", xp=xp)
    return fourier.rfftfreq(n, d, device)


# ---- cosine and sine transforms

ENDS: dict[tuple[bool, int], tuple[list[int], list[int]]] = {
    (False, 1): ([0, -1], [0, -1]), (False, 2): ([], [0]), (False, 3): ([0], []), (True, 2): ([], [-1]), (True, 3): ([-1], [])}
"""By (sine, type): the entries of the argument, and of the result, that orthogonality weighs with √2 and √½."""


def _transform(x: Any, sine: bool, kind: int, axis: int, norm: str, orthogonal: bool) -> Any:
    """The transform along one axis; "backward" has no factor here."""
    n = x.shape[axis]
    before, after = ENDS.get((sine, kind), ([], []))
    if n < 2 and (sine, kind) == (False, 1):
        raise ValueError(f"dct of type 1 expected at least two entries along the axis, got {n}")
    period = 2 * n if kind != 1 else 2 * n + 2 if sine else 2 * n - 2
    factor = {"backward": period**0.5, "ortho": 1.0, "forward": period**-0.5}[norm]
    if orthogonal:
        before = after = []
    if before:
        x = x * _weights(x, axis, 1.0, before, 0.5**0.5)
    y = linear(x, operator=CosineTransform(x.shape, axis, kind, sine))
    if after:
        return y * _weights(x, axis, factor, after, 2**0.5)
    return y if factor == 1 else y * factor


def _weights(x: Any, axis: int, factor: float, ends: list[int], change: float) -> Any:
    """The factor along an axis, changed at its ends."""
    weights = namespace(raw(x)).full(x.shape[axis], factor, dtype=np.finfo(x.dtype).dtype)
    weights[ends] *= change
    return weights.reshape((-1,) + (1,) * (x.ndim - 1 - axis))


def _checked(name: str, x: Any, kind: int, norm: str | None, orthogonalize: bool | None, inverse: bool) -> tuple[int, str, bool]:
    """(type, norm, whether orthogonal) of the forward transform that is meant."""
    if kind not in (1, 2, 3, 4):
        raise ValueError(f"{name} expected type 1, 2, 3 or 4, got {kind!r}")
    norm = checked_norm(name, norm)
    orthogonal = norm == "ortho" if orthogonalize is None else bool(orthogonalize)
    if x.dtype.kind == "c" and orthogonal != (norm == "ortho"):
        raise TypeError(f"{name} expected a real array for orthogonalize={orthogonalize} and norm={norm!r}, got {x.dtype}: "
                        "SciPy leaves orthogonalize out for complex arrays. Transform x.real and x.imag")
    return ({2: 3, 3: 2}.get(kind, kind), SWAPPED[norm], orthogonal) if inverse else (kind, norm, orthogonal)


def _enter(name: str, sine: bool, inverse: bool) -> None:
    """The transform along one axis, and its like along several, into the table."""
    def along_one_axis(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None,  # noqa: A002
                       overwrite_x: bool = False, workers: int | None = None, orthogonalize: bool | None = None) -> Any:
        del overwrite_x, workers
        return along_axes(x, type, None if n is None else (n,), (axis,), norm, orthogonalize=orthogonalize)

    def along_axes(x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None,  # noqa: A002
                   overwrite_x: bool = False, workers: int | None = None, orthogonalize: bool | None = None) -> Any:
        del overwrite_x, workers
        x = single(x)
        kind, norm, orthogonal = _checked(name, x, type, norm, orthogonalize, inverse)
        for n, axis in lengths_along(name, x, *_different(name, x, s, axes)):
            x = _transform(resized(x, n, axis), sine, kind, axis, norm, orthogonal)
        return x

    TABLE[getattr(scipy.fft, name)], TABLE[getattr(scipy.fft, f"{name}n")] = along_one_axis, along_axes


for _name in ("dct", "idct", "dst", "idst"):
    _enter(_name, sine="s" in _name, inverse=_name.startswith("i"))
