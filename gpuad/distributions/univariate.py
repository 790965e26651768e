"""Distributions of one variable: SciPy's names, parameters and methods over formulas that are differentiable as they are written.

A distribution is a table of formulas in the standard variable z = (x − loc)/scale and its shapes. Outside its support a density
is 0 and a distribution function 0 or 1, with derivatives 0; parameters that are not allowed give NaN, as in SciPy. Results
have the precision of the arguments: float32 stays float32, where SciPy's are double. Methods without a formula are SciPy's
own, and take no traced arrays.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.stats

from gpuad.errors import NotDifferentiableError
from gpuad.namespace import traceable
from gpuad.primitives.special import like, log
from gpuad.traced import TracedArray, raw, settled
from linalg.arrays import is_array, namespace

Formula = Callable[..., Any]


class Univariate:
    """A distribution with shapes, loc and perhaps scale; ``allowed`` tells of each shape where it is."""

    methods: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    sources: ClassVar[dict[str, str]] = {}  # method -> the formula that it follows from, where that has another name

    def __init__(self, name: str, shapes: str = "", *, support: tuple[Any, Any] = (-np.inf, np.inf),
                 allowed: Formula | None = None, **formulas: Formula):
        self.name, self.shapes, self.bounds, self.formulas = name, tuple(shapes.split()), support, formulas
        self.allowed = allowed or (lambda *values: [v > 0 for v in values])
        self.scipy: Any = getattr(scipy.stats, name)
        self.differentiable = [m for m in self.methods if self.sources.get(m, m) in formulas or m in formulas]
        for method in self.methods:
            if method not in self.differentiable:
                setattr(self, method, self._scipys(method))

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with its parameters given."""
        return Frozen(self, args, kwargs)

    freeze = __call__

    def _scipys(self, name: str) -> Any:
        attribute = getattr(self.scipy, name)
        return traceable(attribute, None, f"scipy.stats.{self.name}.{name}") if callable(attribute) else attribute

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "scipy":
            raise AttributeError(f"a distribution has no attribute {name!r}")
        return self._scipys(name)

    def __dir__(self) -> list[str]:
        return dir(self.scipy)

    def __repr__(self) -> str:
        return f"<distribution gpuad.scipy.stats.{self.name}>"

    def stats(self, *args: Any, moments: str = "mv", **kwargs: Any) -> Any:
        """The mean ("m") and the variance ("v"); skewness and kurtosis are SciPy's."""
        if not set(moments) <= set("mv"):
            return self._scipys("stats")(*args, moments=moments, **kwargs)
        found = tuple({"m": self.mean, "v": self.var}[m](*args, **kwargs) for m in moments)  # type: ignore[attr-defined]
        return found if len(found) > 1 else found[0]

    def _parameters(self, method: str, lead: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The arguments of a call in one precision and one library: x or q, the shapes, loc and scale (None where not given).

        Raises TypeError where some are missing, unknown or too many.
        """
        names = (*lead, *self.shapes, *self.extra)
        given = dict(zip(names, args, strict=False))
        wrong = [k for k in kwargs if k not in names or k in given] or [n for n in names if n not in {*given, *kwargs,
                                                                                                      *self.extra}]
        if wrong or len(args) > len(names):
            raise TypeError(f"{self.name}.{method} expected the arguments {', '.join(names)}, got {len(args)} by position and "
                            f"{sorted(kwargs)} by name")
        return in_one_precision([{**given, **kwargs}.get(n) for n in names])

    def _checked(self, shapes: Sequence[Any]) -> tuple[list[Any], Any]:
        """The shapes with NaN where they are not allowed, and whether all are allowed."""
        allowed = self.allowed(*map(raw, shapes))
        fine: Any = True
        for a in allowed:
            fine = fine & a
        return [nan_unless(a, s) for a, s in zip(allowed, shapes, strict=True)], fine

    def _support(self, shapes: Sequence[Any]) -> tuple[Any, Any]:
        low, high = (bound(*shapes) if callable(bound) else bound for bound in self.bounds)
        return low, high

    def _formula(self, name: str, *args: Any) -> Any:
        """A formula of the table, or what follows from another."""
        if name in self.formulas:
            return self.formulas[name](*args)
        if name == "sf":
            return 1 - self._formula("cdf", *args)
        if name == "isf":
            return self._formula("ppf", 1 - args[0], *args[1:])
        y = self._formula(name.removeprefix("log"), *args)
        small = raw(y) < 0.5
        rest = self._formula({"logcdf": "sf", "logsf": "cdf"}[name], *args)
        return np.where(small, log(np.where(small, y, 0.5)), np.log1p(-np.where(small, 0.5, rest)))


def in_one_precision(values: Sequence[Any]) -> list[Any]:
    """Arrays and scalars of one floating-point dtype: that of the arrays among them, else double precision."""
    arrays = [v for v in values if is_array(v)]
    xp = namespace(*map(raw, arrays)) if arrays else np
    values = [xp.asarray(v) if isinstance(v, (list, tuple)) else v for v in values]
    dtypes = [v.dtype for v in values if is_array(v)]
    dtype = np.result_type(*dtypes) if dtypes else np.dtype(float)
    dtype = dtype if dtype.kind == "f" else np.dtype(float)
    return [v if v is None else dtype.type(v) if not is_array(v) else v if v.dtype == dtype else v.astype(dtype) for v in values]


def nowhere(mask: Any) -> bool:
    """Whether a mask is known to be false everywhere; masks on the device or of a plan are not looked at."""
    return type(mask) in (np.ndarray, np.bool_) and not mask.any()


def nan_unless(allowed: Any, p: Any) -> Any:
    """p, and NaN where it is not allowed."""
    return p if nowhere(~allowed) else np.where(allowed, p, like(p, np.nan))


def filled(where: Any, value: float, fine: Any, y: Any) -> Any:
    """y, and a value in some places: NaN there where parameters are not allowed."""
    if nowhere(where):
        return y
    fill = value if fine is True else np.where(fine, value, np.nan).astype(y.dtype)
    return np.where(where, fill, y)


def plain(y: Any) -> Any:
    """Arrays of shape () as numbers, as SciPy's methods give them."""
    return y[()] if isinstance(y, np.ndarray) and y.ndim == 0 else y


class Continuous(Univariate):
    """Formulas logpdf, cdf, sf, logcdf, logsf of z and the shapes, ppf, isf of q and the shapes, entropy, mean, var of shapes.

    ``inner`` is a point inside the support, at which formulas are evaluated where z lies outside. At the ends of a support that
    is ``open`` the density is 0.
    """

    methods = ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf", "ppf", "isf", "median", "interval", "entropy", "mean", "var",
               "std", "stats")
    sources: ClassVar[dict[str, str]] = {
        "pdf": "logpdf", "std": "var", "stats": "var", "sf": "cdf", "logcdf": "cdf", "logsf": "cdf", "isf": "ppf",
        "median": "ppf", "interval": "ppf"}
    extra = ("loc", "scale")

    def __init__(self, name: str, shapes: str = "", *, inner: Any = 0.5, open: bool = False, **options: Any):  # noqa: A002
        self.inner, self.open = inner, open
        super().__init__(name, shapes, **options)

    def logpdf(self, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of the density at x, shapes, loc=0, scale=1."""
        z, shapes, scale, fine = self._standard("logpdf", args, kwargs)
        low, high = map(raw, self._support(shapes))
        outside = (raw(z) < low) | (raw(z) > high) | np.isinf(raw(z))
        outside = outside | (raw(z) == low) | (raw(z) == high) if self.open else outside
        y = self._evaluate("logpdf", outside, z, shapes)
        return plain(filled(outside, -np.inf, fine, y if scale is None else y - np.log(scale)))

    def pdf(self, *args: Any, **kwargs: Any) -> Any:
        """The density at x, shapes, loc=0, scale=1."""
        return np.exp(self.logpdf(*args, **kwargs))

    def cdf(self, *args: Any, **kwargs: Any) -> Any:
        """The distribution function at x, shapes, loc=0, scale=1."""
        return self._function("cdf", 0.0, 1.0, args, kwargs)

    def sf(self, *args: Any, **kwargs: Any) -> Any:
        """The survival function, 1 − cdf, at x, shapes, loc=0, scale=1."""
        return self._function("sf", 1.0, 0.0, args, kwargs)

    def logcdf(self, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of the distribution function at x, shapes, loc=0, scale=1."""
        return self._function("logcdf", -np.inf, 0.0, args, kwargs)

    def logsf(self, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of the survival function at x, shapes, loc=0, scale=1."""
        return self._function("logsf", 0.0, -np.inf, args, kwargs)

    def ppf(self, *args: Any, **kwargs: Any) -> Any:
        """The quantile of q, shapes, loc=0, scale=1: the inverse of cdf."""
        return self._quantile("ppf", args, kwargs)

    def isf(self, *args: Any, **kwargs: Any) -> Any:
        """The inverse of the survival function at q, shapes, loc=0, scale=1."""
        return self._quantile("isf", args, kwargs)

    def median(self, *args: Any, **kwargs: Any) -> Any:
        """The quantile of 1/2."""
        return self.ppf(0.5, *args, **kwargs)

    def interval(self, confidence: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The interval of a probability, with equal areas around the median."""
        return self.ppf((1 - confidence) / 2, *args, **kwargs), self.ppf((1 + confidence) / 2, *args, **kwargs)

    def entropy(self, *args: Any, **kwargs: Any) -> Any:
        """The differential entropy for shapes, loc=0, scale=1."""
        return self._moment("entropy", args, kwargs, lambda h, _loc, scale: h if scale is None else h + np.log(scale))

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """The mean for shapes, loc=0, scale=1."""
        return self._moment("mean", args, kwargs, lambda m, loc, scale: _plus(m if scale is None else scale * m, loc))

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """The variance for shapes, loc=0, scale=1."""
        return self._moment("var", args, kwargs, lambda v, _loc, scale: v if scale is None else scale * scale * v)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """The standard deviation for shapes, loc=0, scale=1."""
        return np.sqrt(self.var(*args, **kwargs))

    def _standard(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any], Any, Any]:
        x, *shapes, loc, scale = self._parameters(method, ["x"], args, kwargs)
        scale = scale if scale is None else nan_unless(raw(scale) > 0, scale)
        z = x if loc is None else x - loc
        return z if scale is None else z / scale, *self._shaped(shapes, scale)

    def _shaped(self, shapes: list[Any], scale: Any) -> tuple[list[Any], Any, Any]:
        shapes, fine = self._checked(shapes)
        return shapes, scale, fine

    def _evaluate(self, name: str, outside: Any, z: Any, shapes: list[Any]) -> Any:
        inner = self.inner(*map(raw, shapes)) if callable(self.inner) else self.inner
        with np.errstate(all="ignore"):
            return self._formula(name, z if nowhere(outside) else np.where(outside, inner, z), *shapes)

    def _function(self, name: str, below: float, above: float, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        z, shapes, _, fine = self._standard(name, args, kwargs)
        low, high = map(raw, self._support(shapes))
        under, over = raw(z) <= low, raw(z) >= high
        y = self._evaluate(name, under | over, z, shapes)
        return plain(filled(under, below, fine, filled(over, above, fine, y)))

    def _quantile(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        q, *shapes, loc, scale = self._parameters(name, ["q"], args, kwargs)
        shapes, _ = self._checked(shapes)
        q = nan_unless((raw(q) >= 0) & (raw(q) <= 1), q)
        least, most = raw(q) == 0, raw(q) == 1
        inner = nowhere(least | most)
        with np.errstate(all="ignore"):
            z = self._formula(name, q if inner else np.where(least | most, 0.5, q), *shapes)
        if not inner:
            first, last = self._support(shapes) if name == "ppf" else self._support(shapes)[::-1]
            z = np.where(least, _as(first, z), np.where(most, _as(last, z), z))
        return plain(_plus(z if scale is None else z * nan_unless(raw(scale) > 0, scale), loc))

    def _moment(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], scaled: Formula) -> Any:
        *shapes, loc, scale = self._parameters(name, [], args, kwargs)
        shapes, _ = self._checked(shapes)
        scale = scale if scale is None else nan_unless(raw(scale) > 0, scale)
        with np.errstate(all="ignore"):
            value = scaled(self._formula(name, *shapes), loc, scale)
        return plain(value) if is_array(value) else np.float64(value)


def _as(bound: Any, z: Any) -> Any:
    """A bound of the support in the precision of z; NaN where z is."""
    return np.where(np.isnan(raw(z)), like(z, np.nan), bound)


def _plus(z: Any, loc: Any) -> Any:
    return z if loc is None else z + loc


class Discrete(Univariate):
    """Formulas logpmf, cdf, sf, logcdf, logsf of whole numbers k and the shapes, entropy, mean, var of the shapes.

    Values and ``counts`` among the shapes are whole numbers: there is no derivative in them.
    """

    methods = ("logpmf", "pmf", "cdf", "sf", "logcdf", "logsf", "entropy", "mean", "var", "std", "stats")
    sources: ClassVar[dict[str, str]] = {
        "pmf": "logpmf", "std": "var", "stats": "var", "sf": "cdf", "logcdf": "cdf", "logsf": "cdf"}
    extra = ("loc",)

    def __init__(self, name: str, shapes: str = "", *, counts: Sequence[str] = (), **options: Any):
        self.counts = counts
        super().__init__(name, shapes, **options)

    def logpmf(self, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of the probability of k, for shapes, loc=0."""
        k, shapes, fine = self._standard("logpmf", args, kwargs)
        low, high = map(raw, self._support(shapes))
        outside = (k < low) | (k > high) | (k > np.floor(k))
        return plain(filled(outside, -np.inf, fine, self._evaluate("logpmf", outside, k, shapes)))

    def pmf(self, *args: Any, **kwargs: Any) -> Any:
        """The probability of k, for shapes, loc=0."""
        return np.exp(self.logpmf(*args, **kwargs))

    def cdf(self, *args: Any, **kwargs: Any) -> Any:
        """The probability of at most k, for shapes, loc=0."""
        return self._function("cdf", 0.0, 1.0, args, kwargs)

    def sf(self, *args: Any, **kwargs: Any) -> Any:
        """The probability of more than k, for shapes, loc=0."""
        return self._function("sf", 1.0, 0.0, args, kwargs)

    def logcdf(self, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of cdf."""
        return self._function("logcdf", -np.inf, 0.0, args, kwargs)

    def logsf(self, *args: Any, **kwargs: Any) -> Any:
        """The logarithm of sf."""
        return self._function("logsf", 0.0, -np.inf, args, kwargs)

    def entropy(self, *args: Any, **kwargs: Any) -> Any:
        """The entropy for shapes, loc=0."""
        return self._moment("entropy", args, kwargs)

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """The mean for shapes, loc=0."""
        return self._moment("mean", args, kwargs)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """The variance for shapes, loc=0."""
        return self._moment("var", args, kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """The standard deviation for shapes, loc=0."""
        return np.sqrt(self.var(*args, **kwargs))

    def _counted(self, method: str, lead: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        values = self._parameters(method, lead, args, kwargs)
        for name, value in zip((*lead, *self.shapes, *self.extra), values, strict=True):
            if name in (*lead, *self.counts, *self.extra) and type(settled(value)) is TracedArray:
                raise NotDifferentiableError(f"scipy.stats.{self.name}.{method} is differentiated in its continuous parameters; "
                                             f"{name} is a whole number, got a traced array: apply ad.stop_gradient({name})")
        return values

    def _standard(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any], Any]:
        k, *shapes, loc = self._counted(method, ["k"], args, kwargs)
        return raw(k) if loc is None else raw(k) - raw(loc), *self._checked(shapes)

    def _evaluate(self, name: str, outside: Any, k: Any, shapes: list[Any]) -> Any:
        with np.errstate(all="ignore"):
            return self._formula(name, np.where(outside, self._support(shapes)[0], k), *shapes)

    def _function(self, name: str, below: float, above: float, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        k, shapes, fine = self._standard(name, args, kwargs)
        k = np.floor(k)
        low, high = map(raw, self._support(shapes))
        under, over = k < low, k >= high
        y = np.where(np.isnan(k), np.nan, self._evaluate(name, under | over, k, shapes))
        return plain(filled(under, below, fine, filled(over, above, fine, y)))

    def _moment(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        *shapes, loc = self._counted(name, [], args, kwargs)
        with np.errstate(all="ignore"):
            value = self._formula(name, *self._checked(shapes)[0])
        return plain(value if loc is None or name != "mean" else value + loc)


class Frozen:
    """A distribution with parameters: its methods take x, k or q only."""

    def __init__(self, dist: Any, args: tuple[Any, ...], kwargs: dict[str, Any]):
        self.dist, self.args, self.kwds = dist, args, kwargs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("dist", "args", "kwds"):
            raise AttributeError(f"a frozen distribution has no attribute {name!r}")
        method = getattr(self.dist, name)
        if not callable(method):
            return method
        return lambda *x, **options: method(*x, *self.args, **self.kwds, **options)

    def __repr__(self) -> str:
        return f"{self.dist!r} with {self.args} {self.kwds}"
