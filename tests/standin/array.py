"""cupy.ndarray's stand-in: a NumPy array over the device's memory, with the methods and the refusals of CuPy's."""
from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.standin import memory, streams
from tests.standin.counters import LAUNCHES, TRANSFERS
from tests.standin.table import TABLE
from tests.standin.waiting import Waiting

ATTRIBUTES = frozenset(TABLE["attributes"]["ndarray"])
NOTHING = memory.Memory(0)


def is_scalar(x: Any) -> bool:
    """Whether CuPy takes x as a scalar."""
    return type(x) in (bool, int, float, complex) or isinstance(x, np.generic)


def supported(dtype: np.dtype) -> bool:
    """Whether CuPy has arrays of a dtype."""
    return dtype.kind in "biufc" or dtype.name == "bfloat16"


def unsupported(x: Any) -> TypeError:
    return TypeError(f"Unsupported type {type(x)}")


def namespace() -> Any:
    return sys.modules["cupy"]


class ndarray(Waiting):
    """An array of the stand-in: ``_host`` shows NumPy the part of the device's ``_memory`` where it lies."""

    __slots__ = ("__weakref__", "_host", "_memory", "base")
    __module__ = "cupy"
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C"):
        shape, dtype = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape), np.dtype(dtype)
        if not supported(dtype) and memptr is None:
            raise ValueError(f"Unsupported dtype {dtype}")
        nbytes, self.base = math.prod(shape) * dtype.itemsize, None
        memptr = memory.alloc(nbytes) if memptr is None else memptr
        self._memory = memptr.mem
        if not nbytes:
            self._host = np.empty(shape, dtype, order)
            return
        self._host = np.ndarray(shape, dtype, self._memory.bytes, memptr.ptr - self._memory.ptr, strides, order)

    # ---- attributes

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    device = property(lambda _self: namespace().cuda.Device(0))
    T = property(lambda self: put(self._host.T, self))
    mT = property(lambda self: put(self._host.mT, self))
    imag = property(lambda self: put(self._host.imag, self))

    @property
    def real(self) -> ndarray:
        return put(self._host.real, self) if self.dtype.kind == "c" else self

    @property
    def data(self) -> memory.MemoryPointer:
        if not self._memory.ptr:
            return memory.MemoryPointer(self._memory, 0)
        return memory.MemoryPointer(self._memory, self._host.__array_interface__["data"][0] - self._memory.ptr)

    @property
    def flags(self) -> Any:
        f = self._host.flags
        return SimpleNamespace(c_contiguous=f.c_contiguous, f_contiguous=f.f_contiguous, owndata=self.base is None)

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
        """An index as NumPy takes it. Masks make the host wait; arrays of the host are copied to the device."""
        if any(isinstance(p, (np.ndarray, list)) for p in (index if isinstance(index, tuple) else (index,))):
            streams.refuse("H2D")
            TRANSFERS.append("index")
        parts = [p._host if isinstance(p, ndarray) else p for p in (index if isinstance(index, tuple) else (index,))]
        if any(isinstance(p, np.ndarray) and p.dtype.kind == "b" and p.ndim for p in parts):
            streams.synchronise("mask")
        return tuple(parts)

    def __getitem__(self, index: Any) -> ndarray:
        host, index = self._host, self._index(index)
        if all(isinstance(part, (int, np.integer)) for part in index):
            index = (*index, Ellipsis)  # a view of one entry, where NumPy gives a number
        return performed("take", lambda: np.asarray(host[index]), self)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        host, index, given = self._host, self._index(index), value._host if isinstance(value, ndarray) else value
        streams.enqueue("put", lambda: host.__setitem__(index, given))

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, _memo: Any) -> ndarray:
        return self.copy()

    # ---- methods that are not functions of the same name

    def copy(self, order: str = "C") -> ndarray:
        host = self._host
        return performed("copy", lambda: host.copy(order))

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: Any = True) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported")
        host = self._host
        return performed("astype", lambda: host.astype(dtype, order, copy=bool(copy)), self)

    def fill(self, value: Any) -> None:
        host, given = self._host, value._host if isinstance(value, ndarray) else value
        streams.enqueue("fill", lambda: host.fill(given))

    def view(self, dtype: Any = None) -> ndarray:
        return put(self._host.view() if dtype is None else self._host.view(dtype), self)

    def dot(self, b: Any, out: Any = None) -> ndarray:
        if not isinstance(b, ndarray):
            raise TypeError(f"Argument 'b' has incorrect type (expected ndarray, got {type(b).__name__})")
        return namespace().dot(self, b, out)

    def nonzero(self) -> tuple[ndarray, ...]:
        streams.synchronise("nonzero")
        return tuple(map(put, self._host.nonzero()))

    def conj(self) -> ndarray:
        host = self._host
        return performed("conj", lambda: host.conj()) if self.dtype.kind == "c" else self

    conjugate = conj

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        shape, host = shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape, self._host
        return performed("copy", lambda: host.reshape(*[shape], order=order), self)

    def transpose(self, *axes: Any) -> ndarray:
        return put(self._host.transpose(*axes), self)

    def _comparison(name: str) -> Callable[[Any, Any], Any]:  # type: ignore[misc]
        def compare(self: Any, other: Any) -> Any:
            return getattr(namespace(), name)(self, other) if isinstance(other, ndarray) else getattr(np, name)(self, other)
        return compare

    __lt__, __le__, __gt__ = _comparison("less"), _comparison("less_equal"), _comparison("greater")
    __ge__, __eq__, __ne__ = _comparison("greater_equal"), _comparison("equal"), _comparison("not_equal")


def plain(x: Any) -> Any:
    """An argument as NumPy takes it; NumPy's own arrays are refused."""
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, np.ndarray):
        raise unsupported(x)
    return type(x)(map(plain, x)) if type(x) in (list, tuple) else x


def put(host: np.ndarray, source: ndarray | None = None) -> ndarray:
    """A NumPy array on the device: the source itself, a view of it, or an array of its own in new memory, laid out as it is."""
    host = np.asarray(host)
    if not supported(host.dtype):
        raise ValueError(f"Unsupported dtype {host.dtype}")
    if source is not None and host is source._host:
        return source
    array = ndarray.__new__(ndarray)
    if source is not None and host.size and np.may_share_memory(host, source._host):
        array._host, array._memory, array.base = host, source._memory, source if source.base is None else source.base
        return array
    strides = None if host.flags.c_contiguous else np.empty_like(host).strides
    array.__init__(host.shape, host.dtype, None, strides)  # type: ignore[misc]
    array._host[...] = host
    return array


def wrapped(result: Any, sources: list[ndarray]) -> Any:
    """Results as CuPy returns them: arrays, also where NumPy gives scalars; views know their base."""
    if isinstance(result, (tuple, list)):
        return type(result)(wrapped(r, sources) for r in result) if type(result) in (tuple, list) else tuple(
            wrapped(r, sources) for r in result)
    if isinstance(result, np.ndarray):
        for source in sources:
            if result is source._host or (result.size and np.may_share_memory(result, source._host)):
                return put(result, source)
        return put(result)
    return put(np.asarray(result)) if is_scalar(result) else result


def performed(name: str, compute: Callable[[], Any], *sources: ndarray) -> Any:
    """What compute gives, on the device; a capture records it, with the memory where its results lie."""
    if (capture := streams.capturing()) is None:
        streams.catch_up()
        result = wrapped(compute(), list(sources))
        if any(owned(result, sources)):
            LAUNCHES.append(name)
        return result
    with np.errstate(all="ignore"):
        result = wrapped(compute(), list(sources))
    made = [x._host if own else None for x, own in zip(leaves(result), owned(result, sources), strict=True)]
    if any(owned(result, sources)):
        streams.enqueue(name, lambda: _write(made, leaves(compute())))
        capture.made += [host for host in made if host is not None]
    return result


def leaves(result: Any) -> list[Any]:
    """The arrays of a result, which may be nested."""
    return [x for r in result for x in leaves(r)] if isinstance(result, (tuple, list)) else [result]


def owned(result: Any, sources: Sequence[ndarray]) -> list[bool]:
    """Which of the arrays of a result are new: no views, and not what they were made of."""
    return [isinstance(x, ndarray) and x.base is None and all(x is not s for s in sources) for x in leaves(result)]


def _write(made: list[np.ndarray | None], results: list[Any]) -> None:
    for host, result in zip(made, results, strict=True):
        if host is not None:
            host[...] = result
