"""Distributions of one variable: SciPy's names, parameters and methods over formulas that are differentiable as they are written.

A distribution is a table of formulas in the standard variable z = (x − loc)/scale and its shapes. Outside its support a density
is 0 and a distribution function 0 or 1, with derivatives 0; parameters that are not allowed give NaN, as SciPy has it.
Results have the precision of the arguments: float32 stays float32.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats

from gpuad.dispatch import refuse
from gpuad.errors import NotDifferentiableError
from gpuad.namespace import traceable
from gpuad.primitives.special import like, log
from gpuad.traced import TracedArray, raw, settled
from linalg.arrays import is_array, namespace

Formula = Callable[..., Any]
Domain = tuple[Formula, Formula]
"""The least and the largest value that is allowed, given the shapes."""


def positive(p: Any) -> Any:
    return p > 0


class Univariate:
    """A distribution with the parameters ``shapes``, loc and, where it is continuous, scale."""

    methods: tuple[str, ...] = ()
    extra = ("loc", "scale")

    def __init__(self, name: str, shapes: str = "", *, support: tuple[Any, Any] = (-np.inf, np.inf), point: Any = None,
                 allowed: Formula = lambda *shapes: [positive(s) for s in shapes], **formulas: Formula):
        self.name, self.shapes, self.support_, self.point, self.allowed = name, tuple(shapes.split()), support, point, allowed
        self.formulas = formulas
        self.scipy: Any = getattr(scipy.stats, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with its parameters given."""
        return Frozen(self, args, kwargs)

    freeze = __call__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} {self.__dict__.get('name')} has no attribute {name!r}")
        attribute = getattr(self.scipy, name)
        return traceable(attribute, None, f"scipy.stats.{self.name}.{name}") if callable(attribute) else attribute

    def __dir__(self) -> list[str]:
        return dir(self.scipy)

    def __repr__(self) -> str:
        return f"<distribution gpuad.scipy.stats.{self.name}>"

    def differentiable(self) -> list[str]:
        """The methods that take traced arrays."""
        return [m for m in self.methods if self.has(m)]

    def has(self, _method: str) -> bool:
        return True

    def parameters(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], lead: int) -> list[Any]:
        """``lead`` arguments (x, q), the shapes, loc and scale of a call, in one precision and one library; None for what is not
        given. Raises TypeError as SciPy does where some are missing or too many.
        """
        leading = ("x", "k", "q")[:0] if lead == 0 else (_leading(method),)
        names = (*leading, *self.shapes, *self.extra)
        given = dict(zip(names, args, strict=False))
        unknown = [k for k in kwargs if k not in names or k in given]
        given |= kwargs
        missing = [n for n in names if n not in given and n not in self.extra]
        if unknown or missing or len(args) > len(names):
            raise TypeError(f"{self.name}.{method} expected the arguments {', '.join(names)}, got {len(args)} by position and "
                            f"{sorted(kwargs)} by name")
        return _as_arrays([given.get(n) for n in names])

    def _checked(self, shapes: list[Any]) -> tuple[list[Any], Any]:
        """The shapes with NaN where they are not allowed, and whether all are allowed."""
        allowed = self.allowed(*shapes)
        fine: Any = True
        for a in allowed:
            fine = fine & raw(a)
        return [_nan_unless(a, s) for a, s in zip(allowed, shapes, strict=True)], fine


def _leading(method: str) -> str:
    return "q" if method in ("ppf", "isf") else "k" if method.endswith("pmf") else "x"


def _as_arrays(values: list[Any]) -> list[Any]:
    """Arrays and scalars of one floating-point dtype: that of the arrays among them, else double precision."""
    arrays = [v for v in values if is_array(v)]
    xp = namespace(*map(raw, arrays)) if arrays else np
    lists = [v if v is None or is_array(v) or np.isscalar(v) else xp.asarray(v) for v in values]
    dtypes = [v.dtype for v in lists if is_array(v)]
    dtype = np.result_type(*dtypes) if dtypes else np.dtype(float)
    dtype = dtype if dtype.kind == "f" else np.dtype(float)
    return [None if v is None else v.astype(dtype) if is_array(v) and v.dtype != dtype else v if is_array(v) else dtype.type(v)
            for v in lists]


def _nan_unless(allowed: Any, p: Any) -> Any:
    """p, and NaN where it is not allowed."""
    return p if allowed is True else np.where(allowed, p, like(p, np.nan))


def plain(y: Any) -> Any:
    """Arrays of shape () as numbers, as SciPy's methods give them."""
    return y[()] if isinstance(y, np.ndarray) and y.ndim == 0 else y


class Continuous(Univariate):
    """Formulas: logpdf, and cdf, sf, logcdf, logsf, ppf, isf, entropy, mean, var where there are any, of z and the shapes."""

    methods = ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf", "ppf", "isf", "median", "interval", "entropy", "mean", "var", "std")

    def has(self, method: str) -> bool:
        source = {"pdf": "logpdf", "std": "var", "sf": "cdf", "logcdf": "cdf", "logsf": "cdf", "isf": "ppf", "median": "ppf",
                  "interval": "ppf"}.get(method, method)
        return source in self.formulas

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of the density."""
        z, shapes, scale, fine = self._standard("logpdf", x, args, kwargs)
        low, high = self._bounds(shapes)
        outside = (z < low) | (z > high) | np.isinf(z)
        y = self._evaluate("logpdf", outside, z, shapes)
        return plain(_filled(outside, -np.inf, fine, y if scale is None else y - np.log(scale)))

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The density."""
        return np.exp(self.logpdf(x, *args, **kwargs))

    def cdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The distribution function."""
        return self._function("cdf", 0.0, 1.0, x, args, kwargs)

    def sf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The survival function, 1 − cdf."""
        return self._function("sf", 1.0, 0.0, x, args, kwargs)

    def logcdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of the distribution function."""
        return self._function("logcdf", -np.inf, 0.0, x, args, kwargs)

    def logsf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of the survival function."""
        return self._function("logsf", 0.0, -np.inf, x, args, kwargs)

    def ppf(self, q: Any, *args: Any, **kwargs: Any) -> Any:
        """The quantile function, inverse of cdf."""
        return self._quantile("ppf", q, args, kwargs)

    def isf(self, q: Any, *args: Any, **kwargs: Any) -> Any:
        """The inverse of the survival function."""
        return self._quantile("isf", q, args, kwargs)

    def median(self, *args: Any, **kwargs: Any) -> Any:
        """The quantile of 1/2."""
        return self.ppf(0.5, *args, **kwargs)

    def interval(self, confidence: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The interval around the median that has a probability."""
        return self.ppf((1 - confidence) / 2, *args, **kwargs), self.ppf((1 + confidence) / 2, *args, **kwargs)

    def entropy(self, *args: Any, **kwargs: Any) -> Any:
        """The differential entropy."""
        shapes, _, scale = self._moment_parameters("entropy", args, kwargs)
        h = self._formula("entropy", *shapes)
        return plain(np.asarray(h) if scale is None and not is_array(h) else h if scale is None else h + np.log(scale))

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """The mean."""
        shapes, loc, scale = self._moment_parameters("mean", args, kwargs)
        m = self._formula("mean", *shapes)
        return plain(_sum(m if scale is None else scale * m, loc))

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """The variance."""
        shapes, loc, scale = self._moment_parameters("var", args, kwargs)
        v = self._formula("var", *shapes)
        return plain(_sum(v if scale is None else scale * scale * v, None if loc is None else 0.0 * loc))

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """The standard deviation."""
        return np.sqrt(self.var(*args, **kwargs))

    # ---- how

    def _formula(self, name: str, *args: Any) -> Any:
        if not self.has(name):
            raise refuse(f"scipy.stats.{self.name}.{name}") if any(isinstance(raw(a), Any) for a in ()) else _no_formula(self.name, name)
        if (formula := self.formulas.get(name)) is not None:
            return formula(*args)
        if name == "sf":
            return 1 - self.formulas["cdf"](*args)
        if name == "isf":
            return self.formulas["ppf"](1 - args[0], *args[1:])
        return log(self._formula(name[3:], *args))
