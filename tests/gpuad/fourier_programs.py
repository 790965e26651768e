"""The catalogue's programs with Fourier, cosine and sine transforms: ``numpy.fft`` and ``scipy.fft``."""
from __future__ import annotations

import numpy as np
import scipy.fft

import gpuad as ad
from tests.gpuad.cases import case, positive

# ---- numpy.fft

for _f in (np.fft.fft, np.fft.ifft):
    case(_f, _f, (2, 3))
    case(_f, lambda x, f=_f: (f(x, 4, 0), f(x, n=2), f(x, norm="ortho") * f(x, norm="forward")), (3, 4))
for _f in (np.fft.rfft, np.fft.ihfft):
    case(_f, _f, (2, 4), kinds="d")
    case(_f, _f, (5,), kinds="d")
    case(_f, lambda x, f=_f: (f(x, 5, 0), f(x, n=2), f(x, norm="ortho") * f(x, norm="forward"), f(x, 1)), (3, 4), kinds="d")
for _f in (np.fft.irfft, np.fft.hfft):
    case(_f, _f, (2, 3))
    case(_f, lambda x, f=_f: (f(x, 5, 0), f(x, n=3), f(x, norm="ortho") * f(x, norm="forward"), f(x, 1), f(x, 7)), (3, 4))
for _f in (np.fft.fftn, np.fft.ifftn):
    case(_f, _f, (2, 1, 3))
    case(_f, lambda x, f=_f: (f(x, axes=(-1, 0), norm="ortho"), f(x, (4, -1), (0, 1)), f(x, axes=(0, 0)), f(x, (1, 4), (0, 0)),
                              f(x, axes=())), (2, 3))
    case(_f, lambda x, f=_f: f(x) * x, ())
case(np.fft.rfftn, np.fft.rfftn, (2, 1, 3), kinds="d")
case(np.fft.rfftn, lambda x: (np.fft.rfftn(x, (3, 2), (1, 0), norm="forward"), np.fft.rfftn(x, axes=(0,)),
                              np.fft.rfftn(x, axes=(0, 1, 0, 0))), (2, 3), kinds="d")
case(np.fft.irfftn, np.fft.irfftn, (2, 1, 3))
case(np.fft.irfftn, lambda x: (np.fft.irfftn(x, (3, 5), (1, 0), norm="forward"), np.fft.irfftn(x, axes=(0,)),
                               np.fft.irfftn(x, axes=(0, 1, 0)), np.fft.irfftn(x, (3, -1), (0, 1), norm="ortho")), (2, 3))
case(np.fft.fft2, lambda x: (np.fft.fft2(x), np.fft.fft2(x, (2, 4), (0, -1), "ortho")), (2, 3, 2))
case(np.fft.ifft2, lambda x: (np.fft.ifft2(x), np.fft.ifft2(x, (2, 4), (0, -1), "ortho")), (2, 3, 2))
case(np.fft.rfft2, lambda x: (np.fft.rfft2(x), np.fft.rfft2(x, (2, 5), (0, -1), "ortho")), (2, 3, 2), kinds="d")
case(np.fft.irfft2, lambda x: (np.fft.irfft2(x), np.fft.irfft2(x, (2, 5), (0, -1), "ortho")), (2, 3, 2))
case(np.fft.fft, np.fft.fft, (0, 3))
case(np.fft.irfft, np.fft.irfft, (0, 3))
case(np.fft.fft, lambda x: abs(np.fft.fft(x)) ** 2, (4,), name="power spectrum")
case(np.fft.rfft, lambda x, h: np.fft.irfft(np.fft.rfft(x, 6) * np.fft.rfft(h, 6), 6), (4,), (3,), kinds="d", name="convolution")
case(np.fft.fftshift, lambda x: (np.fft.fftshift(x), np.fft.fftshift(x, 1), np.fft.fftshift(x, (0, -1))), (2, 3))
case(np.fft.ifftshift, lambda x: (np.fft.ifftshift(x), np.fft.ifftshift(x, -1), np.fft.ifftshift(x, (0, 1))), (2, 3))
case((np.fft.fftfreq, np.fft.rfftfreq),
     lambda d: (ad.numpy.fft.fftfreq(5, d), ad.numpy.fft.rfftfreq(4, d)), positive(()), kinds="d")

# ---- scipy.fft

for _name in ("fft", "ifft", "irfft", "hfft", "rfft", "ihfft"):
    _f, _kinds = getattr(ad.scipy.fft, _name), "d" if _name in ("rfft", "ihfft") else "dD"
    case(getattr(scipy.fft, _name),
         lambda x, f=_f: (f(x), f(x, 5, 0, "ortho"), f(x, 3, norm="forward", overwrite_x=False, workers=1)), (2, 3), kinds=_kinds)
    _f = getattr(ad.scipy.fft, f"{_name}n")
    case(getattr(scipy.fft, f"{_name}n"), lambda x, f=_f: (
        f(x), f(x, (4, 3), (1, 0), "forward"), f(x, 4), f(x, axes=1), f(x, norm="ortho")), (2, 3), kinds=_kinds)
    _f = getattr(ad.scipy.fft, f"{_name}2")
    case(getattr(scipy.fft, f"{_name}2"), lambda x, f=_f: (f(x), f(x, (4, 3), (0, -1), "forward")), (2, 1, 3), kinds=_kinds)
case((scipy.fft.fftshift, scipy.fft.ifftshift), lambda x: ad.scipy.fft.fftshift(x) + ad.scipy.fft.ifftshift(x, axes=1), (2, 3))
case((scipy.fft.fftfreq, scipy.fft.rfftfreq), lambda d: (ad.scipy.fft.fftfreq(5, d), ad.scipy.fft.rfftfreq(4, d)), positive(()),
     kinds="d")
for _name in ("dct", "idct", "dst", "idst"):
    _f, _g = getattr(ad.scipy.fft, _name), getattr(ad.scipy.fft, f"{_name}n")
    for _type in (1, 2, 3, 4):
        case(getattr(scipy.fft, _name),
             lambda x, f=_f, t=_type: (f(x, t), f(x, t, norm="forward"), f(x, t, norm="ortho")), (2, 3))
        case(getattr(scipy.fft, _name), lambda x, f=_f, t=_type: (
            f(x, t, orthogonalize=True), f(x, t, 3, 0, "ortho", orthogonalize=False), f(x, t, n=2)), (2, 3), kinds="d")
    case(getattr(scipy.fft, f"{_name}n"), lambda x, f=_g: (
        f(x), f(x, 3, (3, -1), (1, 0), "ortho"), f(x, 1, axes=-1, norm="forward"), f(x, axes=()) * x), (2, 3))
