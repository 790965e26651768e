"""The operators, methods and attributes of a traced array that record: attached from the table."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gpuad.cupy
import gpuad.numpy
from gpuad.aliasing import own
from gpuad.differential import Primitive
from gpuad.dispatch import TABLE, call_function
from gpuad.namespace import Namespace
from gpuad.primitives import assignment, products, shapes
from gpuad.primitives import elementwise as e
from gpuad.traced import TracedArray, is_scalar, underlying
from linalg import LinearOperator
from linalg.arrays import is_cupy


def namespace_of(x: Any, *, api_version: str | None = None) -> Namespace:
    """The namespace of a traced array: over the library that its value belongs to, whatever version is asked for."""
    del api_version
    return gpuad.cupy.namespace() if is_cupy(underlying(x)) else gpuad.numpy.namespace


def _binary(f: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    if isinstance(f, Primitive):
        record, nothing = f.record, {}  # type: ignore[var-annotated]
        return lambda self, other: record((self, other), nothing), lambda self, other: record((other, self), nothing)

    def forward(self: Any, other: Any) -> Any:
        return f(self, other)

    def reflected(self: Any, other: Any) -> Any:
        return f(other, self)

    return forward, reflected


for _symbol, _function in {"add": e.add, "sub": e.subtract, "mul": e.multiply, "truediv": e.divide, "pow": e.power,
                           "mod": e.remainder, "floordiv": TABLE[np.floor_divide]}.items():
    _forward, _reflected = _binary(_function)
    setattr(TracedArray, f"__{_symbol}__", _forward)
    setattr(TracedArray, f"__r{_symbol}__", _reflected)

for _symbol, _ufunc in {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
                        "ne": np.not_equal}.items():
    setattr(TracedArray, f"__{_symbol}__", _binary(TABLE[_ufunc])[0])


def _matmul(self: Any, other: Any) -> Any:
    return NotImplemented if isinstance(other, LinearOperator) else products.matmul(self, other)


def _rmatmul(self: Any, other: Any) -> Any:
    return NotImplemented if isinstance(other, LinearOperator) else products.matmul(other, self)


def _pow(self: Any, other: Any) -> Any:
    return e.square(self) if type(other) is int and other == 2 else e.power(self, other)


def _in_place(symbol: str, sign: str) -> Callable[..., Any]:
    operation = getattr(TracedArray, f"__{symbol}__")

    def write(self: TracedArray, other: Any) -> Any:
        new = operation(self, other)
        if new is NotImplemented or is_scalar(self):
            return new  # as with NumPy's scalars: the name is bound to a new number
        return assignment.update(self, new, sign)

    return write


def _reshape(self: Any, *shape: Any, order: str = "C", copy: Any = None) -> Any:  # noqa: ARG001
    return shapes.reshape(self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Any, *axes: Any) -> Any:
    return shapes.transpose(self, axes[0] if len(axes) == 1 else axes or None)


def _conj(x: Any) -> Any:
    return e.conjugate(x) if x.dtype.kind == "c" else x


def _method(function: Any) -> Callable[..., Any]:
    implementation, name = TABLE[function], f"numpy.{function.__name__}"

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return call_function(name, implementation, (self, *args), kwargs)

    return method


METHODS = """sum mean prod max min var std cumsum cumprod ptp dot clip take argpartition repeat diagonal trace swapaxes squeeze
    ravel argmax argmin argsort any all nonzero searchsorted round""".split()

for _name in METHODS:
    if getattr(np, _name) in TABLE:
        setattr(TracedArray, _name, _method(getattr(np, _name)))

_attributes: dict[str, Any] = {
    "__array_namespace__": namespace_of, "__pow__": _pow, "__matmul__": _matmul, "__rmatmul__": _rmatmul,
    "__neg__": lambda x: e.negative(x), "__pos__": lambda x: e.positive(x),
    "__abs__": lambda x: e.absolute(x), "__getitem__": shapes.getitem, "__invert__": lambda x: ~x.value,
    "__divmod__": lambda x, y: (x // y, x % y), "__rdivmod__": lambda x, y: (y // x, y % x),
    "__round__": lambda x, n=0: np.round(x, n),
    "reshape": _reshape, "transpose": _transpose, "flatten": lambda x, order="C": own(shapes.ravel(x, order)),
    "astype": e.astype, "flat": property(assignment.Flat),
    "T": property(lambda x: shapes.transpose(x)), "mT": property(shapes.matrix_transpose),
    "real": property(e.real, assignment.set_part("real")), "imag": property(e.imag, assignment.set_part("imag")),
    "conj": _conj, "conjugate": _conj,
    "compress": lambda x, condition, axis=None, out=None: np.compress(condition, x, axis=axis, out=out),
}
for _name, _value in _attributes.items():
    setattr(TracedArray, _name, _value)

for _name, _method_in_place in assignment.IN_PLACE.items():
    setattr(TracedArray, _name, _method_in_place)

for _symbol, _sign in {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "mod": "%", "floordiv": "//",
                       "matmul": "@"}.items():
    setattr(TracedArray, f"__i{_symbol}__", _in_place(_symbol, _sign))
