"""The catalogue's programs with functions of ``scipy.signal``."""
from __future__ import annotations

import numpy as np
import scipy.signal

import gpuad as ad
from linalg.elements.recursive import filtered
from tests.gpuad.cases import between, case, like

signal = ad.scipy.signal

# ---- recursive filters

A = between(-0.3, 0.3, (2,))


def with_one(a: np.ndarray) -> np.ndarray:
    """Coefficients with a leading one."""
    return np.concatenate([np.ones_like(a[:1]), a])


case((scipy.signal.lfilter, filtered), lambda b, a, x: signal.lfilter(b, with_one(a), x), (3,), A, (5,))
case(scipy.signal.lfilter, lambda b, a, x: signal.lfilter(b, a, x, axis=0), (2,), between(2, 3, (2,)), (4, 2))
case(scipy.signal.lfilter, lambda b, x: signal.lfilter(b, 2.0, x), (3,), (2, 2), name="lfilter without a")
case(scipy.signal.lfilter, lambda x: signal.lfilter([0.5, 1], [2.0, 0.3, 0.1], x, axis=-2), (3, 2), name="lfilter of a signal")
case(scipy.signal.lfilter, lambda b, a, x, z: signal.lfilter(b, a, x, zi=z), (2,), between(2, 3, (4,)), (5,), (3,))
case(scipy.signal.lfilter, lambda b, a, x, z: signal.lfilter(b, a, x, 1, zi=z), (5,), between(2, 3, (2,)), (2, 3, 2), (2, 4, 1))
case(scipy.signal.lfilter, lambda x, z: signal.lfilter([2.0, 1.0], [4.0, 1.0, -1.0], x, zi=z), (1,), (2,), name="lfilter of one")
case(scipy.signal.lfilter, lambda x: signal.lfilter([3], [2], x, zi=like(x, np.zeros((2, 0)))), (2, 3), name="lfilter stateless")
case(scipy.signal.lfilter, lambda x: signal.lfilter([1.0, 2.0], [2.0, 1.0], x), (2, 0), name="lfilter of nothing")
case(scipy.signal.lfiltic, lambda b, a, y, x: (signal.lfiltic(b, a, y), signal.lfiltic(b, a, y, x)),
     (3,), between(2, 3, (2,)), (4,), (1,))
case(scipy.signal.lfilter_zi, lambda b, a: (signal.lfilter_zi(b, with_one(a)), signal.lfilter_zi(b[:2], 2 * with_one(a))),
     (4,), A)
case(scipy.signal.deconvolve, lambda x, d: (*signal.deconvolve(x, d), signal.deconvolve(d, x)[1]), (5,), between(1, 2, (2,)))


def sections(b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Sections of second order with ones where they must be."""
    return np.concatenate([b, np.ones_like(a[:, :1]), a], axis=1)


B2, A2 = (2, 3), between(-0.3, 0.3, (2, 2))
case(scipy.signal.sosfilt, lambda b, a, x: signal.sosfilt(sections(b, a), x), B2, A2, (5,))
case(scipy.signal.sosfilt, lambda b, a, x, z: signal.sosfilt(sections(b, a), x, 0, z), B2, A2, (3, 2), (2, 2, 2))
case(scipy.signal.sosfilt_zi, lambda b, a: signal.sosfilt_zi(sections(b, a)), B2, A2)
for _padtype in ("odd", "even", "constant", None):
    case(scipy.signal.filtfilt, lambda b, a, x, p=_padtype: signal.filtfilt(b, with_one(a), x, 0, p, 2), (3,), A, (4, 2))
    case(scipy.signal.sosfiltfilt, lambda b, a, x, p=_padtype: signal.sosfiltfilt(sections(b, a), x, padtype=p, padlen=3),
         B2, A2, (5,))
case(scipy.signal.filtfilt, lambda b, a, x: signal.filtfilt(b, with_one(a), x), (2,), A, (10,))
case(scipy.signal.sosfiltfilt, lambda x: signal.sosfiltfilt([[1.0, 0.5, 0, 1, 0.3, 0], [1.0, 0.5, 0.2, 1, 0.3, 0]], x), (16,))

# ---- convolutions and correlations

for _f, _g in ((scipy.signal.convolve, signal.convolve), (scipy.signal.correlate, signal.correlate)):
    for _mode in ("full", "same", "valid"):
        for _m, _n in (((5,), (2,)), ((2,), (5,)), ((2, 4), (2, 3)), ((1, 2), (2, 3))):
            case(_f, lambda x, y, g=_g, m=_mode: g(x, y, m), _m, _n)
    case(_f, lambda x, y, g=_g: g(x, y, "same", method="direct") + g(y, x, "valid", method="fft")[0], (3, 3), (3, 3))
    case(_f, lambda x, y, g=_g: g(x, y), (), ())
    case(_f, lambda x, g=_g: g(x, [1, 2, 3]) + g([1.0, 2.0, 1.0], x), (3,))
for _f, _g in ((scipy.signal.fftconvolve, signal.fftconvolve), (scipy.signal.oaconvolve, signal.oaconvolve)):
    for _mode in ("full", "same", "valid"):
        case(_f, lambda x, y, g=_g, m=_mode: (g(x, y, m), g(x, y[:, :2], m, axes=1), g(x, y, m, axes=(0,))), (2, 3), (1, 3))
case(scipy.signal.fftconvolve, lambda x, y: (signal.fftconvolve(x, y, axes=(2, 0)), signal.fftconvolve(x, y, "same", (0, 1))),
     (2, 3, 2), (2, 3, 1))
for _f, _g in ((scipy.signal.convolve2d, signal.convolve2d), (scipy.signal.correlate2d, signal.correlate2d)):
    for _boundary in ("fill", "wrap", "symm"):
        for _mode, _n in (("full", (2, 2)), ("same", (3, 2)), ("same", (4, 5)), ("valid", (2, 3))):
            case(_f, lambda x, y, g=_g, m=_mode, b=_boundary: g(x, y, m, b, 1.5), (2, 3), _n)
    case(_f, lambda x, y, g=_g: g(x, y, "same") + g(x, y, mode="valid"), (2, 2), (2, 2), kinds="d")
case(scipy.signal.convolve2d, lambda x, y: signal.convolve2d(x, y, "valid"), (1, 2), (2, 3))
case(scipy.signal.correlate2d, lambda x, y: signal.correlate2d(x, y, "valid"), (1, 2), (2, 3))

# ---- smoothing

for _n, _order in ((3, 1), (5, 2), (4, 2)):
    for _mode in ("interp", "mirror", "nearest", "wrap", "constant"):
        case(scipy.signal.savgol_filter,
             lambda x, n=_n, k=_order, m=_mode: signal.savgol_filter(x, n, k, axis=0, mode=m, cval=1.5), (5, 2), kinds="d")
case(scipy.signal.savgol_filter, lambda x: (signal.savgol_filter(x, 3, 2, deriv=1, delta=0.5), signal.savgol_filter(x, 3, 1, 2)),
     (5,), kinds="d")
case(scipy.signal.detrend, lambda x: (signal.detrend(x), signal.detrend(x, 0, "constant"), signal.detrend(x, 0, bp=[1, 3])),
     (4, 3))
case(scipy.signal.medfilt, lambda x: (signal.medfilt(x), signal.medfilt(x, (1, 3)) ** 2), (3, 4), kinds="d")
case(scipy.signal.medfilt2d, lambda x: signal.medfilt2d(x, 3) ** 2, (3, 4), kinds="d")
case(scipy.signal.order_filter, lambda x: signal.order_filter(x, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], 3) ** 2, (3, 4), kinds="d")
case(scipy.signal.wiener, lambda x: (signal.wiener(x), signal.wiener(x, (3, 1), 0.2), signal.wiener(x[0], 3, noise=x[0, 0] ** 2)),
     (4, 3), kinds="d")

# ---- sampling rates

case(scipy.signal.hilbert, lambda x: (signal.hilbert(x), signal.hilbert(x, 6, 0), signal.hilbert(x, axis=0)), (3, 4), kinds="d")
for _n in (4, 5):
    for _num in (3, 4, 5, 6, 7):
        case(scipy.signal.resample, lambda x, n=_num: signal.resample(x, n), (_n, 2))
case(scipy.signal.resample,
     lambda x, w, t: signal.resample(x, 6, axis=1, window="hamming") + signal.resample(x, 6, t, 1, w)[0],
     (2, 5), (5,), (5,), kinds="d")
case(scipy.signal.resample, lambda x: (signal.resample(x, 3, domain="freq"), signal.resample(x, 6, window=lambda f: 1 - f)), (5,),
     kinds="D")
case(scipy.signal.resample, lambda x, t: signal.resample(x, 3, t), (4,), (4,), kinds="d")
case(scipy.signal.upfirdn,
     lambda h, x: (signal.upfirdn(h, x), signal.upfirdn(h, x, 3, 2, axis=0), signal.upfirdn(h, x, 1, 4)), (3,), (3, 2))
case(scipy.signal.resample_poly,
     lambda x: (signal.resample_poly(x, 2, 3), signal.resample_poly(x, 3, 1, 1), signal.resample_poly(x, 2, 2)), (5, 2))
for _padtype in ("mean", "median", "minimum", "maximum"):
    case(scipy.signal.resample_poly, lambda x, h, p=_padtype: signal.resample_poly(x, 3, 2, 0, h, p), (5, 2), (4,), kinds="d")
case(scipy.signal.decimate, lambda x: (signal.decimate(x, 2, ftype="fir", n=4), signal.decimate(x, 2, 4, zero_phase=False)), (6,))
case(scipy.signal.decimate, lambda x: (signal.decimate(x, 3, 2, axis=0), signal.decimate(x, 2, 5, "fir", 0, zero_phase=False)),
     (14, 2))

# ---- spectra

case(scipy.signal.periodogram, lambda x: (
    signal.periodogram(x), signal.periodogram(x, 2.0, "hann", 3, axis=0),
    signal.periodogram(x, nfft=7, detrend=False, return_onesided=False, scaling="spectrum")), (4, 5))
case(scipy.signal.welch, lambda x: (signal.welch(x, nperseg=4), signal.welch(x, 3.0, "boxcar", 3, 1, 6, "linear", axis=0)),
     (7, 6))
case(scipy.signal.welch, lambda x, w: signal.welch(x, window=w, detrend=lambda s: s - s[..., :1])[1], (8,), between(0.5, 1, (4,)),
     kinds="d")
case(scipy.signal.csd, lambda x, y: (
    signal.csd(x, y, nperseg=4), signal.csd(x, y[0], 2.0, [1, 2, 3], axis=-1, scaling="spectrum"),
    signal.csd(x, x, nperseg=5, noverlap=0)), (2, 7), (2, 7), kinds="d")
case(scipy.signal.csd, lambda x, y: signal.csd(x, y, nperseg=4, return_onesided=False), (7,), (7,), kinds="D")
case(scipy.signal.csd, lambda x, y: (signal.csd(x, y, nperseg=3, average="median"), signal.welch(x, nperseg=4, average="median")),
     (9,), (9,), kinds="d", name="csd of medians")
case(scipy.signal.csd, lambda x, y: signal.csd(x, y, nperseg=4), (7,), (5,), kinds="d", name="csd of different lengths")
case(scipy.signal.coherence, lambda x, y: signal.coherence(x, y, nperseg=4, axis=0), (9, 2), (9, 2), kinds="d")
for _mode in ("psd", "complex", "magnitude", "angle"):
    case(scipy.signal.spectrogram,
         lambda x, m=_mode: signal.spectrogram(x, 2.0, nperseg=4, noverlap=1, mode=m, detrend=False, return_onesided=False),
         (2, 8), kinds="D" if _mode == "angle" else "dD")
case(scipy.signal.spectrogram, lambda x: signal.spectrogram(x, window="hann", nperseg=5, axis=0), (9, 2), kinds="d")
for _boundary in ("zeros", "even", "odd", "constant", None):
    case(scipy.signal.stft, lambda x, b=_boundary: signal.stft(x, nperseg=4, boundary=b, detrend="linear", axis=0), (7, 2),
         kinds="d")
case(scipy.signal.stft,
     lambda x: signal.stft(x, 2.0, "boxcar", 4, 1, 5, padded=False, scaling="psd", return_onesided=False), (2, 7))
case(scipy.signal.istft, lambda z: (
    signal.istft(z), signal.istft(z, 2.0, nperseg=5, noverlap=3, time_axis=0, freq_axis=-1, scaling="psd")), (3, 2, 3))
case(scipy.signal.istft, lambda z: signal.istft(z, 1.0, "boxcar", 3, 1, 4, input_onesided=False, boundary=False), (4, 3))

# ---- frequency responses

case(scipy.signal.freqz, lambda b, a: (
    signal.freqz(b, with_one(a), 4), signal.freqz(b, worN=3, whole=True), signal.freqz(b, with_one(a), [0.1, 0.3], fs=2.0)[1],
    signal.freqz(b, with_one(a), 3, include_nyquist=True)), (3,), A)
case(scipy.signal.freqz, lambda b, w: signal.freqz(b, 2.0, w), (3,), (4,), kinds="d", name="freqz at frequencies")
case((scipy.signal.freqz_sos, scipy.signal.sosfreqz), lambda b, a: (
    signal.freqz_sos(sections(b, a), 3), signal.sosfreqz(sections(b, a), [0.1], fs=1.0)), B2, A2, kinds="d")
case(scipy.signal.group_delay, lambda b, a: (
    signal.group_delay((b, with_one(a)), 3), signal.group_delay((b, 1.0), [0.5, 1.0])), (3,), A)
