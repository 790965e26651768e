"""CuPy's functions: its names and parameters, computed by NumPy; what NumPy alone would take is refused."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.standin import streams
from tests.standin.array import is_scalar, ndarray, performed, plain, put, unsupported
from tests.standin.counters import TRANSFERS
from tests.standin.libraries import refuse_library
from tests.standin.table import signature

RENAMED = {"reshape": {"newshape": "shape"}, "tri": {}}
ARRAYS = frozenset(["a", "arr", "ar", "m", "v", "x"])
"""Names of parameters for which CuPy takes its own arrays only."""
ANYTHING = frozenset("isscalar shape ndim size iscomplexobj isrealobj result_type can_cast common_type array_equal".split())
IN_PLACE = frozenset("fill_diagonal place put putmask put_along_axis".split())
WAITING = frozenset("unique nonzero argwhere flatnonzero extract".split())
LISTS = frozenset("broadcast_shapes meshgrid ix_ average pad tile".split())


def function(module: str, name: str, compute: Callable[..., Any]) -> Callable[..., Any]:
    """CuPy's function of this name."""
    def call(*args: Any, **kwargs: Any) -> Any:
        check(module, name, args, kwargs)
        refuse_library(module, name, args, kwargs)
        renamed = {RENAMED.get(name, {}).get(k, k): plain(v) for k, v in kwargs.items() if k != "out" or v is not None}
        if name in WAITING:
            streams.synchronise(name)
        given = list(map(plain, args))
        if (out := kwargs.get("out")) is not None or name in IN_PLACE:
            streams.enqueue(name, lambda: compute(*given, **renamed))
            return out
        return performed(name, lambda: compute(*given, **renamed), *[a for a in args if isinstance(a, ndarray)])

    call.__name__ = call.__qualname__ = name
    call.__module__ = module
    return call


def check(module: str, name: str, args: Any, kwargs: Any) -> None:
    """Raise TypeError where CuPy's function would: parameters that it lacks, lists and numbers in place of arrays."""
    known = signature(module, name)
    if known is None:
        return
    try:
        bound = known.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{module}.{name}() of CuPy: {error}") from None
    first = next(iter(bound), "")
    if first in ARRAYS and name not in ANYTHING | LISTS and not isinstance(bound[first], ndarray):
        raise unsupported(bound[first])


# ---- functions with a behaviour of their own

def array(obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", subok: bool = False, ndmin: int = 0, *,
          blocking: bool = False) -> ndarray:
    del blocking
    if subok:
        raise NotImplementedError
    if isinstance(obj, ndarray) and not copy and dtype in (None, obj.dtype) and order in (None, "K", "A"):
        return obj
    if isinstance(obj, ndarray):
        host = obj._host
        return performed("copy", lambda: np.array(host, dtype=dtype, order=order or "K", ndmin=ndmin))
    if isinstance(obj, (list, tuple)) and any(isinstance(x, ndarray) for x in obj):
        given = _nested(obj)
        return performed("concatenate", lambda: np.array(given, dtype=dtype, order=order or "K", ndmin=ndmin))
    made = np.array(_nested(obj), dtype=dtype, order=order or "K", ndmin=ndmin)
    if not made.ndim:
        return performed("fill", lambda: made.copy())
    streams.refuse("H2D")
    streams.catch_up()
    TRANSFERS.append("asarray")
    return put(made)


def _nested(x: Any) -> Any:
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, (list, tuple)):
        return [_nested(part) for part in x]
    if hasattr(x, "__cupy_override_elementwise_kernel__"):
        raise TypeError("Implicit conversion of a foreign object")
    return x


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False) -> ndarray:
    return array(a, dtype, bool(copy), order, blocking=blocking)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    made = array(a, dtype, copy=False)
    host = made._host
    return made if made.flags.c_contiguous and made.ndim else performed("copy", lambda: np.ascontiguousarray(host).copy())


def asnumpy(a: Any) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return condition.nonzero()
    if isinstance(condition, np.ndarray):
        raise unsupported(condition)
    for part in (x, y):
        if hasattr(part, "__cupy_override_elementwise_kernel__"):
            return part.__cupy_override_elementwise_kernel__(where, condition, x, y)
    parts = [part._host if isinstance(part, ndarray) else part for part in (condition.astype("?", copy=False), x, y)]
    for part in parts:
        if (not is_scalar(part) and not isinstance(part, np.ndarray)) or (isinstance(part, np.ndarray) and any(
                part is given for given in (x, y))):
            raise unsupported(part)
    return performed("where", lambda: np.asarray(np.where(*parts)))


where.name = "cupy_where"  # type: ignore[attr-defined]


def einsum(*operands: Any, dtype: Any = None, optimize: Any = False) -> ndarray:
    arrays = operands[1:] if isinstance(operands[0], str) else operands[:-1:2]
    for a in arrays:
        if not isinstance(a, ndarray):
            raise unsupported(a)
    del dtype
    refuse_library("cupy", "einsum", operands, {})
    given = list(map(plain, operands))
    return performed("einsum", lambda: np.asarray(np.einsum(*given, optimize=optimize)).copy())


def require_arrays(compute: Callable[..., Any]) -> Callable[..., Any]:
    """concatenate and its like: sequences of the device's arrays only."""
    def call(tup: Any, *args: Any, **kwargs: Any) -> Any:
        for part in tup:
            if not isinstance(part, ndarray):
                raise TypeError(f"Only cupy arrays can be concatenated, got {type(part)}")
        given, options = list(map(plain, tup)), {k: plain(v) for k, v in kwargs.items() if v is not None}
        if (out := kwargs.get("out")) is not None:
            streams.enqueue("concatenate", lambda: compute(given, *args, **options))
            return out
        return performed("concatenate", lambda: compute(given, *args, **options))
    return call


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return ndarray(shape, dtype, order=order)


def copyto(dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    if where is not None:
        raise NotImplementedError("the stand-in's copyto has no where")
    host, given = dst._host, src._host if isinstance(src, ndarray) else src
    if not is_scalar(src) and not isinstance(src, ndarray):
        raise unsupported(src)
    streams.enqueue("copyto", lambda: np.copyto(host, given, casting=casting))  # type: ignore[arg-type]


OWN: dict[str, Callable[..., Any]] = {
    "array": array, "asarray": asarray, "asanyarray": asarray, "ascontiguousarray": ascontiguousarray, "asnumpy": asnumpy,
    "where": where, "einsum": einsum, "is_available": lambda: True,
    "concatenate": require_arrays(np.concatenate), "concat": require_arrays(np.concatenate),
    "stack": require_arrays(np.stack), "empty": empty, "copyto": copyto, "get_array_module": lambda *_args: np,
}
PASSED = frozenset("isscalar shape ndim size iscomplexobj isrealobj result_type can_cast common_type promote_types issubdtype "
                   "broadcast_shapes min_scalar_type isdtype typename may_share_memory shares_memory".split())


def passed(name: str) -> Callable[..., Any]:
    """Functions whose results are the host's."""
    return lambda *args, **kwargs: getattr(np, name)(*map(plain, args), **{k: plain(v) for k, v in kwargs.items()})


def module_function(module: str, name: str, numpy_module: Any) -> Callable[..., Any]:
    """The stand-in of one function of CuPy."""
    if module == "cupy" and name in OWN:
        return OWN[name]
    if module == "cupy" and name in PASSED:
        return passed(name)
    compute = getattr(numpy_module, name, None)
    return function(module, name, compute) if compute is not None else missing(f"{module}.{name}")


def missing(name: str) -> Callable[..., Any]:
    def call(*_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError(f"the stand-in for CuPy has no {name}")
    return call
