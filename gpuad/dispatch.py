"""The table from NumPy's functions to their traced implementations, and the protocols that lead there."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, wraps
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np

from gpuad.aliasing import lies_in_rows, own
from gpuad.errors import NotDifferentiableError
from gpuad.traced import NO_PROGRAM, TracedArray, is_scalar, settled, underlying
from linalg.arrays import cupy, is_borrowing, is_cupy

TABLE: dict[Any, Callable[..., Any]] = {}
"""NumPy function or ufunc -> the function that takes its place for traced arguments (same signature)."""

METHODS: dict[tuple[str, str], Callable[..., Any]] = {}
"""(ufunc name, method) -> function, for ``np.add.reduce`` and its like."""

_UFUNC_DEFAULTS: dict[str, Any] = {"where": True, "casting": "same_kind", "order": "K", "subok": True, "out": None, "dtype": None}


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table as the traced implementation of NumPy's ``functions``."""
    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            shares = isinstance(function, np.ufunc) or function.__name__ in MAY_SHARE or function in ALWAYS_NEW
            kept = _as_numbers(implementation) if function.__name__ in GIVE_NUMBERS else implementation
            TABLE[function] = kept if shares else _owning(kept, function.__name__)
        return implementation
    return enter


MAY_SHARE = set("""reshape ravel transpose permute_dims matrix_transpose swapaxes moveaxis rollaxis squeeze expand_dims atleast_1d
    atleast_2d atleast_3d broadcast_to broadcast_arrays split array_split hsplit vsplit dsplit unstack flip flipud fliplr rot90
    diagonal diag real imag real_if_close einsum diff trim_zeros ediff1d asarray asanyarray ascontiguousarray asfortranarray
    asarray_chkfinite require matrix_power multi_dot ix_ sliding_window_view""".split())
"""Functions of NumPy whose result may be a view of an argument, or the argument itself."""

ALWAYS_NEW = {np.sum, np.mean, np.dot, np.concatenate, np.stack, np.where}
"""Functions whose implementation gives a row of its own anyway."""


BY_COLUMNS = set("sort partition insert delete pad gradient fftshift ifftshift".split())
"""Functions whose result NumPy lays out by columns where the argument is."""

BY_ROWS = set("repeat take compress select choose meshgrid".split())
"""Functions whose result NumPy lays out by rows always."""


def _owning(implementation: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The implementation of a function whose result is new in NumPy, whatever it is made of here, and laid out as NumPy's is."""
    other = "C" if name in BY_ROWS else "F" if name in BY_COLUMNS else "K"

    @wraps(implementation)
    def call(*args: Any, **kwargs: Any) -> Any:
        return own(implementation(*args, **kwargs), "C" if lies_in_rows(args) else other)

    return call


GIVE_NUMBERS = set("median percentile quantile nanmedian nanpercentile nanquantile multi_dot nan_to_num".split())
"""Functions made of others that give arrays without axes where NumPy gives numbers, which are bound anew by x += y."""


def _as_numbers(implementation: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(implementation)
    def call(*args: Any, **kwargs: Any) -> Any:
        out = implementation(*args, **kwargs)
        if type(out) is TracedArray and out.shape == () and not is_scalar(out):
            out = out[()]  # type: ignore[index]
        return out

    return call


def is_traced(x: Any) -> bool:
    """Whether x is a traced array, or a list or tuple that holds one."""
    if type(x) is TracedArray:
        return True
    return isinstance(x, (list, tuple)) and any(map(is_traced, x))


def any_traced(args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
    """Whether any argument is traced."""
    for a in args:
        if type(a) is TracedArray or (isinstance(a, (list, tuple)) and is_traced(a)):
            return True
    return bool(kwargs) and any(map(is_traced, kwargs.values()))


def refuse(name: str) -> NotDifferentiableError:
    """The error for a function without a differential."""
    return NotDifferentiableError(
        f"{name} has no differential in gpuad, so it does not take traced arrays. Write it with functions that have one, state "
        "its differential with ad.primitive(f, differential=...), or apply it to ad.stop_gradient(x) where no derivative is "
        "wanted")


def _name(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', function)}"


def call_ufunc(ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a ufunc, or a method of it, on traced arguments."""
    name = f"numpy.{ufunc.__name__}"
    if getattr(np, ufunc.__name__, None) is not ufunc:
        name = f"the ufunc {ufunc.__name__}, not NumPy's,"
    if name != f"numpy.{ufunc.__name__}" and ufunc not in TABLE:
        import_module("gpuad.scipy.special")  # whose ufuncs are entered in the table where one is met first
    implementation = TABLE.get(ufunc) if method == "__call__" else METHODS.get((ufunc.__name__, method))
    if implementation is None:
        if not any_traced(_settled(args), _settled(kwargs)):
            return getattr(ufunc, method)(*_settled(args), **_settled(kwargs))
        raise refuse(name if method == "__call__" else f"{name}.{method}")
    if method == "__call__":
        return _with_options(name, ufunc, implementation, args, kwargs)
    return own(call_function(name, implementation, args, kwargs))


def _with_options(name: str, ufunc: Any, implementation: Callable[..., Any], args: tuple[Any, ...],
                  kwargs: dict[str, Any]) -> Any:
    """A ufunc call with ``out``, ``where`` and ``dtype``; other options must be those that ufuncs have by default."""
    outs, args = (args[ufunc.nin:] if kwargs.get("out") is None else kwargs["out"]), args[:ufunc.nin]
    outs = outs if isinstance(outs, tuple) else (outs,)
    changed = {k: v for k, v in kwargs.items() if k not in _UFUNC_DEFAULTS or v is not _UFUNC_DEFAULTS[k]}
    axis = {"axis": changed.pop("axis")} if ufunc is np.vecdot and "axis" in changed else {}
    mask, dtype = changed.pop("where", True), changed.pop("dtype", None)
    changed.pop("out", None)
    if changed:
        raise TypeError(f"{name}: keyword arguments {sorted(changed)} are not available for traced arrays")
    written = any(o is not None for o in outs)
    if mask is not True and not written:
        raise TypeError(f"{name}: where= leaves the other entries undefined unless out= is given, which may be traced too; write "
                        "numpy.where(mask, f(x), y)")
    if dtype is not None:
        args = tuple(_in_dtype(name, a, dtype) for a in args)
    if not written:
        return implementation(*args, **axis)
    from gpuad.primitives.assignment import write_out, write_where

    if mask is not True:
        return write_where(outs, implementation, args, mask, name)
    result = implementation(*args, **axis)
    results = result if isinstance(result, tuple) else (result,)
    stored = tuple(r if o is None else write_out(o, r, name) for r, o in zip(results, outs, strict=False))
    return stored if isinstance(result, tuple) else stored[0]


def _in_dtype(name: str, x: Any, dtype: Any) -> Any:
    """An operand of a ufunc that computes in a given dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "fc":
        raise TypeError(f"{name}: expected a floating-point or complex dtype= for traced arrays, got {dtype}")
    return x.astype(dtype) if hasattr(x, "dtype") else dtype.type(x)


@cache
def _place_of_out(function: Callable[..., Any]) -> int | None:
    """Where a function takes ``out`` by position."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):  # of NumPy's C functions
        return {np.concatenate: 2, np.dot: 2}.get(function)
    return next((i for i, p in enumerate(parameters) if p.name == "out" and p.kind is p.POSITIONAL_OR_KEYWORD), None)


def named_out(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The arguments of a call, with an ``out`` that is given by position named."""
    place = _place_of_out(function) if len(args) > 1 else None
    if place is None or len(args) <= place:
        return args, kwargs
    return (*args[:place], None, *args[place + 1:]), {**kwargs, "out": args[place]}


def call_function(name: str, implementation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call of a function, with ``out`` as the array that its result is written into."""
    args, kwargs = named_out(implementation, args, kwargs)
    out = kwargs.get("out")
    if out is None:
        return implementation(*args, **kwargs)
    from gpuad.primitives.assignment import write_out

    result = implementation(*args, **{k: v for k, v in kwargs.items() if k != "out"})
    return write_out(out[0] if isinstance(out, tuple) else out, result, name)


def _array_ufunc(_self: TracedArray, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    if not kwargs and method == "__call__" and (implementation := TABLE.get(ufunc)) is not None:
        return implementation(*args)
    return call_ufunc(ufunc, method, args, kwargs)


def _array_function(_self: TracedArray, function: Any, _types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    implementation = TABLE.get(function)
    if implementation is not None:
        if not kwargs and len(args) == 1:
            return implementation(*args)
        return call_function(_name(function), implementation, args, kwargs)
    if function in LIKE:
        return blank(made_like(_self, function, args, kwargs))
    if function in (np.arange, np.tri):
        return made_like(_self, function, args, kwargs)
    return call_plain(_name(function), function, args, kwargs)


LIKE = {np.zeros, np.ones, np.empty, np.full, np.eye, np.identity}
"""Functions that make an array with ``like=x``, to be written to."""


DEFINED: dict[Any, Any] = {np.empty: np.zeros, np.empty_like: np.zeros_like}
"""What takes the place of functions whose entries are whatever lies in memory: derivatives of a trace do not depend on that."""


def made_like(x: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A new array that lies where x does, by NumPy's function or CuPy's, which knows no ``device=``."""
    given = {k: v for k, v in kwargs.items() if not (k == "device" and v is None)}
    return getattr(cupy() if is_cupy(underlying(x)) else np, DEFINED.get(function, function).__name__)(*args, **given)


def blank(x: Any) -> Any:
    """A new array that may be written to within a trace; x itself where it cannot carry a derivative."""
    return TracedArray(x, NO_PROGRAM, -1) if x.dtype.kind in "fc" or is_borrowing() else x


def call_plain(name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function without a differential on constants that were made to be written to; refused on other traced arrays."""
    plain_args, plain_kwargs = _settled(args), _settled(kwargs)
    if any_traced(plain_args, plain_kwargs):
        raise refuse(name)
    return function(*plain_args, **plain_kwargs)


def _settled(tree: Any) -> Any:
    if type(tree) in (list, tuple):
        return type(tree)(map(_settled, tree))
    return {k: _settled(v) for k, v in tree.items()} if type(tree) is dict else settled(tree)


def _cupy_kernel(_self: TracedArray, kernel: Any, *args: Any, **kwargs: Any) -> Any:
    name, implementation = kernel.name, None
    if name.startswith("cupyx_scipy_special_"):
        name = name.removeprefix("cupyx_scipy_special_")
        implementation = TABLE.get(getattr(import_module("gpuad.scipy.special").namespace._module, name, None))
    elif name.startswith("cupy_"):  # a user's kernel is not NumPy's
        name = name.removeprefix("cupy_")
        implementation = TABLE.get(getattr(np, name, None))
    if implementation is None:
        raise refuse(f"cupy.{name}")
    return _with_options(f"cupy.{name}", kernel, implementation, args, kwargs)


TracedArray.__array_ufunc__ = _array_ufunc  # type: ignore[attr-defined]
TracedArray.__array_function__ = _array_function  # type: ignore[attr-defined]
TracedArray.__cupy_override_elementwise_kernel__ = _cupy_kernel  # type: ignore[attr-defined]
