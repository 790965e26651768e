"""Functions of entries, traced to CUDA C++: ``lambda y: 1 - y * y`` becomes the lines of a kernel.

A :class:`Symbol` stands for one entry of an array. It takes NumPy's operators and ufuncs, by NumPy's dtypes (Python's numbers
promote weakly), and where(); each writes one line, so that rounding is that of separate kernels, but for contracted
multiply-adds. Whatever else is asked of it raises :class:`Untraceable`.
"""
from __future__ import annotations

import cmath
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

NAMES = {"?": "bool", "f": "float", "d": "double", "F": "complex<float>", "D": "complex<double>", "l": "integer"}
"""The dtypes that are computed in, and their names in CUDA C++. Other integers are read, and converted."""

PREAMBLE = """
typedef long long integer;
__device__ inline double infinity() { return __longlong_as_double(0x7ff0000000000000LL); }
__device__ inline double undefined() { return __longlong_as_double(0x7ff8000000000000LL); }
template <typename T> __device__ inline T choose(bool c, T a, T b) { return c ? a : b; }
template <typename T> __device__ inline T signum(T a) { return a != a ? a : T((a > T(0)) - (a < T(0))); }
template <typename T> __device__ inline T larger(T a, T b) { return a != a || a > b ? a : b; }
template <typename T> __device__ inline T smaller(T a, T b) { return a != a || a < b ? a : b; }
"""

_OPERATORS = {np.add: "{} + {}", np.subtract: "{} - {}", np.multiply: "{} * {}", np.divide: "{} / {}", np.negative: "-{}",
              np.positive: "{}", np.square: "{0} * {0}", np.equal: "{} == {}", np.not_equal: "{} != {}"}
_FUNCTIONS = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh,
              "cosh": np.cosh, "tanh": np.tanh, "pow": np.power, "abs": np.absolute, "conj": np.conjugate}
_REAL_FUNCTIONS = {"exp2": np.exp2, "expm1": np.expm1, "cbrt": np.cbrt, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
                   "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "hypot": np.hypot, "copysign": np.copysign,
                   "floor": np.floor, "rint": np.rint, "signum": np.sign, "larger": np.maximum, "smaller": np.minimum}
_REAL_OPERATORS = {np.less: "{} < {}", np.less_equal: "{} <= {}", np.greater: "{} > {}", np.greater_equal: "{} >= {}"}
_LOGICAL = {np.bitwise_and: "bool({} & {})", np.logical_and: "bool({} & {})", np.bitwise_or: "bool({} | {})",
            np.logical_or: "bool({} | {})", np.invert: "{} == false", np.logical_not: "{} == false"}


def _calls(functions: dict[str, Any]) -> dict[Any, str]:
    return {ufunc: f"{name}({', '.join(['{}'] * ufunc.nin)})" for name, ufunc in functions.items()}


FLOATING = {**_OPERATORS, **_calls(_FUNCTIONS), **_REAL_OPERATORS, **_calls(_REAL_FUNCTIONS)}
OF_KIND = {"f": FLOATING, "c": {**_OPERATORS, **_calls(_FUNCTIONS)}, "b": _LOGICAL,
           "i": {**_OPERATORS, **_REAL_OPERATORS, **_calls({"larger": np.maximum, "smaller": np.minimum})}}
"""For each kind of arguments, the ufuncs in C++."""


class Untraceable(TypeError):
    """Something was asked of an entry that cannot be written as a line of a kernel."""


class Symbol(NDArrayOperatorsMixin):
    """The entry of an array, or what was computed from entries: a variable of the lines."""

    shape: tuple[int, ...] = ()
    ndim, size = 0, 1

    def __init__(self, name: str, dtype: np.dtype, lines: list[str]):
        self.name, self.dtype, self.lines = name, dtype, lines

    def __array_namespace__(self, **_options: Any) -> Any:
        return np

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Symbol:
        dtype = options.pop("dtype", None)
        if method != "__call__" or options:
            raise Untraceable(f"{ufunc.__name__} with {method} and {sorted(options)}")
        asked = {} if dtype is None else {"signature": (*[None] * ufunc.nin, np.dtype(dtype))}
        *takes, gives = ufunc.resolve_dtypes((*map(_promotes_as, inputs), None), **asked)
        template = OF_KIND.get(takes[0].kind, {}).get(ufunc)
        if template is None:
            raise Untraceable(f"{ufunc.__name__} of {takes[0]}")
        return self.line(template.format(*[_operand(x, t) for x, t in zip(inputs, takes, strict=True)]), gives)

    def __array_function__(self, function: Any, _types: Any, args: Any, kwargs: Any) -> Symbol:
        if function is not np.where or kwargs or len(args) != 3:
            raise Untraceable(f"{function.__name__} of entries")
        condition, a, b = args
        numbers = [type(x)() if type(x) in (int, float, complex) else np.empty((), _promotes_as(x)) for x in (a, b)]
        dtype = np.result_type(*numbers)
        return self.line(f"choose({', '.join([_operand(condition, np.dtype(bool)), _operand(a, dtype), _operand(b, dtype)])})",
                         dtype)

    def line(self, expression: str, dtype: np.dtype) -> Symbol:
        """A new variable."""
        name = f"v{len(self.lines)}"
        self.lines.append(f"const {_name(dtype)} {name} = {expression};")
        return Symbol(name, dtype, self.lines)

    def astype(self, dtype: Any, copy: bool = True) -> Symbol:  # noqa: ARG002
        dtype = np.dtype(dtype)
        return self if dtype == self.dtype else self.line(_operand(self, dtype), dtype)

    def conj(self) -> Symbol:
        return np.conjugate(self) if self.dtype.kind == "c" else self

    def __bool__(self) -> bool:
        raise Untraceable("the truth of an entry")

    __hash__ = None  # type: ignore[assignment]


def _name(dtype: np.dtype) -> str:
    if dtype.char not in NAMES:
        raise Untraceable(f"dtype {dtype}")
    return NAMES[dtype.char]


def _promotes_as(x: Any) -> Any:
    """What an operand is in NumPy's promotion: a dtype, or the type of a number that promotes weakly."""
    if isinstance(x, (Symbol, np.generic)):
        return x.dtype
    if type(x) is bool:
        return np.dtype(bool)
    if type(x) not in (int, float, complex):
        raise Untraceable(f"an operand of type {type(x).__name__}")
    return type(x)


def _operand(x: Any, dtype: np.dtype) -> str:
    """An operand in the dtype of an operation."""
    name = _name(dtype)
    if isinstance(x, Symbol):
        if x.dtype == dtype:
            return x.name
        if dtype.kind in "bi" or (x.dtype.kind == "c" and dtype.kind != "c"):
            raise Untraceable(f"{x.dtype} as {dtype}")
        real = x.dtype.kind != "c" and dtype.kind == "c"
        return f"{name}({NAMES[dtype.char.lower()]}({x.name}))" if real else f"{name}({x.name})"
    if dtype.kind == "b":
        return "true" if x else "false"
    parts = [x.real, x.imag] if dtype.kind == "c" else [x]
    return f"{name}({x if dtype.kind == 'i' else ', '.join(map(_literal, parts))})"


def _literal(x: Any) -> str:
    if cmath.isfinite(x):
        return repr(float(x))
    return "infinity()" if x > 0 else "-infinity()" if x < 0 else "undefined()"


class Trace:
    """What a function gives for entries of arrays of some dtypes and for numbers: lines, and the variable that is the result.

    Operand k is the parameter ``a<k>`` of a kernel. Raises Untraceable where the function asks for more than entries can do.
    """

    def __init__(self, function: Callable[..., Any], operands: Sequence[Any]):
        lines: list[str] = []
        found = function(*[Symbol(f"a{k}", x, lines) if isinstance(x, np.dtype) else x for k, x in enumerate(operands)])
        if not isinstance(found, Symbol):
            raise Untraceable(f"{type(found).__name__} as the result")
        self.found, self.lines, self.dtype = found, lines, found.dtype
        self.parameters = [f"{x.name} a{k}" for k, x in enumerate(operands) if isinstance(x, np.dtype)]

    def applied(self, dtype: np.dtype, plus: bool) -> tuple[list[str], np.dtype]:
        """The lines that set y to the result times an entry x of a dtype, with ``plus`` added to t; y's dtype."""
        lines = list(self.lines)
        product = Symbol(self.found.name, self.dtype, lines) * Symbol("x", dtype, lines)
        return [*lines, f"y = {'t + ' if plus else ''}{product.name};"], product.dtype
