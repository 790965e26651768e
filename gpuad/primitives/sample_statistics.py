"""Sample statistics of scipy.stats, written with NumPy's functions. NaN propagates."""
from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from gpuad.dispatch import implements
from gpuad.primitives.shapes import arrays_of
from gpuad.primitives.special import sc
from gpuad.traced import raw


def _propagate(name: str, nan_policy: str) -> None:
    if nan_policy != "propagate":
        raise TypeError(f"{name}: nan_policy={nan_policy!r} is not available for traced arrays, whose NaN propagate; leave it "
                        "out, and choose entries with numpy.where")


def _along(a: Any, axis: Any) -> tuple[Any, Any]:
    """The raveled array and its axis where axis is None."""
    return (np.ravel(a), 0) if axis is None else (a, axis)


def _central(a: Any, order: int, axis: Any, keepdims: bool = False, center: Any = None) -> Any:
    """The mean of (a − center)ⁿ."""
    deviation = a - (np.mean(a, axis=axis, keepdims=True) if center is None else center)
    return np.mean(deviation**order, axis=axis, keepdims=keepdims)


@implements(scipy.stats.moment)
def moment(a: Any, order: Any = 1, axis: Any = 0, nan_policy: str = "propagate", *, center: Any = None,
           keepdims: bool = False) -> Any:
    """The moment of an order, or of several along a new first axis, about the mean or another center."""
    _propagate("moment", nan_policy)
    a, axis = _along(a, axis)
    if np.ndim(order):
        return np.stack([_central(a, int(n), axis, keepdims, center) for n in order])
    return _central(a, int(order), axis, keepdims, center)


def _count(a: Any, axis: Any) -> int:
    return math.prod(a.shape[i] for i in ((axis,) if isinstance(axis, int) else axis))


@implements(scipy.stats.skew)
def skew(a: Any, axis: Any = 0, bias: bool = True, nan_policy: str = "propagate", *, keepdims: bool = False) -> Any:
    """m₃/m₂^(3/2), or its unbiased form."""
    _propagate("skew", nan_policy)
    a, axis = _along(a, axis)
    n = _count(a, axis)
    g = _central(a, 3, axis, keepdims) / _central(a, 2, axis, keepdims) ** 1.5
    return g if bias or n < 3 else g * math.sqrt(n * (n - 1)) / (n - 2)


@implements(scipy.stats.kurtosis)
def kurtosis(a: Any, axis: Any = 0, fisher: bool = True, bias: bool = True, nan_policy: str = "propagate", *,
             keepdims: bool = False) -> Any:
    """m₄/m₂², less 3 as Fisher has it, or its unbiased form."""
    _propagate("kurtosis", nan_policy)
    a, axis = _along(a, axis)
    n = _count(a, axis)
    g = _central(a, 4, axis, keepdims) / _central(a, 2, axis, keepdims) ** 2
    if not bias and n > 3:
        g = 3 + ((n * n - 1) * g - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3))
    return g - 3 if fisher else g


@implements(scipy.stats.sem)
def sem(a: Any, axis: Any = 0, ddof: float = 1, nan_policy: str = "propagate", *, keepdims: bool = False) -> Any:
    """The standard error of the mean."""
    _propagate("sem", nan_policy)
    a, axis = _along(a, axis)
    return np.std(a, axis=axis, ddof=ddof, keepdims=keepdims) / math.sqrt(_count(a, axis))


@implements(scipy.stats.variation)
def variation(a: Any, axis: Any = 0, nan_policy: str = "propagate", ddof: float = 0, *, keepdims: bool = False) -> Any:
    """The standard deviation over the mean."""
    _propagate("variation", nan_policy)
    return np.std(a, axis=axis, ddof=ddof, keepdims=keepdims) / np.mean(a, axis=axis, keepdims=keepdims)


@implements(scipy.stats.zmap)
def zmap(scores: Any, compare: Any, axis: Any = 0, ddof: float = 0, nan_policy: str = "propagate") -> Any:
    """(scores − mean)/std with those of another sample."""
    _propagate("zmap", nan_policy)
    scores, compare = arrays_of(scores, compare)
    return (scores - np.mean(compare, axis=axis, keepdims=True)) / np.std(compare, axis=axis, ddof=ddof, keepdims=True)


@implements(scipy.stats.zscore)
def zscore(a: Any, axis: Any = 0, ddof: float = 0, nan_policy: str = "propagate") -> Any:
    """(a − mean)/std."""
    return zmap(a, a, axis, ddof, nan_policy)


@implements(scipy.stats.gzscore)
def gzscore(a: Any, *, axis: Any = 0, ddof: float = 0, nan_policy: str = "propagate") -> Any:
    """zscore of the logarithms."""
    return zscore(np.log(a), axis, ddof, nan_policy)


def _weighted(a: Any, axis: Any, weights: Any, keepdims: bool) -> Any:
    if weights is None:
        return np.mean(a, axis=axis, keepdims=keepdims)
    a, weights = arrays_of(a, weights)
    if weights.ndim == 1 and a.ndim > 1 and isinstance(axis, int):
        weights = weights.reshape((-1,) + (1,) * (a.ndim - 1 - axis % a.ndim))
    weights = weights + 0.0 * a
    return (weights * a).sum(axis=axis, keepdims=keepdims) / weights.sum(axis=axis, keepdims=keepdims)


@implements(scipy.stats.gmean)
def gmean(a: Any, axis: Any = 0, dtype: Any = None, weights: Any = None, *, nan_policy: str = "propagate",
          keepdims: bool = False) -> Any:
    """exp of the mean of log a."""
    _propagate("gmean", nan_policy)
    a = a if dtype is None else a.astype(dtype)
    return np.exp(_weighted(np.log(a), axis, weights, keepdims))


@implements(scipy.stats.hmean)
def hmean(a: Any, axis: Any = 0, dtype: Any = None, *, weights: Any = None, nan_policy: str = "propagate",
          keepdims: bool = False) -> Any:
    """1 over the mean of 1/a."""
    _propagate("hmean", nan_policy)
    a = a if dtype is None else a.astype(dtype)
    return 1 / _weighted(1 / a, axis, weights, keepdims)


@implements(scipy.stats.pmean)
def pmean(a: Any, p: float, *, axis: Any = 0, dtype: Any = None, weights: Any = None, nan_policy: str = "propagate",
          keepdims: bool = False) -> Any:
    """(mean of aᵖ)^(1/p), the geometric mean for p = 0."""
    _propagate("pmean", nan_policy)
    if np.isscalar(p) and p == 0:
        return gmean(a, axis, dtype, weights, keepdims=keepdims)
    a = a if dtype is None else a.astype(dtype)
    return _weighted(a**p, axis, weights, keepdims) ** (1 / p)


@implements(scipy.stats.entropy)
def entropy(pk: Any, qk: Any = None, base: float | None = None, axis: int = 0, *, nan_policy: str = "propagate",
            keepdims: bool = False) -> Any:
    """−Σ p log p of the normalized distribution, or Σ p log(p/q) relative to another one."""
    _propagate("entropy", nan_policy)
    if qk is not None:
        pk, qk = arrays_of(pk, qk)
        qk = qk / qk.sum(axis=axis, keepdims=True)
    pk = pk / pk.sum(axis=axis, keepdims=True)
    total = (sc.entr(pk) if qk is None else sc.rel_entr(pk, qk)).sum(axis=axis, keepdims=keepdims)
    return total if base is None else total / math.log(base)


@implements(scipy.stats.trim_mean)
def trim_mean(a: Any, proportiontocut: float, axis: Any = 0, *, nan_policy: str = "propagate", keepdims: bool = False) -> Any:
    """The mean without a proportion of the smallest and of the largest entries."""
    _propagate("trim_mean", nan_policy)
    a, axis = _along(a, axis)
    n = a.shape[axis]
    cut = int(proportiontocut * n)
    if 2 * cut >= n:
        raise ValueError(f"trim_mean expected a proportion that leaves entries, got {proportiontocut} of {n}")
    kept = np.sort(a, axis=axis)[(slice(None),) * (axis % a.ndim) + (slice(cut, n - cut),)]
    return np.mean(kept, axis=axis, keepdims=keepdims)


@implements(scipy.stats.boxcox_llf)
def boxcox_llf(lmb: Any, data: Any, *, axis: Any = 0, keepdims: bool = False, nan_policy: str = "propagate") -> Any:
    """(λ − 1) Σ log x − n/2 log var of the transformed data."""
    _propagate("boxcox_llf", nan_policy)
    lmb, data = arrays_of(lmb, data)
    logs = np.log(data)
    return ((lmb - 1) * logs.sum(axis=axis, keepdims=keepdims)
            - data.shape[axis] / 2 * np.log(np.var(sc.boxcox(data, lmb), axis=axis, keepdims=keepdims)))


# ---- angles

def _resultant(samples: Any, high: float, low: float, axis: Any, keepdims: bool) -> tuple[Any, Any]:
    """The means of sine and cosine."""
    angle = (samples - low) * (2 * math.pi / (high - low))
    return np.mean(np.sin(angle), axis=axis, keepdims=keepdims), np.mean(np.cos(angle), axis=axis, keepdims=keepdims)


@implements(scipy.stats.circmean)
def circmean(samples: Any, high: float = 2 * math.pi, low: float = 0, axis: Any = None, nan_policy: str = "propagate", *,
             keepdims: bool = False) -> Any:
    """The direction of the mean vector, between low and high."""
    _propagate("circmean", nan_policy)
    s, c = _resultant(samples, high, low, axis, keepdims)
    angle = np.arctan2(s, c)
    return np.where(raw(angle) < 0, angle + 2 * math.pi, angle) * ((high - low) / (2 * math.pi)) + low


@implements(scipy.stats.circvar)
def circvar(samples: Any, high: float = 2 * math.pi, low: float = 0, axis: Any = None, nan_policy: str = "propagate", *,
            keepdims: bool = False) -> Any:
    """1 less the length of the mean vector."""
    _propagate("circvar", nan_policy)
    return 1 - np.hypot(*_resultant(samples, high, low, axis, keepdims))


@implements(scipy.stats.circstd)
def circstd(samples: Any, high: float = 2 * math.pi, low: float = 0, axis: Any = None, nan_policy: str = "propagate", *,
            normalize: bool = False, keepdims: bool = False) -> Any:
    """√(−2 log R) of the length R of the mean vector."""
    _propagate("circstd", nan_policy)
    deviation = np.sqrt(-2 * np.log(np.hypot(*_resultant(samples, high, low, axis, keepdims))))
    return deviation if normalize else deviation * ((high - low) / (2 * math.pi))


# ---- correlation

class PearsonRResult(NamedTuple):
    """The coefficient and the p-value."""

    statistic: Any
    pvalue: Any

    @property
    def correlation(self) -> Any:
        return self.statistic


@implements(scipy.stats.pearsonr)
def pearsonr(x: Any, y: Any, *, alternative: str = "two-sided", method: Any = None, axis: Any = 0) -> PearsonRResult:
    """Pearson's coefficient, and the probability of a larger one of independent normal samples."""
    if method is not None:
        raise TypeError("pearsonr: method= is not available for traced arrays; leave it out for the exact distribution")
    if alternative not in ("two-sided", "less", "greater"):
        raise ValueError(f"pearsonr expected alternative 'two-sided', 'less' or 'greater', got {alternative!r}")
    x, y = arrays_of(x, y)
    (x, _), (y, axis) = _along(x, axis), _along(y, axis)
    dx, dy = x - np.mean(x, axis=axis, keepdims=True), y - np.mean(y, axis=axis, keepdims=True)
    scale = np.sqrt((dx * dx).sum(axis=axis) * (dy * dy).sum(axis=axis))
    r = (dx * dy).sum(axis=axis) / scale
    half = np.asarray(max(x.shape[axis], y.shape[axis]) / 2 - 1, dtype=r.dtype)[()]
    if half == 0:
        return PearsonRResult(r, np.ones_like(raw(r)))
    tail = {"two-sided": -abs(r), "less": r, "greater": -r}[alternative]
    p = sc.betainc(half, half, (1 + tail) / 2)
    return PearsonRResult(r, 2 * p if alternative == "two-sided" else p)
