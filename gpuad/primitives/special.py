"""What the rules of scipy.special are written with: its functions where the arrays lie, and primitives made of its ufuncs."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special

from gpuad.differential import Block, Elementwise, MultiOutput
from gpuad.dispatch import TABLE
from gpuad.errors import NotDifferentiableError
from gpuad.primitives.constants import CONSTANTS
from gpuad.primitives.matrices import real_dtype
from gpuad.program import Row, Rows
from gpuad.scipy.namespace import ScipyNamespace
from gpuad.traced import TracedArray, raw, settled, value_of
from linalg import Broadcast, Diagonal, LinearOperator
from linalg.arrays import Shape, is_array, namespace, placed

Partial = Callable[..., Any]

sc = ScipyNamespace("special")
"""``scipy.special``, whose functions run where their arguments lie, on traced arrays too."""

UNKNOWN: Any = object()
"""The rule of an argument in which a function has no derivative in closed form: it is refused where it is traced."""


class Special(Elementwise):
    """An elementwise function of scipy.special: ``rule(y, *args) -> partial derivative``.

    Rules see their arguments in the precision of the result, whole numbers (orders, counts) as they are given.
    """

    def __init__(self, name: str, fun: Callable[..., Any], *rules: Partial | None, real: bool = False, whole: Sequence[int] = ()):
        super().__init__(name, fun, *[None if rule is UNKNOWN else rule for rule in rules])
        self._unknown = [i for i, rule in enumerate(rules) if rule is UNKNOWN]
        self._real = real  # the function is not holomorphic: its rules hold for real arguments
        self._whole = whole_arguments(name).union(whole)

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any], outs: tuple[Any, ...] | None = None) -> Any:
        refuse_unknown(self.name, self._unknown, args)
        if self._real and any(type(a) is TracedArray and a.dtype.kind == "c" for a in args):
            raise NotDifferentiableError(f"scipy.special.{self.name} is not holomorphic: expected a real argument to "
                                         "differentiate, got a complex one; write it with the function that is not scaled")
        return super().record(args, kwargs, outs)

    def blocks(self, row: Row, rows: Rows) -> list[Block]:
        return super().blocks(row._replace(args=in_precision(row.args, row.dtype, self._whole)), rows)


class SpecialOutputs(MultiOutput):
    """A function of scipy.special with several results: ``rule(y, *args) -> partial derivative``, where y is the tuple of all."""

    def __init__(self, name: str, fun: Callable[..., Any], *rows: Sequence[Partial]):
        self._unknown = [i for i, rule in enumerate(rows[0]) if rule is UNKNOWN]
        super().__init__(name, fun, *[[None if rule is UNKNOWN else _elementwise(rule) for rule in row] for row in rows])

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        refuse_unknown(self.name, self._unknown, args)
        return super().__call__(*args, **kwargs)


def _elementwise(partial: Partial) -> Callable[..., LinearOperator]:
    def rule(shape: Shape, y: tuple[Any, ...], *args: Any) -> LinearOperator:
        out = y[0].shape
        element = Diagonal(np.broadcast_to(partial(y, *in_precision(args, y[0].dtype)), out), out)
        return element if shape == out else element @ Broadcast(shape, out)

    return rule


def whole_arguments(name: str) -> frozenset[int]:
    """The positions in which a ufunc takes whole numbers."""
    types = getattr(getattr(scipy.special, name, None), "types", [])
    return frozenset(i for signature in types for i, kind in enumerate(signature.split("->")[0]) if kind == "l")


def in_precision(args: Sequence[Any], dtype: np.dtype, whole: frozenset[int] = frozenset()) -> list[Any]:
    """The arguments in the precision of a result: real ones in the dtype of its real parts."""
    real = real_dtype(dtype)
    return [a if a is None or i in whole else _as(a, dtype if np.iscomplexobj(raw(a)) else real) for i, a in enumerate(args)]


def _as(a: Any, dtype: np.dtype) -> Any:
    if not is_array(a):
        return dtype.type(a)
    return a if a.dtype == dtype else a.astype(dtype)


def refuse_unknown(name: str, positions: Sequence[int], args: Sequence[Any]) -> None:
    """Raise where an argument is traced in which the derivative is not known."""
    for i in positions:
        if i < len(args) and type(settled(args[i])) is TracedArray:
            raise NotDifferentiableError(
                f"scipy.special.{name}: the derivative with respect to argument {i + 1} has no closed form, so expected a "
                "constant there, got a traced array; pass ad.stop_gradient(x) where that derivative is not wanted, or state "
                "it with ad.primitive(f, differential=...)")


def ufunc(name: str, *rules: Partial | None, real: bool = False) -> None:
    """Enter a ufunc with its partial derivatives into the table, where this version of SciPy has it."""
    if (function := getattr(scipy.special, name, None)) is not None:
        TABLE[function] = Special(name, getattr(sc, name), *rules, real=real)


def outputs(name: str, *rows: Sequence[Partial]) -> None:
    """Enter a ufunc of several results into the table: for each result its partial derivatives."""
    TABLE[getattr(scipy.special, name)] = SpecialOutputs(name, getattr(sc, name), *rows)


def constant(name: str) -> None:
    """Enter a function that is constant, but for jumps."""
    function = getattr(scipy.special, name)
    TABLE[function] = lambda x: getattr(sc, name)(value_of(x))
    CONSTANTS.add(function)


def log(x: Any) -> Any:
    """log x, −∞ at 0 and NaN below it without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def counted(k: Any, x: Any) -> Any:
    """A count in the precision of x."""
    return k.astype(real_dtype(x.dtype)) if hasattr(k, "dtype") else real_dtype(x.dtype).type(k)


def power_series(coefficients: Sequence[float], x: Any) -> Any:
    """Σ cₖ xᵏ by Horner's rule."""
    total: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = c + x * total
    return total


def by_parts(near: Any, x: Any, inside: Partial, outside: Partial, elsewhere: float = 1.0) -> Any:
    """inside(x) where ``near``, else outside(x): each sees x where it holds only, so that all derivatives are the right one's."""
    return np.where(near, inside(np.where(near, x, 0.0)), outside(np.where(near, elsewhere, x)))


def like(x: Any, values: Any) -> Any:
    """Constants in the precision of x, where x lies."""
    return placed(values, namespace(raw(x)), real_dtype(x.dtype))


__all__ = ["UNKNOWN", "Special", "by_parts", "constant", "counted", "like", "log", "outputs", "power_series", "sc", "ufunc"]
