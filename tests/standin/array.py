"""cupy.ndarray's stand-in: a NumPy array out of NumPy's reach, with the methods and the refusals of CuPy's."""
from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.standin.table import TABLE

ATTRIBUTES = frozenset(TABLE["attributes"]["ndarray"])
SYNCHRONISATIONS: list[str] = []
"""What made the host wait for the device, in order."""


def is_scalar(x: Any) -> bool:
    """Whether CuPy takes x as a scalar."""
    return type(x) in (bool, int, float, complex) or isinstance(x, np.generic)


def unsupported(x: Any) -> TypeError:
    return TypeError(f"Unsupported type {type(x)}")


def namespace() -> Any:
    return sys.modules["cupy"]


class ndarray:
    """An array of the stand-in. Its memory, which ``_host`` holds, counts as a device's."""

    __slots__ = ("__weakref__", "_host", "base")
    __module__ = "cupy"
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float, memptr: None = None, strides: None = None, order: str = "C"):
        assert memptr is strides is None
        self._host, self.base = np.empty(shape, dtype, order), None

    # ---- attributes

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    device = property(lambda _self: "stand-in for a CUDA device")
    data = property(lambda self: SimpleNamespace(ptr=self._host.ctypes.data))
    T = property(lambda self: put(self._host.T, self))
    mT = property(lambda self: put(self._host.mT, self))
    imag = property(lambda self: put(self._host.imag, self))

    @property
    def real(self) -> ndarray:
        return put(self._host.real, self) if self.dtype.kind == "c" else self

    @property
    def flags(self) -> Any:
        f = self._host.flags
        return SimpleNamespace(c_contiguous=f.c_contiguous, f_contiguous=f.f_contiguous, owndata=self.base is None)

    # ---- what makes the host wait

    def get(self) -> np.ndarray:
        SYNCHRONISATIONS.append("get")
        return self._host.copy()

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        if not self.size:
            warnings.warn("The truth value of an empty array is ambiguous", DeprecationWarning, stacklevel=2)
            return False
        if self.size > 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()")
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    # ---- protocols

    def __array__(self, _dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
                        "explicitly.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        given = inputs
        if "out" in kwargs:
            if len(kwargs["out"]) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            given, kwargs["out"] = inputs + kwargs["out"], kwargs["out"][0]
        function = getattr(namespace(), ufunc.__name__, None)
        if method != "__call__":
            function = getattr(function, method, None)
        if function is None or not all(is_scalar(x) or isinstance(x, (ndarray, np.ndarray)) for x in given):
            return NotImplemented
        return function(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        found: Any = namespace()
        for name in [*function.__module__.split(".")[1:], function.__name__]:
            found = getattr(found, name, None)
        if found is None or found is function or not all(issubclass(t, (ndarray, np.ndarray)) for t in types):
            return NotImplemented
        return found(*args, **kwargs)

    # ---- container

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def _index(self, index: Any) -> Any:
        """An index as NumPy takes it. Masks make the host wait; only one is allowed."""
        parts = [p._host if isinstance(p, ndarray) else p for p in (index if isinstance(index, tuple) else (index,))]
        if any(isinstance(p, np.ndarray) and p.dtype.kind == "b" and p.ndim for p in parts):
            SYNCHRONISATIONS.append("mask")
        return tuple(parts)

    def __getitem__(self, index: Any) -> ndarray:
        return put(np.asarray(self._host[self._index(index)]), self)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self._host[self._index(index)] = value._host if isinstance(value, ndarray) else value

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, _memo: Any) -> ndarray:
        return self.copy()

    # ---- methods that are not functions of the same name

    def copy(self, order: str = "C") -> ndarray:
        return put(self._host.copy(order))

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: Any = True) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported")
        return put(self._host.astype(dtype, order, copy=bool(copy)), self)

    def fill(self, value: Any) -> None:
        self._host.fill(value)

    def view(self, dtype: Any = None) -> ndarray:
        return put(self._host.view() if dtype is None else self._host.view(dtype), self)

    def dot(self, b: Any) -> ndarray:
        if not isinstance(b, ndarray):
            raise TypeError(f"Argument 'b' has incorrect type (expected ndarray, got {type(b).__name__})")
        return put(np.asarray(self._host.dot(b._host)))

    def nonzero(self) -> tuple[ndarray, ...]:
        SYNCHRONISATIONS.append("nonzero")
        return tuple(map(put, self._host.nonzero()))

    def conj(self) -> ndarray:
        return put(self._host.conj()) if self.dtype.kind == "c" else self

    conjugate = conj

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        shape = shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape
        return put(self._host.reshape(*[shape], order=order), self)

    def transpose(self, *axes: Any) -> ndarray:
        return put(self._host.transpose(*axes), self)

    def _comparison(name: str) -> Callable[[Any, Any], Any]:  # type: ignore[misc]
        def compare(self: Any, other: Any) -> Any:
            return getattr(namespace(), name)(self, other) if isinstance(other, ndarray) else getattr(np, name)(self, other)
        return compare

    __lt__, __le__, __gt__ = _comparison("less"), _comparison("less_equal"), _comparison("greater")
    __ge__, __eq__, __ne__ = _comparison("greater_equal"), _comparison("equal"), _comparison("not_equal")


def _method(name: str, *parameters: str) -> Callable[..., Any]:
    """A method with CuPy's parameters, computed by NumPy's."""
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(parameters, args, strict=False), **kwargs)
        if len(args) > len(parameters) or set(kwargs) - set(parameters):
            raise TypeError(f"ndarray.{name}() takes {parameters}, got {len(args)} arguments and {sorted(kwargs)}")
        out = given.pop("out", None)
        given = {k: plain(v) for k, v in given.items()}
        result = put(np.asarray(getattr(self._host, name)(**given)), self)
        if out is None:
            return result
        out._host[...] = result._host
        return out

    method.__name__ = name
    return method


def plain(x: Any) -> Any:
    """An argument as NumPy takes it; NumPy's own arrays are refused."""
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, np.ndarray):
        raise unsupported(x)
    return type(x)(map(plain, x)) if type(x) in (list, tuple) else x


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
        result = getattr(self._host, name)(*map(plain, args))
        return None if result is None else put(result, self)
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


def put(host: np.ndarray, source: ndarray | None = None) -> ndarray:
    """A NumPy array, wrapped: as the source itself, as a view of it, or as an array of its own."""
    host = np.asarray(host)
    if host.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    if source is not None and host is source._host:
        return source
    array = ndarray.__new__(ndarray)
    array._host, array.base = host, None
    if source is not None and math.prod(host.shape) and np.may_share_memory(host, source._host):
        array.base = source if source.base is None else source.base
    return array
