"""The NumPy calls that a staged array records, in forms that analysis knows or as they are, and those that a plan refuses."""
from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.aliasing import Kind, is_view_of, view
from gpuad.dispatch import DEFINED, LIKE, METHODS, TABLE, any_traced, blank, made_like, named_out
from gpuad.errors import PlanError
from gpuad.planning import functions
from gpuad.planning.recorder import Recorder
from gpuad.planning.staged import STEERING, StagedArray, staged_in, values_of
from gpuad.primitives.assignment import write_out
from gpuad.primitives.views import PERMUTED, REPEATED, RESHAPED, read_only
from linalg.arrays import Shape, is_cupy
from linalg.scipy import Steady


def _array_ufunc(self: StagedArray, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    out = kwargs.get("out")
    if any_traced(args, kwargs):
        return NotImplemented  # a traced array does this, whose values are staged
    if method == "__call__" and len(args) > ufunc.nin:
        out, args = args[ufunc.nin:], args[:ufunc.nin]
    outs = out if isinstance(out, tuple) else (out,)
    if any(o is not None for o in outs):
        return _into(outs, ufunc, method, args, {k: v for k, v in kwargs.items() if k != "out"})
    kwargs.pop("out", None)
    recorder = self.recorder
    if method != "__call__":
        return _method_call(recorder, ufunc, method, args, kwargs)
    return recorder.call(ufunc, *args, **kwargs)


def _into(outs: tuple[Any, ...], ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call of a ufunc that writes its results into arrays of the plan."""
    for out in outs:
        refuse_out(ufunc, out)
    mask = kwargs.pop("where", True)
    if mask is not True and method == "__call__" and len(outs) == 1:
        return write_out(outs[0], outs[0]._record(functions.call_where, ufunc, mask, outs[0], *args, **kwargs), ufunc.__name__)
    result = getattr(ufunc, method)(*args, **kwargs)
    results = result if isinstance(result, tuple) else (result,)
    stored = tuple(r if o is None else write_out(o, r, f"numpy.{ufunc.__name__}", mask)
                   for r, o in zip(results, outs, strict=False))
    return stored if isinstance(result, tuple) else stored[0]


def _array_function(self: StagedArray, function: Any, _types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if any_traced(args, kwargs):
        return NotImplemented
    function = _of_numpy(function)
    name = f"{function.__module__}.{function.__name__}"
    args, kwargs = named_out(function, args, kwargs)
    if kwargs.get("out") is not None:
        refuse_out(function, kwargs["out"])
        return write_out(kwargs["out"], function(*args, **{k: v for k, v in kwargs.items() if k != "out"}), name)
    if (direct := DIRECT.get(function)) is not None:
        return direct(*args, **kwargs)
    if function in VALUE_SHAPED and not (function in SHAPED_BY_FIRST and staged_in(args[:1]) is None):
        raise PlanError(f"{name}: the shape of its result depends on values, and a plan's shapes are fixed. {STEERING}")
    if function in (np.histogram, np.histogram_bin_edges) and isinstance(kwargs.get("bins", args[1:] and args[1]), str):
        raise PlanError(f"{name} with bins by a rule: their number depends on values. Give the number of bins. {STEERING}")
    if function in KNOWN:
        return function(*values_of(args), **values_of(kwargs))
    if function in NEW:
        return _new(self, function, values_of(args), values_of(kwargs))
    if function in IN_PLACE:
        return _change(function, name, args, kwargs)
    if len(args) > 1 or kwargs:
        refuse_settings(function, name, args, kwargs)
    implementation = DECOMPOSED.get(function)
    if implementation is not None and (function in FOR_ALL_DTYPES or _floating(args)):
        return implementation(*args, **kwargs)
    return _linked(function, args, kwargs, self.recorder.call(function, *args, **kwargs))  # NumPy's own


def _new(like: StagedArray, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A new array; those of ``BLANK`` and ``LIKE`` can be written to."""
    if function in BLANK:
        return blank(DEFINED.get(function, function)(*args, **kwargs))
    made = made_like(like, function, args, kwargs)
    return blank(made) if function in LIKE else made


def _of_numpy(function: Any) -> Any:
    """The function of NumPy's that a function of CuPy's has its name from."""
    package, _, module = getattr(function, "__module__", "").partition(".")
    if package != "cupy":
        return function
    found: Any = np
    for part in (*filter(lambda name: name in ("linalg", "fft"), module.split(".")), function.__name__):
        found = getattr(found, part, None)
    return function if found is None else found


def _cupy_kernel(self: StagedArray, kernel: Any, *args: Any, **kwargs: Any) -> Any:
    """A call of a ufunc of CuPy's: as NumPy's of that name; of another kernel as it is."""
    ufunc = getattr(np, kernel.name.removeprefix("cupy_"), None) if kernel.name.startswith("cupy_") else None
    if ufunc is None:
        return self.recorder.call(kernel, *args, **kwargs)
    return _array_ufunc(self, ufunc, "__call__", *args, **kwargs)


def _linked(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    """The result, which is read again when the array changes of which NumPy makes it a view."""
    for k, x in enumerate(args):
        if type(x) is type(result) is StagedArray and is_view_of(result, x):
            def read(parent: Any, at: int) -> Any:
                return parent.recorder.call(function, *args[:at], parent, *args[at + 1:], **kwargs)

            return view(result, x, Kind(read, read_only), k)
    return result


def _change(function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function that changes its first argument, which is an array of the plan."""
    implementation = TABLE.get(function)
    if implementation is None or type(args[0] if args else None) is not StagedArray:
        raise PlanError(f"{name} has an effect on something that is no array of the plan, which would not be repeated at each "
                        "run: make the array inside the planned function, with numpy.zeros_like(x) or ad.numpy.zeros")
    return implementation(*args, **kwargs)


_NO_VALUE = np._NoValue  # type: ignore[attr-defined]


def _recorder(*args: Any) -> Recorder:
    return staged_in(args).recorder  # type: ignore[union-attr]


def _axes(axis: Any, ndim: int) -> Shape:
    return tuple(range(ndim)) if axis is None else tuple(sorted(normalize_axis_tuple(axis, ndim)))


def _reduction(ufunc: Any, function: Any) -> Callable[..., Any]:
    """A reduction in its plain form; with further options, NumPy's own call."""
    def reduce(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
               where: Any = _NO_VALUE) -> Any:
        refuse_out(function, out)
        options = {"initial": initial, "where": where, "dtype": dtype}
        given = {k: v for k, v in options.items() if v is not _NO_VALUE and v is not None}
        keepdims = keepdims is not _NO_VALUE and bool(keepdims)
        if given:
            return _recorder(a, initial, where).call(function, a, axis=axis, keepdims=keepdims, **given)
        return a.recorder.call(functions.reduce, a, ufunc, _axes(axis, a.ndim), keepdims)

    if function in (np.sum, np.prod):
        return reduce
    return lambda a, axis=None, out=None, keepdims=False, initial=_NO_VALUE, where=_NO_VALUE: reduce(
        a, axis, None, out, keepdims, initial, where)


def _logical(ufunc: Any, function: Any) -> Callable[..., Any]:
    plain = _reduction(ufunc, function)
    return lambda a, axis=None, out=None, keepdims=False, *, where=_NO_VALUE: plain(a, axis, out, keepdims, where=where)


def refuse_out(function: Any, out: Any) -> None:
    if out is not None and type(out) is not StagedArray:
        raise PlanError(f"numpy.{function.__name__}: out= and in-place operators (x += y) write in a plan to arrays of the plan "
                        "only, not to the caller's or to plain ones: write x = x + y, or make the array with numpy.zeros_like(x) "
                        "or ad.numpy.zeros inside the planned function")


def _method_call(recorder: Recorder, ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A method of a ufunc: reduce in its plain form, others as they are."""
    if method == "reduce" and set(kwargs) <= {"axis", "keepdims"} and len(args) <= 2:
        axis = args[1] if len(args) == 2 else kwargs.get("axis", 0 if np.ndim(args[0]) else None)
        return recorder.call(functions.reduce, args[0], ufunc, _axes(axis, args[0].ndim), bool(kwargs.get("keepdims", False)))
    if method == "at" and (ufunc.__name__, "at") in METHODS and type(args[0]) is StagedArray:
        return METHODS[ufunc.__name__, "at"](*args, **kwargs)
    if method == "at":
        raise PlanError(f"numpy.{ufunc.__name__}.at in a plan changes arrays of the plan only, by add or subtract: make the "
                        f"array with numpy.zeros_like(x) or ad.numpy.zeros inside the planned function. {STEERING}")
    if method == "reduceat" and staged_in(args[1:2]) is not None:
        raise PlanError(f"numpy.{ufunc.__name__}.reduceat in a plan: positions that are computed there steer it. {STEERING}")
    return recorder.call(getattr(ufunc, method), *args, **kwargs)


def _mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = _NO_VALUE) -> Any:
    refuse_out(np.mean, out)
    keepdims = keepdims is not _NO_VALUE and bool(keepdims)
    if dtype is not None or where is not _NO_VALUE or a.dtype.kind not in "fc" or a.itemsize < 4 or 0 in a.shape:
        given = {k: v for k, v in (("dtype", dtype), ("where", where)) if v is not _NO_VALUE and v is not None}
        return _recorder(a, where).call(np.mean, a, axis=axis, keepdims=keepdims, **given)
    axes = _axes(axis, a.ndim)
    return np.sum(a, axis=axes, keepdims=keepdims) / float(np.prod([a.shape[i] for i in axes], dtype=float))


def _where(condition: Any, *branches: Any) -> Any:
    if len(branches) != 2:
        raise PlanError(f"numpy.where with a condition alone: the shape of its result depends on values. {STEERING}")
    recorder = _recorder(condition, branches)
    if not isinstance(condition, StagedArray) and not is_cupy(condition):
        condition = np.asarray(condition)
    return recorder.call(functions.select, condition if condition.dtype == bool else condition != 0, *branches)


def _numpys(a: Any) -> Any:
    """Numbers of Python's as arrays; NumPy's scalars stay."""
    return a if hasattr(a.value, "dtype") else a.as_array()


def _reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    del copy
    shape = newshape if shape is None else shape
    if order != "C":
        return np.transpose(np.reshape(np.transpose(a), tuple(np.empty(a.shape).reshape(shape).shape)[::-1]))
    a = _numpys(a)
    target = np.broadcast_to(False, a.shape).reshape(shape).shape
    if target == a.shape:
        return a
    reshaped = a.recorder.call(functions.reshape, a.as_array(), target)
    return view(reshaped, a, RESHAPED, target) if is_view_of(reshaped, a) else reshaped


def _transpose(a: Any, axes: Any = None) -> Any:
    a, n = _numpys(a), a.ndim
    axes = tuple(range(n))[::-1] if axes is None else normalize_axis_tuple(axes, n)
    return a if axes == tuple(range(n)) else view(a.recorder.call(functions.transpose, a, axes), a, PERMUTED, axes)


def _broadcast(array: Any, shape: Any, subok: bool = False) -> Any:
    del subok
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if shape == array.shape and not array.is_number:
        return array
    return view(array.recorder.call(functions.broadcast, array, shape), array, REPEATED, shape)


def _concatenate(arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    refuse_out(np.concatenate, out)
    given = {} if dtype is None else {"dtype": dtype, "casting": casting}
    return _recorder(list(arrays)).call(np.concatenate, tuple(arrays), axis=axis, **given)


def _real_if_close(a: Any, tol: float = 100) -> Any:
    del tol
    if a.dtype.kind != "c":
        return a
    raise PlanError(f"numpy.real_if_close of complex numbers: the dtype of its result depends on values. Take x.real. {STEERING}")


def _steady(function: Any) -> Callable[..., Any]:
    """A function the dtype of whose result depends on values: that of the tracing run is required of all."""
    return lambda a: a._record(Steady(function), a)


DIRECT: dict[Any, Callable[..., Any]] = {
    np.sum: _reduction(np.add, np.sum), np.prod: _reduction(np.multiply, np.prod), np.mean: _mean,
    np.max: _reduction(np.maximum, np.max), np.min: _reduction(np.minimum, np.min),
    np.any: _logical(np.logical_or, np.any), np.all: _logical(np.logical_and, np.all),
    np.where: _where, np.reshape: _reshape, np.transpose: _transpose, np.broadcast_to: _broadcast,
    np.concatenate: _concatenate, np.copy: lambda a, order="K", _subok=False: a.as_array().copy(order),
    np.astype: lambda x, dtype, **options: x.astype(dtype, **options),
    np.linalg.eig: _steady(np.linalg.eig), np.linalg.eigvals: _steady(np.linalg.eigvals), np.real_if_close: _real_if_close,
    np.real: lambda val: val.real, np.imag: lambda val: val.imag,
}
DIRECT[np.amax], DIRECT[np.amin] = DIRECT[np.max], DIRECT[np.min]

IN_PLACE = {getattr(np, name) for name in "copyto put place putmask put_along_axis fill_diagonal save savez savetxt".split()}
"""Functions with an effect, which a plan would not repeat."""

_BY_MODULE = {function: rule for function, rule in TABLE.items() if not isinstance(function, np.ufunc) and function not in DIRECT}
FOR_ALL_DTYPES = {function for function, rule in _BY_MODULE.items()
                  if getattr(rule, "__module__", "").rpartition(".")[2] in ("shapes", "joining", "padding")}
DECOMPOSED = {function: rule for function, rule in _BY_MODULE.items()
              if function in FOR_ALL_DTYPES or function in (np.clip, np.diff, np.std, np.polymul, np.polydiv, np.poly, np.roots)
              or (function is not np.einsum and getattr(rule, "__module__", "").endswith(".products"))}
"""Functions that are recorded as those which their differentials are made of: views, joins and products, which analysis knows."""


def _floating(args: Any) -> bool:
    """Whether all arrays among the arguments are floating-point or complex, as the functions with differentials expect."""
    if isinstance(args, (tuple, list)):
        return all(map(_floating, args))
    return not hasattr(args, "dtype") or args.dtype.kind in "fc"


SETTINGS = set("""axis axes axis1 axis2 axisa axisb axisc shape newshape num n N M k kth repeats reps bins pad_width shift obj
    indices_or_sections size minlength decimals keepdims ord mode""".split())
"""Parameters of NumPy's functions that are no arrays, or that decide the shape of the result."""


def refuse_settings(function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        given = signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # a function without a signature, or a call that NumPy will refuse
        return
    for parameter, value in given.items():
        if parameter in SETTINGS and (found := staged_in(value)) is not None:
            found._refuse(f"argument {parameter} of {name}, which decides what the function does, as the value")


BLANK = {np.zeros_like, np.ones_like, np.empty_like}
"""Functions that make an array to be written to."""

NEW = {*BLANK, *LIKE, np.arange, np.tri}
"""Functions that make an array without values of others."""

VALUE_SHAPED = {getattr(np, name) for name in """argwhere nonzero flatnonzero unique unique_all unique_counts unique_inverse
    unique_values union1d intersect1d setdiff1d setxor1d extract compress trim_zeros bincount""".split() if hasattr(np, name)}
VALUE_SHAPED.add(np.linalg.lstsq)
"""Functions whose result's shape depends on values."""

SHAPED_BY_FIRST = {np.bincount, np.compress, np.extract}
"""Those of them whose first argument decides that shape: plain numbers, or a plain condition."""

KNOWN = {getattr(np, name) for name in """shape ndim size result_type can_cast common_type min_scalar_type iscomplexobj isrealobj
    may_share_memory shares_memory einsum_path tril_indices_from triu_indices_from diag_indices_from array_repr array_str
    array2string""".split()}
"""Functions of what is known of an array before the plan runs (and texts of it): they are called at once."""


StagedArray.__array_ufunc__ = _array_ufunc  # type: ignore[attr-defined]
StagedArray.__array_function__ = _array_function  # type: ignore[attr-defined]
StagedArray.__cupy_override_elementwise_kernel__ = _cupy_kernel  # type: ignore[attr-defined]

__all__ = ["refuse_out", "refuse_settings"]
