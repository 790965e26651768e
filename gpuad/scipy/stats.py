"""``scipy.stats``, differentiable: distributions and sample statistics.

A distribution has SciPy's methods; which of them take traced arrays is in its attribute ``differentiable``, and for the whole
module in ``STATUS``. Plain ``scipy.stats`` converts its arguments to NumPy arrays and cannot be traced: write ``ad.scipy.stats``.
"""
from __future__ import annotations

from functools import wraps
from typing import Any

import optree
import scipy.stats

from gpuad.dispatch import TABLE
from gpuad.distributions import bounded, continuous, discrete, multivariate
from gpuad.distributions.multivariate import Multivariate
from gpuad.distributions.univariate import Univariate
from gpuad.namespace import traceable
from gpuad.primitives import sample_statistics  # noqa: F401 (enters its functions into the table)
from gpuad.scipy.namespace import ScipyNamespace
from linalg.arrays import is_cupy

DISTRIBUTIONS: dict[str, Any] = {
    value.name: value for module in (bounded, continuous, discrete, multivariate) for value in vars(module).values()
    if isinstance(value, (Univariate, Multivariate))}
"""The distributions that have differentiable methods."""

METHODS = """logpdf pdf logpmf pmf cdf sf logcdf logsf ppf isf median interval entropy mean var std cov stats moment support
    expect rvs fit nnlf mode""".split()


def is_distribution(x: Any) -> bool:
    """Whether x is one of SciPy's distributions."""
    return hasattr(x, "rvs") and callable(x) and not isinstance(x, type)


def _status() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in scipy.stats.__all__:
        value = getattr(scipy.stats, name)
        if is_distribution(value):
            methods = DISTRIBUTIONS[name].differentiable if name in DISTRIBUTIONS else ()
            found |= {f"{name}.{m}": "differentiable" if m in methods else "values only" for m in METHODS if hasattr(value, m)}
        elif callable(value) and not isinstance(value, type):
            found[name] = "differentiable" if value in TABLE else "values only"
    return found


STATUS: dict[str, str] = _status()
"""For each function, and each method of each distribution: "differentiable", or "values only", which refuses traced arrays."""

namespace = ScipyNamespace("stats")


class Passed:
    """A distribution of SciPy without formulas: its methods take no traced arrays."""

    def __init__(self, name: str, dist: Any):
        self._name, self._dist = name, dist

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        attribute = getattr(self._dist, name)
        return traceable(attribute, None, f"scipy.stats.{self._name}.{name}") if callable(attribute) else attribute

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return traceable(self._dist, None, f"scipy.stats.{self._name}")(*args, **kwargs)

    def __dir__(self) -> list[str]:
        return dir(self._dist)


def _anywhere(function: Any, passed: Any) -> Any:
    """A sample statistic, on CuPy's arrays by the formula that traced arrays take too."""
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves: list[Any] = optree.tree_leaves((args, kwargs))  # type: ignore[arg-type]
        return (TABLE[function] if any(map(is_cupy, leaves)) else passed)(*args, **kwargs)

    return call


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.stats' has no attribute {name!r}")
    if name in DISTRIBUTIONS:
        return DISTRIBUTIONS[name]
    attribute = getattr(scipy.stats, name)
    if is_distribution(attribute):
        return Passed(name, attribute)
    passed = getattr(namespace, name)
    return _anywhere(attribute, passed) if callable(attribute) and not isinstance(attribute,
                                                                                  type) and attribute in TABLE else passed


def __dir__() -> list[str]:
    return dir(namespace)
