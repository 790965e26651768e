"""Programs of the catalogue: quantiles, weighted statistics, histograms, interpolation, finite differences."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.primitives.quantiles import BETWEEN, CONTINUOUS, DISCRETE
from tests.gpuad.cases import Maker, away, between, case, like, positive
from tests.gpuad.cumulative_programs import gaps


def around(values: Any) -> Maker:
    """Real numbers near some values."""
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return np.asarray(values + 0.03 * rng.standard_normal(np.shape(values)), dtype)
    return make


# ---- medians and quantiles

for _f in (np.median, np.nanmedian):
    case(_f, _f, away((2, 3)))
    case(_f, lambda x, f=_f: (f(x, axis=0), f(x, axis=-1, keepdims=True), f(x, axis=(0, 2))), away((2, 3, 2)), kinds="d")
    case(_f, lambda x, f=_f: f(x, axis=1, overwrite_input=True), away((2, 4)), kinds="d")
    case(_f, _f, ())
case(np.nanmedian, lambda x: (np.nanmedian(x), np.nanmedian(x, axis=0), np.nanmedian(x, axis=1, keepdims=True)),
     gaps((3, 4), 2, 5, 6), kinds="d")
for _f, _unit in ((np.quantile, 1.0), (np.nanquantile, 1.0), (np.percentile, 100.0), (np.nanpercentile, 100.0)):
    case(_f, lambda x, f=_f, u=_unit: (f(x, 0.3 * u), f(x, u, axis=0), f(x, 0.1 * u, axis=(0, -1), keepdims=True)),
         away((3, 2, 2)), kinds="d")
    case(_f, lambda x, f=_f, u=_unit: (f(x, [0.3 * u, 0.6 * u], axis=1),
                                       f(x, like(x, [[0.4 * u], [0.1 * u]]), axis=-1, keepdims=True)), away((2, 3)), kinds="d")
    case(_f, lambda x, q, f=_f, u=_unit: f(x, q * u, axis=0), away((4, 2)), around([0.2, 0.5]), kinds="d")
    case(_f, lambda x, f=_f, u=_unit: f(x, [0.3 * u, u], method="inverted_cdf", axis=1,
                                        weights=like(x, [[1.0, 0.5, 2.0], [3, 0, 1]])), away((2, 3)), kinds="d")
for _f in (np.quantile, np.nanquantile):
    for _methods in (DISCRETE, BETWEEN, CONTINUOUS):
        case(_f, lambda x, f=_f, methods=_methods: [f(x, [0.0, 0.25, 0.4, 1.0], axis=0, method=m) for m in methods],
             away((4, 2)) if _f is np.quantile else gaps((5, 2), 2), kinds="d")
    case(_f, lambda x, q, f=_f: [f(x, q, axis=0, method=m) for m in CONTINUOUS], away((5, 2)), around(0.31), kinds="d")
case(np.quantile, lambda x: np.quantile(like(x, [3.0, 1.0, 2.0]), x, method="weibull"), around([0.3, 0.6]), kinds="d")
case(np.quantile, lambda x: np.quantile(x, [0, 1], axis=0), away((3, 2)), kinds="d")
case(np.quantile, lambda x: np.quantile(x, 0.4, axis=(1, 0), method="inverted_cdf", weights=like(x, [[1, 2], [3, 4], [2, 0]])),
     away((2, 3)), kinds="d")
case(np.nanquantile, lambda x: np.nanquantile(x, [0.1, 0.9], axis=0, method="inverted_cdf",
                                              weights=like(x, [[1, 2], [0, 4], [2, 1]])), gaps((3, 2), 0), kinds="d")
case(np.quantile, lambda x: np.quantile(x, [0.2, 0.9], weights=abs(x), method="inverted_cdf") + np.sum(x), away((2, 3)),
     kinds="d")

# ---- weighted statistics

case(np.average, np.average, (2, 3))
case(np.average, lambda x, w: (np.average(x, weights=w), *np.average(x, 0, w, returned=True)), (2, 3), positive((2, 3)))
case(np.average, lambda x, w: (*np.average(x, 1, w, True, keepdims=True), np.average(x, axis=-1, weights=[1, 2, 3])), (2, 3),
     positive((3,)))
case(np.average, lambda x, w: np.average(x, axis=(2, 0), weights=w), (2, 2, 3), positive((3, 2)))
case(np.average, lambda x: (*np.average(x, axis=(0, 1), returned=True), np.average(x, 0, keepdims=True)), (2, 3))
case(np.average, lambda w: np.average(like(w, [[1, 2, 4]]), weights=w), positive((1, 3)))
case(np.cov, np.cov, (2, 4))
case(np.cov, lambda x, y: (np.cov(x, y, bias=True), np.cov(x[0], ddof=2), np.cov(x, rowvar=False)), (3, 4), (4,))
case(np.cov, lambda x, y: (np.cov(x, y, False), np.cov(x, y, rowvar=False, ddof=0)), (4, 2), (4, 1))
case(np.cov, lambda x, w: (np.cov(x, aweights=w), np.cov(x, aweights=w, fweights=[1, 2, 1, 3]),
                           np.cov(x, aweights=w, bias=True)), (2, 4), positive((4,)), kinds="d")
case(np.cov, lambda x: np.cov(x, fweights=like(x, [1, 2, 1, 3])), (2, 4))
case(np.cov, lambda x: np.cov(x, dtype=np.complex128), (2, 3))
case(np.corrcoef, np.corrcoef, (3, 4))
case(np.corrcoef, lambda x, y: (np.corrcoef(x, y), np.corrcoef(x, rowvar=False)[:2], np.corrcoef(y)), (2, 4), (4,))

# ---- histograms

EDGES = [-2.0, -0.4, 0.3, 1.0, 2.5]
case(np.histogram, lambda x, e: np.histogram(x, e, density=True), between(-1.4, -0.6, (2, 3)), around([-2.0, -0.4, 0.3]),
     kinds="d")
case(np.histogram, lambda x, w: (*np.histogram(x, EDGES, weights=w), *np.histogram(x, 3, (-9, 9), weights=w, density=True)),
     away((2, 3)), (2, 3), kinds="d")
case(np.histogram, lambda x, w: (*np.histogram(x, 3, weights=w), np.histogram(x, 3, weights=w + 1j * w)[0]), away((5,)), (5,),
     kinds="d")
case(np.histogram, lambda x, r: np.histogram(x, 2, (r[0], r[1]), True), away((4,)), around([-3.0, 3.0]), kinds="d")
case(np.histogram2d, lambda x, y: (x[0] * np.histogram2d(x, y, [2, 3])[0], *np.histogram2d(x, y, 2, density=True)[1:]),
     around([0.0, 1.0, 0.2, 0.4]), around([0.0, 0.5, 0.2, 1.0]), kinds="d")
case(np.histogram2d, lambda x, w: np.histogram2d(x[0], x[1], EDGES, weights=w, density=True),
     around([[-1.0, 0.0, 0.6, 1.7], [0.6, 0.0, 0.0, -1.0]]), positive((4,)), kinds="d")
case(np.histogramdd, lambda x, w: np.histogramdd(x, (2, 1, 2), weights=w), away((4, 3)), (4,), kinds="d")
case(np.histogramdd, lambda x, e: np.histogramdd((x, x), [e, 2], [None, (-9, 9)], True),
     between(-1.4, -0.6, (4,)), around([-2.0, -0.4, 0.3]), kinds="d")
case(np.bincount, lambda w: np.bincount(like(w, [1, 0, 3, 1]), w) * np.bincount(like(w, [1, 0, 1, 1]), w, minlength=4), (4,),
     kinds="d")

# ---- interpolation, differences, phases

POINTS = around([-1.0, 0.0, 0.4, 1.5])
case(np.interp, np.interp, around([-2.0, -0.5, 0.2, 1.1, 3.0]), POINTS, (4,), kinds="d")
case(np.interp, lambda x, xp, fp: np.interp(x, xp, fp * (1 + 0.5j)), around([-0.5, 0.2]), POINTS, (4,), kinds="d")
case(np.interp, lambda x, a, b: np.interp(x, like(x, [0.0, 1.0]), like(x, [3.0, 5.0]), left=a, right=b),
     around([[-1.0, 0.5], [0.2, 2.0]]), (), (), kinds="d")
case(np.interp, lambda fp: np.interp(0.3, like(fp, [0.0, 1.0, 4.0]), fp, left=-1.0, right=2), (3,), kinds="d")
case(np.interp, lambda x, xp, fp, t: np.interp(x, xp, fp, period=t), around([-2.0, -0.5, 0.2, 4.1]),
     around([1.1, 0.0, 0.4]), (3,), around(1.9), kinds="d")
case(np.interp, lambda x, fp: np.interp(x, like(x, [0.5]), fp), (3,), (1,), kinds="d")
case(np.trapezoid, np.trapezoid, (2, 3))
case(np.trapezoid, lambda y, x, h: (np.trapezoid(y, x, axis=0), np.trapezoid(y, dx=h), np.trapezoid(y, axis=-2, x=y)), (2, 3),
     (2,), ())
case(np.trapezoid, lambda x: np.trapezoid(like(x, [[1, 2, 4], [3, 1, 0]]), x), (3,))
case(np.gradient, np.gradient, (3, 4))
case(np.gradient, lambda f, h, x: (*np.gradient(f, h, x), np.gradient(f, h, axis=-1), *np.gradient(f, h)), (2, 3), positive(()),
     positive((3,)))
case(np.gradient, lambda f, h, x: (*np.gradient(f, x, h, axis=(1, 0), edge_order=2), np.gradient(f, axis=0, edge_order=2)),
     (3, 4), positive(()), positive((4,)))
case(np.gradient, lambda x: np.gradient(like(x, [1, 4, 9, 16]), x), around([0.0, 1.0, 2.5, 3.2]), kinds="d")
case(np.gradient, lambda f: np.gradient(f, [1, 2, 4]) + np.gradient(f, 2), (3,))
case(np.unwrap, np.unwrap, around([0.0, 3.0, -1.0, 5.0, -2.5]), kinds="d")
case(np.unwrap, lambda p, t: np.unwrap(p, axis=0, period=t) + np.unwrap(p, 1.0, period=3), around([[0.0, 2.0], [4.1, -1.3]]),
     around(2.0), kinds="d")
