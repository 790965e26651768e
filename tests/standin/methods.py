"""Methods and operators of cupy.ndarray's stand-in, from tables: importing this gives them to the class."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.standin import streams
from tests.standin.array import ATTRIBUTES, namespace, ndarray, performed, plain, put


def _method(name: str, *parameters: str) -> Callable[..., Any]:
    """A method with CuPy's parameters, computed by NumPy's."""
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(parameters, args, strict=False), **kwargs)
        if len(args) > len(parameters) or set(kwargs) - set(parameters):
            raise TypeError(f"ndarray.{name}() takes {parameters}, got {len(args)} arguments and {sorted(kwargs)}")
        out = given.pop("out", None)
        given, compute = {k: plain(v) for k, v in given.items()}, getattr(self._host, name)
        if out is None:
            return performed(name, lambda: np.asarray(compute(**given)), self)
        to = out._host
        streams.enqueue(name, lambda: np.copyto(to, compute(**given), casting="unsafe"))
        return out

    method.__name__ = name
    return method


_REDUCTION, _SORT = ("axis", "dtype", "out", "keepdims"), ("axis", "kind")
for _name, _parameters in {
    "sum": _REDUCTION, "prod": _REDUCTION, "mean": _REDUCTION, "cumsum": _REDUCTION[:3], "cumprod": _REDUCTION[:3],
    "max": ("axis", "out", "keepdims"), "min": ("axis", "out", "keepdims"), "any": ("axis", "out", "keepdims"),
    "all": ("axis", "out", "keepdims"), "var": ("axis", "dtype", "out", "ddof", "keepdims"),
    "std": ("axis", "dtype", "out", "ddof", "keepdims"), "argmax": ("axis", "out", "dtype", "keepdims"),
    "argmin": ("axis", "out", "dtype", "keepdims"), "argsort": _SORT, "argpartition": ("kth", "axis"),
    "ravel": ("order",), "flatten": ("order",), "squeeze": ("axis",), "repeat": ("repeats", "axis"),
    "take": ("indices", "axis", "out"), "round": ("decimals", "out"), "clip": ("min", "max", "out"),
    "trace": ("offset", "axis1", "axis2", "dtype", "out"), "diagonal": ("offset", "axis1", "axis2"),
    "compress": ("condition", "axis", "out"), "searchsorted": ("v", "side", "sorter"),
}.items():
    setattr(ndarray, _name, _method(_name, *_parameters))


def _positional(name: str) -> Callable[..., Any]:
    """A method that changes the array, or whose arguments NumPy takes by position only."""
    def method(self: ndarray, *args: Any) -> Any:
        compute, given = getattr(self._host, name), list(map(plain, args))
        if name == "swapaxes":
            return put(compute(*given), self)
        if streams.capturing():
            streams.synchronise(name)  # Thrust waits for the stream
        return streams.enqueue(name, lambda: compute(*given))
    return method


for _name in ("sort", "partition", "swapaxes"):
    setattr(ndarray, _name, _positional(_name))


def _binary(name: str) -> tuple[Callable[..., Any], ...]:
    def forward(self: ndarray, other: Any) -> Any:
        if isinstance(other, ndarray):
            return getattr(namespace(), name)(self, other)
        if defers(self, other):
            return NotImplemented
        return getattr(np, name)(self, other)

    def backward(self: ndarray, other: Any) -> Any:
        return getattr(namespace(), name)(other, self)

    def inplace(self: ndarray, other: Any) -> Any:
        return getattr(namespace(), name)(self, other, self)

    return forward, backward, inplace


def defers(x: Any, y: Any) -> bool:
    """Whether the other operand's reflected operator goes first (NEP 13, and priorities where there is no __array_ufunc__)."""
    missing = object()
    protocol = getattr(y, "__array_ufunc__", missing)
    if protocol is not missing:
        return protocol is None
    return x.__array_priority__ < getattr(y, "__array_priority__", 0)


for _name, _function in {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "pow": "power",
                         "floordiv": "floor_divide", "mod": "remainder", "divmod": "divmod", "matmul": "matmul",
                         "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift",
                         "rshift": "right_shift"}.items():
    _forward, _backward, _inplace = _binary(_function)
    setattr(ndarray, f"__{_name}__", _forward)
    setattr(ndarray, f"__r{_name}__", _backward)
    if _name not in ("divmod", "matmul"):
        setattr(ndarray, f"__i{_name}__", _inplace)
for _name, _function in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
    setattr(ndarray, f"__{_name}__", lambda self, f=_function: getattr(namespace(), f)(self))
assert {a for a in vars(ndarray) if not a.startswith("_")} <= ATTRIBUTES

__all__ = ["ndarray"]
