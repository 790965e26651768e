"""Distributions of vectors and matrices: densities by Cholesky's decomposition, in SciPy's parameters.

A covariance that is not positive definite raises numpy.linalg.LinAlgError; singular ones are not available.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.stats

from gpuad.distributions.univariate import Frozen, filled, in_one_precision, plain
from gpuad.namespace import traceable
from gpuad.primitives.special import like, sc
from gpuad.traced import raw
from linalg.arrays import is_array, records

LOG_2PI = math.log(2 * math.pi)


class Multivariate:
    """A distribution of SciPy: the methods that a subclass writes take traced arrays, the others are SciPy's own."""

    differentiable: tuple[str, ...] = ()

    def __init__(self, name: str):
        self.name = name
        self.scipy: Any = getattr(scipy.stats, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with its parameters given."""
        return Frozen(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "scipy":
            raise AttributeError(f"a distribution has no attribute {name!r}")
        attribute = getattr(self.scipy, name)
        return traceable(attribute, None, f"scipy.stats.{self.name}.{name}") if callable(attribute) else attribute

    def __dir__(self) -> list[str]:
        return dir(self.scipy)

    def __repr__(self) -> str:
        return f"<distribution gpuad.scipy.stats.{self.name}>"


def _square(matrix: Any, n: int, x: Any) -> Any:
    """A covariance as a matrix where x lies: from a number, or from the diagonal."""
    if matrix.ndim == 2:
        return matrix
    return like(x, np.eye(n)) * (matrix if matrix.ndim == 0 else matrix[:, None])


def _size(*parts: Any) -> int:
    """The length of the vectors of a distribution, by its parameters."""
    return max([p.shape[0] for p in parts if p is not None and p.ndim], default=1)


def _distances(x: Any, mean: Any, covariance: Any, n: int) -> tuple[Any, Any]:
    """(x − mean)ᵀ C⁻¹ (x − mean) for vectors along the last axis, and log det C."""
    x = x if x.ndim and x.shape[-1] == n and not (x.ndim == 1 and n == 1) else x[..., None]
    deviation = x if mean is None else x - mean
    factor = np.linalg.cholesky(_square(covariance, n, x))
    white = np.linalg.solve(factor, np.transpose(np.reshape(deviation, (-1, n))))
    log_det = 2 * np.log(np.diagonal(factor)).sum()
    return np.squeeze(np.reshape((white * white).sum(axis=0), deviation.shape[:-1])), log_det


class MultivariateNormal(Multivariate):
    differentiable = ("logpdf", "pdf", "entropy")

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The logarithm of the density at vectors along the last axis of x."""
        _refuse_singular(allow_singular)
        x, mean, cov = in_one_precision([x, mean, cov])
        n = _size(mean, cov)
        distance, log_det = _distances(x, mean, cov, n)
        return plain(-(n * LOG_2PI + log_det + distance) / 2)

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The density at vectors along the last axis of x."""
        return np.exp(self.logpdf(x, mean, cov, allow_singular))

    def entropy(self, mean: Any = None, cov: Any = 1) -> Any:
        """The differential entropy."""
        mean, cov = in_one_precision([mean, cov])
        n = _size(mean, cov)
        factor = np.linalg.cholesky(_square(cov, n, cov))
        return plain(n * (LOG_2PI + 1) / 2 + np.log(np.diagonal(factor)).sum())


class MultivariateT(Multivariate):
    differentiable = ("logpdf", "pdf")

    def logpdf(self, x: Any, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:
        """The logarithm of the density at vectors along the last axis of x."""
        x, loc, shape, df = in_one_precision([x, loc, shape, df])
        n = _size(loc, shape)
        distance, log_det = _distances(x, loc, shape, n)
        return plain(sc.gammaln((df + n) / 2) - sc.gammaln(df / 2) - n / 2 * np.log(math.pi * df) - log_det / 2
                     - (df + n) / 2 * np.log1p(distance / df))

    def pdf(self, x: Any, loc: Any = None, shape: Any = 1, df: Any = 1, allow_singular: bool = False) -> Any:
        """The density at vectors along the last axis of x."""
        _refuse_singular(allow_singular)
        return np.exp(self.logpdf(x, loc, shape, df))


def _refuse_singular(allow_singular: bool) -> None:
    if allow_singular:
        raise TypeError("allow_singular=True: expected a positive definite matrix, since a singular one has no density; call "
                        "scipy.stats itself where no derivative is wanted")


class Dirichlet(Multivariate):
    differentiable = ("logpdf", "pdf", "mean", "var", "cov", "entropy")

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """The logarithm of the density at vectors of proportions along the first axis of x (the last one may be left out)."""
        x, alpha = in_one_precision([x, alpha])
        if x.shape[0] + 1 == alpha.shape[0]:
            x = np.concatenate([x, 1 - x.sum(axis=0, keepdims=True)])
        if x.shape[0] != alpha.shape[0]:
            raise ValueError(f"dirichlet expected {alpha.shape[0]} proportions, or one less, along the first axis, got x of "
                             f"shape {x.shape}")
        values = raw(x)
        if not records(values) and ((values < 0).any() or (abs(values.sum(axis=0) - 1) > 1e-6).any()):
            raise ValueError("dirichlet expected proportions, non-negative and of sum 1 along the first axis, got others")
        powers = alpha.reshape((-1,) + (1,) * (x.ndim - 1)) - 1
        return plain(sc.gammaln(alpha.sum()) - sc.gammaln(alpha).sum() + sc.xlogy(powers, x).sum(axis=0))

    def pdf(self, x: Any, alpha: Any) -> Any:
        """The density."""
        return np.exp(self.logpdf(x, alpha))

    def mean(self, alpha: Any) -> Any:
        """α/Σα."""
        alpha = in_one_precision([alpha])[0]
        return alpha / alpha.sum()

    def var(self, alpha: Any) -> Any:
        """The variances."""
        mean = self.mean(alpha)
        return mean * (1 - mean) / (1 + in_one_precision([alpha])[0].sum())

    def cov(self, alpha: Any) -> Any:
        """The covariances."""
        mean = self.mean(alpha)
        return (np.diag(mean) - mean[:, None] * mean) / (1 + in_one_precision([alpha])[0].sum())

    def entropy(self, alpha: Any) -> Any:
        """The differential entropy."""
        alpha = in_one_precision([alpha])[0]
        total, n = alpha.sum(), alpha.shape[0]
        scores = (alpha - 1) * sc.psi(alpha)
        return plain(sc.gammaln(alpha).sum() - sc.gammaln(total) + (total - n) * sc.psi(total) - scores.sum())


class Wishart(Multivariate):
    """Wishart's distribution of matrices, and the inverse one: matrices in the first two axes of x."""

    differentiable = ("logpdf", "pdf")

    def logpdf(self, x: Any, df: Any, scale: Any) -> Any:
        """The logarithm of the density at positive definite matrices."""
        x, df, scale = in_one_precision([x, df, scale])
        n = _size(scale)
        scale = _square(scale, n, x)
        x = x if x.ndim >= 2 else _square(x, n, x) if x.ndim == 0 or n > 1 else x[None, None]
        matrices = np.moveaxis(x, (0, 1), (-2, -1))
        log_x, log_scale = np.linalg.slogdet(matrices)[1], np.linalg.slogdet(scale)[1]
        first, second = (scale, matrices) if self.name == "wishart" else (matrices, scale)
        trace = np.trace(np.linalg.solve(first, np.broadcast_to(second, matrices.shape)), axis1=-2, axis2=-1)
        constant = -(df * n * math.log(2) / 2 + sc.multigammaln(df / 2, n))
        if self.name == "wishart":
            return plain(constant + (df - n - 1) / 2 * log_x - df / 2 * log_scale - trace / 2)
        return plain(constant - (df + n + 1) / 2 * log_x + df / 2 * log_scale - trace / 2)

    def pdf(self, x: Any, df: Any, scale: Any) -> Any:
        """The density."""
        return np.exp(self.logpdf(x, df, scale))


class Multinomial(Multivariate):
    differentiable = ("logpmf", "pmf")

    def logpmf(self, x: Any, n: Any, p: Any) -> Any:
        """The logarithm of the probability of counts along the last axis of x; the last probability is 1 less the others."""
        p = in_one_precision([p])[0]
        counts = like(p, raw(x)) if not is_array(x) else raw(x).astype(p.dtype)
        n = like(p, raw(n)) if not is_array(n) else raw(n).astype(p.dtype)
        p = np.concatenate([p[..., :-1], 1 - p[..., :-1].sum(axis=-1, keepdims=True)], axis=-1)
        outside = ((counts < 0) | (counts > np.floor(counts))).any(axis=-1) | (counts.sum(axis=-1) != n)
        fine = (raw(p) >= 0).all(axis=-1) & (n >= 0)
        inside = np.where(outside[..., None], 0.0, counts)
        y = sc.gammaln(n + 1) + (sc.xlogy(inside, p) - sc.gammaln(inside + 1)).sum(axis=-1)
        return plain(np.where(fine, filled(outside, -np.inf, True, y), np.nan))

    def pmf(self, x: Any, n: Any, p: Any) -> Any:
        """The probability of counts along the last axis of x."""
        return np.exp(self.logpmf(x, n, p))


multivariate_normal = MultivariateNormal("multivariate_normal")
multivariate_t = MultivariateT("multivariate_t")
dirichlet = Dirichlet("dirichlet")
wishart, invwishart = Wishart("wishart"), Wishart("invwishart")
multinomial = Multinomial("multinomial")
