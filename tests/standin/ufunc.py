"""Universal functions: the loops, keyword arguments and methods that CuPy's have, computed by NumPy's."""
from __future__ import annotations

from typing import Any

import numpy as np

from tests.standin import streams
from tests.standin.array import is_scalar, ndarray, performed, put, unsupported
from tests.standin.libraries import refuse_library

SCATTERED = "iIlLqQefd"  # dtypes of ufunc.at with integer arrays (atomics)


class ufunc:
    """cupy.ufunc: arrays and scalars in, arrays out."""

    def __init__(self, name: str, types: list[str]):
        self.name, self.__name__ = f"cupy_{name}", name
        self._numpy = getattr(np, name)
        self.types = [t for t in types if "E" not in t]  # E: bfloat16
        self.nin, self.nout = map(len, self.types[0].split("->"))
        self.nargs = self.nin + self.nout

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind", _where: Any = None,
                 **others: Any) -> Any:
        for a in args:
            if hasattr(a, "__cupy_override_elementwise_kernel__"):
                given = {k: v for k, v in {"out": out, "dtype": dtype}.items() if v is not None}
                return a.__cupy_override_elementwise_kernel__(self, *args, **given, **others)
        if others:
            raise TypeError(f"Wrong arguments {others}")
        out = args[self.nin] if len(args) > self.nin else out[0] if isinstance(out, tuple) else out
        inputs = [host(a) for a in args[:self.nin]]
        casts = self._loop(inputs) if dtype is None else None
        options = {"dtype": dtype, "casting": casting} if isinstance(self._numpy, np.ufunc) else {}
        if out is not None:
            to = host(out)
            streams.enqueue(self.name, lambda: np.copyto(to, self._numpy(*inputs, **options), casting=casting))  # type: ignore[arg-type]
            return out

        def compute() -> Any:
            result = self._numpy(*inputs, **options)
            if not isinstance(result, tuple):
                return np.asarray(result, casts and casts[0])
            return tuple(np.asarray(r, c) for r, c in zip(result, casts or [None] * self.nout, strict=True))

        return performed(self.name, compute)

    def _loop(self, inputs: list[Any]) -> str:
        """The dtypes of the results: of CuPy's first loop that takes the inputs; Python's numbers alone are double precision."""
        if all(type(x) in (bool, int, float, complex) for x in inputs):
            inputs = [np.result_type(type(x)).type(x) for x in inputs]
        for loop in self.types:
            takes, gives = loop.split("->")
            if all(castable(x, t) for x, t in zip(inputs, takes, strict=True)):
                return gives
        raise TypeError(f"Wrong type ({[getattr(x, 'dtype', type(x)) for x in inputs]}) of arguments for {self.name}")

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        if self.__name__ not in ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"):
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        parts = indices if isinstance(indices, tuple) else (indices,)
        arrays = [p for p in parts if isinstance(p, (ndarray, np.ndarray, list))]
        if any(np.asarray(p._host if isinstance(p, ndarray) else p).dtype.kind != "b" for p in arrays):
            allowed = SCATTERED if self.__name__ == "add" else "iI" if self.__name__ == "subtract" else "iIlLqQfd"
            if a.dtype.char not in allowed:
                raise TypeError(f"cupy.{self.__name__}.at does not support {a.dtype}")
        value = b.astype(a.dtype, copy=False)._host if isinstance(b, ndarray) else b
        to, index = a._host, a._index(indices)
        streams.enqueue(f"{self.name}_at", lambda: self._numpy.at(to, index, value))

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return (array.sum if self.__name__ == "add" else array.prod)(axis, dtype, out, keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return (array.cumsum if self.__name__ == "add" else array.cumprod)(axis, dtype, out)

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        a, b = (x if isinstance(x, ndarray) else put(np.array(host(x))) for x in (A, B))
        return self(a.reshape(a.shape + (1,) * b.ndim), b, **kwargs)


def host(x: Any) -> Any:
    if isinstance(x, ndarray):
        return x._host
    if is_scalar(x):
        return x
    raise unsupported(x)


def castable(x: Any, char: str) -> bool:
    """Whether an input goes into a loop: by NumPy's rule, Python's numbers by their kind."""
    kind = np.dtype(char).kind
    if type(x) in (bool, int, float, complex):
        return kind in {bool: "biufc", int: "iufc", float: "fc", complex: "c"}[type(x)]
    return np.can_cast(x.dtype, char)


class gufunc:
    """cupy.matmul: a generalized ufunc."""

    __name__ = "matmul"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, axes: Any = None) -> Any:
        if any(not isinstance(a, ndarray) for a in args):
            raise next(unsupported(a) for a in args if not isinstance(a, ndarray))
        refuse_library("cupy", "matmul", args, {})
        given, options = [a._host for a in args], {} if axes is None else {"axes": axes}
        if out is not None:
            to = out._host
            streams.enqueue("matmul", lambda: np.copyto(to, np.matmul(*given, dtype=dtype, **options)))
            return out
        return performed("matmul", lambda: np.asarray(np.matmul(*given, dtype=dtype, **options)))
