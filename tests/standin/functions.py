"""CuPy's functions: its names and parameters, computed by NumPy; what NumPy alone would take is refused."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.standin.array import SYNCHRONISATIONS, is_scalar, ndarray, plain, put, unsupported
from tests.standin.table import signature

RENAMED = {"reshape": {"newshape": "shape"}, "tri": {}}
ARRAYS = frozenset(["a", "arr", "ar", "m", "v", "x"])
"""Names of parameters for which CuPy takes its own arrays only."""
ANYTHING = frozenset("isscalar shape ndim size iscomplexobj isrealobj result_type can_cast common_type array_equal".split())
LISTS = frozenset("broadcast_shapes meshgrid ix_ average pad tile".split())


def function(module: str, name: str, compute: Callable[..., Any]) -> Callable[..., Any]:
    """CuPy's function of this name."""
    def call(*args: Any, **kwargs: Any) -> Any:
        check(module, name, args, kwargs)
        renamed = {RENAMED.get(name, {}).get(k, k): plain(v) for k, v in kwargs.items()}
        if name in ("unique", "nonzero", "argwhere", "flatnonzero", "extract"):
            SYNCHRONISATIONS.append(name)
        return wrapped(compute(*map(plain, args), **renamed), [a for a in args if isinstance(a, ndarray)])

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


# ---- functions with a behaviour of their own

def array(obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", subok: bool = False, ndmin: int = 0, *,
          blocking: bool = False) -> ndarray:
    del blocking
    if subok:
        raise NotImplementedError
    if isinstance(obj, ndarray) and not copy and dtype in (None, obj.dtype) and order in (None, "K", "A"):
        return obj
    made = np.array(_nested(obj), dtype=dtype, order=order or "K", ndmin=ndmin)
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
    return made if made.flags.c_contiguous and made.ndim else put(np.ascontiguousarray(made._host))


def asnumpy(a: Any) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return condition.nonzero()
    for part in (x, y):
        if hasattr(part, "__cupy_override_elementwise_kernel__"):
            return part.__cupy_override_elementwise_kernel__(where, condition, x, y)
    parts = [part._host if isinstance(part, ndarray) else part for part in (condition.astype("?", copy=False), x, y)]
    for part in parts:
        if (not is_scalar(part) and not isinstance(part, np.ndarray)) or (isinstance(part, np.ndarray) and any(
                part is given for given in (x, y))):
            raise unsupported(part)
    return put(np.asarray(np.where(*parts)))


where.name = "cupy_where"  # type: ignore[attr-defined]


def einsum(*operands: Any, dtype: Any = None, optimize: Any = False) -> ndarray:
    arrays = operands[1:] if isinstance(operands[0], str) else operands[:-1:2]
    for a in arrays:
        if not isinstance(a, ndarray):
            raise unsupported(a)
    del dtype
    return put(np.asarray(np.einsum(*map(plain, operands), optimize=optimize)))


def require_arrays(compute: Callable[..., Any]) -> Callable[..., Any]:
    """concatenate and its like: sequences of the device's arrays only."""
    def call(tup: Any, *args: Any, **kwargs: Any) -> Any:
        for part in tup:
            if not isinstance(part, ndarray):
                raise TypeError(f"Only cupy arrays can be concatenated, got {type(part)}")
        return put(compute(list(map(plain, tup)), *args, **{k: plain(v) for k, v in kwargs.items()}))
    return call


OWN: dict[str, Callable[..., Any]] = {
    "array": array, "asarray": asarray, "asanyarray": asarray, "ascontiguousarray": ascontiguousarray, "asnumpy": asnumpy,
    "where": where, "einsum": einsum, "is_available": lambda: True,
    "concatenate": require_arrays(np.concatenate), "concat": require_arrays(np.concatenate),
    "stack": require_arrays(np.stack), "get_array_module": lambda *_args: np,
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
